//! `pack`: images as a package, whole or against what sites have.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::choose::{Chosen, choose};
use super::{Ending, Wanted, conclude, conclude_aside};
use crate::catalog::Catalog;
use crate::damage;
use crate::digest::Digest;
use crate::disk::{File, OutputFolder};
use crate::execute::Spoiled;
use crate::finding::{self, Finding, Kind};
use crate::layout::inventory::open_bases;
use crate::layout::package::skeleton::{self, Piece};
use crate::layout::package::{Bill, Form};
use crate::layout::{self, Registry};
use crate::pack::deltas::{Order, Wish};
use crate::pack::{self, Deltas, Split, Writer};
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::space;
use crate::tally::sum;
use crate::text::shown;

/// What `pack` was asked.
pub struct Packing<'a> {
    /// The trees to read, of whatever layouts.
    pub sources: &'a [PathBuf],
    /// Where the package goes.
    pub package: Package<'a>,
    /// What the sites have that it is for; none for a package that carries everything.
    pub bases: &'a [PathBuf],
    /// Which images, under which names.
    pub wanted: Wanted<'a>,
    /// Which layers become deltas.
    pub wish: Wish,
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
    let trees = layout::open_all(asked.sources)?;
    let (bases, unread) = open_bases(asked.bases)?;
    let Chosen { catalog, findings: faults, untagged_left_out, remade, sources } =
        choose(trees, &asked.wanted, &Registry)?;
    // History, and what no image needs, stays where it is.
    let images = catalog.images.keys().cloned().collect();
    let catalog = catalog.select(&images);
    if catalog.images.is_empty() && faults.iter().all(|fault| !fault.is_error()) {
        let paths: Vec<_> = asked.sources.iter().map(|path| shown(path).to_string()).collect();
        bail!("{} holds no image to pack", paths.join(", "));
    }

    let is_at_sites =
        |digest: &Digest, size| !bases.is_empty() && bases.iter().all(|base| has(base, digest, size));
    let form = if matches!(asked.package, Package::Folder(_)) { Form::Folder } else { Form::Tar };
    let mut bill = Bill::of(&catalog, form, &is_at_sites);
    bill.name.clone_from(&asked.name);
    bill.labels.clone_from(&asked.labels);
    let mut findings = assess(&catalog, &bill, Spoiled { faults, ..Spoiled::default() });
    findings.extend(unread);
    let deltas = match findings.iter().any(Finding::is_error) {
        true => Deltas::none(),
        false => deltas(asked, &catalog, &bases, &mut bill)?,
    };
    let pieces = skeleton::pieces(&mut bill).map_err(anyhow::Error::msg)?;
    let length = pieces.iter().map(Piece::size).sum();
    match &asked.package {
        Package::Tar(split) => split.check(length)?,
        // Its content lies in files of its own.
        Package::Folder(_) => bill.forget_offsets(),
    }

    let mut report = report::Packing::of(asked.sources, asked.is_dry_run, &bill);
    report.remade = remade;
    report.untagged_left_out = untagged_left_out;
    report.package = asked.package.path().map(Path::to_owned);
    report.package_bytes = length;
    report.layers = (asked.wish != Wish::default()).then(|| deltas.layers.clone());
    report.findings = findings;
    if report.is_sound() && !asked.is_dry_run {
        report.findings.extend(write(asked, &bill, &pieces, &catalog, &deltas)?);
        report.findings = finding::settle(report.findings);
    }
    report.stopped = !report.is_sound();
    if !report.stopped {
        asked.wanted.write_mapping(&sources, &catalog)?;
    }
    if matches!(asked.package, Package::Tar(Split::Stdout)) && !asked.is_dry_run {
        // Standard output has the package.
        return Ok(conclude_aside(&report, &report.findings));
    }
    conclude(&report, &report.findings, asked.format)
}

/// Makes the deltas that are wanted, and has the bill ship them.
fn deltas(asked: &Packing, catalog: &Catalog, bases: &[Catalog], bill: &mut Bill) -> Result<Deltas> {
    if asked.wish == Wish::default() {
        return Ok(Deltas::none());
    }
    let carried: BTreeSet<Digest> = bill.carries.iter().map(|it| it.digest).collect();
    let layers = with_files(&[catalog], |digest, _| carried.contains(digest));
    let is_everywhere = |digest: &Digest, file: &File| bases.iter().all(|base| has(base, digest, file.size));
    let of_bases = match asked.wish.from_bases {
        Some(_) => with_files(&bases.iter().collect::<Vec<_>>(), is_everywhere),
        None => Vec::new(),
    };
    if asked.wish.from_bases.is_some() && of_bases.is_empty() {
        bail!(
            "no base holds the bytes of a layer that all of them have, and deltas are made from those\n  \
             hint: an inventory or a patch is not enough, give the tree or a full package as --base"
        );
    }
    let folder = asked.package.path().and_then(Path::parent).filter(|folder| !folder.as_os_str().is_empty());
    let folder = match asked.package.path() {
        Some(_) => folder.unwrap_or(Path::new(".")).to_owned(),
        None => std::env::temp_dir(),
    };
    let bytes = sum(layers.iter().chain(&of_bases).map(|(_, file)| file.size));
    let bar = asked.progress.bytes("comparing", bytes);
    let sizes: BTreeMap<Digest, u64> = of_bases.iter().map(|(digest, file)| (*digest, file.size)).collect();
    let order = Order { layers, bases: of_bases, wish: asked.wish, folder: &folder };
    let deltas = Deltas::make(order, &|bytes| bar.add(bytes))?;
    bill.ship_as_deltas(deltas.restores.clone(), &sizes);
    Ok(deltas)
}

/// The layers of images, each with a file that has it, if that is wanted.
pub(super) fn with_files(
    catalogs: &[&Catalog],
    is_wanted: impl Fn(&Digest, &File) -> bool,
) -> Vec<(Digest, File)> {
    let mut found = BTreeMap::new();
    for catalog in catalogs {
        for layer in catalog.manifests.values().flat_map(|manifest| &manifest.layers) {
            let files =
                catalog.blobs.get(&layer.digest).map(|blob| blob.files.as_slice()).unwrap_or_default();
            let fitting = files.iter().find(|file| layer.size.is_none_or(|size| size == file.size));
            if let Some(file) = fitting.filter(|file| is_wanted(&layer.digest, file)) {
                found.entry(layer.digest).or_insert_with(|| file.clone());
            }
        }
    }
    found.into_iter().collect()
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
fn write(
    asked: &Packing,
    bill: &Bill,
    pieces: &[Piece],
    catalog: &Catalog,
    deltas: &Deltas,
) -> Result<Vec<Finding>> {
    let bar = asked.progress.bytes("packing", bill.totals.carries.bytes);
    let on_bytes = |bytes| bar.add(bytes);
    if let Some(path) = asked.package.path() {
        space::check_bytes(path, pieces.iter().map(Piece::size).sum())?;
    }
    match &asked.package {
        Package::Tar(split) => {
            let mut writer = Writer::create(split)?;
            let spoiled = pack::stream(pieces, catalog, deltas, &mut writer, &on_bytes)?;
            if spoiled.digests.is_empty() {
                writer.finish()?;
            }
            Ok(assess(catalog, bill, spoiled))
        }
        Package::Folder(path) => {
            let output = OutputFolder::create(path)?;
            let spoiled = pack::folder(bill, catalog, deltas, &output, &on_bytes)?;
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
