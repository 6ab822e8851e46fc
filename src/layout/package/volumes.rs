//! Volumes: a package in several files that follow one another, and the small index that names them.
//!
//! The index has the package's own name, the volumes have numbers behind it: `release.tar`, `release.tar.001`.
//! `cat release.tar.*` with the index left out is the tar.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::disk::{self, Look, Part};
use crate::finding::{self, Finding, Kind};
use crate::hash::digest_of;

/// The format of an index.
const SCHEMA: &str = "bundle.volumes/1";
/// An index is a short document.
const MAX_INDEX_BYTES: u64 = 4 << 20;

/// The files that a package was split into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Index {
    schema: String,
    /// The volumes, in their order.
    pub volumes: Vec<Volume>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Volume {
    /// The name of its file, beside the index.
    pub file: String,
    /// Its length in bytes.
    pub size: u64,
    /// Its digest.
    pub digest: Digest,
}

impl Index {
    /// Names volumes.
    #[must_use]
    pub fn of(volumes: Vec<Volume>) -> Self {
        Self { schema: SCHEMA.to_owned(), volumes }
    }
}

/// The name of a package's volume, counted from 1.
#[must_use]
pub fn name(package: &Path, number: usize) -> PathBuf {
    let mut name = package.as_os_str().to_owned();
    name.push(format!(".{number:03}"));
    name.into()
}

/// The volumes of the package that has a name, if it is split: those that are named after it, as [`name`] does.
#[must_use]
pub fn of(package: &Path) -> Vec<PathBuf> {
    let Ok(Some(index)) = read(package) else { return Vec::new() };
    let listed = index.volumes.iter().map(|volume| package.with_file_name(&volume.file));
    let named = listed.zip(1..).take_while(|(file, number)| *file == name(package, *number));
    named.map(|(file, _)| file).collect()
}

/// Whether a file is an index of volumes.
#[must_use]
pub fn is_index(path: &Path) -> bool {
    matches!(read(path), Ok(Some(_)))
}

/// Reads an index; `Ok(None)` when the file is none.
fn read(path: &Path) -> std::io::Result<Option<Index>> {
    if disk::read_beginning(path, 1)? != b"{" {
        return Ok(None);
    }
    let Some(json) = disk::read_small(path, MAX_INDEX_BYTES)? else { return Ok(None) };
    let index: Option<Index> = serde_json::from_slice(&json).ok();
    Ok(index.filter(|index| index.schema == SCHEMA && index.volumes.iter().all(Volume::is_beside)))
}

impl Volume {
    /// Whether its file is named as one beside the index.
    fn is_beside(&self) -> bool {
        Path::new(&self.file).file_name().is_some_and(|name| name == self.file.as_str())
    }
}

/// The files that a package lies in: its own, or the volumes that it was split into.
pub(super) fn parts(path: &Path) -> Result<Arc<[Part]>, Vec<Finding>> {
    let unreadable = |error: anyhow::Error| {
        let cause = error.root_cause().to_string();
        vec![Finding::at(Kind::Unreadable, path).found(cause)]
    };
    let index = read(path).map_err(|error| vec![finding::unreadable(path, &error)])?;
    let Some(index) = index else { return disk::parts(&[path.to_owned()]).map_err(unreadable) };
    let files: Vec<PathBuf> = index.volumes.iter().map(|volume| path.with_file_name(&volume.file)).collect();
    // A volume that is missing, or of another length, is told before anything is read.
    let odd = index.odd(path, &|_, _| None);
    if odd.is_empty() { disk::parts(&files).map_err(unreadable) } else { Err(odd) }
}

/// The volumes that are not what the index says.
pub fn bad(path: &Path) -> Vec<Finding> {
    let Ok(Some(index)) = read(path) else { return Vec::new() };
    index.odd(path, &|file, digest| match digest_of(file, digest.algorithm(), &|_| {}) {
        Ok((found, _)) => (found != digest).then(|| found.to_string()),
        Err(error) => Some(error.to_string()),
    })
}

/// What is found instead of a digest's content, if anything else is.
type Instead<'i> = &'i dyn Fn(&disk::File, Digest) -> Option<String>;

impl Index {
    /// The volumes that are not there, or not as long as they have to be, or hold something else.
    fn odd(&self, path: &Path, instead: Instead) -> Vec<Finding> {
        let names: BTreeSet<&str> = self.volumes.iter().map(|volume| volume.file.as_str()).collect();
        if names.is_empty() || names.len() < self.volumes.len() {
            return vec![Finding::at(Kind::DamagedPackage, path).found("no volumes, or one of them twice")];
        }
        let odd = self.volumes.iter().filter_map(|volume| {
            let file = path.with_file_name(&volume.file);
            let found = match disk::look(&file) {
                Ok(Look::File(looked)) if looked.size != volume.size => format!("{} bytes", looked.size),
                Ok(Look::File(looked)) => instead(&looked, volume.digest)?,
                Ok(Look::Missing) => return Some(Finding::at(Kind::MissingVolume, &file)),
                Ok(Look::Folder) => "a folder".to_owned(),
                Ok(Look::Other(what)) => what.to_owned(),
                Err(error) => format!("{error:#}"),
            };
            let expected = format!("{}, {} bytes", volume.digest, volume.size);
            Some(Finding::at(Kind::DamagedVolume, &file).expected(expected).found(found))
        });
        odd.collect()
    }
}
