//! `apply`: a package into registry storage, its base checked first, every byte verified on the way.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::convert::keep_apart;
use super::{Ending, Writing, conclude, open};
use crate::catalog::{Catalog, Image};
use crate::digest::Digest;
use crate::disk::{self, File, Look, Share};
use crate::execute::{self, Means, Spoiled};
use crate::finding::{self, Finding, Kind};
use crate::layout::package::{self, Opened};
use crate::layout::{Content, Entry, Layout, Registry, Stage};
use crate::plan::{self, Change, Plan};
use crate::present::{self, Present};
use crate::progress::Progress;
use crate::reference::Reference;
use crate::report::{self, Format};
use crate::space;
use crate::tally::sum;
use crate::text::shown;
use crate::verify::{self, Claim, Depth, Verdict};

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
    if matches!(disk::look(asked.package)?, Look::Missing) {
        bail!("{} is not there", shown(asked.package));
    }
    let package = match package::open(asked.package) {
        Ok(package) => package,
        Err(findings) => return refuse(asked, report, findings),
    };
    report.describes(&package.bill);
    let scan = package.scan();
    if !scan.findings.is_empty() {
        return refuse(asked, report, scan.findings);
    }
    let catalog = scan.catalog;

    let root = Registry.destination(asked.destination)?;
    keep_apart(asked.package, asked.package, &root)?;
    let destination = if asked.is_dry_run { None } else { Some(open(&root, asked.writing, asked.progress)?) };
    let described = package.bill.catalog(asked.package).map_err(anyhow::Error::msg)?;
    let entries = Registry.entries(&described);
    let present = present::look(&root, &entries)?;

    let lacking = check_base(asked, &package, &root, &entries, &present)?;
    if !lacking.is_empty() {
        return refuse(asked, report, attribute(lacking, &described));
    }

    // What is relied on stays as it is: only what the package carries is looked at, and perhaps replaced.
    let carried: BTreeMap<Digest, &File> =
        package.files.iter().map(|(digest, file)| (*digest, file)).collect();
    let (wanted, present): (Vec<Entry>, Vec<Present>) = entries
        .iter()
        .cloned()
        .zip(present)
        .filter(|(entry, _)| match entry.content {
            Content::Blob(digest) | Content::Manifest(digest) => carried.contains_key(&digest),
            _ => true,
        })
        .unzip();
    let verdicts = check(asked, &carried, &wanted, &present);
    let mut spoiled = Spoiled::default();
    spoiled.faults.extend(verdicts.values().flat_map(|verdict| verdict.faults.iter().cloned()));
    let unsound = verdicts.iter().filter(|(_, verdict)| verdict.size().is_none());
    spoiled.digests.extend(unsound.map(|(digest, _)| *digest));
    // A bad file in the destination is healed by the package; one in the package ends all.
    let (healed, bad): (Vec<_>, Vec<_>) =
        spoiled.faults.into_iter().partition(|fault| fault.file.starts_with(&root));
    report.findings.extend(healed.into_iter().map(Finding::healed));
    if !bad.is_empty() || !spoiled.digests.is_empty() {
        return refuse(asked, report, attribute(bad, &described));
    }

    let plan = plan::plan(&root, &wanted, &present, &verdicts)?;
    report.moves = moves(&plan, &wanted, &described.images)?;
    let absent = if asked.deletes_absent { absent(&root, &plan)? } else { BTreeMap::new() };
    report.gone = absent.keys().cloned().collect();
    report.plans(&plan, space::check(&plan, &catalog, asked.share)?);
    if let Some(destination) = &destination {
        let bar = asked.progress.blobs("applying", report.planned.blobs.files);
        let means = Means { share: asked.share, verifies: true, holds_back: true, on_placed: &|| bar.add(1) };
        let (outcome, spoiled) = execute::content(&plan, destination, &means)?;
        report.verified += outcome.hashed;
        report.outcome += outcome;
        if !spoiled.digests.is_empty() {
            drop(bar);
            return refuse(asked, report, attribute(spoiled.faults, &described));
        }
        let names = execute::names(&plan, &entries, &catalog, destination)?;
        report.outcome += names;
        execute::remove(absent.values(), destination)?;
    }
    conclude(&report, &report.findings, asked.format)
}

/// Ends without having changed anything.
fn refuse(asked: &Application, mut report: report::Application, findings: Vec<Finding>) -> Result<Ending> {
    report.stopped = true;
    report.findings.extend(findings);
    report.findings = finding::settle(report.findings);
    conclude(&report, &report.findings, asked.format)
}

