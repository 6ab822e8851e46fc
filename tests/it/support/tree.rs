//! Trees of files, looked at and compared.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use walkdir::WalkDir;

/// Reads every file below the root, by relative path.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (path, metadata) in entries(root) {
        if metadata.is_file() {
            files.insert(path.clone(), fs::read(root.join(path)).unwrap());
        }
    }
    files
}

/// The permission bits of everything below the root, by relative path; that of a folder ends in a slash.
pub(crate) fn modes(root: &Path) -> BTreeMap<String, Mode> {
    entries(root).map(|(path, metadata)| (path, Mode(metadata.mode() & 0o7777))).collect()
}

/// What changes when somebody writes: of everything below the root, by relative path, and of the root itself.
pub(crate) fn stamps(root: &Path) -> BTreeMap<String, Stamp> {
    let stamp = |metadata: &Metadata| Stamp {
        inode: metadata.ino(),
        modified_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()),
        links: metadata.nlink(),
    };
    let root_stamp = ("./".to_owned(), stamp(&metadata(root)));
    entries(root).map(|(path, metadata)| (path, stamp(&metadata))).chain([root_stamp]).collect()
}

/// Permission bits, shown in octal.
#[derive(PartialEq, Eq)]
pub(crate) struct Mode(pub(crate) u32);

impl std::fmt::Debug for Mode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

/// Which file it is, when its content or a folder's entries last changed, and how many names it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    inode: u64,
    modified_ns: i128,
    links: u64,
}

/// The number that tells whether two names are hard links to one file.
pub(crate) fn inode(path: &Path) -> u64 {
    metadata(path).ino()
}

/// How many hard links a file has.
pub(crate) fn links(path: &Path) -> u64 {
    metadata(path).nlink()
}

/// Fails unless both trees hold the same folders and files with the same bytes and permissions.
pub(crate) fn assert_same_trees(left: &Path, right: &Path) {
    assert_same_files(&files(left), &files(right));
    assert_same("permissions", &modes(left), &modes(right));
}

/// Fails unless both sides have the same files with the same bytes.
pub(crate) fn assert_same_files(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    let shown = |files: &BTreeMap<String, Vec<u8>>, others: &BTreeMap<String, Vec<u8>>| {
        let differing = files.iter().filter(|(path, bytes)| others.get(*path) != Some(bytes));
        differing.map(|(path, bytes)| (path.clone(), summary(bytes))).collect::<BTreeMap<_, _>>()
    };
    assert_same("files", &shown(left, right), &shown(right, left));
}

/// Fails unless both sides have the same paths with equal values, and lists the paths that differ.
pub(crate) fn assert_same<T: PartialEq + std::fmt::Debug>(
    what: &str,
    left: &BTreeMap<String, T>,
    right: &BTreeMap<String, T>,
) {
    const SHOWN: usize = 20;
    let mut differences = Vec::new();
    for (path, value) in left {
        match right.get(path) {
            None => differences.push(format!("only left:  {path}")),
            Some(other) if other != value => {
                differences.push(format!("different:  {path}: {value:?} left, {other:?} right"));
            }
            Some(_) => {}
        }
    }
    let only_right = right.keys().filter(|path| !left.contains_key(*path));
    differences.extend(only_right.map(|path| format!("only right: {path}")));
    let count = differences.len();
    differences.truncate(SHOWN);
    assert!(count == 0, "{what} differ at {count} paths, the first are:\n{}", differences.join("\n"));
}

/// Enough of a file to see what differs without flooding the screen.
fn summary(bytes: &[u8]) -> String {
    let digest = super::sha256(bytes);
    match std::str::from_utf8(bytes) {
        Ok(text) if text.len() <= 120 => text.to_owned(),
        _ => format!("{} bytes, {digest}", bytes.len()),
    }
}

fn entries(root: &Path) -> impl Iterator<Item = (String, Metadata)> + '_ {
    WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter().map(move |entry| {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        let kind = metadata.file_type();
        assert!(kind.is_file() || kind.is_dir(), "{} is neither file nor folder", entry.path().display());
        let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap();
        let slash = if kind.is_dir() { "/" } else { "" };
        (format!("{path}{slash}"), metadata)
    })
}

fn metadata(path: &Path) -> Metadata {
    fs::symlink_metadata(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}
