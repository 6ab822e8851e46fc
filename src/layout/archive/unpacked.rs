//! An archive's bytes: those of the file, or what they are when they are uncompressed.

use std::env;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use flate2::read::MultiGzDecoder;

use crate::disk::{self, Look, Part, Reading, Scratch};
use crate::finding::{Finding, Kind};
use crate::text::shown;

/// How a tar's first header is known (POSIX, `ustar`): these bytes at this place.
const MAGIC: (usize, &[u8]) = (257, b"ustar");

/// How an archive is compressed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Gzip,
    Zstd,
}

impl Compression {
    /// By how the bytes begin (RFC 1952, RFC 8878).
    pub(super) fn of(beginning: &[u8]) -> Self {
        match beginning {
            [0x1f, 0x8b, ..] => Self::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Self::Zstd,
            _ => Self::None,
        }
    }

    /// Uncompresses.
    pub(super) fn reader<'r>(self, bytes: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        Ok(match self {
            Self::None => Box::new(bytes),
            Self::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(1 << 16, bytes))),
            Self::Zstd => Box::new(zstd::Decoder::new(bytes)?),
        })
    }
}

/// Whether a file is a tar, compressed or not; what cannot be read is none.
pub(super) fn is_tar(path: &Path) -> bool {
    let read = || -> io::Result<Vec<u8>> {
        let compression = Compression::of(&disk::read_beginning(path, 4)?);
        let Ok(Look::File(file)) = disk::look(path) else { return Ok(Vec::new()) };
        let mut first = Vec::new();
        // A block of zstd has to be read whole: its length is up to the program that wrote it.
        compression.reader(file.open_range(0, file.size)?)?.take(512).read_to_end(&mut first)?;
        Ok(first)
    };
    let (at, magic) = MAGIC;
    read().is_ok_and(|first| first.get(at..at + magic.len()) == Some(magic))
}

/// Opens a tar; what is compressed is uncompressed first.
///
/// # Errors
/// When it cannot be read, or there is no room for what it is uncompressed; a finding, when it is cut short or
/// damaged.
pub(super) fn open(path: &Path) -> Result<Result<Arc<[Part]>, Finding>> {
    let compression = Compression::of(&disk::read_beginning(path, 4).unwrap_or_default());
    let cannot = || format!("cannot read {}", shown(path));
    let Look::File(file) = disk::look(path)? else {
        return disk::parts(&[path.to_owned()]).map(Ok);
    };
    if compression == Compression::None {
        return disk::parts(&[path.to_owned()]).map(Ok);
    }
    let folder = folder();
    let cannot_write = || {
        format!(
            "cannot uncompress {} into {}\n  hint: TMPDIR names another folder",
            shown(path),
            shown(&folder)
        )
    };
    let mut scratch = Scratch::new(&folder).with_context(cannot_write)?;
    let mut content =
        compression.reader(file.open(Reading::Alone).with_context(cannot)?).with_context(cannot)?;
    let mut window = vec![0; 256 << 10];
    loop {
        match content.read(&mut window) {
            Ok(0) => break,
            Ok(count) => io::Write::write_all(&mut scratch, &window[..count]).with_context(cannot_write)?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // What the system refuses is no fault of the archive.
            Err(error) if error.raw_os_error().is_some() => return Err(error).with_context(cannot),
            Err(error) => return Ok(Err(Finding::at(Kind::InvalidArchive, path).found(error))),
        }
    }
    disk::held(path, scratch).map(Ok).with_context(cannot)
}

/// Where large files are put aside.
fn folder() -> PathBuf {
    env::var_os("TMPDIR").map_or_else(|| PathBuf::from("/var/tmp"), PathBuf::from)
}
