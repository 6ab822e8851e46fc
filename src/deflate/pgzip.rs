//! The streams of klauspost/pgzip: blocks that are compressed each by itself, knowing the end of the one before.
//!
//! Each block ends with a mark at a byte boundary. The stream ends with an empty block of fixed codes; input that
//! fills its last block is followed by one more mark.

use super::Deflate;
use super::blocks::{BlockEncoder, Blocks};
pub use super::klauspost::{Level, Revision};

/// How much of the block before is known, in bytes.
const TAIL: usize = 16 << 10;

/// The end of a stream: an empty, final block of fixed codes.
const END: [u8; 2] = [3, 0];

/// How much input makes a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Block {
    /// What pgzip takes when it is not told: skopeo, Podman and Buildah do not tell it.
    Mib1,
    /// What umoci tells it.
    Kib256,
}

/// pgzip's streams, with the klauspost/compress of a revision.
#[must_use]
pub fn encoder(revision: Revision, block: Block, level: Level) -> Box<dyn Deflate> {
    Box::new(Blocks::new(Pgzip { revision, block, level }))
}

struct Pgzip {
    revision: Revision,
    block: Block,
    level: Level,
}

impl BlockEncoder for Pgzip {
    fn block_bytes(&self) -> usize {
        match self.block {
            Block::Mib1 => 1 << 20,
            Block::Kib256 => 256 << 10,
        }
    }

    fn ends_with_an_empty_block(&self) -> bool {
        true
    }

    fn encode(&self, before: &[u8], block: &[u8], is_last: bool, out: &mut Vec<u8>) {
        let tail = &before[before.len().saturating_sub(TAIL)..];
        super::klauspost::piece(self.revision, self.level, tail, block, out);
        if is_last {
            out.extend_from_slice(&END);
        }
    }
}
