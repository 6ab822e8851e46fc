//! Sharing content between trees: by hard link, by clone, or by copy, and saying which it was.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use nix::errno::Errno;

use super::write::{in_folder_of, temporary_beside};
use super::{Inode, stream};
use crate::text::shown;

/// How content may be shared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// By hard link; where the file system refuses, by clone; where it refuses that, too, by copy.
    Auto,
    /// By hard link or not at all.
    HardLink,
    /// By clone, which shares the bytes but not the inode; where the file system refuses, by copy.
    Reflink,
    /// By copy.
    Copy,
}

/// How content was shared in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// One more name for the same inode.
    Linked,
    /// An inode of its own on the same bytes.
    Cloned,
}

/// Gives the file `source`, whose inode was verified, the name `target` as well, by link or clone; a file that
/// has the name already is replaced in one step.
///
/// `Ok(None)` when the file system can do neither and [`copy`] is left.
///
/// # Errors
/// When the system refuses for any other reason, when `source` is not the verified inode any more, or when
/// `how` allows nothing else and the file system cannot.
pub fn share(source: &Path, verified: Inode, target: &Path, how: Share) -> Result<Option<Shared>> {
    let message = |what: &str| format!("cannot {what} {} to {}", shown(source), shown(target));
    if matches!(how, Share::Auto | Share::HardLink) {
        match in_folder_of(target, || link_over(source, verified, target)) {
            Ok(()) => return Ok(Some(Shared::Linked)),
            Err(error) if how == Share::HardLink || !cannot_share(&error) => {
                return Err(error).with_context(|| message("link"));
            }
            Err(_) => {}
        }
    }
    if matches!(how, Share::Auto | Share::Reflink) {
        let clone = || replace_by(target, |temporary| reflink_copy::reflink(source, temporary));
        match in_folder_of(target, clone) {
            Ok(()) => return Ok(Some(Shared::Cloned)),
            Err(error) if !cannot_share(&error) => return Err(error).with_context(|| message("clone")),
            Err(_) => {}
        }
    }
    Ok(None)
}

/// What became of a copy.
#[derive(Debug)]
pub enum Copy {
    /// It is in place.
    Done,
    /// It was read to its end and not accepted; nothing is in place.
    Refused,
    /// Its source cannot be read; nothing is in place.
    Unreadable(io::Error),
}

/// Copies the file `source` to `target`, showing every byte to `piece`; the copy appears only if `accept`
/// says so, given how many bytes there were.
///
/// # Errors
/// When writing fails.
pub fn copy(
    source: &Path,
    target: &Path,
    mut piece: impl FnMut(&[u8]),
    accept: impl FnOnce(u64) -> bool,
) -> Result<Copy> {
    let message = || format!("cannot write {}", shown(target));
    let mut temporary = in_folder_of(target, || temporary_beside(target)).with_context(message)?;
    let mut is_write_error = false;
    let copied = stream(source, |bytes| {
        piece(bytes);
        temporary.write_all(bytes).inspect_err(|_| is_write_error = true)
    });
    match copied {
        Ok(length) if accept(length) => {
            temporary.persist(target).map_err(|error| error.error).with_context(message)?;
            Ok(Copy::Done)
        }
        Ok(_) => Ok(Copy::Refused),
        Err(error) if is_write_error => Err(error).with_context(message),
        Err(error) => Ok(Copy::Unreadable(error)),
    }
}

/// Links, or replaces what is there by a link in one step.
fn link_over(source: &Path, verified: Inode, target: &Path) -> io::Result<()> {
    match link_verified(source, verified, target) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            replace_by(target, |temporary| link_verified(source, verified, temporary))
        }
        result => result,
    }
}

/// Links, and takes the link back if the source was replaced by another file since it was verified.
fn link_verified(source: &Path, verified: Inode, target: &Path) -> io::Result<()> {
    fs::hard_link(source, target)?;
    if Inode::of(&fs::symlink_metadata(target)?) == verified {
        return Ok(());
    }
    fs::remove_file(target)?;
    Err(io::Error::other("the file was replaced while it was being converted"))
}

/// Makes a file under a temporary name beside `target` and renames it over.
fn replace_by(target: &Path, make: impl Fn(&Path) -> io::Result<()>) -> io::Result<()> {
    // The name is reserved by a file of our own, which then makes room.
    let reserved = temporary_beside(target)?.into_temp_path();
    fs::remove_file(&reserved)?;
    make(&reserved)?;
    // Renaming one link of an inode over another does nothing and leaves both names; the drop removes ours.
    fs::rename(&reserved, target)
}

/// Whether the file system says that it cannot, rather than that it failed: another device, too many links,
/// not permitted or not supported.
fn cannot_share(error: &io::Error) -> bool {
    let refusals = [
        Errno::EXDEV,
        Errno::EMLINK,
        Errno::EPERM,
        Errno::EOPNOTSUPP,
        Errno::ENOTTY,
        Errno::EINVAL,
        Errno::ENOSYS,
    ];
    error.kind() == io::ErrorKind::Unsupported
        || error.raw_os_error().is_some_and(|code| refusals.contains(&Errno::from_raw(code)))
}
