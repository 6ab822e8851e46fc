//! How many names a file has, and who may read it: what has to be known before two files become one.

use std::fs;
use std::os::unix::fs::MetadataExt;

use anyhow::{Context, Result};

use super::File;
use crate::text::shown;

/// What the inode of a file says of it, apart from its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The number of its user.
    pub user: u32,
    /// The number of its group.
    pub group: u32,
    /// Its permission bits.
    pub mode: u32,
}

impl File {
    /// Who may read it, and how many names it has, in this tree and elsewhere.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn access(&self) -> Result<(Access, u64)> {
        let metadata = fs::symlink_metadata(self.path())
            .with_context(|| format!("cannot look at {}", shown(&self.path())))?;
        let access = Access { user: metadata.uid(), group: metadata.gid(), mode: metadata.mode() & 0o7777 };
        Ok((access, metadata.nlink()))
    }
}
