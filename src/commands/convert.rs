//! `to-registry`, `to-dir` and `to-oci`: every wanted image of one or more sources, verified, into one layout.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Result, bail};

use super::choose::{Chosen, choose};
use super::{Ending, Wanted, Writing, conclude, open};
use crate::catalog::Catalog;
use crate::damage::{self, Damage};
use crate::digest::Digest;
use crate::disk::{self, Destination, File, Share};
use crate::execute::{self, Means};
use crate::finding::{Finding, Kind};
use crate::layout::{self, Content, Entry, Layout};
use crate::plan::{self, Plan};
use crate::present::{self, Present};
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::space;
use crate::stats::need;
use crate::tally::{Tally, sum};
use crate::text::shown;
use crate::verify::{self, Claim, Claims, Depth, Verdicts};

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
    let Chosen { mut catalog, findings: mut faults, untagged_left_out, remade, sources } =
        choose(trees, &asked.wanted, asked.target)?;
    report.untagged_left_out = untagged_left_out;
    report.remade = remade;
    let destination = if asked.is_dry_run { None } else { Some(open(&root, asked.writing, asked.progress)?) };

    let started = Instant::now();
    let mut goal = Goal::of(asked, &root, &catalog)?;
    let verdicts = check(asked, &root, &catalog, &goal, &mut report)?;
    faults.extend(verdicts.faults().cloned());
    let damage = damage::assess(&catalog, faults, &|digest| verdicts.size(digest));
    if !damage.is_none() {
        catalog = catalog.without(&damage.broken, &damage.unsound);
        goal = Goal::of(asked, &root, &catalog)?;
    }
    report.findings = damage.findings;

    let kept;
    let Goal { entries: wanted, present } = goal;
    let mut entries = wanted.as_slice();
    let mut plan = plan::plan(&root, entries, &present, &verdicts)?;
    drop(present); // there is much of it, and it is in the plan
    report.plans(&plan, space::check(&plan, &catalog, asked.share, 0)?);
    if let Some(destination) = destination.as_ref().filter(|_| asked.may_write(&report))
        && let Some(damage) = place(asked, destination, &plan, &catalog, &verdicts, &mut report)?
    {
        catalog = catalog.without(&damage.broken, &damage.unsound);
        kept = asked.target.entries_beside(&catalog, &root)?;
        entries = &kept;
        plan.keep_only(entries);
    }
    let hashing = started.elapsed();
    if let Some(destination) = destination.as_ref().filter(|_| asked.may_write(&report)) {
        report.outcome += execute::names(&plan, entries, &catalog, destination)?;
    }
    if report.outcome.kept_owner > 0 {
        let finding = Finding::at(Kind::KeptOwner, &root);
        report.findings.push(finding.found(format_args!("{} of them", report.outcome.kept_owner)));
        report.findings.sort();
    }
    report.stopped = !asked.is_dry_run && !asked.may_write(&report);
    if !report.stopped {
        report.shows(&plan, need(&catalog), &sources);
        asked.wanted.write_mapping(&sources, &catalog)?;
    }
    if report.verified.bytes > 0 {
        let Tally { bytes, .. } = report.verified;
        asked
            .progress
            .say(|| format!("verified {} at {}", report::bytes(bytes), report::rate(bytes, hashing)));
    }

    conclude(&report, &report.findings, asked.format)
}

impl Conversion<'_> {
    /// Whether nothing was found that forbids to write, or to write on.
    fn may_write(&self, report: &report::Conversion) -> bool {
        self.keeps_going || !report.findings.iter().any(Finding::is_error)
    }
}

/// What should be at the destination, and what of it is.
struct Goal {
    entries: Vec<Entry>,
    present: Vec<Present>,
}

