//! The commands, each a short function that reads as prose.

mod apply;
mod choose;
mod convert;
mod dedupe;
mod diff;
mod estimate;
mod inspect_layer;
mod inventory;
mod pack;
mod prune;
mod stats;
mod verify;

pub use apply::{Application, apply};
pub use choose::{Sought, Wanted};
pub use convert::{Conversion, convert};
pub use dedupe::{Deduplication, dedupe};
pub use diff::{Difference, diff};
pub use inspect_layer::{Inspection, inspect_layer};
pub use inventory::inventory;
pub use pack::{Package, Packing, pack};
pub use prune::{Pruning, prune};
pub use stats::{Statistics, stats};
pub use verify::{Verification, verify};

use std::path::Path;

use anyhow::Result;

use crate::disk::{Destination, Ownership, WhenLocked};
use crate::finding::Finding;
use crate::progress::Progress;
use crate::report::{self, Findings, Format, Report};
use crate::text::shown;

/// What is asked of everything that a command writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Writing {
    /// Whose it is.
    pub ownership: Ownership,
    /// Whether to wait until no other run writes there.
    pub waits: bool,
}

/// How a command ended that ran to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Everything is as it should be.
    Sound,
    /// The data has faults, and they were reported.
    Faulty,
    /// Two sides were compared, and are not the same.
    Different,
}

/// Takes hold of the folder that is to be written to.
fn open(root: &Path, writing: Writing, progress: Progress) -> Result<Destination> {
    let on_wait = || progress.say(|| format!("waiting for another run that writes to {}", shown(root)));
    let when_locked = if writing.waits { WhenLocked::Wait(&on_wait) } else { WhenLocked::Refuse };
    let destination = Destination::open(root, writing.ownership, when_locked)?;
    if !destination.is_locked() {
        let shown = shown(root);
        report::say(&format!(
            "warning: the file system of {shown} has no locks\n  hint: let no other run write there meanwhile\n"
        ));
    }
    Ok(destination)
}

/// Says what was found, prints the report, and tells how that ends.
fn conclude(report: &impl Report, findings: &[Finding], format: Format) -> Result<Ending> {
    report::say(&Findings(findings).text());
    report::print(report, format)?;
    Ok(ending(findings))
}

/// As [`conclude`], where standard output is taken.
fn conclude_aside(report: &impl Report, findings: &[Finding]) -> Ending {
    report::say(&Findings(findings).text());
    report::say(&report.text());
    ending(findings)
}

fn ending(findings: &[Finding]) -> Ending {
    if findings.iter().any(Finding::is_error) { Ending::Faulty } else { Ending::Sound }
}
