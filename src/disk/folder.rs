//! Open folders: what lies in them is looked at and read relative to them, so that the system does not walk the whole
//! path once for each of a million files.

use std::ffi::{OsStr, OsString};
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat};
use nix::sys::stat::{FileStat, Mode, SFlag, fstat, fstatat};
use rustix::fs::{FileType, RawDir};
use triomphe::Arc;

use super::{File, FolderPath, Look, Place, Seen, what_is_no_file};

/// A folder that is held open.
pub struct Folder {
    path: FolderPath,
    handle: fs::File,
}

/// How files are opened: never waiting for a pipe's other end, never following a symbolic link.
const READ: OFlag = OFlag::O_RDONLY
    .union(OFlag::O_NOFOLLOW)
    .union(OFlag::O_NONBLOCK)
    .union(OFlag::O_NOCTTY)
    .union(OFlag::O_CLOEXEC);

/// How much of a listing is in memory at once; far more than the longest name takes.
const LISTED_BYTES: usize = 32 << 10;

/// What a name in a folder leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link.
    Link,
    /// A device, a pipe or a socket.
    Other,
}

impl Kind {
    fn of(mode: SFlag) -> Self {
        match mode & SFlag::S_IFMT {
            SFlag::S_IFREG => Self::File,
            SFlag::S_IFDIR => Self::Folder,
            SFlag::S_IFLNK => Self::Link,
            _ => Self::Other,
        }
    }
}

/// A whole small file, or what is there instead.
#[derive(Debug)]
pub enum Small {
    /// Nothing.
    Missing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// A longer file.
    Longer,
    /// A folder.
    Folder,
    /// Something else that is no file, in words.
    Other(&'static str),
}

impl Folder {
    /// Opens a folder, no symbolic link in its place; that there is none above it is the caller's care.
    ///
    /// # Errors
    /// When it is not there, is none, or cannot be read.
    pub fn open(path: impl Into<FolderPath>) -> io::Result<Self> {
        let path = path.into();
        let handle = open(&path, OFlag::O_NOFOLLOW)?;
        Ok(Self { path, handle })
    }

    /// Opens a folder that a person named, be it a link to one.
    ///
    /// # Errors
    /// When it is not there, is none, or cannot be read.
    pub fn open_named(path: impl Into<FolderPath>) -> io::Result<Self> {
        let path = path.into();
        let handle = open(&path, OFlag::empty())?;
        Ok(Self { path, handle })
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &FolderPath {
        &self.path
    }

    /// What lies right in it, in the order of the names.
    ///
    /// It has to be nobody else's meanwhile, for all who list an open folder move through it together.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn list(&mut self) -> io::Result<Vec<(OsString, Kind)>> {
        self.handle.rewind()?;
        let mut piece = Vec::with_capacity(LISTED_BYTES);
        let mut listing = RawDir::new(&self.handle, piece.spare_capacity_mut());
        let mut found = Vec::new();
        while let Some(entry) = listing.next() {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::RegularFile => Kind::File,
                FileType::Directory => Kind::Folder,
                FileType::Symlink => Kind::Link,
                // Some file systems do not say it in their listings.
                FileType::Unknown => match self.kind(Path::new(name))? {
                    Some(kind) => kind,
                    None => continue,
                },
                _ => Kind::Other,
            };
            found.push((name.to_owned(), kind));
        }
        found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        Ok(found)
    }

    /// What a name in it leads to, if there is anything.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn kind(&self, name: &Path) -> io::Result<Option<Kind>> {
        Ok(self.stat(name)?.map(|stat| Kind::of(SFlag::from_bits_truncate(stat.st_mode))))
    }

    /// Looks at a place in it, or right below, without following a symbolic link at its end.
    ///
    /// # Errors
    /// When the system refuses to say.
    pub fn look(&self, place: Place) -> io::Result<Look> {
        let Some(stat) = self.stat(&place.path_in_folder())? else { return Ok(Look::Missing) };
        Ok(Look::of(stat.st_mode, || File::of_stat(place, &stat)))
    }

    /// Reads a whole small file, of at most so many bytes; never waits for a pipe's other end, and never follows a
    /// symbolic link at the end of the path.
    ///
    /// # Errors
    /// When it cannot be opened or read.
    pub fn read_small(&self, path: &Path, most: u64) -> io::Result<Small> {
        let file = match openat(&self.handle, path, READ, Mode::empty()) {
            Ok(file) => fs::File::from(file),
            Err(Errno::ENOENT | Errno::ENOTDIR) => return Ok(Small::Missing),
            Err(error) => {
                let error = io::Error::from(error);
                return what_is_no_file(&error).map(Small::Other).ok_or(error);
            }
        };
        let stat = fstat(&file)?;
        match Kind::of(SFlag::from_bits_truncate(stat.st_mode)) {
            Kind::File => {}
            Kind::Folder => return Ok(Small::Folder),
            Kind::Link | Kind::Other => return Ok(Small::Other("a pipe or a device")),
        }
        let size = stat.st_size.unsigned_abs();
        if size > most {
            return Ok(Small::Longer);
        }
        read_whole(file, size)
            .map(|bytes| if bytes.len() as u64 > most { Small::Longer } else { Small::Bytes(bytes) })
    }

    /// Whether a file in it has exactly these bytes; no for whatever cannot be opened or read.
    #[must_use]
    pub fn holds(&self, path: &Path, bytes: &[u8]) -> bool {
        let Ok(file) = openat(&self.handle, path, READ, Mode::empty()) else { return false };
        // One more than they are, to see where the file ends.
        let mut read = vec![0; bytes.len() + 1];
        matches!(fs::File::from(file).read(&mut read), Ok(count) if read[..count] == *bytes)
    }

    /// What the system says of a path in it, links not followed, if there is anything.
    fn stat(&self, path: &Path) -> io::Result<Option<FileStat>> {
        match fstatat(&self.handle, path, AtFlags::AT_SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::ENOENT | Errno::ENOTDIR) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn open(path: &Path, flags: OFlag) -> io::Result<fs::File> {
    let flags = flags | OFlag::O_DIRECTORY | OFlag::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)
}

/// Reads a file that has `size` bytes, with one call where it keeps its word.
fn read_whole(mut file: fs::File, size: u64) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; size as usize];
    let mut length = 0;
    while length < bytes.len() {
        match file.read(&mut bytes[length..]) {
            Ok(0) => break,
            Ok(count) => length += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

impl File {
    pub(super) fn of_stat(place: Place, stat: &FileStat) -> Self {
        Self(Arc::new(Seen {
            place,
            within: None,
            size: stat.st_size.unsigned_abs(),
            allocated: stat.st_blocks.unsigned_abs() * 512,
            device: stat.st_dev,
            number: stat.st_ino,
            modified_ns: stat.st_mtime.wrapping_mul(1_000_000_000).wrapping_add(stat.st_mtime_nsec),
        }))
    }
}
