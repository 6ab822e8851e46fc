//! Which folders of a tree are images, and which only look as if they were to become one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::super::{claim, registry};
use super::{MANIFEST, VERSION, blob_digest};
use crate::finding::{Finding, Kind};

/// What a walk found.
pub(super) struct Walk {
    /// The image folders, in the order of their paths.
    pub(super) folders: Vec<PathBuf>,
    pub(super) findings: Vec<Finding>,
}

/// What a folder is, by what lies right inside.
enum Place {
    Image,
    OtherLayout,
    Other,
}

fn place(folder: &Path) -> Place {
    let has = |name: &str| folder.join(name).symlink_metadata().is_ok();
    match () {
        () if has("oci-layout") || registry::is_root(folder) => Place::OtherLayout,
        () if has(MANIFEST) => Place::Image,
        () => Place::Other,
    }
}

/// Whether a folder is an image's own.
pub(super) fn is_image(folder: &Path) -> bool {
    matches!(place(folder), Place::Image)
}

/// Whether there is an image folder at `path` or at most `depth` folders below.
pub(super) fn holds_image(path: &Path, depth: usize) -> bool {
    let mut walk = WalkDir::new(path).max_depth(depth).into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        // The root is what a person named, be it a link.
        if entry.file_type().is_dir() || entry.depth() == 0 {
            match place(entry.path()) {
                Place::Image => return true,
                Place::OtherLayout => walk.skip_current_dir(),
                Place::Other => {}
            }
        }
    }
    false
}

/// The folders at `path` and below that are trees of another layout.
pub(super) fn other_layouts(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut walk = WalkDir::new(path).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        if entry.file_type().is_dir() && matches!(place(entry.path()), Place::OtherLayout) {
            found.push(entry.into_path());
            walk.skip_current_dir();
        }
    }
    found
}

/// Finds the image folders below `root`; symbolic links are not followed.
pub(super) fn image_folders(root: &Path) -> Walk {
    let mut folders = Vec::new();
    let mut findings = Vec::new();
    // Folders that are no image, and whether they are only part of the way to others.
    let mut others: BTreeMap<PathBuf, bool> = BTreeMap::new();
    let mut walk = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                findings.push(claim::unwalkable(root, &error));
                continue;
            }
        };
        if let Some(parent) = entry.path().parent().and_then(|parent| others.get_mut(parent)) {
            *parent |= !is_part_of_image(&entry);
        }
        // The root is what a person named, be it a link.
        let is_root = entry.depth() == 0;
        if entry.file_type().is_symlink() && !is_root {
            // skopeo does not follow it either: what lies behind would be missing without a word.
            if entry.path().is_dir() {
                let finding = Finding::at(Kind::NotAFile, entry.path());
                findings.push(finding.expected("a folder").found("a symbolic link to one"));
            }
            continue;
        }
        if !entry.file_type().is_dir() && !is_root {
            continue;
        }
        match place(entry.path()) {
            Place::Image => {
                folders.push(entry.into_path());
                walk.skip_current_dir();
            }
            Place::OtherLayout => {
                findings.push(Finding::at(Kind::UnreadLayout, entry.path()));
                walk.skip_current_dir();
            }
            Place::Other => {
                others.insert(entry.into_path(), false);
            }
        }
    }
    let incomplete = others.into_iter().filter(|(folder, is_way)| !is_way && folder != root);
    findings.extend(incomplete.map(|(folder, _)| Finding::at(Kind::IncompleteImage, folder)));
    Walk { folders, findings }
}

/// Whether an entry is what a copy leaves behind before it writes `manifest.json`.
fn is_part_of_image(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    entry.file_type().is_file()
        && (name == VERSION
            || name.starts_with("dir-put-blob")
            || name.ends_with(&format!(".{MANIFEST}"))
            || blob_digest(&name).is_some())
}
