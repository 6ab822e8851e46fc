//! Reading all of a file's content, of any length, in bounded memory.

use std::fs::File;
use std::io::{self, Read};

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
                let ahead = Ahead::of(&file, self.size, reading);
                Source::Own(file, ahead)
            }
            Some(extent) => Source::Within(extent.open(self.size)),
        }))
    }

    /// Reads its content through a window, piece by piece; returns how many bytes it had.
    ///
    /// # Errors
    /// When it cannot be opened or read, or when `piece` fails.
    pub fn stream(&self, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
        let mut content = self.open(Reading::Alone)?;
        with_window(|window| {
            let mut length = 0;
            loop {
                match content.read(window)? {
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

/// What else a thread reads while it reads a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Nothing.
    Alone,
    /// Other files, in turn.
    SideBySide,
}

/// A file's content, open for reading.
pub struct Content(Source);

enum Source {
    /// It is the whole file.
    Own(File, Ahead),
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
                    if let Source::Own(file, ahead) = &mut self.0 {
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
    /// How far ahead it asks, in bytes.
    far: u64,
    /// How much was read.
    passed: u64,
    /// How much was asked for.
    asked: u64,
}

impl Ahead {
    /// How much it asks for at a time, in bytes: a disk that has to move its head should stay there for a while.
    const STEP: u64 = 4 << 20;

    fn of(file: &File, size: u64, reading: Reading) -> Self {
        let far = match reading {
            Reading::Alone => 4 * Self::STEP,
            Reading::SideBySide => 2 * Self::STEP,
        };
        let mut ahead = Self { size, far, passed: 0, asked: 0 };
        if size > WINDOW_BYTES as u64 {
            ahead.ask(file);
        }
        ahead
    }

    fn pass(&mut self, file: &File, count: u64) {
        self.passed += count;
        if self.asked < self.size && self.passed + self.far >= self.asked + Self::STEP {
            self.ask(file);
        }
    }

    /// Asks for what lies ahead; where the system refuses, reading is slower, and right all the same.
    fn ask(&mut self, file: &File) {
        let end = (self.passed + self.far).min(self.size);
        if let (Ok(from), Ok(length)) = (i64::try_from(self.asked), i64::try_from(end - self.asked)) {
            let _ = posix_fadvise(file, from, length, PosixFadviseAdvice::POSIX_FADV_WILLNEED);
        }
        self.asked = end;
    }
}
