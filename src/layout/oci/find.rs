//! Which folders of a tree are OCI layouts.

use std::fs;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::super::{claim, dir, registry};
use super::{BLOBS, VERSION_FILE};
use crate::disk::{self, Look};
use crate::finding::{Finding, Kind};

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
    let mut walk = WalkDir::new(path).sort_by_file_name().into_iter().filter_entry(is_folder);
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

/// Finds the layouts at and below `root`, and tells what else lies there and is not read; symbolic links are not
/// followed.
pub(super) fn layouts(root: &Path, findings: &mut Vec<Finding>) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut walk = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                findings.push(claim::unwalkable(root, &error));
                continue;
            }
        };
        let path = entry.path();
        // A folder comes before what is in it, so that only the last layout can be the one that this lies in.
        let inside = found.last().filter(|layout| path.starts_with(layout));
        if !is_folder(&entry) {
            if inside.is_none() && entry.file_type().is_symlink() && path.is_dir() {
                // What lies behind would be missing without a word.
                let finding = Finding::at(Kind::NotAFile, path);
                findings.push(finding.expected("a folder").found("a symbolic link to one"));
            }
            continue;
        }
        let is_blobs = inside.is_some_and(|layout| path == layout.join(BLOBS));
        if is_blobs || disk::is_staging(&entry.file_name().to_string_lossy()) {
            walk.skip_current_dir();
        } else if is_layout(path) && inside.is_none() {
            found.push(entry.into_path());
        } else if is_layout(path) || dir::is_image_folder(path) || registry::is_root(path) {
            findings.push(Finding::at(Kind::UnreadLayout, path));
            walk.skip_current_dir();
        }
    }
    found
}

/// Whether an entry of a walk is a folder; the root may be a link that a person named.
fn is_folder(entry: &DirEntry) -> bool {
    entry.file_type().is_dir() || entry.depth() == 0
}
