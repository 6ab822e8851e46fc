//! Packages: registry storage in a tar, with its bill of materials in front, in one file or in volumes.
//!
//! What a tar has to look like is in [`skeleton`]; what it says of itself is the [`Bill`]. A package is read
//! where it lies, without being unpacked: its content is known by its offsets.

mod bill;
mod folder;
mod passing;
pub mod skeleton;
pub mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rayon::prelude::*;
use serde::Deserialize;

pub use bill::{Bill, Carried, Form, Restored, SCHEMA, Totals};
pub use passing::Passing;

use super::{Entry, Layout, Scan, claim};
use crate::catalog::{Catalog, Image};
use crate::digest::{Algorithm, Digest};
use crate::disk::{self, Extent, File, Look, Part};
use crate::finding::{self, Finding, Kind};
use crate::hash;
use crate::manifest::Manifest;
use crate::reference::Reference;
use crate::work;
use bill::SCHEMAS;
use passing::cut_short;
use skeleton::{BILL, BILL_DIGEST};

/// The longest bill of materials that is read, in bytes: one of 50,000 images is half as long.
const MAX_BILL_BYTES: u64 = 64 << 20;

/// Packages.
pub struct Package;

/// A package that was opened: its bill is as it was written, and every header is where it has to be.
pub struct Opened {
    /// What it says of itself.
    pub bill: Bill,
    /// The content that it carries.
    pub files: Vec<(Digest, File)>,
    /// The deltas that it carries, by their own names.
    pub deltas: BTreeMap<Digest, File>,
    path: PathBuf,
}

impl Layout for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>> {
        let is_package = match disk::look(path)? {
            Look::File(_) => begins_with_bill(path) || volumes::is_index(path),
            // A bill that cannot be read is that of a damaged package; one of a tar was unpacked over storage.
            Look::Folder => match folder::bill(path) {
                Ok(bill) => bill.form == Form::Folder,
                Err(_) => !matches!(disk::look(&path.join(BILL))?, Look::Missing),
            },
            Look::Missing | Look::Other(_) => false,
        };
        Ok(is_package.then(|| path.to_owned()))
    }

    fn is_top(&self, path: &Path) -> Result<bool> {
        Ok(self.recognise(path)?.is_some())
    }

    fn scan(&self, root: &Path) -> Result<Scan> {
        Ok(match open(root) {
            Ok(package) => package.scan(),
            Err(findings) => Scan { catalog: Catalog::default(), findings },
        })
    }

    fn destination(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn entries(&self, _catalog: &Catalog) -> Vec<Entry> {
        Vec::new() // a package is written as a stream, not as a tree
    }

    fn standing(&self, _root: &Path, _catalog: &Catalog, _name: &Reference, _image: &Image) -> Vec<Entry> {
        // What an image stands on lies in the package, whose skeleton was checked, or is relied on.
        Vec::new()
    }

    fn lint(&self, root: &Path, _catalog: &Catalog) -> Vec<Finding> {
        let bad = volumes::bad(root);
        if bad.is_empty() { bad_deltas(root) } else { bad }
    }

    fn content_at(&self, _path: &Path) -> Option<Digest> {
        None
    }

    fn is_nothing_else(&self) -> bool {
        true
    }

    fn with_host(&self, reference: &Reference) -> Option<Reference> {
        super::Registry.with_host(reference)
    }
}

/// The deltas of a package that are not as they were written.
fn bad_deltas(root: &Path) -> Vec<Finding> {
    // What cannot be opened was told.
    let Ok(package) = open(root) else { return Vec::new() };
    let deltas: Vec<_> = package.deltas.iter().collect();
    let check = |(delta, file): &(&Digest, &File)| match hash::digest_of(file, delta.algorithm(), &|_| {}) {
        Ok((found, _)) if found == **delta => None,
        Ok((found, _)) => Some(damaged(&file.path(), found).expected(delta)),
        Err(error) => Some(finding::unreadable(&file.path(), &error)),
    };
    let checked = work::largest_first(&deltas, |(_, file)| file.size, check);
    let restored = |delta: &Digest| package.bill.restores.iter().find(|it| it.delta.digest == *delta);
    let findings = deltas.iter().zip(checked).filter_map(|((delta, _), finding)| {
        Some(Finding { digest: restored(delta).map(|it| it.digest), ..finding? })
    });
    findings.collect()
}

/// Whether a file begins as packages do.
fn begins_with_bill(path: &Path) -> bool {
    let name_field = [BILL.as_bytes(), &[0]].concat();
    disk::read_beginning(path, name_field.len() as u64).is_ok_and(|beginning| beginning == name_field)
}

/// Opens a package and holds every byte of it to its bill of materials, but for the content itself.
///
/// # Errors
/// The findings, when it is damaged, incomplete, altered, or of a format that is not known.
pub fn open(path: &Path) -> Result<Opened, Vec<Finding>> {
    if path.is_dir() {
        return folder::open(path);
    }
    let parts = volumes::parts(path)?;
    read(path, parts).map_err(|finding| {
        // A volume that is not what its index says is the better answer.
        let bad = volumes::bad(path);
        if bad.is_empty() { vec![finding] } else { bad }
    })
}

/// Holds a bill of materials to its digest.
fn check_digest(path: &Path, json: &[u8], sums: &[u8]) -> Result<(), Finding> {
    let digest = Digest::of(Algorithm::Sha256, json).hex();
    if sums == format!("{digest}  {BILL}\n").as_bytes() {
        return Ok(());
    }
    Err(damaged(path, format_args!("{BILL} that is not what {BILL_DIGEST} says")))
}

