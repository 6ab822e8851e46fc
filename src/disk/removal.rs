//! Removing: one file, or one folder that is empty. Nothing here goes through a folder's content.
//!
//! What is gone already is as good as removed: a run that was killed, or somebody else, was faster.

use std::fs;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::Destination;
use crate::text::shown;

impl Destination {
    /// Removes one name of a file; of a symbolic link, the link itself.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn remove_file(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", shown(path)))
            }
            _ => Ok(()),
        }
    }

    /// Removes a folder if it is empty; one that is not, or at which another file system begins, stays.
    ///
    /// # Errors
    /// When the system refuses for another reason.
    pub fn remove_if_empty(&self, path: &Path) -> Result<()> {
        let stays = |error: &io::Error| {
            let code = error.raw_os_error().map(Errno::from_raw);
            matches!(code, Some(Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOENT | Errno::EBUSY))
        };
        match fs::remove_dir(path) {
            Err(error) if !stays(&error) => {
                Err(error).with_context(|| format!("cannot remove {}", shown(path)))
            }
            _ => Ok(()),
        }
    }
}
