//! The release that is committed in `testdata/`, and copies of it to break.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use walkdir::WalkDir;

/// The committed trees' folder.
pub(crate) fn testdata() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata")
}

/// Copies the committed release's `images/` into a new folder; every file has an inode of its own.
pub(crate) fn copied_release() -> (TempDir, PathBuf) {
    let folder = super::scratch();
    let images = folder.path().join("images");
    copy_tree(&testdata().join("images"), &images);
    (folder, images)
}

/// Copies a tree, file by file.
pub(crate) fn copy_tree(from: &Path, to: &Path) {
    for entry in WalkDir::new(from) {
        let entry = entry.unwrap();
        let target = to.join(entry.path().strip_prefix(from).unwrap());
        if entry.file_type().is_dir() {
            fs::create_dir_all(target).unwrap();
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files below `root` that have this name, in the order of their paths.
pub(crate) fn files_named(root: &Path, name: &str) -> Vec<PathBuf> {
    let entries = WalkDir::new(root).sort_by_file_name().into_iter().map(Result::unwrap);
    entries.filter(|entry| entry.file_name() == name).map(walkdir::DirEntry::into_path).collect()
}

/// The hex digest of an image's layer, by its place in the manifest.
pub(crate) fn layer(image: &Path, number: usize) -> String {
    let manifest = fs::read(image.join("manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let digest = manifest["layers"][number]["digest"].as_str().unwrap().to_owned();
    digest.strip_prefix("sha256:").unwrap().to_owned()
}

/// Flips one bit in the middle of a file, in place.
pub(crate) fn flip_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}
