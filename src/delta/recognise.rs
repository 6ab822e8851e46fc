//! Which encoder made a gzip stream: the one that makes the same bytes of its beginning.

use std::io::{self, Read};

use super::script::is_odd;
use crate::deflate::encoder::{ENCODERS, Encoder};
use crate::deflate::member::Header;
use crate::disk::File;

/// How much of the uncompressed bytes is tried, in bytes: enough to see the second of the largest blocks that an
/// encoder makes.
const TRIED_BYTES: usize = 5 << 19;
/// How much of it at a time: most encoders are found out by the first piece.
const PIECE_BYTES: usize = 64 << 10;

/// How long a gzip member's trailer is, in bytes.
const TRAILER_BYTES: usize = 8;

/// The encoders that may have made a blob of these uncompressed bytes, the likeliest first; whether one really did
/// is seen at the end.
///
/// # Errors
/// When the blob cannot be read.
pub fn recognise(file: &File, header: &Header, plain: impl Read) -> io::Result<Candidates> {
    let mut beginning = Vec::new();
    match plain.take(TRIED_BYTES as u64 + 1).read_to_end(&mut beginning) {
        // What is no single, sound gzip member was made by none of them.
        Err(error) if is_odd(&error) => return Ok(Candidates::default()),
        read => read?,
    };
    let is_all = beginning.len() <= TRIED_BYTES;
    beginning.truncate(TRIED_BYTES);
    let mut body = Vec::new();
    let start = header.bytes().len();
    file.open_range(0, (start + 2 * TRIED_BYTES + (64 << 10)) as u64)?.read_to_end(&mut body)?;
    body.drain(..start.min(body.len()));
    if is_all {
        body.truncate(body.len().saturating_sub(TRAILER_BYTES));
    }
    Ok(Candidates { beginning, is_all, body, encoders: ENCODERS.iter() })
}

/// Encoders that are tried as they are asked for.
#[derive(Default)]
pub struct Candidates {
    beginning: Vec<u8>,
    /// Whether that is all there is.
    is_all: bool,
    body: Vec<u8>,
    encoders: std::slice::Iter<'static, Encoder>,
}

impl Iterator for Candidates {
    type Item = Encoder;

    fn next(&mut self) -> Option<Encoder> {
        let Self { beginning, is_all, body, encoders } = self;
        encoders.find(|encoder| makes(**encoder, beginning, *is_all, body)).copied()
    }
}

/// Whether an encoder makes this of the beginning of a stream, or of all of it.
fn makes(encoder: Encoder, plain: &[u8], is_all: bool, body: &[u8]) -> bool {
    let Some(mut deflate) = encoder.start() else { return false };
    let mut made = Vec::new();
    let mut compared = 0;
    for piece in plain.chunks(PIECE_BYTES) {
        deflate.write(piece, &mut made);
        deflate.settle(&mut made);
        if !body[compared..].starts_with(&made) {
            return false;
        }
        compared += made.len();
        made.clear();
    }
    if !is_all {
        return compared > 0;
    }
    deflate.finish(&mut made);
    body[compared..] == made
}
