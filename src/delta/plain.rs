//! A blob without its compression.

use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::DeflateDecoder;

use super::document::of_frame;
use super::script::bad;
use crate::deflate::member::{Header, trailer};
use crate::disk::{File, Reading};

/// How a blob holds its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// As they are.
    Bare,
    /// In one gzip member with this header.
    Gzip(Header),
    /// In zstd frames, which can be read, and which no encoder here writes again.
    Zstd,
}

/// Reads the uncompressed bytes of a blob; one that is no single, sound gzip member is an error at its end.
pub enum Plain {
    /// Not compressed.
    Bare(Box<dyn BufRead + Send>),
    /// In a gzip member.
    Gzip(Box<Gzip>),
    /// In zstd frames.
    Zstd(Box<zstd::Decoder<'static, Box<dyn BufRead + Send>>>),
}

/// A gzip member that is being read.
pub struct Gzip {
    body: DeflateDecoder<Box<dyn BufRead + Send>>,
    checksum: crc32fast::Hasher,
    length: u64,
    is_done: bool,
}

/// Opens a blob.
///
/// # Errors
/// When it cannot be read, or its header is none.
pub fn open(file: &File) -> io::Result<(Form, Plain)> {
    of(file.open(Reading::Alone)?)
}

/// Reads a blob from its first byte on.
///
/// # Errors
/// As [`open`].
pub fn of(blob: impl Read + Send + 'static) -> io::Result<(Form, Plain)> {
    const GZIP: &[u8] = &[0x1f, 0x8b];
    const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
    let mut blob: Box<dyn BufRead + Send> = Box::new(BufReader::with_capacity(256 << 10, blob));
    let beginning = blob.fill_buf()?;
    if beginning.starts_with(ZSTD) {
        return Ok((Form::Zstd, Plain::Zstd(Box::new(zstd::Decoder::with_buffer(blob)?))));
    }
    if !beginning.starts_with(GZIP) {
        return Ok((Form::Bare, Plain::Bare(blob)));
    }
    let header = Header::read(&mut blob)?;
    let body = DeflateDecoder::new(blob);
    let gzip = Gzip { body, checksum: crc32fast::Hasher::new(), length: 0, is_done: false };
    Ok((Form::Gzip(header), Plain::Gzip(Box::new(gzip))))
}

impl Read for Plain {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Bare(blob) => blob.read(buffer),
            Self::Gzip(gzip) => gzip.read(buffer),
            Self::Zstd(zstd) => zstd.read(buffer).map_err(of_frame),
        }
    }
}

impl Read for Gzip {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.is_done || buffer.is_empty() {
            return Ok(0);
        }
        let count = self.body.read(buffer)?;
        self.checksum.update(&buffer[..count]);
        self.length += count as u64;
        if count == 0 {
            self.is_done = true;
            let mut there = [0; 8];
            let blob = self.body.get_mut();
            blob.read_exact(&mut there)?;
            if there != trailer(self.checksum.clone().finalize(), self.length) {
                return Err(bad("a gzip trailer that is not that of its content"));
            }
            if !blob.fill_buf()?.is_empty() {
                return Err(bad("more than one gzip member"));
            }
        }
        Ok(count)
    }
}
