//! The commands, each a short function that reads as prose.

mod convert;
mod stats;
mod verify;

pub use convert::{Conversion, convert};
pub use stats::{Statistics, stats};
pub use verify::{Verification, verify};

use anyhow::Result;

use crate::finding::Finding;
use crate::report::{self, Findings, Format, Report};

/// How a command ended that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it should be.
    Sound,
    /// The data has faults, and they were reported.
    Faulty,
}

/// Says what was found, prints the report, and tells how that ends.
fn conclude(report: &impl Report, findings: &[Finding], format: Format) -> Result<Ending> {
    report::say(&Findings(findings).text());
    report::print(report, format)?;
    Ok(if findings.iter().any(Finding::is_error) { Ending::Faulty } else { Ending::Sound })
}
