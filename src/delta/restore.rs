//! Restores a blob from its delta and the bases that it takes from.

use std::io::{self, BufReader, Read, Write};

use super::document::{BaseContent, Document};
use super::plain;
use super::script::{Instruction, bad};
use crate::deflate::member::trailer;
use crate::disk::{File, Scratch};

/// How many bytes are worked on at once.
const PIECE_BYTES: usize = 256 << 10;

/// Uncompresses a base into `scratch`; it has to have the length that the delta says.
///
/// # Errors
/// When it cannot be read or written, or is something else.
pub fn uncompress(base: &BaseContent, file: &File, scratch: &mut Scratch) -> io::Result<()> {
    let (_, plain) = plain::open(file)?;
    let mut out = io::BufWriter::with_capacity(PIECE_BYTES, scratch);
    // A base that explodes is no base: one byte more than it may have is enough to know.
    let length =
        io::copy(&mut BufReader::with_capacity(PIECE_BYTES, plain.take(base.plain_size + 1)), &mut out)?;
    out.flush()?;
    if length == base.plain_size { Ok(()) } else { Err(bad("a base of another length")) }
}

/// Makes the uncompressed bytes of the blob, piece by piece.
///
/// # Errors
/// When the delta or a base cannot be read, or contradict themselves, or when `piece` fails.
pub fn plain(
    delta: &Document,
    bases: &[Scratch],
    mut piece: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<()> {
    let mut script = delta.script()?;
    let mut left = delta.header.plain_size;
    let mut buffer = vec![0; PIECE_BYTES];
    let mut filled = 0;
    while let Some(Instruction { mut at, added, inserted }) = script.instruction()? {
        left = added
            .checked_add(inserted)
            .and_then(|made| left.checked_sub(made))
            .ok_or_else(|| bad("instructions for more bytes than the blob has"))?;
        for (mut length, is_added) in [(added, true), (inserted, false)] {
            while length > 0 {
                let count = length.min((buffer.len() - filled) as u64) as usize;
                let space = &mut buffer[filled..filled + count];
                if is_added {
                    bases[at.base].read_exact_at(space, at.offset)?;
                    script.add_to(space)?;
                    at.offset += count as u64;
                } else {
                    script.insert(space)?;
                }
                filled += count;
                length -= count as u64;
                if filled == buffer.len() {
                    piece(&buffer)?;
                    filled = 0;
                }
            }
        }
    }
    if left > 0 {
        return Err(bad("instructions for fewer bytes than the blob has"));
    }
    piece(&buffer[..filled])?;
    script.finish()
}

/// Makes the blob, piece by piece, no byte more than it has.
///
/// # Errors
/// As [`plain`].
pub fn blob(
    delta: &Document,
    bases: &[Scratch],
    mut piece: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<u64> {
    let mut made = 0;
    let most = delta.header.blob.size;
    let mut piece = |bytes: &[u8]| {
        made += bytes.len() as u64;
        if made > most { Err(bad("more bytes than the blob has")) } else { piece(bytes) }
    };
    match delta.header.envelope()? {
        None => plain(delta, bases, &mut piece)?,
        Some((header, encoder)) => {
            let mut deflate = encoder.start().ok_or_else(|| bad("an encoder that does not start"))?;
            let mut checksum = crc32fast::Hasher::new();
            let mut out = header;
            plain(delta, bases, |bytes| {
                checksum.update(bytes);
                deflate.write(bytes, &mut out);
                piece(&out)?;
                out.clear();
                Ok(())
            })?;
            deflate.finish(&mut out);
            out.extend_from_slice(&trailer(checksum.finalize(), delta.header.plain_size));
            piece(&out)?;
        }
    }
    Ok(made)
}
