//! Packages: registry storage in a tar, with its bill of materials in front, in one file or in volumes.
//!
//! What a tar has to look like is in [`skeleton`]; what it says of itself is the [`Bill`]. A package is read
//! where it lies, without being unpacked: its content is known by its offsets.

mod bill;
pub mod skeleton;
pub mod volumes;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;
use rayon::prelude::*;
use serde::Deserialize;
use tar::Header;

pub use bill::{Bill, Carried, Form, SCHEMA, Totals};

use super::{Entry, Layout, Scan, claim};
use crate::catalog::Catalog;
use crate::digest::{Algorithm, Digest};
use crate::disk::{self, Extent, File, Look, Part};
use crate::finding::{self, Finding, Kind};
use crate::manifest::Manifest;
use crate::reference::Reference;
use bill::SCHEMAS;
use skeleton::{BILL, BILL_DIGEST, BLOCK, Piece, STORAGE, padding};

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
    path: PathBuf,
}

impl Layout for Package {
    fn name(&self) -> &'static str {
        "package"
    }

    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>> {
        let is_package = match disk::look(path)? {
            Look::File(_) => begins_with_bill(path) || volumes::is_index(path),
            Look::Folder => folder_bill(path).is_ok_and(|bill| bill.form == Form::Folder),
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

    fn standing(&self, _root: &Path, catalog: &Catalog) -> Vec<(Reference, Vec<Entry>)> {
        // What an image stands on lies in the package, whose skeleton was checked, or is relied on.
        catalog.images.keys().map(|reference| (reference.clone(), Vec::new())).collect()
    }

    fn lint(&self, root: &Path, _catalog: &Catalog) -> Vec<Finding> {
        volumes::bad(root)
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
        return open_folder(path);
    }
    let parts = volumes::parts(path)?;
    read(path, parts).map_err(|finding| {
        // A volume that is not what its index says is the better answer.
        let bad = volumes::bad(path);
        if bad.is_empty() { vec![finding] } else { bad }
    })
}

/// Opens a package that is a folder.
fn open_folder(path: &Path) -> Result<Opened, Vec<Finding>> {
    let bill = folder_bill(path).map_err(|finding| vec![finding])?;
    let storage = path.join(STORAGE);
    let mut files = Vec::new();
    let mut findings = Vec::new();
    for &Carried { digest, size, .. } in &bill.carries {
        let path = super::registry::data_file(&storage, &digest);
        match claim::file(&path, digest) {
            Ok(Some(file)) if file.size == size => files.push((digest, file)),
            Ok(Some(file)) => findings.push(
                Finding::at(Kind::WrongSize, &path)
                    .of(digest)
                    .expected(format_args!("{size} bytes"))
                    .found(format_args!("{} bytes", file.size)),
            ),
            Ok(None) => findings.push(Finding::at(Kind::MissingBlob, &path).of(digest).expected(digest)),
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(Opened { bill, files, path: path.to_owned() }) } else { Err(findings) }
}

/// Reads the bill of materials of a folder.
fn folder_bill(path: &Path) -> Result<Bill, Finding> {
    let read = |name: &str| {
        let path = path.join(name);
        match disk::read_small(&path, MAX_BILL_BYTES) {
            Ok(Some(bytes)) => Ok(bytes),
            Ok(None) => Err(damaged(&path, "a bill of materials that is too long")),
            Err(error) => Err(finding::unreadable(&path, &error)),
        }
    };
    let json = read(BILL)?;
    check_digest(path, &json, &read(BILL_DIGEST)?)?;
    parse(path, &json)
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
    let size = parts.iter().map(|part| part.size).sum();
    let mut reader = Extent { parts: parts.clone(), offset: 0 }.open(size);
    let unreadable = |error: io::Error| finding::unreadable(path, &error);

    let (json, json_header) = read_small_entry(&mut reader).map_err(unreadable)?;
    if json_header.path_bytes() != BILL.as_bytes() {
        return Err(damaged(path, format_args!("no {BILL} at its beginning")));
    }
    let (sums, sums_header) = read_small_entry(&mut reader).map_err(unreadable)?;
    if sums_header.path_bytes() != BILL_DIGEST.as_bytes() {
        return Err(damaged(path, format_args!("no {BILL_DIGEST} behind {BILL}")));
    }
    check_digest(path, &json, &sums)?;
    let mut bill = parse(path, &json)?;
    if bill.form != Form::Tar {
        return Err(damaged(path, "the bill of materials of a folder"));
    }

    let expected = bill.clone();
    let pieces = skeleton::pieces(&mut bill).map_err(|error| damaged(path, error))?;
    if bill != expected {
        return Err(damaged(path, format_args!("{BILL} with other offsets than its content has")));
    }
    compare(path, &pieces, &parts)?;
    let files = bill.carries.iter().map(|carried| {
        let offset = carried.offset.unwrap_or_default();
        (carried.digest, Extent { parts: parts.clone(), offset }.file(carried.size))
    });
    let files = files.collect();
    Ok(Opened { bill, files, path: path.to_owned() })
}

/// Reads an entry of the head, whose sizes are bounded, to the end of its padding.
fn read_small_entry(reader: &mut impl Read) -> io::Result<(Vec<u8>, Header)> {
    let mut header = Header::new_ustar();
    reader.read_exact(header.as_mut_bytes())?;
    let size = header.size().unwrap_or(u64::MAX);
    if size > MAX_BILL_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a bill of materials that is too long"));
    }
    let mut bytes = Vec::new();
    let length = size + padding(size);
    reader.take(length).read_to_end(&mut bytes)?;
    if (bytes.len() as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    bytes.truncate(size as usize);
    Ok((bytes, header))
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

/// Compares all but the content with what the bill says.
fn compare(path: &Path, pieces: &[Piece], parts: &Arc<[Part]>) -> Result<(), Finding> {
    let expected: u64 = pieces.iter().map(Piece::size).sum();
    let found: u64 = parts.iter().map(|part| part.size).sum();
    let mut reader = Extent { parts: parts.clone(), offset: 0 }.open(found);
    let mut offset = 0;
    for piece in pieces {
        match piece {
            Piece::Content(_, size) => reader.skip(*size),
            Piece::Bytes(bytes) => {
                let mut there = vec![0; bytes.len()];
                let is_cut = match reader.read_exact(&mut there) {
                    Ok(()) => false,
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => true,
                    Err(error) => return Err(finding::unreadable(path, &error)),
                };
                if is_cut {
                    break;
                }
                if there != *bytes {
                    return Err(damaged(path, difference(offset, bytes, &there)));
                }
            }
        }
        offset += piece.size();
    }
    if expected == found {
        return Ok(());
    }
    let finding = Finding::at(Kind::DamagedPackage, path).expected(format_args!("{expected} bytes"));
    Err(finding.found(format_args!("{found} bytes")))
}

/// Says where bytes differ from what they have to be, and what they seem to be instead.
fn difference(start: u64, expected: &[u8], there: &[u8]) -> String {
    let at = expected.iter().zip(there).position(|(a, b)| a != b).unwrap_or_default();
    let name = |bytes: &[u8]| -> String {
        let block = bytes.get(..BLOCK as usize).unwrap_or_default();
        let Ok(block) = <&[u8; BLOCK as usize]>::try_from(block) else { return "padding".to_owned() };
        let header = Header::from_byte_slice(block);
        format!("an entry {:?}", String::from_utf8_lossy(&header.path_bytes()))
    };
    format!("{} where {} has to be, at byte {}", name(there), name(expected), start + at as u64)
}

impl Opened {
    /// The catalog of what it carries; what it relies on has no file.
    #[must_use]
    pub fn scan(&self) -> Scan {
        let path = &self.path;
        let mut scan = Scan::default();
        match self.bill.catalog(path) {
            Ok(catalog) => scan.catalog = catalog,
            Err(error) => scan.findings.push(damaged(path, error)),
        }
        scan.catalog.elsewhere = self.bill.relies_on.iter().map(|it| (it.digest, it.size)).collect();
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
            match contradiction(&manifest, listed) {
                None => Ok((digest, manifest)),
                Some(what) => Err(damaged(path, format_args!("{BILL} that {what} of {digest}")).of(digest)),
            }
        });
        let read: Vec<_> = read.collect();
        for result in read {
            match result {
                Ok((digest, manifest)) => drop(scan.catalog.manifests.insert(digest, manifest)),
                Err(finding) => scan.findings.push(finding),
            }
        }
        scan.catalog.keep_inline();
        scan
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
