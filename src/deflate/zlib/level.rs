//! How hard each level looks for matches: the table of zlib's `deflate.c`, which GNU gzip shares.

/// Which matches are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deflate) enum Strategy {
    /// The first one that is found.
    Fast,
    /// None before the next byte was tried, which may begin a longer one.
    Slow,
}

/// How hard a level looks for matches.
#[derive(Debug, Clone, Copy)]
pub(in crate::deflate) struct Level {
    /// Its number.
    pub(in crate::deflate) number: u8,
    /// With a match of this length at hand, only a quarter of the chain is followed.
    pub(in crate::deflate) good: usize,
    /// With a match of this length at hand, no longer one is looked for; the fast strategy does not enter
    /// the strings inside matches that are longer.
    pub(in crate::deflate) lazy: usize,
    /// A match of this length is not improved on.
    pub(in crate::deflate) nice: usize,
    /// How many strings of a chain are looked at.
    pub(in crate::deflate) chain: usize,
    /// Which matches are taken.
    pub(in crate::deflate) strategy: Strategy,
}

impl Level {
    /// A level from 1 to 9.
    pub(in crate::deflate) fn of(number: u8) -> Option<Self> {
        use Strategy::{Fast, Slow};
        let (good, lazy, nice, chain, strategy) = match number {
            1 => (4, 4, 8, 4, Fast),
            2 => (4, 5, 16, 8, Fast),
            3 => (4, 6, 32, 32, Fast),
            4 => (4, 4, 16, 16, Slow),
            5 => (8, 16, 32, 32, Slow),
            6 => (8, 16, 128, 128, Slow),
            7 => (8, 32, 128, 256, Slow),
            8 => (32, 128, 258, 1024, Slow),
            9 => (32, 258, 258, 4096, Slow),
            _ => return None,
        };
        Some(Self { number, good, lazy, nice, chain, strategy })
    }
}
