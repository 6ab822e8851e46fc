//! The encoders of Go's compress/flate, and thus of compress/gzip.
//!
//! Up to Go 1.26 they were its own: [`lazy`] for the default level, [`snappy`] for best speed. Go 1.27 took over
//! those of klauspost/compress, of which the default is level 6.

pub(super) mod bits;
mod block;
pub(super) mod code;
pub(super) mod frequencies;
pub(super) mod header;
pub(super) mod history;
mod lazy;
mod level6;
mod snappy;
pub(super) mod symbols;
pub(super) mod tokens;

use super::Deflate;
use super::klauspost::level1::Level1;
use super::klauspost::{Revision, Stream};
use level6::Level6;

/// What Go 1.27 took over.
const TAKEN_OVER: Revision = Revision::V1_18_2;

/// The default level, which is 6, of Go up to 1.26.
///
/// What Go writes may depend on how its input is written, in one case: when a write ends less than 262 bytes
/// before the end of the window, at a certain byte, and there is a match with what is about to leave the window.
/// This is what it writes when it is given all of the input at once, or in pieces of whole 512 bytes.
#[must_use]
pub fn default_before_1_27() -> Box<dyn Deflate> {
    Box::new(lazy::Stream::new())
}

/// Best speed, which is level 1, of Go up to 1.26.
#[must_use]
pub fn best_speed_before_1_27() -> Box<dyn Deflate> {
    Box::new(snappy::Stream::new())
}

/// The default level, which is 6, of Go from 1.27 on.
#[must_use]
pub fn default_since_1_27() -> Box<dyn Deflate> {
    Box::new(Stream::new(Level6::new(), TAKEN_OVER))
}

/// Best speed, which is level 1, of Go from 1.27 on.
#[must_use]
pub fn best_speed_since_1_27() -> Box<dyn Deflate> {
    Box::new(Stream::new(Level1::new(), TAKEN_OVER))
}
