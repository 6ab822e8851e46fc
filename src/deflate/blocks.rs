//! Streams that are compressed in blocks which depend on the input alone, and thus on all cores.

use rayon::prelude::*;

use super::Deflate;

/// How a program compresses the blocks of a stream.
pub trait BlockEncoder: Send + Sync {
    /// How much input makes a block, in bytes.
    fn block_bytes(&self) -> usize;

    /// Whether input that fills its last block is followed by one more, which is empty.
    fn ends_with_an_empty_block(&self) -> bool;

    /// Compresses a block, and ends the stream if it is the last one.
    ///
    /// `before` is the input that comes before the block, at most [`WINDOW`] bytes of it.
    fn encode(&self, before: &[u8], block: &[u8], is_last: bool, out: &mut Vec<u8>);
}

/// How far deflate looks back, in bytes (RFC 1951, 2).
pub const WINDOW: usize = 32 << 10;

/// A stream in blocks.
pub struct Blocks<E> {
    encoder: E,
    /// What lies before the blocks that are not compressed yet, as far as they can look back; then those.
    input: Vec<u8>,
    before: usize,
}

impl<E: BlockEncoder> Blocks<E> {
    /// Begins a stream.
    pub fn new(encoder: E) -> Self {
        Self { encoder, input: Vec::new(), before: 0 }
    }

    /// How many blocks are complete; a full one may turn out to be the last, and waits until there is more.
    fn full_blocks(&self) -> usize {
        (self.input.len() - self.before).saturating_sub(1) / self.encoder.block_bytes()
    }

    /// Compresses `count` blocks on all cores, the last of which may be short.
    fn encode(&mut self, count: usize, has_last: bool, out: &mut Vec<u8>) {
        let size = self.encoder.block_bytes();
        let Self { encoder, input, before } = self;
        let encode = |number: usize| {
            let begin = *before + number * size;
            let end = (begin + size).min(input.len());
            let mut block = Vec::new();
            let window = &input[begin.saturating_sub(WINDOW)..begin];
            encoder.encode(window, &input[begin..end], has_last && number + 1 == count, &mut block);
            block
        };
        let encoded: Vec<_> = (0..count).into_par_iter().map(encode).collect();
        encoded.iter().for_each(|block| out.extend_from_slice(block));
        let done = (*before + count * size).min(input.len());
        let kept = done.saturating_sub(WINDOW);
        input.drain(..kept);
        *before = done - kept;
    }
}

impl<E: BlockEncoder> Deflate for Blocks<E> {
    fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.input.extend_from_slice(plain);
        let full = self.full_blocks();
        if full >= rayon::current_num_threads() {
            self.encode(full, false, out);
        }
    }

    fn settle(&mut self, out: &mut Vec<u8>) {
        self.encode(self.full_blocks(), false, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let left = self.input.len() - self.before;
        let size = self.encoder.block_bytes();
        let is_full = left > 0 && left.is_multiple_of(size);
        let count = match is_full && !self.encoder.ends_with_an_empty_block() {
            true => left / size,
            false => left / size + 1,
        };
        self.encode(count, true, out);
    }
}
