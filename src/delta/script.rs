//! The instructions of a delta: take a stretch of a base, add differences to it, then insert new bytes.
//!
//! Four streams, each compressed by itself, because each has its own statistics:
//!
//! | stream | content |
//! | --- | --- |
//! | control | for each instruction: `added << 1 \| is_other_base`, the base's number if so, `inserted`, and where `added` is not 0, the distance from where the last stretch of this base ended, zigzag coded |
//! | runs | over all added bytes in their order: how many differences are zero, and how many follow that are listed |
//! | differences | those that are listed, to be added modulo 256 |
//! | inserts | the new bytes |
//!
//! Numbers are LEB128. Offsets are those of the bases' uncompressed bytes: no archive is parsed when a delta is
//! applied.

mod read;
mod write;

use std::io::{self, Read, Write};

pub use read::{Instruction, ScriptReader};
pub use write::ScriptWriter;

/// Where in a base a stretch begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct At {
    /// The number of the base.
    pub base: usize,
    /// The offset in its uncompressed bytes.
    pub offset: u64,
}

/// How many bytes two slices have in common at their beginning.
pub(super) fn equal_bytes(a: &[u8], b: &[u8]) -> usize {
    const LANE: usize = 8;
    let (of_a, of_b) = (a.as_chunks::<LANE>().0, b.as_chunks::<LANE>().0);
    for (number, (a, b)) in of_a.iter().zip(of_b).enumerate() {
        let differing = u64::from_le_bytes(*a) ^ u64::from_le_bytes(*b);
        if differing != 0 {
            return number * LANE + differing.trailing_zeros() as usize / 8;
        }
    }
    let lanes = of_a.len().min(of_b.len()) * LANE;
    lanes + a[lanes..].iter().zip(&b[lanes..]).take_while(|(a, b)| a == b).count()
}

fn zigzag(distance: u64) -> u64 {
    let distance = distance.cast_signed();
    ((distance << 1) ^ (distance >> 63)).cast_unsigned()
}

fn unzigzag(coded: u64) -> u64 {
    (coded >> 1) ^ (coded & 1).wrapping_neg()
}

fn write_number(out: &mut impl Write, mut number: u64) -> io::Result<()> {
    let mut bytes = [0; 10];
    let mut length = 0;
    loop {
        bytes[length] = (number & 0x7f) as u8 | if number > 0x7f { 0x80 } else { 0 };
        number >>= 7;
        length += 1;
        if number == 0 {
            return out.write_all(&bytes[..length]);
        }
    }
}

/// Reads a number; `Ok(None)` where the stream ends before it.
fn read_number(from: &mut impl Read) -> io::Result<Option<u64>> {
    let mut number = 0u64;
    for place in 0..10 {
        let mut byte = [0];
        if let Err(error) = from.read_exact(&mut byte) {
            let is_end = error.kind() == io::ErrorKind::UnexpectedEof && place == 0;
            return if is_end { Ok(None) } else { Err(error) };
        }
        let bits = u64::from(byte[0] & 0x7f);
        if place == 9 && bits > 1 {
            return Err(bad("a number that is too large"));
        }
        number |= bits << (7 * place);
        if byte[0] & 0x80 == 0 {
            return Ok(Some(number));
        }
    }
    Err(bad("a number that is too long"))
}

/// Whether reading failed because of what the bytes are, not because of the disk.
#[must_use]
pub fn is_odd(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidData, InvalidInput, UnexpectedEof};
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

pub(super) fn bad(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let base = [b"0123456789abcdefghij".as_slice(), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"];
        let mut writer = ScriptWriter::new(2, [const { Vec::new() }; 4]);
        writer.insert(b"new").unwrap();
        writer.add(At { base: 0, offset: 10 }, &base[0][10..14], b"abxd").unwrap();
        writer.add(At { base: 0, offset: 14 }, &base[0][14..20], b"efghij").unwrap();
        writer.add(At { base: 1, offset: 3 }, &base[1][3..23], b"DEFGHIJKLMNOP......W").unwrap();
        writer.insert(b"!").unwrap();
        writer.add(At { base: 1, offset: 0 }, &base[1][..2], b"AB").unwrap();
        let streams = writer.finish().unwrap();
        let mut reader = ScriptReader::new(vec![20, 26], streams.each_ref().map(Vec::as_slice));
        let mut made = Vec::new();
        while let Some(Instruction { at, added, inserted }) = reader.instruction().unwrap() {
            let mut bytes = base[at.base][at.offset as usize..][..added as usize].to_vec();
            reader.add_to(&mut bytes).unwrap();
            made.extend(bytes);
            let mut bytes = vec![0; inserted as usize];
            reader.insert(&mut bytes).unwrap();
            made.extend(bytes);
        }
        reader.finish().unwrap();
        assert_eq!(made, b"newabxdefghijDEFGHIJKLMNOP......W!AB");
    }

    #[test]
    fn numbers_of_all_lengths() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut bytes = Vec::new();
            write_number(&mut bytes, number).unwrap();
            assert_eq!(read_number(&mut bytes.as_slice()).unwrap(), Some(number));
            assert_eq!(unzigzag(zigzag(number)), number);
            assert!(bytes.len() < 2 || read_number(&mut &bytes[..bytes.len() - 1]).is_err());
        }
        assert!(read_number(&mut [0xff; 10].as_slice()).is_err());
    }
}
