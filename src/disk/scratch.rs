//! Files without a name, for what does not fit into memory: nobody else can open, change or shorten them, and
//! they are gone when the program is, however it ends.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes that were put aside.
#[derive(Debug)]
pub struct Scratch {
    file: File,
    length: u64,
}

impl Scratch {
    /// Makes an empty one on the file system of `folder`.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn new(folder: &Path) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile_in(folder)?, length: 0 })
    }

    pub(super) fn into_file(self) -> File {
        self.file
    }

    /// Its length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.length
    }

    /// Whether nothing was put there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Reads the bytes that begin at `offset` into all of `buffer`.
    ///
    /// # Errors
    /// When there are not so many, or they cannot be read.
    pub fn read_exact_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        self.file.read_exact_at(buffer, offset)
    }

    /// Copies it behind what another one has, showing every byte to `piece`.
    ///
    /// # Errors
    /// When it cannot be read, or the other cannot be written.
    pub fn copy_to(&self, other: &mut Self, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        let mut reader = self.reader();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let count = reader.read(&mut buffer)?;
            if count == 0 {
                return Ok(());
            }
            piece(&buffer[..count]);
            other.write_all(&buffer[..count])?;
        }
    }

    /// Reads `length` of its bytes from `offset` on.
    ///
    /// # Errors
    /// When that is nowhere.
    pub fn range(&self, offset: u64, length: u64) -> io::Result<Box<dyn Read + '_>> {
        use io::Seek as _;
        let mut reader = self.reader();
        reader.seek(io::SeekFrom::Start(offset))?;
        Ok(Box::new(reader.take(length)))
    }

    /// Reads it from its beginning to its end.
    #[must_use]
    pub fn reader(&self) -> ScratchReader<'_> {
        ScratchReader { scratch: self, at: 0 }
    }
}

impl Write for Scratch {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write_at(bytes, self.length)?;
        self.length += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads what was put aside.
#[derive(Debug)]
pub struct ScratchReader<'s> {
    scratch: &'s Scratch,
    at: u64,
}

impl Read for ScratchReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.scratch.file.read_at(buffer, self.at)?;
        self.at += count as u64;
        Ok(count)
    }
}

impl io::Seek for ScratchReader<'_> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
            io::SeekFrom::End(by) => self.scratch.length.checked_add_signed(by),
        };
        self.at = at.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.at)
    }
}
