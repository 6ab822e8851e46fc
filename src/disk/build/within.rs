//! One folder of what is built, in which many files are made: it is held open, so that the system does not walk the
//! whole path once for each of a million.

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::{AT_FDCWD, AtFlags, OFlag, openat};
use nix::sys::stat::{Mode, fstatat, mkdirat};
use nix::unistd::linkat;

use super::Build;
use crate::disk::destination::{folder_of, or_after};
use crate::disk::share::{cannot, cannot_share, expect_same};
use crate::disk::{File, Place};
use crate::text::shown;

/// How many files have to be made in a folder for it to be less work to open it.
const WORTH_OPENING: usize = 4;

/// A folder of a build, and what is made right in it, or in folders of their own there.
pub struct Within<'b> {
    build: &'b Build<'b>,
    /// The folder, if it is open.
    opened: Option<OwnedFd>,
    /// Where it is, from there on, or from where the process works.
    path: PathBuf,
}

impl Build<'_> {
    /// Goes to a folder, by its path from the root on, to make so many files.
    ///
    /// # Errors
    /// When it cannot be created or opened.
    pub fn within(&self, folder: &Path, count: usize) -> Result<Within<'_>> {
        let path = self.folder_aside(folder);
        if count < WORTH_OPENING {
            return Ok(Within { build: self, opened: None, path });
        }
        let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
        let open = || Ok(openat(AT_FDCWD, &path, flags, Mode::empty())?);
        let opened = or_after(open, || self.make_folder(&path))
            .with_context(|| format!("cannot create the folder {}", shown(&self.root.join(folder))))?;
        Ok(Within { build: self, opened: Some(opened), path: PathBuf::new() })
    }
}

impl Within<'_> {
    /// Writes a small file.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_file(&self, place: &Place, bytes: &[u8]) -> Result<()> {
        let flags = OFlag::O_WRONLY | OFlag::O_CREAT | OFlag::O_EXCL | OFlag::O_CLOEXEC;
        let mode = Mode::from_bits_truncate(0o666); // the umask takes its part
        let write = || {
            let file = self.make(place, |folder, path| Ok(openat(folder, path, flags, mode)?))?;
            let mut file = fs::File::from(file);
            file.write_all(bytes)?;
            self.build.destination.ownership.give_file(&file)
        };
        write().with_context(|| format!("cannot write {}", shown(&self.target(place))))
    }

    /// Gives `source` one more name; `Ok(false)` when the file system refuses.
    ///
    /// # Errors
    /// When the system refuses for any other reason.
    pub fn link(&self, source: &File, place: &Place) -> Result<bool> {
        let from = source.path();
        let link =
            |folder: BorrowedFd, path: &Path| match linkat(AT_FDCWD, &from, folder, path, AtFlags::empty())
                .map_err(io::Error::from)
            {
                Ok(()) => Ok(true),
                Err(error) if cannot_share(&error) => Ok(false),
                Err(error) => Err(error),
            };
        self.make(place, link).with_context(|| self.cannot_link(source, place))
    }

    /// Fails unless what was linked is as it was when it was looked at, and still what the source's name leads to:
    /// else whoever hashed the source meanwhile may have read another file.
    ///
    /// # Errors
    /// When it was changed or replaced, or is not there any more.
    pub fn check(&self, source: &File, place: &Place) -> Result<()> {
        let check = || {
            source.check_unchanged()?;
            let stat = fstatat(self.folder(), &self.path(place), AtFlags::AT_SYMLINK_NOFOLLOW)?;
            expect_same(source, &File::of_stat(place.clone(), &stat))
        };
        check().with_context(|| self.cannot_link(source, place))
    }

    /// Whether a file has the owner and the mode that were asked for.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn is_as_asked(&self, place: &Place) -> Result<bool> {
        self.build.destination.is_as_asked(&self.build.path_aside(place))
    }

    /// Makes a file, with the folder that it has for itself, and those above as far as they are missing.
    fn make<T>(&self, place: &Place, make: impl Fn(BorrowedFd, &Path) -> io::Result<T>) -> io::Result<T> {
        let path = self.path(place);
        if place.is_below() {
            self.make_own_folder(place, folder_of(&path))?;
        }
        let make_folder = || self.build.make_folder(folder_of(&self.build.path_aside(place)));
        or_after(|| make(self.folder(), &path), make_folder)
    }

    fn make_own_folder(&self, place: &Place, path: &Path) -> io::Result<()> {
        let ownership = self.build.destination.ownership;
        match &self.opened {
            Some(opened) if !ownership.has_owner() => {
                let mode = Mode::from_bits_truncate(0o777); // the umask takes its part
                match mkdirat(opened, path, mode) {
                    Ok(()) | Err(Errno::EEXIST) => Ok(()),
                    Err(error) => Err(error.into()),
                }
            }
            _ => self.build.make_folder(folder_of(&self.build.path_aside(place))),
        }
    }

    fn folder(&self) -> BorrowedFd<'_> {
        self.opened.as_ref().map_or(AT_FDCWD, AsFd::as_fd)
    }

    fn path(&self, place: &Place) -> PathBuf {
        self.path.join(place.path_in_folder())
    }

    /// Where it will be.
    fn target(&self, place: &Place) -> PathBuf {
        place.path_in(&self.build.root)
    }

    fn cannot_link(&self, source: &File, place: &Place) -> String {
        cannot("link", source, &self.target(place))
    }
}
