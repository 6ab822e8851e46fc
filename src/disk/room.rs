//! How much room a file system has left.

use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use nix::sys::statfs::{
    BTRFS_SUPER_MAGIC, FsType, OVERLAYFS_SUPER_MAGIC, TMPFS_MAGIC, XFS_SUPER_MAGIC, statfs,
};
use nix::sys::statvfs::statvfs;

use super::resolved;
use crate::text::shown;

/// What a file system has left for an ordinary user, without what is reserved for the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// Free space, in bytes.
    pub bytes: u64,
    /// How many more files and folders it can hold; `None` where it makes room for them as it goes.
    pub inodes: Option<u64>,
    /// The unit in which it gives space to files, in bytes.
    pub block: u64,
}

impl Room {
    /// Asks the file system that holds `path`, or will hold it once it is created.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn at(path: &Path) -> Result<Self> {
        let existing = existing(path)?;
        let numbers = statvfs(&existing)
            .map_err(io::Error::from)
            .with_context(|| format!("cannot ask how much room there is at {}", shown(&existing)))?;
        let block = numbers.fragment_size().max(1);
        let inodes = (numbers.files() > 0).then(|| numbers.files_available());
        Ok(Self { bytes: numbers.blocks_available().saturating_mul(block), inodes, block })
    }

    /// What a file of `size` bytes takes.
    #[must_use]
    pub fn taken_by(&self, size: u64) -> u64 {
        size.div_ceil(self.block).saturating_mul(self.block)
    }
}

/// What a kind of file system does that its numbers do not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Habits {
    /// It may be able to clone files.
    pub clones: bool,
    /// It takes an inode for every name of a file, as memory file systems do.
    pub counts_names: bool,
}

impl Habits {
    /// Asks what kind of file system holds `path`, or will hold it once it is created.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn at(path: &Path) -> Result<Self> {
        // bcachefs, whose number the library does not have: the kernel's include/uapi/linux/magic.h.
        const BCACHEFS_SUPER_MAGIC: FsType = FsType(0xca45_1a4e);
        let existing = existing(path)?;
        let kind = statfs(&existing)
            .map_err(io::Error::from)
            .with_context(|| format!("cannot ask what file system is at {}", shown(&existing)))?
            .filesystem_type();
        let cloning = [BTRFS_SUPER_MAGIC, XFS_SUPER_MAGIC, OVERLAYFS_SUPER_MAGIC, BCACHEFS_SUPER_MAGIC];
        Ok(Self { clones: cloning.contains(&kind), counts_names: kind == TMPFS_MAGIC })
    }
}

fn existing(path: &Path) -> Result<std::path::PathBuf> {
    let path = resolved(path)?;
    Ok(path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/")).to_owned())
}
