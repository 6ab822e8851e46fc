//! The commands, each a short function that reads as prose.

mod convert;
mod stats;
mod verify;

pub use convert::{Conversion, convert};
pub use stats::{Statistics, stats};
pub use verify::{Verification, verify};

/// How a command ended that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it should be.
    Sound,
    /// The data has faults, and they were reported.
    Faulty,
}
