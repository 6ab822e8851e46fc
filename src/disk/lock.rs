//! The lock on a folder, by which two runs keep out of each other's way.
//!
//! It is flock(2) on the folder itself: nothing is written, and the system takes it back from whoever dies.

use std::fs::{File, TryLockError};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::text::shown;

/// What to do when another run holds the lock.
#[derive(Clone, Copy)]
pub enum WhenLocked<'a> {
    /// Give up.
    Refuse,
    /// Wait until it is free; the function is called once before.
    Wait(&'a (dyn Fn() + Sync)),
}

/// Locks an open folder until it is closed; `Ok(false)` where the file system has no locks.
pub(super) fn lock(folder: &File, path: &Path, when_locked: WhenLocked) -> Result<bool> {
    let result = match folder.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => match when_locked {
            WhenLocked::Refuse => {
                let refused = io::Error::new(io::ErrorKind::WouldBlock, "another run is writing to it");
                return Err(refused).with_context(|| {
                    format!(
                        "cannot lock {}\n  hint: run again when it has ended, or with --wait",
                        shown(path)
                    )
                });
            }
            WhenLocked::Wait(on_wait) => {
                on_wait();
                folder.lock()
            }
        },
        Err(TryLockError::Error(error)) => Err(error),
    };
    match result {
        Ok(()) => Ok(true),
        Err(error) if has_no_locks(&error) => Ok(false),
        Err(error) => Err(error).with_context(|| format!("cannot lock {}", shown(path))),
    }
}

/// Whether the file system says that it cannot lock folders at all, as network file systems may.
fn has_no_locks(error: &io::Error) -> bool {
    let refusals = [Errno::EBADF, Errno::ENOLCK, Errno::EOPNOTSUPP, Errno::ENOSYS, Errno::EINVAL];
    error.raw_os_error().is_some_and(|code| refusals.contains(&Errno::from_raw(code)))
}
