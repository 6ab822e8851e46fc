//! Reading: only regular files, in bounded memory, never through a symbolic link at the end of a path.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::sys::stat::SFlag;

use super::content::Reading;
use super::extent::Extent;
use crate::text::shown;

/// What a symbolic link is called where something else was looked for.
pub const SYMBOLIC_LINK: &str = "a symbolic link";

/// What lies at a path, links not followed.
#[derive(Debug)]
pub enum Look {
    /// Nothing.
    Missing,
    /// A regular file.
    File(super::File),
    /// A folder.
    Folder,
    /// A symbolic link, a device, a pipe or a socket; in words.
    Other(&'static str),
}

/// Looks at a path without following a symbolic link at its end.
///
/// # Errors
/// When the system refuses to say.
pub fn look(path: &Path) -> Result<Look> {
    let metadata = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Look::Missing);
        }
        Err(error) => return Err(error).with_context(|| format!("cannot look at {}", shown(path))),
    };
    Ok(Look::of(metadata.mode(), || super::File::of(path.into(), &metadata)))
}

impl Look {
    /// What a mode says that is there; `file` is asked for where that is a file.
    pub(super) fn of(mode: u32, file: impl FnOnce() -> super::File) -> Self {
        match SFlag::from_bits_truncate(mode) & SFlag::S_IFMT {
            SFlag::S_IFREG => Self::File(file()),
            SFlag::S_IFDIR => Self::Folder,
            SFlag::S_IFLNK => Self::Other(SYMBOLIC_LINK),
            SFlag::S_IFIFO => Self::Other("a pipe"),
            SFlag::S_IFSOCK => Self::Other("a socket"),
            _ => Self::Other("a device"),
        }
    }
}

/// The first symbolic link on the way from `base` to the folder of `path`, which lies below it.
#[must_use]
pub fn link_between(base: &Path, path: &Path) -> Option<PathBuf> {
    let folders = path.ancestors().skip(1).take_while(|folder| *folder != base && folder.starts_with(base));
    let links = folders.filter(|folder| folder.is_symlink());
    links.last().map(Path::to_owned)
}

/// Says what an open path is, when reading it failed because it is no regular file.
#[must_use]
pub fn what_is_no_file(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ELOOP) => Some(SYMBOLIC_LINK),
        Some(Errno::ENXIO) => Some("a socket or a device"),
        Some(_) => None,
        None => (error.kind() == io::ErrorKind::InvalidInput).then_some("a folder, a pipe or a device"),
    }
}

/// Opens a regular file for reading; never waits for a pipe's other end, never follows a symbolic link.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    Ok(file)
}

/// Reads a whole small file; `Ok(None)` when it is longer than `most` bytes.
///
/// # Errors
/// When it cannot be opened or read, or is no regular file.
pub fn read_small(path: &Path, most: u64) -> io::Result<Option<Vec<u8>>> {
    read_up_to(open(path)?, most)
}

/// Reads the first bytes of a file, `most` of them if it has so many.
///
/// # Errors
/// As [`read_small`].
pub fn read_beginning(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl super::File {
    /// Opens `length` bytes of its content for reading, those from `offset` on.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file.
    pub fn open_range(&self, offset: u64, length: u64) -> io::Result<Box<dyn Read + Send>> {
        let length = length.min(self.size.saturating_sub(offset));
        match &self.within {
            None => {
                let mut file = open(&self.path())?;
                file.seek(SeekFrom::Start(offset))?;
                Ok(Box::new(file.take(length)))
            }
            Some(extent) => {
                let part = Extent { offset: extent.offset.saturating_add(offset), ..(**extent).clone() };
                Ok(Box::new(part.open(length)))
            }
        }
    }

    /// Reads its content, if it is small; `Ok(None)` when it is longer than `most` bytes.
    ///
    /// # Errors
    /// When it cannot be opened or read, or is no regular file.
    pub fn read_small(&self, most: u64) -> io::Result<Option<Vec<u8>>> {
        read_up_to(self.open(Reading::Alone)?, most)
    }
}

fn read_up_to(file: impl Read, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}
