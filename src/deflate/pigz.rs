//! pigz, with more than one thread: blocks of 128 KiB, which zlib compresses one by one.

use super::Deflate;
use super::blocks::{BlockEncoder, Blocks};
use super::zlib::{Level, MANNER, Stream};

/// How much input makes a block: what `-b` is set to.
const BLOCK: usize = 128 << 10;

/// Begins a stream of pigz's, of a level from 1 to 9; `None` for any other level.
#[must_use]
pub fn encoder(level: u8) -> Option<Box<dyn Deflate>> {
    Some(Box::new(Blocks::new(Pigz { level: Level::of(level)? })))
}

/// How pigz compresses a block.
struct Pigz {
    level: Level,
}

impl BlockEncoder for Pigz {
    fn block_bytes(&self) -> usize {
        BLOCK
    }

    fn ends_with_an_empty_block(&self) -> bool {
        false
    }

    fn encode(&self, before: &[u8], block: &[u8], is_last: bool, out: &mut Vec<u8>) {
        let mut stream = Stream::new(self.level, MANNER);
        stream.prime(before);
        stream.take(block, out);
        stream.end(is_last, out);
        if !is_last {
            stream.writer.end_on_a_byte(out);
        }
    }
}
