//! The encoder of klauspost/compress/flate.
//!
//! It grew out of Go's, whose codes and headers it still writes. Blocks have 65,535 bytes; a block may go on with
//! the codes of the one before.

mod block;
mod estimate;
pub(super) mod level1;
mod level5;
pub(super) mod search;
mod stream;

use super::Deflate;
use level1::Level1;
use level5::Level5;
use search::Search;
pub(super) use stream::Stream;

/// Which of its releases: what they write differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revision {
    /// 1.15.10 to 1.18.0: a block that others may go on with names all codes that there are.
    V1_15_10,
    /// 1.18.1 alone: it names no more codes than it needs.
    V1_18_1,
    /// 1.18.2 and later: as 1.18.1, but the end of the block is counted when codes are compared.
    V1_18_2,
}

/// How hard it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Level 1.
    BestSpeed,
    /// Level 5.
    Default,
}

/// Its streams, which are the same however the input is written.
#[must_use]
pub fn encoder(revision: Revision, level: Level) -> Box<dyn Deflate> {
    match level {
        Level::BestSpeed => Box::new(Stream::new(Level1::new(), revision)),
        Level::Default => Box::new(Stream::new(Level5::new(), revision)),
    }
}

/// Compresses one piece of a stream, from a byte boundary to the next, knowing what comes before it.
pub(super) fn piece(revision: Revision, level: Level, before: &[u8], plain: &[u8], out: &mut Vec<u8>) {
    fn piece<S: Search>(search: S, revision: Revision, before: &[u8], plain: &[u8], out: &mut Vec<u8>) {
        let mut stream = Stream::new(search, revision);
        stream.begin_after(before);
        stream.write(plain, out);
        stream.flush(out);
    }
    match level {
        Level::BestSpeed => piece(Level1::new(), revision, before, plain, out),
        Level::Default => piece(Level5::new(), revision, before, plain, out),
    }
}
