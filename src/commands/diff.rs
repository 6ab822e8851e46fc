//! `diff`: which images two sides do not have in common, and what of them a patch would carry.

use std::path::Path;

use anyhow::Result;

use super::estimate::add_estimate;
use super::{Ending, Sought, conclude};
use crate::layout::inventory::open_base;
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::stats::{changes, patch};

/// What `diff` was asked.
pub struct Difference<'a> {
    /// What there was.
    pub old: &'a Path,
    /// What there is.
    pub new: &'a Path,
    /// Which images are compared.
    pub sought: Sought<'a>,
    /// Whether a difference is told by the exit code.
    pub tells_by_exit_code: bool,
    /// Whether to estimate what deltas would save.
    pub estimates_deltas: bool,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Compares and reports.
///
/// # Errors
/// When a side is not there or cannot be read.
pub fn diff(asked: &Difference) -> Result<Ending> {
    let (old, old_tree) = open_base(asked.old)?;
    let (new, new_tree) = open_base(asked.new)?;
    // What is listed has to be on one of the sides.
    asked.sought.selection.check([&old, &new], &[])?;
    let (old, new) = (asked.sought.of_base(old)?, asked.sought.of_base(new)?);
    let mut patch = patch(&[&new], &[&old]);
    if asked.estimates_deltas {
        add_estimate(&mut patch, &[&new], &[&old], asked.progress)?;
    }
    let trees = old_tree.into_iter().chain(new_tree);
    let report = report::Difference {
        schema: "bundle.difference/1",
        old: asked.old.to_owned(),
        new: asked.new.to_owned(),
        patch,
        images: changes(&new, &old),
        findings: trees
            .flat_map(|tree| tree.scan.findings)
            .filter(|it| asked.sought.selection.concerns(it))
            .collect(),
    };
    let ending = conclude(&report, &report.findings, asked.format)?;
    let differs = asked.tells_by_exit_code && !report.is_empty();
    Ok(if ending == Ending::Sound && differs { Ending::Different } else { ending })
}
