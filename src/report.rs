//! What people and programs read: text and JSON. Numbers and names come in, nothing is found out here.

mod application;
mod conversion;
mod deduplication;
mod difference;
mod findings;
mod layer;
mod packing;
mod placed;
mod pruning;
mod stats;
mod text;
mod verification;

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde::Serialize;

pub use application::{Application, Move};
pub use conversion::{Conversion, Planned};
pub use deduplication::{Deduplication, Joined};
pub use difference::Difference;
pub use findings::Findings;
pub use layer::{Against, LayerReport};
pub use packing::Packing;
pub use pruning::Pruning;
pub use stats::{BaseStats, Stats, TreeStats};
pub use text::{bytes, count, rate};
pub use verification::{Checked, Repaired, Verification, VerifiedTree};

/// Which of the two a person asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// For programs; each document names its schema.
    Json,
}

/// Something that can be reported as text or JSON.
pub trait Report: Serialize {
    /// What people read.
    fn text(&self) -> String;
}

/// Prints a report to standard output; a reader that went away is no error.
///
/// # Errors
/// When standard output cannot be written for another reason.
pub fn print(report: &impl Report, format: Format) -> Result<()> {
    print_text(&match format {
        Format::Text => report.text(),
        Format::Json => serde_json::to_string_pretty(report)? + "\n",
    })
}

/// Prints a document to standard output, as [`print`].
///
/// # Errors
/// As [`print`].
pub fn print_text(text: &str) -> Result<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Says something on standard error; nobody there to hear it is no error.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
