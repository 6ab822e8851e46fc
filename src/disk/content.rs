//! Reading all of a file's content, of any length, in bounded memory.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;

use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};

use super::extent;
use super::read::open;
use super::window::{WINDOW_BYTES, with_window};

impl super::File {
    /// Opens its content for reading from its beginning to its end.
    ///
    /// # Errors
    /// When it cannot be opened, or is no regular file.
    pub fn open(&self, reading: Reading) -> io::Result<Content> {
        Ok(Content(match &self.within {
            None => {
                let file = open(&self.path())?;
                // What fits into the window is read with one call.
                let must_ask = reading == Reading::Alone && self.size > WINDOW_BYTES as u64;
                let ahead = must_ask.then(|| Ahead::of(&file, self.size));
                Source::Own(file, ahead)
            }
            Some(extent) => Source::Within(extent.open(self.size)),
        }))
    }

    /// Reads its content piece by piece, as [`Content::stream`].
    ///
    /// # Errors
    /// When it cannot be opened or read, or when `piece` fails.
    pub fn stream(&self, piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
        self.open(Reading::Alone)?.stream(piece)
    }
}

/// Who sees to it that content is in memory when it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Whoever reads it, as there is nobody else.
    Alone,
    /// Others, as in [`fetching`](super::fetching).
    Fetched,
}

/// A file's content, open for reading.
pub struct Content(Source);

impl Content {
    /// Reads it to its end through a window, piece by piece; returns how many bytes it had.
    ///
    /// # Errors
    /// When it cannot be read, or when `piece` fails.
    pub fn stream(mut self, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
        with_window(|window| {
            let mut length = 0;
            loop {
                match self.read(window)? {
                    0 => return Ok(length),
                    count => {
                        piece(&window[..count])?;
                        length += count as u64;
                    }
                }
            }
        })
    }
}

enum Source {
    /// It is the whole file.
    Own(File, Option<Ahead>),
    /// It lies within others.
    Within(extent::Reader),
}

impl Read for Content {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = match &mut self.0 {
                Source::Own(file, _) => file.read(buffer),
                Source::Within(reader) => reader.read(buffer),
            };
            match read {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Ok(count) => {
                    if let Source::Own(file, Some(ahead)) = &mut self.0 {
                        ahead.pass(file, count as u64);
                    }
                    return Ok(count);
                }
                error => return error,
            }
        }
    }
}

/// Asks the system to fetch what is read next while what was read is worked on: its own guess is a small part of a
/// window, and a disk that waits for the processor takes several times as long. What is in memory costs a call.
struct Ahead {
    size: u64,
    /// How much was read.
    passed: u64,
    /// How much was asked for.
    asked: u64,
}

impl Ahead {
    /// How much it asks for at a time, in bytes: a disk that has to move its head should stay there for a while.
    const STEP: u64 = 4 << 20;
    /// How far ahead it asks, in bytes.
    const FAR: u64 = 4 * Self::STEP;

    fn of(file: &File, size: u64) -> Self {
        let mut ahead = Self { size, passed: 0, asked: 0 };
        ahead.ask(file);
        ahead
    }

    fn pass(&mut self, file: &File, count: u64) {
        self.passed += count;
        if self.asked < self.size && self.passed + Self::FAR >= self.asked + Self::STEP {
            self.ask(file);
        }
    }

    /// Asks for what lies ahead; where the system refuses, reading is slower, and right all the same.
    fn ask(&mut self, file: &File) {
        let end = (self.passed + Self::FAR).min(self.size);
        let _ = advise(file, self.asked..end);
        self.asked = end;
    }
}

/// Tells the system that a part of a file will be read, so that it fetches it.
///
/// # Errors
/// When the system refuses.
pub(super) fn advise(file: &File, range: Range<u64>) -> io::Result<()> {
    let (Ok(from), Ok(length)) = (range.start.try_into(), (range.end - range.start).try_into()) else {
        return Err(io::ErrorKind::FileTooLarge.into());
    };
    Ok(posix_fadvise(file, from, length, PosixFadviseAdvice::POSIX_FADV_WILLNEED)?)
}
