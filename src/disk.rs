//! The disk: the only module that writes, and the one that reads without being fooled.
//!
//! Nothing here ever opens an existing file for writing: its inode may be someone else's hard link. New files
//! arrive by link, by clone, or as a temporary file beside their target that is renamed into place. Every
//! error carries the path that it happened at.

mod read;
mod share;
mod window;
mod write;

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

pub use read::{Look, device_of, link_between, look, read_small, stream, what_is_no_file};
pub use share::{Copy, Share, Shared, copy, share};
pub use write::{Staging, create_folder, sync, write_file};

/// Which file a name leads to: hard links of one file have one inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inode {
    /// The device of its file system.
    pub device: u64,
    /// Its number there.
    pub number: u64,
}

impl Inode {
    /// Reads it off a file's metadata.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino() }
    }
}

/// A regular file, as it was when it was looked at.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File {
    /// Where it lies.
    pub path: PathBuf,
    /// Its length in bytes.
    pub size: u64,
    /// What it takes on disk, in bytes.
    pub allocated: u64,
    /// Which inode it is.
    pub inode: Inode,
}

impl File {
    fn of(path: &Path, metadata: &Metadata) -> Self {
        // The kernel counts blocks in units of 512 bytes, whatever the file system's are.
        let allocated = metadata.blocks() * 512;
        Self { path: path.to_owned(), size: metadata.len(), allocated, inode: Inode::of(metadata) }
    }
}
