//! How a delta lies in a file.
//!
//! ```text
//! "bundle delta 1\n\0"      16 bytes
//! the header's length       4 bytes, little endian
//! the header                JSON
//! control, runs, differences, inserts: each one zstd frame, one behind the other
//! ```

use std::io::{self, BufReader, Read, Write};

use serde::{Deserialize, Serialize};

use super::library::MAX_BASES;
use super::script::{ScriptReader, bad};
use crate::deflate::encoder::Encoder;
use crate::deflate::member;
use crate::digest::Digest;
use crate::disk::File;

/// How a delta begins.
const MAGIC: &[u8; 16] = b"bundle delta 1\n\0";
/// The longest header that is read, in bytes: a gzip header in it may have 64 KiB, in hexadecimal.
const MAX_HEADER_BYTES: u32 = 256 << 10;
/// Deflate makes at most 1032 bytes of one (RFC 1951's longest match in its shortest code).
pub const MAX_RATIO: u64 = 1032;
/// How far each stream's zstd frame may look back, as a power of two: together this is most of the memory that
/// applying a delta takes.
pub const WINDOW_BITS: [u32; 4] = [21, 21, 23, 25];

/// What a delta says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The blob that it restores.
    pub blob: Content,
    /// The blob's length without its compression, in bytes.
    pub plain_size: u64,
    /// How the blob is compressed; not at all where this is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gzip: Option<Gzip>,
    /// What it takes from, in the order of the numbers in its instructions.
    pub bases: Vec<BaseContent>,
    /// Its streams, in their order.
    pub streams: [Stream; 4],
}

/// Bytes, by digest and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Their digest.
    pub digest: Digest,
    /// Their length.
    pub size: u64,
}

/// A blob that a delta takes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BaseContent {
    /// Its digest.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Its length without its compression, in bytes.
    pub plain_size: u64,
}

/// How a blob is compressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gzip {
    /// The member's header, in hexadecimal.
    pub header: String,
    /// The name of the encoder.
    pub encoder: String,
}

/// One of the streams of instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// Its length in the file, in bytes.
    pub stored: u64,
    /// Its length without its compression, in bytes.
    pub size: u64,
}

/// Bytes that can be read from anywhere, by several readers at once.
pub trait Bytes: Sync {
    /// How many there are.
    fn size(&self) -> u64;

    /// Reads `length` of them from `offset` on.
    ///
    /// # Errors
    /// When they cannot be opened.
    fn range(&self, offset: u64, length: u64) -> io::Result<Box<dyn Read + '_>>;
}

impl Bytes for Vec<u8> {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn range(&self, offset: u64, length: u64) -> io::Result<Box<dyn Read + '_>> {
        let at = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX).min(self.len());
        Ok(Box::new(&self[at(offset)..at(offset.saturating_add(length))]))
    }
}

impl Bytes for File {
    fn size(&self) -> u64 {
        self.size
    }

    fn range(&self, offset: u64, length: u64) -> io::Result<Box<dyn Read + '_>> {
        Ok(self.open_range(offset, length)?)
    }
}

/// A delta that was opened, and found to be within its bounds.
pub struct Document<'b> {
    /// What it says of itself.
    pub header: Header,
    bytes: &'b dyn Bytes,
    /// Where its first stream begins.
    begin: u64,
}

