//! Sharing content between trees: by hard link, by clone, or by copy, and saying which it was.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use tempfile::TempPath;

use super::{Destination, File};
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

/// A copy that has no name yet; dropped, it is gone.
#[derive(Debug)]
pub struct Aside {
    temporary: TempPath,
    target: PathBuf,
}

impl Aside {
    /// It, as it lies aside.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn file(&self) -> Result<File> {
        let metadata = fs::symlink_metadata(&self.temporary);
        let metadata = metadata.with_context(|| format!("cannot write {}", shown(&self.target)))?;
        Ok(File::of((&*self.temporary).into(), &metadata))
    }
}

/// What became of a copy.
#[derive(Debug)]
pub enum Copy {
    /// It is complete, and can be put in its place.
    Done(Aside),
    /// It was read to its end and not accepted; nothing is in place.
    Refused,
    /// Its source cannot be read; nothing is in place.
    Unreadable(io::Error),
}

impl Destination {
    /// Gives the file `source` the name `target` as well, by link or clone; a file that has the name already is
    /// replaced in one step.
    ///
    /// `Ok(None)` when the file system can do neither and [`Self::copy`] is left.
    ///
    /// # Errors
    /// When the system refuses for any other reason, when `source` is not as it was when it was looked at, or
    /// when `how` allows nothing else and the file system cannot.
    pub fn share(&self, source: &File, target: &Path, how: Share) -> Result<Option<Shared>> {
        let message = |what| cannot(what, source, target);
        if source.within.is_some() {
            let reason = || io::Error::new(io::ErrorKind::Unsupported, "it is no file of its own");
            return if how == Share::HardLink {
                Err(reason()).with_context(|| message("link"))
            } else {
                Ok(None)
            };
        }
        if matches!(how, Share::Auto | Share::HardLink) {
            match self.link(source, target) {
                Ok(()) => return Ok(Some(Shared::Linked)),
                Err(error) if how == Share::HardLink || !cannot_share(&error) => {
                    return Err(error).with_context(|| message("link"));
                }
                Err(_) => {}
            }
        }
        if matches!(how, Share::Auto | Share::Reflink) {
            match self.clone_file(source, target) {
                Ok(()) => return Ok(Some(Shared::Cloned)),
                Err(error) if !cannot_share(&error) => return Err(error).with_context(|| message("clone")),
                Err(_) => {}
            }
        }
        Ok(None)
    }

    /// Copies what `source` gives, piece by piece, for `target`, showing every byte to `piece`; the copy is kept
    /// only if `accept` says so, given how many bytes there were, and has no name before it is
    /// [`placed`](Self::place).
    ///
    /// # Errors
    /// When writing fails.
    pub fn copy(
        &self,
        source: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64>,
        target: &Path,
        mut piece: impl FnMut(&[u8]),
        accept: impl FnOnce(u64) -> bool,
    ) -> Result<Copy> {
        let message = || format!("cannot write {}", shown(target));
        let mut temporary = self.temporary_for(target).with_context(message)?;
        let mut is_write_error = false;
        let copied = source(&mut |bytes| {
            piece(bytes);
            temporary.as_file_mut().write_all(bytes).inspect_err(|_| is_write_error = true)
        });
        match copied {
            Ok(length) if accept(length) => {
                self.ownership.give_file(temporary.as_file()).with_context(message)?;
                Ok(Copy::Done(Aside { temporary: temporary.into_temp_path(), target: target.to_owned() }))
            }
            Ok(_) => Ok(Copy::Refused),
            Err(error) if is_write_error => Err(error).with_context(message),
            Err(error) => Ok(Copy::Unreadable(error)),
        }
    }

    /// Puts a copy in its place, in one step, over whatever file is there; tells what lies there then.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn place(&self, copy: Aside) -> Result<File> {
        let Aside { temporary, target } = copy;
        let message = || format!("cannot write {}", shown(&target));
        let metadata = fs::symlink_metadata(&temporary).with_context(message)?;
        self.put(temporary, &target).with_context(message)?;
        Ok(File::of(target.as_path().into(), &metadata))
    }

    /// Links, or replaces what is there by a link in one step.
    fn link(&self, source: &File, target: &Path) -> io::Result<()> {
        match self.in_folder_of(target, || link_unchanged(source, target)) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let link = self.made_for(target, |name| link_unchanged(source, name))?;
                self.put(link, target)
            }
            result => result,
        }
    }

    fn clone_file(&self, source: &File, target: &Path) -> io::Result<()> {
        let clone = self.made_for(target, |name| reflink_copy::reflink(source.path(), name))?;
        check_unchanged(source, &source.path())?;
        self.ownership.give_path(&clone)?;
        self.put(clone, target)
    }
}

/// Links, and takes the link back if the source is not what was looked at, and perhaps hashed, before.
fn link_unchanged(source: &File, target: &Path) -> io::Result<()> {
    fs::hard_link(source.path(), target)?;
    check_unchanged(source, target).inspect_err(|_| drop(fs::remove_file(target)))
}

impl File {
    /// Fails if it is not as it was when it was looked at.
    ///
    /// # Errors
    /// When it was changed or replaced, or is not there any more.
    pub fn check_unchanged(&self) -> io::Result<()> {
        match &self.within {
            None => check_unchanged(self, &self.path()),
            Some(extent) => extent.check_unchanged(),
        }
    }
}

fn check_unchanged(source: &File, path: &Path) -> io::Result<()> {
    expect_same(source, &File::of(path.into(), &fs::symlink_metadata(path)?))
}

/// Fails unless a file is `source`, as that was when it was looked at.
pub(super) fn expect_same(source: &File, now: &File) -> io::Result<()> {
    let is_same =
        (now.inode(), now.size, now.modified_ns) == (source.inode(), source.size, source.modified_ns);
    if is_same { Ok(()) } else { Err(io::Error::other("it was changed while it was being converted")) }
}

/// Says that a file cannot be linked or cloned.
pub(super) fn cannot(what: &str, source: &File, target: &Path) -> String {
    format!("cannot {what} {} to {}", shown(&source.path()), shown(target))
}

/// Whether the file system says that it cannot, rather than that it failed: another device, too many links,
/// not permitted or not supported.
pub(super) fn cannot_share(error: &io::Error) -> bool {
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
