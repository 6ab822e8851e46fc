//! `prune`: storage without what nobody wants any more.

use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};

use super::{Ending, Writing, conclude, open};
use crate::audit::audit;
use crate::finding::{self, Finding};
use crate::layout::registry::{Holdings, Part};
use crate::layout::{self, Layout, Registry, Tree};
use crate::progress::Progress;
use crate::prune::{self, History, Wanted};
use crate::reference::Reference;
use crate::report::{self, Format};
use crate::select::Selection;
use crate::text::shown;
use crate::verify::Depth;

/// How long an upload may rest before nobody will continue it.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// What `prune` was asked.
pub struct Pruning<'a> {
    /// The storage.
    pub path: &'a Path,
    /// Which images stay; all tags, if it chooses nothing.
    pub selection: &'a Selection,
    /// What of a tag stays.
    pub history: History,
    /// What is younger stays.
    pub older_than: Option<Duration>,
    /// Whether to go on where something is damaged.
    pub is_forced: bool,
    /// Whether to stop when it is known what there is to remove.
    pub is_dry_run: bool,
    /// Whether to wait for other runs.
    pub waits: bool,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Prunes and reports.
///
/// # Errors
/// When there is no registry storage, it is in use, or it cannot be read or written.
pub fn prune(asked: &Pruning) -> Result<Ending> {
    let root = root(asked.path)?;
    let writing = Writing { waits: asked.waits, ..Writing::default() };
    // Before anything is read: what another run brings meanwhile would be taken for garbage.
    let destination = if asked.is_dry_run { None } else { Some(open(&root, writing, asked.progress)?) };
    let started = SystemTime::now();
    let scan = Registry.scan(&root).with_context(|| format!("cannot read {}", shown(asked.path)))?;
    let holdings = Registry::holdings(&root)?;
    if asked.older_than.is_none() {
        refuse_uploads(&root, &holdings, nanoseconds(started) - nanoseconds_of(STALE))?;
    }
    let tree = Tree { path: asked.path.to_owned(), root, layout: &Registry, scan };
    let trees = [tree];
    let mut findings = audit(&trees, Depth::Sizes, &|_| {})?.findings;
    let [Tree { root, scan, .. }] = trees;
    findings.retain(Finding::is_error);
    findings.extend(prune::missed(&scan.catalog, &findings, &holdings, &root));
    let mut report = report::Pruning::of(asked.path, asked.is_dry_run, asked.older_than);
    if !asked.is_forced && !findings.is_empty() {
        report.refused = true;
        report.findings = finding::settle(findings);
        return conclude(&report, &report.findings, asked.format);
    }

    let young_from_ns = asked.older_than.map(|age| match age {
        // Nothing is younger than no time at all, whatever its clock said.
        Duration::ZERO => i64::MAX,
        age => nanoseconds(started).saturating_sub(nanoseconds_of(age)),
    });
    let wanted = Wanted { selection: asked.selection, history: asked.history, young_from_ns };
    let plan = prune::plan(scan.catalog, &findings, &holdings, &wanted, &root)?;
    report.plans(&plan, &root, &holdings.strays);
    if let Some(destination) = destination {
        let bar = asked.progress.blobs("removing", plan.removal.blobs.len() as u64);
        prune::remove(&root, &plan.removal, &destination, &|| bar.add(1))?;
    }
    // What broke only what is gone broke nothing.
    let is_gone = |name: &Reference| plan.tags.contains(name) || plan.untagged.contains(name);
    findings.retain(|finding| finding.images.is_empty() || !finding.images.iter().all(is_gone));
    report.findings = finding::settle(findings);
    conclude(&report, &report.findings, asked.format)
}

/// Where the storage begins.
fn root(path: &Path) -> Result<PathBuf> {
    if let Some(root) = Registry.recognise(path)? {
        return Ok(root);
    }
    let tree = layout::open(path)?;
    bail!(
        "{} is no registry storage: it is of the layout `{}`\n  hint: only registry storage keeps what no name leads to",
        shown(path),
        tree.layout.name()
    )
}

/// Makes sure that nobody is pushing: what a push has brought looks like garbage until its last request.
fn refuse_uploads(root: &Path, holdings: &Holdings, stale_ns: i64) -> Result<()> {
    let mut uploads = holdings.holdings.iter().filter(|holding| matches!(holding.part, Part::Upload(_)));
    let Some(upload) = uploads.find(|upload| upload.modified_ns > stale_ns) else { return Ok(()) };
    let busy =
        io::Error::new(io::ErrorKind::ResourceBusy, "an upload is in progress, or ended less than a day ago");
    Err(busy).with_context(|| {
        format!(
            "cannot prune: {}\n  hint: stop the registry, or make it read-only, and run again with --older-than 0s; \
             or leave alone what is young, as with --older-than 24h",
            shown(&root.join(&upload.path))
        )
    })
}

fn nanoseconds(time: SystemTime) -> i64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, nanoseconds_of)
}

fn nanoseconds_of(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}
