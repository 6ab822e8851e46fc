//! What all sections are told: where to measure, how often, and whether in small.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use super::disk;
use super::machine;
use crate::support::images::{self, Image, Tree};

/// What a file or folder takes at least.
const BLOCK_BYTES: u64 = 4096;
/// How many files and folders there are at most to a file of content, in the tree and in each storage made of it.
const INODES_IN_TREE: u64 = 2;
const INODES_IN_STORAGE: u64 = 4;

/// What to measure with.
pub(crate) struct Bench {
    /// The folder in which every section makes, and removes, its own.
    pub(crate) dir: PathBuf,
    /// How often each contender is timed.
    pub(crate) rounds: usize,
    /// Whether sizes are small.
    pub(crate) quick: bool,
    /// How many threads run at once.
    pub(crate) cores: usize,
}

/// A generated tree; dropping it removes all that is in its folder.
pub(crate) struct Made {
    folder: TempDir,
    /// What is in it.
    pub(crate) tree: Tree,
}

impl Made {
    /// The folder in which `images` lies.
    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    /// How many bytes it is: `50 images, 237.4 MB, 84.2 MB unique`.
    pub(crate) fn data(&self) -> String {
        let Tree { images, bytes, .. } = self.tree;
        format!("{images} images, {}, {} unique", size(bytes), size(self.unique_bytes()))
    }

    /// How many files it is: `1000 images, 20000 files`.
    pub(crate) fn files(&self) -> String {
        format!("{} images, {} files", self.tree.images, self.tree.files)
    }

    /// The size of all blobs, each counted once.
    pub(crate) fn unique_bytes(&self) -> u64 {
        self.tree.storage.blobs.values().sum()
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        // Faster than the folder removes itself, which it still does if this fails.
        let _ = disk::remove(self.root());
    }
}

impl Bench {
    /// Makes the folder if it is missing.
    pub(crate) fn new(dir: &Path, rounds: usize, quick: bool) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
        Ok(Self { dir, rounds, quick, cores: machine::cores()? })
    }

    /// The full size, or the small one.
    pub(crate) fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }

    /// Writes images into a fresh folder, if there is room for them and for that many times the storage made of them.
    pub(crate) fn make(&self, images: &[Image], storages: usize) -> Result<Made> {
        let bytes: u64 = images.iter().flat_map(|image| &image.layers).map(|layer| layer.bytes).sum();
        let files: u64 = images.iter().map(|image| image.layers.len() as u64 + 2).sum();
        let inodes = files * (INODES_IN_TREE + INODES_IN_STORAGE * storages as u64);
        disk::ensure_room(&self.dir, bytes + inodes * BLOCK_BYTES, inodes)?;
        eprintln!("writing {} images, {} …", images.len(), size(bytes));
        let folder = tempfile::Builder::new()
            .prefix("bundle-bench-")
            .tempdir_in(&self.dir)
            .with_context(|| format!("no temporary directory in {}", self.dir.display()))?;
        let tree = images::write(folder.path(), images)?;
        disk::sync(folder.path())?;
        Ok(Made { folder, tree })
    }
}

/// A size in the unit that suits it.
pub(crate) fn size(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        1e9.. => format!("{:.2} GB", bytes / 1e9),
        1e6.. => format!("{:.1} MB", bytes / 1e6),
        _ => format!("{:.1} kB", bytes / 1e3),
    }
}

/// Memory in MiB, without the unit.
pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1}", bytes as f64 / f64::from(1 << 20))
}
