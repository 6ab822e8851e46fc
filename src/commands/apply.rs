//! `apply`: a package into registry storage, its base checked first, every byte verified on the way.

mod base;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use source::Source;

use super::convert::{keep_apart, refuse_links};
use super::{Ending, Writing, conclude, open};
use crate::catalog::{Catalog, Image};
use crate::digest::Digest;
use crate::disk::{self, File, Look, Share};
use crate::execute;
use crate::finding::{self, Finding};
use crate::layout::package::{self, Restored};
use crate::layout::{Change, Content, Entry, Layout, Names, Registry, Stage};
use crate::plan::{self, Blobs, Plan};
use crate::present::{self, Present};
use crate::progress::Progress;
use crate::reference::Reference;
use crate::report::{self, Format};
use crate::space;
use crate::tally::sum;
use crate::text::shown;
use crate::verify::{self, Claim, Depth, Verdicts};

/// What `apply` was asked.
pub struct Application<'a> {
    /// The package.
    pub package: &'a Path,
    /// The registry storage to bring it to.
    pub destination: &'a Path,
    /// Whether what the package relies on is hashed, too.
    pub verifies_base: bool,
    /// Whether tags that the package does not have are removed.
    pub deletes_absent: bool,
    /// How blobs may be shared with a package that is a folder.
    pub share: Share,
    /// Whether to stop at the plan.
    pub is_dry_run: bool,
    /// What is asked of everything that is written.
    pub writing: Writing,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Applies and reports.
///
/// # Errors
/// When the package cannot be read, or the destination cannot be written.
pub fn apply(asked: &Application) -> Result<Ending> {
    let mut report = report::Application::of(asked.package, asked.destination, asked.is_dry_run);
    if let Err(findings) = attempt(asked, &mut report)? {
        report.stops();
        // Content that lies in volumes is as bad as they are: which volume it is, is the better answer.
        let bad = package::volumes::bad(asked.package);
        report.findings.extend(if bad.is_empty() { findings } else { bad });
        report.findings = finding::settle(report.findings);
    }
    conclude(&report, &report.findings, asked.format)
}

/// Why nothing was changed.
type Refused = Vec<Finding>;

fn attempt(asked: &Application, report: &mut report::Application) -> Result<Result<(), Refused>> {
    let source = match Source::open(asked.package)? {
        Ok(source) => source,
        Err(findings) => return Ok(Err(findings)),
    };
    report.describes(source.bill());
    let mut described = source.bill().catalog(asked.package).map_err(anyhow::Error::msg)?;
    // What only deltas need has to be there as well.
    described.orphans = source.bill().bases_alone(&described);

    let root = Registry.destination(asked.destination)?;
    refuse_links(asked.destination, &root)?;
    keep_apart(asked.package, asked.package, &root)?;
    let destination = if asked.is_dry_run { None } else { Some(open(&root, asked.writing, asked.progress)?) };
    let entries = Registry.entries(&described);
    let present = present::look(&root, &entries)?;
    let lacking = base::lacking(asked, source.bill(), &described, &root, &entries, &present)?;
    if !lacking.is_empty() {
        return Ok(Err(attribute(lacking, &source.bill().restores, &described)));
    }

    // What is relied on stays as it is: only what the package carries is looked at, and perhaps replaced.
    let carried = source.files();
    let (wanted, present): (Vec<Entry>, Vec<Present>) = entries
        .iter()
        .cloned()
        .zip(present)
        .filter(|(entry, _)| match entry.content() {
            Content::Blob(digest) | Content::Manifest(digest) => carried.contains_key(&digest),
            _ => true,
        })
        .unzip();
    let verdicts = check(asked, &carried, &wanted, &present);
    // A bad file in the destination is healed by the package; one in the package ends all.
    let faults = verdicts.faults().cloned();
    let (healed, bad): (Vec<_>, Vec<_>) = faults.partition(|fault| fault.file.starts_with(&root));
    report.findings.extend(healed.into_iter().map(Finding::healed));
    if !bad.is_empty() {
        return Ok(Err(attribute(bad, &source.bill().restores, &described)));
    }

    let plan = plan::plan(&root, &wanted, &present, &verdicts, Blobs::Singly)?;
    report.moves = moves(&plan, &wanted, &described.images)?;
    let absent = if asked.deletes_absent { absent(&root, &plan)? } else { BTreeMap::new() };
    report.gone = absent.keys().cloned().collect();
    report.plans(&plan, space::check(&plan, &described, asked.share, source.aside(&plan))?);
    let Some(destination) = destination else { return Ok(Ok(())) };
    let bar = asked.progress.blobs("applying", report.planned.blobs.files);
    let restores = source.bill().restores.clone();
    let placed = source.place(&plan, &described, asked.share, &destination, &|| bar.add(1))?;
    drop(bar);
    let (outcome, catalog) = match placed {
        Ok(placed) => placed,
        Err(findings) => return Ok(Err(attribute(findings, &restores, &described))),
    };
    report.verified += outcome.hashed;
    report.outcome += outcome;
    let built = execute::build(&plan, &catalog, &destination, &|| {})?;
    report.outcome += execute::names(&plan, built, &entries, &catalog, &destination)?;
    execute::remove(absent.values(), &destination)?;
    Ok(Ok(()))
}