impl Header {
    /// The gzip header, and the encoder.
    ///
    /// # Errors
    /// When they are none that this program knows.
    pub fn envelope(&self) -> io::Result<Option<(Vec<u8>, Encoder)>> {
        let Some(gzip) = &self.gzip else { return Ok(None) };
        let encoder = Encoder::named(&gzip.encoder).ok_or_else(|| {
            let what = format!("the encoder {:?}, which this program does not know", gzip.encoder);
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        let header = from_hex(&gzip.header).ok_or_else(|| bad("a gzip header that is no hexadecimal"))?;
        member::Header::parse(&header)?;
        Ok(Some((header, encoder)))
    }

    /// Holds the sizes to what they can be, so that nothing is made of a lie but an error.
    fn check(&self) -> io::Result<()> {
        let explodes = |size: u64, plain: u64| plain > size.saturating_mul(MAX_RATIO);
        self.envelope()?;
        if self.bases.len() > MAX_BASES {
            return Err(bad("too many bases"));
        }
        if explodes(self.blob.size, self.plain_size)
            || self.gzip.is_none() && self.blob.size != self.plain_size
        {
            return Err(bad("sizes that no blob has"));
        }
        // zstd's ratio is higher; no layer's is.
        if self.bases.iter().any(|base| explodes(base.size, base.plain_size)) {
            return Err(bad("a base of a size that no blob has"));
        }
        // Every instruction makes a byte, and every run speaks of one.
        let most = self.plain_size.saturating_mul(32);
        let [control, runs, differences, inserts] = self.streams;
        if control.size > most || runs.size > most {
            return Err(bad("more instructions than bytes"));
        }
        if differences.size.saturating_add(inserts.size) > self.plain_size {
            return Err(bad("more bytes than the blob has"));
        }
        Ok(())
    }
}

/// Writes a delta: its header and its streams, which are compressed already.
///
/// # Errors
/// When it cannot be written.
pub fn write(header: &Header, streams: [&mut dyn Read; 4], output: &mut impl Write) -> io::Result<()> {
    let json = serde_json::to_vec(header)?;
    output.write_all(MAGIC)?;
    output.write_all(&(json.len() as u32).to_le_bytes())?;
    output.write_all(&json)?;
    for stream in streams {
        io::copy(stream, output)?;
    }
    Ok(())
}

impl<'b> Document<'b> {
    /// Opens a delta.
    ///
    /// # Errors
    /// When it is none, or cannot be read.
    pub fn open(bytes: &'b dyn Bytes) -> io::Result<Self> {
        const FRONT: u64 = 20;
        let mut front = [0; FRONT as usize];
        bytes.range(0, bytes.size().min(FRONT))?.read_exact(&mut front).map_err(cut_short)?;
        let (magic, length) = front.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(bad("no delta, or one of another version"));
        }
        let length = u32::from_le_bytes(length.try_into().unwrap_or_default());
        if length > MAX_HEADER_BYTES {
            return Err(bad("a header that is too long"));
        }
        let mut json = vec![0; length as usize];
        let begin = FRONT + u64::from(length);
        bytes.range(FRONT, u64::from(length))?.read_exact(&mut json).map_err(cut_short)?;
        let header: Header = serde_json::from_slice(&json)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        header.check()?;
        let stored = header.streams.iter().map(|stream| stream.stored).fold(begin, u64::saturating_add);
        if stored != bytes.size() {
            return Err(bad("another length than its streams have"));
        }
        Ok(Self { header, bytes, begin })
    }

    /// How much memory restoring its blob takes, in bytes: what its streams look back, and what is at hand.
    #[must_use]
    pub fn memory(&self) -> u64 {
        const AT_HAND: u64 = 12 << 20;
        let windows =
            self.header.streams.iter().zip(WINDOW_BITS).map(|(stream, bits)| stream.size.min(1 << bits));
        windows.sum::<u64>() + AT_HAND
    }

    /// Begins to read its instructions.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn script(&self) -> io::Result<ScriptReader<impl Read>> {
        let mut at = self.begin;
        let mut streams = Vec::with_capacity(self.header.streams.len());
        for (stream, window) in self.header.streams.iter().zip(WINDOW_BITS) {
            let stored = BufReader::new(self.bytes.range(at, stream.stored)?);
            at += stream.stored;
            let mut decoder = zstd::Decoder::with_buffer(stored)?;
            decoder.window_log_max(window)?;
            // One byte more than was declared is as wrong as one less, and neither is kept.
            streams.push(Exactly { left: stream.size, inner: BufReader::with_capacity(32 << 10, decoder) });
        }
        let streams = streams.try_into().map_err(|_| bad("another number of streams"))?;
        let lengths = self.header.bases.iter().map(|base| base.plain_size).collect();
        Ok(ScriptReader::new(lengths, streams))
    }
}

fn cut_short(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => bad("its end, within its header"),
        _ => error,
    }
}

/// zstd says nothing of what kind its errors are: those that the system did not tell are of the bytes.
pub(super) fn of_frame(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::Other if error.raw_os_error().is_none() => {
            io::Error::new(io::ErrorKind::InvalidData, error)
        }
        _ => error,
    }
}

/// Reads what has to have a certain length.
struct Exactly<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            return match self.inner.read(&mut [0]).map_err(of_frame)? {
                0 => Ok(0),
                _ => Err(bad("a stream that is longer than it says")),
            };
        }
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        match self.inner.read(&mut buffer[..most]).map_err(of_frame)? {
            0 => Err(bad("a stream that is shorter than it says")),
            count => {
                self.left -= count as u64;
                Ok(count)
            }
        }
    }
}

/// Bytes in hexadecimal.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks(2);
    pairs.map(|pair| Some((digit(pair[0])? << 4 | digit(*pair.get(1)?)?) as u8)).collect()
}