impl Goal {
    fn of(asked: &Conversion, root: &Path, catalog: &Catalog) -> Result<Self> {
        let entries = asked.target.entries_beside(catalog, root)?;
        let present = present::look(root, &entries)?;
        Ok(Self { entries, present })
    }
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

/// Verifies every blob that has to be at the destination, there or in the source.
fn check(
    asked: &Conversion,
    root: &Path,
    catalog: &Catalog,
    goal: &Goal,
    report: &mut report::Conversion,
) -> Result<Verdicts> {
    let mut claims = claims(catalog, goal);
    let bar = asked.progress.bytes("verifying", sum(claims.iter().map(Claim::size)));
    // What has to be copied is hashed on the way; what can be shared is hashed where it lies.
    match asked.share {
        Share::HardLink => {}
        Share::Copy => claims.iter_mut().for_each(|claim| claim.is_copied = true),
        Share::Auto | Share::Reflink => {
            let far = far_sources(asked, root)?;
            let is_far = |file: &File| {
                file.within.is_some() || far.iter().any(|it| file.place.folder().starts_with(it))
            };
            for claim in claims.iter_mut() {
                // Of several files, one that can be shared is the better one.
                if !claim.sources.is_sorted_by_key(is_far) {
                    claim.sources.to_mut().sort_by_key(is_far);
                }
                claim.is_copied = claim.sources.iter().all(is_far);
            }
        }
    }
    let depth = if asked.is_dry_run || !asked.verifies { Depth::Sizes } else { Depth::Bytes };
    let verdicts = verify::verify(&claims, depth, &|bytes| bar.add(bytes));
    drop(bar);
    report.verified += verdicts.hashed;
    Ok(verdicts)
}

/// The sources that lie where nothing can be shared with the destination.
fn far_sources<'a>(asked: &Conversion<'a>, root: &Path) -> Result<Vec<&'a Path>> {
    let mut far = Vec::new();
    for source in asked.sources {
        if !disk::is_one_mount(source, root)? {
            far.push(source.as_path());
        }
    }
    Ok(far)
}

/// Which files claim to hold what the images need, and what else has to be at the destination.
fn claims<'c>(catalog: &'c Catalog, goal: &Goal) -> Claims<'c> {
    let laid_out = goal.entries.iter().filter_map(|entry| match entry.content() {
        Content::Blob(digest) => Some(digest),
        _ => None,
    });
    let mut claims = Claims::about(laid_out);
    // What a manifest carries itself, or another one is, is laid out as something else.
    let mut others: BTreeMap<Digest, Claim> = BTreeMap::new();
    let images: HashSet<Digest> = catalog.images.values().map(|image| image.digest).collect();
    for (digest, descriptor) in images.into_iter().flat_map(|image| catalog.closure(image).blobs) {
        let claim = claims.get_mut(&digest);
        claim
            .unwrap_or_else(|| others.entry(digest).or_insert_with(|| Claim::of(digest)))
            .says(descriptor.size);
    }
    claims.add(others);
    for (entry, present) in goal.entries.iter().zip(&goal.present) {
        if let (Content::Blob(digest), Present::Blob(file)) = (entry.content(), present)
            && let Some(claim) = claims.get_mut(&digest)
        {
            claim.placed.push(file.clone());
        }
    }
    for claim in claims.iter_mut() {
        claim.sources = Cow::Borrowed(catalog.files_of(&claim.digest));
    }
    claims
}

/// Puts the content in place; tells the damage where a copy turned out to be unsound.
fn place(
    asked: &Conversion,
    destination: &Destination,
    plan: &Plan,
    catalog: &Catalog,
    verdicts: &Verdicts,
    report: &mut report::Conversion,
) -> Result<Option<Damage>> {
    let bar = asked.progress.blobs("placing", report.planned.blobs.files);
    let means =
        Means { share: asked.share, verifies: asked.verifies, holds_back: false, on_placed: &|| bar.add(1) };
    let (outcome, spoiled) = execute::content(plan, destination, &means)?;
    report.verified += outcome.hashed;
    report.outcome += outcome;
    if spoiled.faults.is_empty() {
        return Ok(None);
    }
    let size_of = |digest: &Digest| {
        let is_spoiled = spoiled.digests.contains(digest);
        if is_spoiled { None } else { verdicts.size(digest) }
    };
    let damage = damage::assess(catalog, spoiled.faults, &size_of);
    report.findings.extend(damage.findings.iter().cloned());
    report.findings.sort();
    Ok(Some(damage))
}