/// Tells each finding which images need its content, or something that is restored from it.
fn attribute(findings: Vec<Finding>, restores: &[Restored], described: &Catalog) -> Vec<Finding> {
    let users = described.users();
    let told = findings.into_iter().map(|mut finding| {
        let Some(digest) = finding.digest else { return finding };
        let restored = restores.iter().filter(|it| it.bases.contains(&digest)).map(|it| it.digest);
        for needed in restored.chain([digest]) {
            let users = users.get(&needed).into_iter().flatten();
            finding.images.extend(users.map(|&image| image.clone()));
        }
        finding
    });
    told.collect()
}

/// Looks at what the destination has of what the package carries; the package itself is hashed on the way.
fn check(
    asked: &Application,
    carried: &BTreeMap<Digest, File>,
    entries: &[Entry],
    present: &[Present],
) -> Verdicts {
    let mut claims: BTreeMap<Digest, Claim> = BTreeMap::new();
    for (entry, present) in entries.iter().zip(present) {
        let Content::Blob(digest) = entry.content() else { continue };
        let Some(file) = carried.get(&digest) else { continue };
        let claim = claims.entry(digest).or_insert_with(|| Claim::of(digest));
        claim.says(Some(file.size));
        claim.sources = vec![file.clone()].into();
        if let Present::Blob(there) = present {
            claim.placed.push(there.clone());
        }
    }
    let is_folder = carried.values().any(|file| file.within.is_none());
    // What becomes a link is hashed where it lies; what is still to come cannot be read now.
    let is_linked = is_folder && asked.share != Share::Copy;
    for claim in claims.values_mut() {
        claim.is_copied = !is_linked || claim.sources.iter().all(File::is_to_come);
    }
    let claims: Vec<Claim> = claims.into_values().collect();
    let depth = if asked.is_dry_run { Depth::Sizes } else { Depth::Bytes };
    let placed = claims.iter().flat_map(|claim| &claim.placed).map(|file| file.size);
    let bar = asked.progress.bytes("verifying", sum(placed));
    verify::verify(&claims, depth, &|bytes| bar.add(bytes))
}

/// From which digest to which the names go that stand for another image now.
fn moves(plan: &Plan, entries: &[Entry], images: &BTreeMap<Reference, Image>) -> Result<Vec<report::Move>> {
    let mut moves = Vec::new();
    for entry in entries.iter().filter(|entry| entry.stage == Stage::Name) {
        let Names::One(image) = entry.names() else { continue };
        if plan.images.get(image) != Some(&Change::Moved) {
            continue;
        }
        let path = entry.place.path_in(&plan.root);
        let link = disk::read_small(&path, 256).with_context(|| format!("cannot read {}", shown(&path)))?;
        let from = link.and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
        moves.push(report::Move { image: image.clone(), from, to: images[image].digest });
    }
    Ok(moves)
}

/// The tags that the destination has and the package does not, with their folders.
fn absent(root: &Path, plan: &Plan) -> Result<BTreeMap<Reference, PathBuf>> {
    if matches!(disk::look(root)?, Look::Missing) {
        return Ok(BTreeMap::new());
    }
    let kept: BTreeSet<&Reference> = plan.images.keys().collect();
    let there = Registry.scan(root)?.catalog.images;
    let absent = there.into_iter().filter(|(name, _)| name.is_tagged() && !kept.contains(name));
    // A tag's origin is its link: <tag>/current/link.
    let folders =
        absent.filter_map(|(name, image)| Some((name, image.origin.parent()?.parent()?.to_owned())));
    Ok(folders.collect())
}
