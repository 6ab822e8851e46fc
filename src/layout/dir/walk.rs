//! Which folders of a tree are images, and which only look as if they were to become one.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::super::registry;
use super::{MANIFEST, VERSION, blob_digest};
use crate::disk::{EntryKind, Folder, is_staging};
use crate::finding::{self, Finding, Kind};
use crate::work;

/// What a walk found.
#[derive(Default)]
pub(super) struct Walk {
    /// The image folders, in the order of their paths.
    pub(super) folders: Vec<PathBuf>,
    /// What looks as if it were to become one, and what cannot be looked at.
    pub(super) findings: Vec<Finding>,
}

/// What a folder is, by what lies right inside.
enum Place {
    Image,
    OtherLayout,
    Other,
}

/// Looks by `has`, which tells whether something of that name lies right in it.
fn place(folder: &Path, has: impl Fn(&str) -> bool) -> Place {
    match () {
        () if has("oci-layout") || registry::is_root(folder) => Place::OtherLayout,
        () if has(MANIFEST) => Place::Image,
        () => Place::Other,
    }
}

/// The same, of a folder that nobody has listed.
fn place_at(folder: &Path) -> Place {
    place(folder, |name| folder.join(name).symlink_metadata().is_ok())
}

/// Whether a folder is one in which a run makes images: they are none before they have their places.
fn is_aside(folder: &Path) -> bool {
    folder.file_name().and_then(OsStr::to_str).is_some_and(is_staging)
}

/// Whether a folder is an image's own.
pub(super) fn is_image(folder: &Path) -> bool {
    matches!(place_at(folder), Place::Image)
}

/// Whether there is an image folder at `path` or at most `depth` folders below.
pub(super) fn holds_image(path: &Path, depth: usize) -> bool {
    let mut walk = WalkDir::new(path).max_depth(depth).into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue };
        // The root is what a person named, be it a link.
        if entry.file_type().is_dir() || entry.depth() == 0 {
            match place_at(entry.path()) {
                Place::Image => return true,
                Place::OtherLayout => walk.skip_current_dir(),
                Place::Other if is_aside(entry.path()) => walk.skip_current_dir(),
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
        if !entry.file_type().is_dir() {
            continue;
        }
        if matches!(place_at(entry.path()), Place::OtherLayout) {
            found.push(entry.into_path());
            walk.skip_current_dir();
        } else if is_aside(entry.path()) {
            walk.skip_current_dir();
        }
    }
    found
}

/// Finds the image folders at `root` and below; symbolic links are not followed.
pub(super) fn image_folders(root: &Path) -> Walk {
    let mut walk = Walk::default();
    let mut level = vec![root.to_owned()];
    while !level.is_empty() {
        let mut below = Vec::new();
        let look = |folder: &PathBuf| look(folder, folder == root);
        work::some_at_a_time(&level, look, |seen| {
            walk.folders.extend(seen.walk.folders);
            walk.findings.extend(seen.walk.findings);
            below.extend(seen.below);
        });
        level = below;
    }
    walk.folders.sort_unstable();
    walk
}

/// What a look into one folder showed.
#[derive(Default)]
struct Seen {
    walk: Walk,
    /// The folders in it that may be images.
    below: Vec<PathBuf>,
}

fn look(folder: &Path, is_root: bool) -> Seen {
    let Seen { mut walk, mut below } = Seen::default();
    // The root is what a person named, be it a link.
    let opened = if is_root { Folder::open_named(folder) } else { Folder::open(folder) };
    let listed = opened.and_then(|mut opened| opened.list());
    let place = match &listed {
        Ok(listed) => {
            place(folder, |name| listed.binary_search_by(|(it, _)| (**it).cmp(name.as_ref())).is_ok())
        }
        Err(_) => place_at(folder),
    };
    match (place, listed) {
        (Place::Image, _) => walk.folders.push(folder.to_owned()),
        (Place::OtherLayout, _) => walk.findings.push(Finding::at(Kind::UnreadLayout, folder)),
        (Place::Other, Err(error)) => walk.findings.push(finding::unreadable(folder, &error)),
        (Place::Other, Ok(listed)) => {
            if !is_root && listed.iter().all(|(name, kind)| is_part_of_image(name, *kind)) {
                walk.findings.push(Finding::at(Kind::IncompleteImage, folder));
            }
            for (path, kind) in listed.into_iter().map(|(name, kind)| (folder.join(name), kind)) {
                match kind {
                    EntryKind::Folder if is_aside(&path) => {}
                    EntryKind::Folder => below.push(path),
                    // skopeo does not follow it either: what lies behind would be missing without a word.
                    EntryKind::Link if path.is_dir() => {
                        let finding = Finding::at(Kind::NotAFile, path);
                        walk.findings.push(finding.expected("a folder").found("a symbolic link to one"));
                    }
                    EntryKind::File | EntryKind::Link | EntryKind::Other => {}
                }
            }
        }
    }
    Seen { walk, below }
}

/// Whether an entry is what a copy leaves behind before it writes `manifest.json`.
fn is_part_of_image(name: &OsStr, kind: EntryKind) -> bool {
    let name = name.to_string_lossy();
    kind == EntryKind::File
        && (name == VERSION
            || name.starts_with("dir-put-blob")
            || name.ends_with(&format!(".{MANIFEST}"))
            || blob_digest(&name).is_some())
}
