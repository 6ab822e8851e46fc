//! zlib's deflate, as its `deflate` writes it for levels 1 to 9, with the window, memory level and strategy that
//! are its defaults (32 KiB, 8, `Z_DEFAULT_STRATEGY`).

mod bits;
mod block;
mod code;
mod description;
mod level;
mod search;
mod stream;
mod symbols;
mod tree;
mod window;

pub(super) use level::Level;
pub(super) use search::Horizon;
pub(super) use stream::{Manner, Stream};
pub(super) use symbols::Limit;

use super::Deflate;

/// How zlib itself does it.
pub(super) const MANNER: Manner =
    Manner { limit: Limit { symbols: (16 << 10) - 1, ends_early: false }, horizon: Horizon::Input };

/// Begins a stream of zlib's, of a level from 1 to 9; `None` for any other level.
#[must_use]
pub fn encoder(level: u8) -> Option<Box<dyn Deflate>> {
    Some(Box::new(Stream::new(Level::of(level)?, MANNER)))
}

impl Deflate for Stream {
    fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.take(plain, out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.end(true, out);
    }
}