/// Tells each finding which images need its content.
fn attribute(findings: Vec<Finding>, described: &Catalog) -> Vec<Finding> {
    let users = described.users();
    let told = findings.into_iter().map(|mut finding| {
        let users = finding.digest.and_then(|digest| users.get(&digest)).into_iter().flatten();
        finding.images.extend(users.map(|&image| image.clone()));
        finding
    });
    told.collect()
}

/// What the package relies on and the destination does not have.
fn check_base(
    asked: &Application,
    package: &Opened,
    root: &Path,
    entries: &[Entry],
    present: &[Present],
) -> Result<Vec<Finding>> {
    let relied: BTreeMap<Digest, u64> =
        package.bill.relies_on.iter().map(|content| (content.digest, content.size)).collect();
    let mut lacking = Vec::new();
    let mut claims = Vec::new();
    for (entry, present) in entries.iter().zip(present) {
        let (Content::Blob(digest) | Content::Manifest(digest)) = entry.content else { continue };
        let Some(&size) = relied.get(&digest) else { continue };
        let path = root.join(&entry.path);
        let lack = Finding::at(Kind::MissingBase, &path).of(digest).expected(format_args!("{size} bytes"));
        match (present, disk::look(&path)?) {
            (Present::Blocked(what), _) => lacking.push(lack.found(what)),
            (_, Look::File(file)) if file.size == size => {
                claims.push((digest, Claim { placed: vec![file], ..Claim::default() }));
            }
            (_, Look::File(file)) => lacking.push(lack.found(format_args!("{} bytes", file.size))),
            (_, Look::Missing) => lacking.push(lack.found("nothing")),
            (_, Look::Folder) => lacking.push(lack.found("a folder")),
            (_, Look::Other(what)) => lacking.push(lack.found(what)),
        }
    }
    if asked.verifies_base && !asked.is_dry_run {
        let bytes = sum(claims.iter().flat_map(|(_, claim)| &claim.placed).map(|file| file.size));
        let bar = asked.progress.bytes("verifying", bytes);
        let verdicts = verify::verify(&claims, Depth::Bytes, &|bytes| bar.add(bytes));
        let faults = verdicts.into_values().flat_map(|verdict| verdict.faults);
        lacking.extend(faults.map(|fault| Finding { kind: Kind::MissingBase, ..fault }));
    }
    Ok(lacking)
}

/// Looks at what the destination has of what the package carries; the package itself is hashed on the way.
fn check(
    asked: &Application,
    carried: &BTreeMap<Digest, &File>,
    entries: &[Entry],
    present: &[Present],
) -> HashMap<Digest, Verdict> {
    let mut claims: BTreeMap<Digest, Claim> = BTreeMap::new();
    for (entry, present) in entries.iter().zip(present) {
        let Content::Blob(digest) = entry.content else { continue };
        let Some(file) = carried.get(&digest) else { continue };
        let claim = claims.entry(digest).or_default();
        claim.sizes = [file.size].into();
        claim.sources = vec![(*file).clone()];
        if let Present::Blob(there) = present {
            claim.placed.push(there.clone());
        }
    }
    let claims: Vec<_> = claims.into_iter().collect();
    let is_folder = carried.values().any(|file| file.within.is_none());
    let depth = match asked.share {
        _ if asked.is_dry_run => Depth::Sizes,
        // What becomes a link is hashed where it lies.
        Share::Auto | Share::HardLink | Share::Reflink if is_folder => Depth::Bytes,
        _ => Depth::BytesWhenCopied,
    };
    let placed = claims.iter().flat_map(|(_, claim)| &claim.placed).map(|file| file.size);
    let bar = asked.progress.bytes("verifying", sum(placed));
    verify::verify(&claims, depth, &|bytes| bar.add(bytes))
}

/// From which digest to which the names go that stand for another image now.
fn moves(plan: &Plan, entries: &[Entry], images: &BTreeMap<Reference, Image>) -> Result<Vec<report::Move>> {
    let mut moves = Vec::new();
    for entry in entries.iter().filter(|entry| entry.stage == Stage::Name) {
        let Some(image) = &entry.names else { continue };
        if plan.images.get(image) != Some(&Change::Moved) {
            continue;
        }
        let path = plan.root.join(&entry.path);
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