fn damaged(path: &Path, found: impl ToString) -> Finding {
    Finding::at(Kind::DamagedPackage, path).found(found)
}

fn read(path: &Path, parts: Arc<[Part]>) -> Result<Opened, Finding> {
    let end = parts.iter().map(|part| part.size).sum();
    let tar = Extent { parts: parts.clone(), offset: 0 }.open(end);
    let mut passing = Passing::begin(tar, Some(end), path)?;
    while let Some((_, size)) = passing.advance()? {
        passing.reader.skip(size);
        passing.offset += size;
        if passing.offset > end {
            return Err(cut_short(path, end));
        }
    }
    let file = |carried: &Carried| {
        let offset = carried.offset.unwrap_or_default();
        (carried.digest, Extent { parts: parts.clone(), offset }.file(carried.size))
    };
    let files = passing.bill.carries.iter().map(file).collect();
    let deltas = passing.bill.restores.iter().map(|restored| file(&restored.delta)).collect();
    Ok(Opened { bill: passing.bill, files, deltas, path: path.to_owned() })
}

fn parse(path: &Path, json: &[u8]) -> Result<Bill, Finding> {
    /// All that every format of packages has.
    #[derive(Deserialize)]
    struct Versioned {
        schema: String,
    }
    let Versioned { schema } = serde_json::from_slice(json).map_err(|error| damaged(path, error))?;
    if schema != SCHEMA {
        let finding = Finding::at(Kind::UnknownPackage, path).expected(SCHEMA);
        let what = if schema.starts_with(SCHEMAS) { schema } else { format!("{schema:?}") };
        return Err(finding.found(what));
    }
    serde_json::from_slice(json).map_err(|error| damaged(path, error))
}

impl Opened {
    /// Where it lies.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The catalog of what it carries; what it relies on has no file.
    #[must_use]
    pub fn scan(&self) -> Scan {
        let path = &self.path;
        let mut scan = Scan::default();
        match self.bill.catalog(path) {
            Ok(catalog) => scan.catalog = catalog,
            Err(error) => scan.findings.push(damaged(path, error)),
        }
        let relied = self.bill.relies_on.iter().map(|it| (it.digest, it.size));
        let restored = self.bill.restores.iter().map(|it| (it.digest, it.size));
        scan.catalog.elsewhere = relied.chain(restored).collect();
        for (digest, file) in &self.files {
            scan.catalog.add_file(*digest, file.clone());
        }
        let carried: Vec<_> = scan
            .catalog
            .manifests
            .iter()
            .filter_map(|(digest, listed)| Some((*digest, listed, scan.catalog.blobs.get(digest)?)))
            .collect();
        let read = carried.into_par_iter().map(|(digest, listed, blob)| {
            let manifest = claim::manifest_in(&blob.files[0], digest)?;
            agree(path, digest, &manifest, listed).map(|()| (digest, manifest))
        });
        let read: Vec<_> = read.collect();
        for result in read {
            match result {
                Ok((digest, manifest)) => drop(scan.catalog.manifests.insert(digest, manifest)),
                Err(finding) => scan.findings.push(finding),
            }
        }
        scan.leave_out_broken();
        scan.catalog.keep_inline();
        scan
    }
}

impl Scan {
    /// Leaves out the images whose manifests are not what they have to be, and names them in the findings.
    fn leave_out_broken(&mut self) {
        if self.findings.is_empty() {
            return;
        }
        let users = self.catalog.users();
        for finding in &mut self.findings {
            let users = finding.digest.and_then(|digest| users.get(&digest)).into_iter().flatten();
            finding.images.extend(users.map(|&image| image.clone()));
        }
        let broken: BTreeSet<_> = self.findings.iter().flat_map(|finding| &finding.images).collect();
        self.catalog.images.retain(|image, _| !broken.contains(image));
        for digest in self.findings.iter().filter_map(|finding| finding.digest) {
            self.catalog.manifests.remove(&digest);
            self.catalog.blobs.remove(&digest);
        }
    }
}

/// Holds what a package's bill says of a manifest to the manifest itself, as it came out of a stream.
///
/// # Errors
/// A finding, when the bytes are no manifest, or the bill says otherwise.
pub fn check_manifest(path: &Path, digest: Digest, bytes: &[u8], listed: &Manifest) -> Result<(), Finding> {
    let manifest = claim::hold_to(path, bytes, digest)?;
    agree(path, digest, &manifest, listed)
}

fn agree(path: &Path, digest: Digest, manifest: &Manifest, listed: &Manifest) -> Result<(), Finding> {
    match contradiction(manifest, listed) {
        None => Ok(()),
        Some(what) => Err(damaged(path, format_args!("{BILL} that {what} of {digest}")).of(digest)),
    }
}

/// What a bill says wrong of a manifest, if anything.
fn contradiction(manifest: &Manifest, listed: &Manifest) -> Option<&'static str> {
    let said: BTreeSet<Digest> = listed.blobs().map(|blob| blob.digest).collect();
    let known: BTreeMap<Digest, _> = manifest.blobs().map(|blob| (blob.digest, blob.need)).collect();
    let children: BTreeSet<Digest> = manifest.manifests.iter().map(|child| child.digest).collect();
    match () {
        () if said.iter().any(|digest| !known.contains_key(digest)) => Some("names content that is none"),
        () if known
            .iter()
            .any(|(digest, need)| *need == crate::manifest::Need::Required && !said.contains(digest)) =>
        {
            Some("leaves out content")
        }
        () if listed.manifests.iter().any(|child| !children.contains(&child.digest)) => {
            Some("names manifests that are none")
        }
        () if listed.size != manifest.size => Some("gives another size"),
        () => None,
    }
}
