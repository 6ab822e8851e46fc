//! What a block is made of before it is written: literals and matches, and how often each symbol comes.

use super::code::{DISTANCES, END, LENGTH_SYMBOLS, LITERALS, SHORTEST, distance_extra, distance_symbol};

/// How many symbols are looked at to tell whether they compress well.
const STEP: usize = 4 << 10;

/// When a block has grown long enough.
#[derive(Debug, Clone, Copy)]
pub(in crate::deflate) struct Limit {
    /// It never has more literals and matches than these.
    pub(in crate::deflate) symbols: usize,
    /// Whether it ends where 4096 symbols, or a multiple of them, compress well: what follows may be of another
    /// kind. This is what `TRUNCATE_BLOCK` describes in zlib's `trees.c`.
    pub(in crate::deflate) ends_early: bool,
}

/// The literals and matches of a block.
pub(super) struct Symbols {
    limit: Limit,
    /// A literal as it is; a match as its distance above 16 bits of its length, less [`SHORTEST`].
    pub(super) list: Vec<u32>,
    /// How often each literal and each length comes; the end of the block once.
    pub(super) literals: [u16; LITERALS],
    /// How often each distance comes.
    pub(super) distances: [u16; DISTANCES],
    /// How many of them are matches.
    matches: usize,
}

impl Symbols {
    pub(super) fn new(limit: Limit) -> Self {
        let list = Vec::with_capacity(limit.symbols);
        let mut symbols =
            Self { limit, list, literals: [0; LITERALS], distances: [0; DISTANCES], matches: 0 };
        symbols.clear();
        symbols
    }

    /// Begins another block.
    pub(super) fn clear(&mut self) {
        self.list.clear();
        self.literals = [0; LITERALS];
        self.literals[END] = 1;
        self.distances = [0; DISTANCES];
        self.matches = 0;
    }

    #[inline]
    pub(super) fn push_literal(&mut self, byte: u8) {
        self.list.push(u32::from(byte));
        self.literals[usize::from(byte)] += 1;
    }

    #[inline]
    pub(super) fn push_match(&mut self, length: usize, distance: usize) {
        let length = (length - SHORTEST) & 0xff;
        self.list.push((distance as u32) << 16 | length as u32);
        self.literals[END + 1 + usize::from(LENGTH_SYMBOLS[length])] += 1;
        self.distances[distance_symbol(distance as u32 - 1)] += 1;
        self.matches += 1;
    }

    /// Whether the block ends here, having come so many bytes into the input.
    #[inline]
    pub(super) fn is_full(&self, input: usize) -> bool {
        let count = self.list.len();
        count >= self.limit.symbols
            || self.limit.ends_early && count.is_multiple_of(STEP) && self.compresses_well(input)
    }

    /// Whether the symbols certainly take less than half of what they stand for, and most are literals.
    #[cold]
    fn compresses_well(&self, input: usize) -> bool {
        let each = self.distances.iter().enumerate();
        let distances: usize =
            each.map(|(symbol, count)| usize::from(*count) * (5 + distance_extra(symbol) as usize)).sum();
        let output = (self.list.len() * 8 + distances) / 8;
        self.matches < self.list.len() / 2 && output < input / 2
    }
}
