//! Which folders of a tree are OCI layouts.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::super::{claim, dir, registry};
use super::VERSION_FILE;
use crate::disk::{self, Look};
use crate::finding::Finding;

/// Whether a folder is a layout itself.
pub(super) fn is_layout(folder: &Path) -> bool {
    matches!(disk::look(&folder.join(VERSION_FILE)), Ok(Look::File(_) | Look::Other(_)))
}

/// The folders right inside a folder, those that can be read.
pub(super) fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|it| it.path()).collect()
}

/// Whether `path` is a layout, or one lies below. A tree of image folders is none, whatever else lies in it: that
/// its layouts are not read is told when it is read.
pub(super) fn holds_layout(path: &Path) -> bool {
    let mut walk = folders(path);
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        if is_layout(entry.path()) {
            return true;
        }
        if dir::is_image_folder(entry.path()) {
            return false;
        }
        if registry::is_root(entry.path()) {
            walk.skip_current_dir();
        }
    }
    false
}

/// Finds the layouts at and below `root`; symbolic links are not followed.
pub(super) fn layouts(root: &Path, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut walk = folders(root);
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) if is_layout(entry.path()) => {
                found.push(entry.into_path());
                walk.skip_current_dir();
            }
            Ok(entry) if registry::is_root(entry.path()) => walk.skip_current_dir(),
            Ok(_) => {}
            Err(error) => findings.push(claim::unwalkable(root, &error)),
        }
    }
    found
}

type Folders = walkdir::FilterEntry<walkdir::IntoIter, fn(&DirEntry) -> bool>;

/// Walks the folders of a tree, in the order of their names; the root may be a link that a person named.
fn folders(root: &Path) -> Folders {
    let is_folder: fn(&DirEntry) -> bool = |entry| entry.file_type().is_dir() || entry.depth() == 0;
    WalkDir::new(root).sort_by_file_name().into_iter().filter_entry(is_folder)
}
