//! GNU gzip.

use super::Deflate;
use super::zlib::{Horizon, Level, Limit, Manner, Stream};

/// Begins a stream of GNU gzip's, of a level from 1 to 9; `None` for any other level.
#[must_use]
pub fn encoder(level: u8) -> Option<Box<dyn Deflate>> {
    let level = Level::of(level)?;
    let limit = Limit { symbols: (32 << 10) - 1, ends_early: level.number > 2 };
    let manner = Manner { limit, horizon: Horizon::Window };
    Some(Box::new(Stream::new(level, manner)))
}
