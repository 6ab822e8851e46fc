//! `to-registry`, `to-dir` and `to-oci`: every wanted image of one or more sources, verified, into one layout.

mod goal;
mod run;

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use run::{Run, Trust};

use super::choose::{Chosen, choose};
use super::{Ending, Wanted, Writing, open};
use crate::catalog::Catalog;
use crate::damage::{self, Damage};
use crate::disk::{self, Share};
use crate::finding::Finding;
use crate::layout::{self, Layout};
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::text::shown;
use crate::verify::Verdicts;

/// What a conversion was asked.
pub struct Conversion<'a> {
    /// The trees to read, of whatever layouts.
    pub sources: &'a [PathBuf],
    /// The folder to write to.
    pub destination: &'a Path,
    /// How to lay it out.
    pub target: &'static dyn Layout,
    /// Which images, under which names.
    pub wanted: Wanted<'a>,
    /// How blobs may be shared.
    pub share: Share,
    /// Whether every byte is hashed.
    pub verifies: bool,
    /// Whether to stop at the plan.
    pub is_dry_run: bool,
    /// Whether sound images are converted even if others are not.
    pub keeps_going: bool,
    /// What is asked of everything that is written.
    pub writing: Writing,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Converts and reports.
///
/// # Errors
/// When the source is no tree of images, or the destination cannot be written.
pub fn convert(asked: &Conversion) -> Result<Ending> {
    let mut report = report::Conversion::of(asked.sources, asked.destination, asked.is_dry_run);
    let trees = layout::open_all(asked.sources)?;
    let root = asked.target.destination(asked.destination)?;
    refuse_links(asked.destination, &root)?;
    trees.iter().try_for_each(|tree| keep_apart(&tree.path, &tree.root, &root))?;
    let Chosen { mut catalog, findings: faults, untagged_left_out, remade, sources } =
        choose(trees, &asked.wanted, asked.target)?;
    report.untagged_left_out = untagged_left_out;
    report.remade = remade;
    let destination = if asked.is_dry_run { None } else { Some(open(&root, asked.writing, asked.progress)?) };
    let run = Run { asked, root: &root, destination, sources: &sources, started: Instant::now() };

    let mut goal = run.goal(&catalog)?;
    let mut verdicts = run.presume(&catalog, &goal)?;
    let mut damage = assess(&catalog, &faults, &verdicts);
    if asked.hashes() {
        let found = if asked.may_write(&damage.findings) && damage.is_none() {
            // Nearly always every file holds what it claims: what is new is made while they are hashed.
            report.findings = damage.findings;
            match run.attempt(goal, &mut catalog, &verdicts, Trust::Presumed, &mut report)? {
                None => return run.conclude(report, &catalog),
                Some(found) => {
                    goal = run.goal(&catalog)?;
                    found
                }
            }
        } else {
            run.hash(&verdicts)
        };
        run.correct(&mut verdicts, found, &catalog, &goal)?;
        report.verified = verdicts.hashed;
        damage = assess(&catalog, &faults, &verdicts);
    }
    if !damage.is_none() {
        catalog.leave_out(&damage.broken, &damage.unsound);
        goal = run.goal(&catalog)?;
    }
    report.findings = damage.findings;
    run.attempt(goal, &mut catalog, &verdicts, Trust::Known, &mut report)?;
    run.conclude(report, &catalog)
}

impl Conversion<'_> {
    /// Whether files are hashed before, or while, they are placed.
    fn hashes(&self) -> bool {
        self.verifies && !self.is_dry_run
    }

    /// Whether nothing was found that forbids to write, or to write on.
    fn may_write(&self, findings: &[Finding]) -> bool {
        self.keeps_going || !findings.iter().any(Finding::is_error)
    }
}

/// Says what the faults cost that are known by now.
fn assess(catalog: &Catalog, faults: &[Finding], verdicts: &Verdicts) -> Damage {
    let faults = faults.iter().chain(verdicts.faults()).cloned().collect();
    damage::assess(catalog, faults, &|digest| verdicts.size(digest))
}

/// Refuses a destination whose root is behind a symbolic link that nobody named.
pub(super) fn refuse_links(destination: &Path, root: &Path) -> Result<()> {
    match disk::link_between(destination, &root.join("below")) {
        None => Ok(()),
        Some(link) => {
            bail!("{} is a symbolic link\n  hint: name the folder that it leads to", shown(&link))
        }
    }
}

/// Refuses trees that lie inside one another: whoever reads the outer one would come upon the inner.
pub(super) fn keep_apart(source: &Path, source_root: &Path, destination_root: &Path) -> Result<()> {
    let [source, source_root, root] = [source, source_root, destination_root].map(disk::resolved);
    let (source, source_root, root) = (source?, source_root?, root?);
    if source_root == root {
        return Ok(()); // the tree is its own destination: what is there stays
    }
    let (inner, outer) = match () {
        () if root.starts_with(&source) => (root, source),
        () if source_root.starts_with(&root) => (source_root, root),
        () => return Ok(()),
    };
    bail!(
        "{} lies inside {}: the next to read the one would come upon the other\n  \
         hint: choose a DST beside SRC",
        shown(&inner),
        shown(&outer)
    )
}
