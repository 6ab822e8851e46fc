//! `pack`: images as a package, whole or against what sites have.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::choose::{Chosen, choose};
use super::{Ending, Wanted, conclude, conclude_aside, open_source};
use crate::catalog::Catalog;
use crate::damage;
use crate::digest::Digest;
use crate::disk::OutputFolder;
use crate::execute::Spoiled;
use crate::finding::{self, Finding, Kind};
use crate::layout::Registry;
use crate::layout::inventory::open_bases;
use crate::layout::package::skeleton::{self, Piece};
use crate::layout::package::{Bill, Form};
use crate::pack::{self, Split, Writer};
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::space;
use crate::text::shown;

/// What `pack` was asked.
pub struct Packing<'a> {
    /// The tree to read, of whatever layout.
    pub source: &'a Path,
    /// Where the package goes.
    pub package: Package<'a>,
    /// What the sites have that it is for; none for a package that carries everything.
    pub bases: &'a [PathBuf],
    /// Which images, under which names.
    pub wanted: Wanted<'a>,
    /// What the package is called.
    pub name: Option<String>,
    /// What is noted on it.
    pub labels: BTreeMap<String, String>,
    /// Whether to stop when it is known what it would carry.
    pub is_dry_run: bool,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// How a package is written.
pub enum Package<'a> {
    /// As a tar.
    Tar(Split),
    /// As a folder.
    Folder(&'a Path),
}

/// Packs and reports.
///
/// # Errors
/// When the source or a base is no tree of images, or the package cannot be written.
pub fn pack(asked: &Packing) -> Result<Ending> {
    let scan = open_source(asked.source)?.scan;
    let (bases, unread) = open_bases(asked.bases)?;
    let Chosen { catalog, findings: faults, untagged_left_out } = choose(scan, &asked.wanted, &Registry)?;
    // History, and what no image needs, stays where it is.
    let images = catalog.images.keys().cloned().collect();
    let catalog = catalog.select(&images);
    if catalog.images.is_empty() && faults.iter().all(|fault| !fault.is_error()) {
        bail!("{} holds no image to pack", shown(asked.source));
    }

    let is_at_sites =
        |digest: &Digest, size| !bases.is_empty() && bases.iter().all(|base| has(base, digest, size));
    let form = if matches!(asked.package, Package::Folder(_)) { Form::Folder } else { Form::Tar };
    let mut bill = Bill::of(&catalog, form, &is_at_sites);
    bill.name.clone_from(&asked.name);
    bill.labels.clone_from(&asked.labels);
    let pieces = skeleton::pieces(&mut bill).map_err(anyhow::Error::msg)?;
    let length = pieces.iter().map(Piece::size).sum();
    match &asked.package {
        Package::Tar(split) => split.check(length)?,
        // Its content lies in files of its own.
        Package::Folder(_) => bill.carries.iter_mut().for_each(|carried| carried.offset = None),
    }

    let mut report = report::Packing::of(asked.source, asked.is_dry_run, &bill);
    report.untagged_left_out = untagged_left_out;
    report.package = asked.package.path().map(Path::to_owned);
    report.package_bytes = length;
    report.findings = assess(&catalog, &bill, Spoiled { faults, ..Spoiled::default() });
    report.findings.extend(unread);
    if report.is_sound() && !asked.is_dry_run {
        report.findings.extend(write(asked, &bill, &pieces, &catalog)?);
        report.findings = finding::settle(report.findings);
    }
    report.stopped = !report.is_sound();
    if matches!(asked.package, Package::Tar(Split::Stdout)) && !asked.is_dry_run {
        // Standard output has the package.
        return Ok(conclude_aside(&report, &report.findings));
    }
    conclude(&report, &report.findings, asked.format)
}

/// Whether a base has content, as far as names and sizes tell.
fn has(base: &Catalog, digest: &Digest, size: u64) -> bool {
    let files = base.blobs.get(digest).map(|blob| &blob.files);
    files.is_some_and(|files| files.is_empty() || files.iter().any(|file| file.size == size))
}

/// Which images the faults break; what is relied on need not be in the source.
fn assess(catalog: &Catalog, bill: &Bill, spoiled: Spoiled) -> Vec<Finding> {
    let relied: BTreeMap<Digest, u64> = bill.relies_on.iter().map(|it| (it.digest, it.size)).collect();
    let carried: BTreeMap<Digest, u64> = bill.carries.iter().map(|it| (it.digest, it.size)).collect();
    let size_of = |digest: &Digest| {
        if spoiled.digests.contains(digest) {
            return None;
        }
        let files = catalog.blobs.get(digest).map(|blob| blob.files.as_slice()).unwrap_or_default();
        let fitting = files.iter().find(|file| carried.get(digest) == Some(&file.size));
        relied.get(digest).copied().or(fitting.or(files.first()).map(|file| file.size))
    };
    let mut faults = spoiled.faults;
    // A manifest was read before; that no file has it any more breaks its images all the same.
    let lost: Vec<Digest> =
        spoiled.digests.iter().filter(|digest| catalog.manifests.contains_key(digest)).copied().collect();
    let users = if lost.is_empty() { HashMap::new() } else { catalog.users() };
    for digest in lost {
        let Some(users) = users.get(&digest) else { continue };
        if !faults.iter().any(|fault| fault.digest == Some(digest)) {
            let origin = users.first().map_or(Path::new(""), |image| &catalog.images[*image].origin);
            faults.push(Finding::at(Kind::MissingManifest, origin).of(digest).expected(digest));
        }
        for fault in faults.iter_mut().filter(|fault| fault.digest == Some(digest)) {
            fault.images.extend(users.iter().map(|&image| image.clone()));
        }
    }
    damage::assess(catalog, faults, &size_of).findings
}

/// Writes the package; gives it its name only if all that it carries is sound.
fn write(asked: &Packing, bill: &Bill, pieces: &[Piece], catalog: &Catalog) -> Result<Vec<Finding>> {
    let bar = asked.progress.bytes("packing", bill.totals.carries.bytes);
    let on_bytes = |bytes| bar.add(bytes);
    if let Some(path) = asked.package.path() {
        space::check_bytes(path, pieces.iter().map(Piece::size).sum())?;
    }
    match &asked.package {
        Package::Tar(split) => {
            let mut writer = Writer::create(split)?;
            let spoiled = pack::stream(pieces, catalog, &mut writer, &on_bytes)?;
            if spoiled.digests.is_empty() {
                writer.finish()?;
            }
            Ok(assess(catalog, bill, spoiled))
        }
        Package::Folder(path) => {
            let output = OutputFolder::create(path)?;
            let spoiled = pack::folder(bill, catalog, &output, &on_bytes)?;
            if spoiled.digests.is_empty() {
                output.finish()?;
            }
            Ok(assess(catalog, bill, spoiled))
        }
    }
}

impl Package<'_> {
    fn path(&self) -> Option<&Path> {
        match self {
            Self::Tar(Split::Stdout) => None,
            Self::Tar(Split::No(path) | Split::Every(path, _)) => Some(path),
            Self::Folder(path) => Some(path),
        }
    }
}
