//! The input as far as it is needed, in blocks of as much as a stored block holds.

use super::symbols::{FARTHEST, STORED};

/// How much a block holds.
const BLOCK: usize = STORED;

/// How much of the input is kept at most; no less is needed, more is moved less often.
const KEPT: usize = 5 * BLOCK;

/// What the base of places begins with, and goes back to.
const BASE: u32 = 2 * FARTHEST;

/// How far places go before they are moved down.
const LAST: u32 = 1 << 30;

/// What came before the block, as far as it can be of use, and the block.
pub(crate) struct History {
    bytes: Vec<u8>,
    begin: usize,
    base: u32,
}

impl History {
    /// No input.
    pub(crate) fn new() -> Self {
        Self { bytes: Vec::with_capacity(KEPT), begin: 0, base: BASE }
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where the block begins.
    pub(crate) fn begin(&self) -> u32 {
        self.begin as u32
    }

    /// What makes an index a place that stays the same when what is not needed any more goes. It is so much that
    /// the place 0, where nothing is, is out of reach.
    pub(crate) fn base(&self) -> u32 {
        self.base
    }

    /// The block.
    pub(crate) fn block(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    /// Whether nothing more goes into the block.
    pub(crate) fn is_full(&self) -> bool {
        self.block().len() == BLOCK
    }

    /// Takes input into the block, as much as goes in: what is left.
    pub(crate) fn take<'a>(&mut self, plain: &'a [u8]) -> &'a [u8] {
        let room = BLOCK - self.block().len();
        let (taken, rest) = plain.split_at(room.min(plain.len()));
        self.bytes.extend_from_slice(taken);
        rest
    }

    /// Begins the next block: by how much places have to be moved down, if they do.
    #[must_use]
    pub(crate) fn next_block(&mut self) -> Option<u32> {
        self.begin = self.bytes.len();
        if self.begin + BLOCK <= KEPT {
            return None;
        }
        let gone = self.begin - FARTHEST as usize;
        self.bytes.drain(..gone);
        self.begin -= gone;
        self.base += gone as u32;
        let moved = (self.base >= LAST).then(|| self.base - BASE);
        self.base -= moved.unwrap_or(0);
        moved
    }
}
