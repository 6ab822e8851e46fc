//! A package that passes by: read from its beginning to its end, and held to its bill of materials on the way.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use tar::Header;

use super::bill::MOST_PLACES;
use super::skeleton::{self, BILL, BILL_DIGEST, BLOCK, Piece, padding};
use super::{Bill, Form, MAX_BILL_BYTES, check_digest, damaged, parse};
use crate::digest::Digest;
use crate::finding::{self, Finding, Kind};

/// A package whose beginning was read.
pub struct Passing<R> {
    /// What it says of itself.
    pub bill: Bill,
    /// What it is called in findings.
    pub path: PathBuf,
    pub(super) reader: R,
    /// Where the reader is.
    pub(super) offset: u64,
    rest: std::vec::IntoIter<Piece>,
}

impl<R: Read> Passing<R> {
    /// Reads the bill of materials, which comes first; `end` is where the package ends, if that is known.
    ///
    /// # Errors
    /// A finding, when there is none, or it is not as it was written.
    pub fn begin(mut reader: R, end: Option<u64>, path: &Path) -> Result<Self, Finding> {
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                damaged(path, "its end, before its bill of materials was complete")
            }
            io::ErrorKind::InvalidData => damaged(path, error),
            _ => finding::unreadable(path, &error),
        };
        let json = Head::read(&mut reader, BILL, "at its beginning").map_err(unreadable)?;
        let sums =
            Head::read(&mut reader, BILL_DIGEST, "behind the bill of materials").map_err(unreadable)?;
        check_digest(path, json.bytes(), sums.bytes())?;
        let mut bill = parse(path, json.bytes())?;
        if bill.form != Form::Tar {
            return Err(damaged(path, "the bill of materials of a folder"));
        }
        // What a short bill claims without end has no room behind it.
        let places = end.map_or(MOST_PLACES, |end| end / BLOCK);
        bill.check(path, places).map_err(|error| damaged(path, error))?;
        let written = bill.clone();
        let pieces = skeleton::pieces(&mut bill).map_err(|error| damaged(path, error))?;
        if bill != written {
            return Err(damaged(path, format_args!("{BILL} with other offsets than its content has")));
        }
        // The head is compared like the rest, byte by byte: a header may say more than its name and size.
        let mut offset = 0;
        let mut rest = pieces.into_iter();
        for there in [json.raw, sums.raw] {
            let Some(Piece::Bytes(expected)) = rest.next() else { continue };
            if expected != there {
                return Err(damaged(path, difference(offset, &expected, &there)));
            }
            offset += there.len() as u64;
        }
        Ok(Self { bill, path: path.to_owned(), reader, offset, rest })
    }

    /// Goes on to the next content, and tells its name and length; `Ok(None)` at the end. The content has to be
    /// read before this is called again.
    ///
    /// # Errors
    /// A finding, when what lies between is not what has to be there.
    pub fn advance(&mut self) -> Result<Option<(Digest, u64)>, Finding> {
        for piece in self.rest.by_ref() {
            match piece {
                Piece::Content(digest, size) | Piece::Delta(digest, size) => return Ok(Some((digest, size))),
                Piece::Bytes(expected) => {
                    let mut there = Vec::with_capacity(expected.len());
                    let length = expected.len() as u64;
                    self.reader
                        .by_ref()
                        .take(length)
                        .read_to_end(&mut there)
                        .map_err(|error| finding::unreadable(&self.path, &error))?;
                    if (there.len() as u64) < length {
                        return Err(cut_short(&self.path, self.offset + there.len() as u64));
                    }
                    if there != expected {
                        return Err(damaged(&self.path, difference(self.offset, &expected, &there)));
                    }
                    self.offset += length;
                }
            }
        }
        match self.reader.read(&mut [0]) {
            Ok(0) => Ok(None),
            Ok(_) => Err(damaged(&self.path, format_args!("more, behind its end at byte {}", self.offset))),
            Err(error) => Err(finding::unreadable(&self.path, &error)),
        }
    }

    /// Reads the content that [`Self::advance`] told, in pieces; returns how many bytes there were.
    ///
    /// # Errors
    /// When it cannot be read, or `piece` fails.
    pub fn content(&mut self, size: u64, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
        const PIECE_BYTES: usize = 256 << 10;
        let mut window = vec![0; PIECE_BYTES];
        let mut left = size;
        while left > 0 {
            let most = window.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            match self.reader.read(&mut window[..most]) {
                Ok(0) => break,
                Ok(count) => {
                    piece(&window[..count])?;
                    left -= count as u64;
                    self.offset += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(size - left)
    }
}

/// An entry of the head: its header, its bytes, and the padding behind them, as they were read.
struct Head {
    raw: Vec<u8>,
    size: usize,
}

impl Head {
    /// Reads the one that has to have this name; its size is bounded.
    fn read(reader: &mut impl Read, name: &str, place: &str) -> io::Result<Self> {
        let invalid = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut header = Header::new_ustar();
        reader.read_exact(header.as_mut_bytes())?;
        if header.path_bytes() != name.as_bytes() {
            return Err(invalid(format!("no {name} {place}")));
        }
        let size = header.size().unwrap_or(u64::MAX);
        if size > MAX_BILL_BYTES {
            return Err(invalid("a bill of materials that is too long".to_owned()));
        }
        let mut raw = header.as_bytes().to_vec();
        let length = size + padding(size);
        reader.take(length).read_to_end(&mut raw)?;
        if (raw.len() as u64) < BLOCK + length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(Self { raw, size: size as usize })
    }

    fn bytes(&self) -> &[u8] {
        &self.raw[BLOCK as usize..][..self.size]
    }
}

/// What to say of a package that ends too early, after so many bytes.
pub(super) fn cut_short(path: &Path, end: u64) -> Finding {
    Finding::at(Kind::DamagedPackage, path).expected("more").found(format_args!("its end, at byte {end}"))
}

/// Says where bytes differ from what they have to be, and what they seem to be instead.
fn difference(start: u64, expected: &[u8], there: &[u8]) -> String {
    let at = expected.iter().zip(there).position(|(a, b)| a != b).unwrap_or_default();
    let name = |bytes: &[u8]| -> String {
        let block = bytes.get(..BLOCK as usize).unwrap_or_default();
        let Ok(block) = <&[u8; BLOCK as usize]>::try_from(block) else { return "padding".to_owned() };
        let header = Header::from_byte_slice(block);
        format!("an entry {:?}", String::from_utf8_lossy(&header.path_bytes()))
    };
    format!("{} where {} has to be, at byte {}", name(there), name(expected), start + at as u64)
}
