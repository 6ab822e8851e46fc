//! Packages that are folders: the files of a tar, each in its place, and nothing else among them.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::bill::MOST_PLACES;
use super::skeleton::{BILL, BILL_DIGEST, DELTAS, STORAGE, delta_path};
use super::{Bill, MAX_BILL_BYTES, Opened, Restored, check_digest, damaged, parse};
use crate::digest::Digest;
use crate::disk::{self, File, Look};
use crate::finding::{self, Finding, Kind};
use crate::layout::{Content, Entry, Layout, Registry, claim};

/// Reads the bill of materials.
pub(super) fn bill(path: &Path) -> Result<Bill, Finding> {
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

/// Opens one and holds every file of it to its bill of materials, but for the content itself.
pub(super) fn open(path: &Path) -> Result<Opened, Vec<Finding>> {
    let bill = bill(path).map_err(|finding| vec![finding])?;
    let catalog = bill.check(path, MOST_PLACES).and_then(|()| bill.catalog(path));
    let catalog = catalog.map_err(|error| vec![damaged(path, error)])?;
    let carried: BTreeMap<Digest, u64> =
        bill.carries.iter().map(|carried| (carried.digest, carried.size)).collect();
    let mut files = Vec::new();
    let mut findings = Vec::new();
    let mut others = Vec::new();
    let mut expected = HashSet::new();
    let storage = path.join(STORAGE);
    for entry in Registry.entries(&catalog) {
        let place = entry.place.path_in(&storage);
        match entry.content() {
            Content::Blob(digest) | Content::Manifest(digest) | Content::Inline(digest) => {
                let Some(&size) = carried.get(&digest) else { continue };
                match content(path, &place, digest, size) {
                    Ok(file) => files.push((digest, file)),
                    Err(finding) => findings.push(finding),
                }
            }
            Content::Folder | Content::Link(_) | Content::Text(_) => others.push(entry),
        }
        let above = place.ancestors().take_while(|above| *above != path);
        expected.extend(above.map(Path::to_owned));
    }
    let mut deltas = BTreeMap::new();
    for Restored { digest, delta, .. } in &bill.restores {
        let place = path.join(delta_path(digest));
        match content(path, &place, delta.digest, delta.size) {
            Ok(file) => drop(deltas.insert(delta.digest, file)),
            Err(finding) => findings.push(Finding { digest: Some(*digest), ..finding }),
        }
        let above = place.ancestors().take_while(|above| *above != path);
        expected.extend(above.map(Path::to_owned));
    }
    findings.extend(altered(&storage, &others));
    for folder in ["docker", DELTAS] {
        findings.extend(added(&path.join(folder), &expected));
    }
    if findings.is_empty() {
        return Ok(Opened { bill, files, deltas, path: path.to_owned() });
    }
    let users = catalog.users();
    for finding in &mut findings {
        let users = finding.digest.and_then(|digest| users.get(&digest)).into_iter().flatten();
        finding.images.extend(users.map(|&image| image.clone()));
    }
    Err(findings)
}

/// Looks at content in its place.
fn content(path: &Path, place: &Path, digest: Digest, size: u64) -> Result<File, Finding> {
    if disk::link_between(path, place).is_some() {
        let what = "a symbolic link in the place of a folder";
        return Err(Finding::at(Kind::NotAFile, place).of(digest).found(what));
    }
    match claim::file(place, digest)? {
        Some(file) if file.size == size => Ok(file),
        Some(file) => Err(Finding::at(Kind::WrongSize, place)
            .of(digest)
            .expected(format_args!("{size} bytes"))
            .found(format_args!("{} bytes", file.size))),
        None => Err(Finding::at(Kind::MissingBlob, place).of(digest).expected(digest)),
    }
}

/// The folders and links that are not what they have to be.
fn altered(storage: &Path, entries: &[Entry]) -> Vec<Finding> {
    let altered = entries.iter().filter_map(|entry| {
        let place = entry.place.path_in(storage);
        let expected = match entry.content() {
            Content::Link(digest) => digest.to_string(),
            Content::Text(text) => text.to_string(),
            _ => "a folder".to_owned(),
        };
        let found = match disk::look(&place) {
            _ if disk::link_between(storage, &place).is_some() => {
                "a symbolic link in the place of a folder".to_owned()
            }
            Ok(Look::Folder) if entry.content() == Content::Folder => return None,
            Ok(Look::File(_)) if entry.content() != Content::Folder => {
                match disk::read_small(&place, expected.len() as u64) {
                    Ok(Some(bytes)) if bytes == expected.as_bytes() => return None,
                    Ok(_) => "something else".to_owned(),
                    Err(error) => error.to_string(),
                }
            }
            Ok(Look::Missing) => "nothing".to_owned(),
            Ok(Look::File(_)) => "a file".to_owned(),
            Ok(Look::Folder) => "a folder".to_owned(),
            Ok(Look::Other(what)) => what.to_owned(),
            Err(error) => format!("{error:#}"),
        };
        Some(damaged(&place, found).expected(expected))
    });
    altered.collect()
}

/// What lies among the files and is none of them: whoever unpacks by hand would bring it to a site.
fn added(docker: &Path, expected: &HashSet<PathBuf>) -> Vec<Finding> {
    let mut added = Vec::new();
    let mut walk = WalkDir::new(docker).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        match entry {
            Ok(entry) if expected.contains(entry.path()) => {}
            Ok(entry) => {
                added.push(damaged(entry.path(), format_args!("something that {BILL} does not have")));
                if entry.file_type().is_dir() {
                    walk.skip_current_dir();
                }
            }
            // What is missing was told.
            Err(error) if error.io_error().is_some_and(|it| it.kind() == io::ErrorKind::NotFound) => {}
            Err(error) => added.push(claim::unwalkable(docker, &error)),
        }
    }
    added
}
