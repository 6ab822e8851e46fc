//! The frame of a gzip member (RFC 1952, 2.3): its header, kept to the byte, and its trailer.

use std::io::{self, BufRead, Read};

/// The longest header that is read, in bytes: names and comments are short, and longer ones are an attack.
pub const MAX_HEADER_BYTES: usize = 64 << 10;

const MAGIC: [u8; 3] = [0x1f, 0x8b, 8];
const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;

/// A member's header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    bytes: Vec<u8>,
}

impl Header {
    /// Reads a header, and leaves the reader at the first byte of the deflate stream.
    ///
    /// # Errors
    /// When there is none, or it is too long.
    pub fn read(reader: &mut impl BufRead) -> io::Result<Self> {
        let mut bytes = vec![0; 10];
        reader.read_exact(&mut bytes)?;
        if bytes[..3] != MAGIC {
            return Err(bad("no gzip header"));
        }
        let flags = bytes[3];
        if flags & FEXTRA != 0 {
            let mut length = [0; 2];
            reader.read_exact(&mut length)?;
            bytes.extend_from_slice(&length);
            let begin = bytes.len();
            bytes.resize(begin + usize::from(u16::from_le_bytes(length)), 0);
            reader.read_exact(&mut bytes[begin..])?;
        }
        for flag in [FNAME, FCOMMENT] {
            if flags & flag != 0 {
                let most = MAX_HEADER_BYTES.saturating_sub(bytes.len()) as u64;
                reader.by_ref().take(most).read_until(0, &mut bytes)?;
                if bytes.last() != Some(&0) {
                    return Err(bad("a gzip header that is too long"));
                }
            }
        }
        if flags & FHCRC != 0 {
            let mut sum = [0; 2];
            reader.read_exact(&mut sum)?;
            bytes.extend_from_slice(&sum);
        }
        Self::of(bytes)
    }

    /// The header that has these bytes, and no others.
    ///
    /// # Errors
    /// When they are not one header.
    pub fn parse(bytes: &[u8]) -> io::Result<Self> {
        let mut rest = bytes;
        let header = Self::read(&mut rest)?;
        if rest.is_empty() { Ok(header) } else { Err(bad("more than a gzip header")) }
    }

    fn of(bytes: Vec<u8>) -> io::Result<Self> {
        if bytes.len() > MAX_HEADER_BYTES {
            Err(bad("a gzip header that is too long"))
        } else {
            Ok(Self { bytes })
        }
    }

    /// It, as it is in the file.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The trailer behind a deflate stream: the checksum and the length of what it holds.
#[must_use]
pub fn trailer(checksum: u32, length: u64) -> [u8; 8] {
    // The length modulo 2^32 (RFC 1952).
    let length = (length as u32).to_le_bytes();
    let sum = checksum.to_le_bytes();
    [sum[0], sum[1], sum[2], sum[3], length[0], length[1], length[2], length[3]]
}

fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_all_kinds() {
        let plain: &[u8] = &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 255];
        let all = [
            &[0x1f, 0x8b, 8, 2 | 4 | 8 | 16, 1, 2, 3, 4, 4, 3, 3, 0, 7, 7, 7][..],
            b"name\0a comment\0",
            &[9, 9],
        ];
        for header in [plain, &all.concat()] {
            let file = [header, b"deflate"].concat();
            let mut rest = file.as_slice();
            let read = Header::read(&mut rest).unwrap();
            assert_eq!((read.bytes(), rest), (header, b"deflate".as_slice()));
            for length in 0..header.len() {
                assert!(Header::parse(&header[..length]).is_err(), "{length}");
            }
            assert!(Header::parse(&file).is_err());
        }
        let endless = [&plain[..3], &[8], &plain[4..], &[b'x'; 1 << 17]].concat();
        assert!(Header::parse(&endless).is_err());
    }
}
