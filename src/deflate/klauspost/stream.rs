//! Takes a stream in, block by block.

use super::Revision;
use super::block::Writer;
use super::search::{MARGIN, Search};
use crate::deflate::Deflate;
use crate::deflate::go::history::History;
use crate::deflate::go::tokens::Tokens;

/// A stream that is searched in one way.
pub(crate) struct Stream<S> {
    search: S,
    history: History,
    tokens: Tokens,
    writer: Writer,
}

impl<S: Search> Stream<S> {
    /// Begins a stream.
    pub(crate) fn new(search: S, revision: Revision) -> Self {
        Self { search, history: History::new(), tokens: Tokens::new(), writer: Writer::new(revision) }
    }

    /// Learns what comes before the stream, at most 32 KiB, as if it had been compressed.
    pub(super) fn begin_after(&mut self, before: &[u8]) {
        self.history.take(before);
        self.search();
        self.next_block();
    }

    /// Finds the tokens of the block.
    fn search(&mut self) {
        let history = &self.history;
        if history.block().len() > MARGIN as usize + 1 {
            self.search.search(history.bytes(), history.base(), history.begin(), &mut self.tokens);
        }
    }

    fn next_block(&mut self) {
        self.tokens.clear();
        if let Some(by) = self.history.next_block() {
            self.search.rebase(by);
        }
    }

    /// Compresses the block; `ends` is whether there is none after it.
    fn compress(&mut self, ends: bool, out: &mut Vec<u8>) {
        let length = self.history.block().len();
        match length {
            0 => return,
            1..=32 => self.writer.write_stored(self.history.block(), out),
            33..=127 => self.writer.write_literals(self.history.block(), ends, out),
            _ => {
                self.search();
                let plain = self.history.block();
                match self.tokens.all().len() {
                    0 => self.writer.write_stored(plain, out),
                    // Matches did not save a sixteenth.
                    count if count > length - (length >> 4) => self.writer.write_literals(plain, ends, out),
                    _ => self.writer.write_tokens(&self.tokens, plain, ends, out),
                }
            }
        }
        self.next_block();
    }

    /// Compresses all that was written, up to a mark that ends at a byte boundary. Only [`Deflate::finish`] may
    /// follow.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        self.compress(true, out);
        self.writer.write_stored(&[], out);
    }
}

impl<S: Search> Deflate for Stream<S> {
    fn write(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        while !plain.is_empty() {
            // A full block may turn out to be the last one: it waits until there is more.
            if self.history.is_full() {
                self.compress(false, out);
            }
            plain = self.history.take(plain);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.compress(true, out);
        self.writer.end(out);
    }
}
