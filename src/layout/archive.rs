//! Archives that other programs save images in: `oci-archive` tars, and what `docker save` writes, plain or
//! compressed by gzip or zstd.
//!
//! ```text
//! oci-layout, index.json, blobs/…          an OCI layout: skopeo's oci-archive, docker from 25.0 on, containerd
//! manifest.json                            a docker-archive: a list of images, each with
//! <config>.json, <layer>.tar               its configuration and its layers, uncompressed
//! ```
//!
//! A plain archive is read where it lies. A compressed one is uncompressed once, into a file without a name in
//! `TMPDIR`, or else in `/var/tmp`.

mod docker;
mod members;
mod unpacked;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{Entry, Layout, Scan, oci};
use crate::catalog::{Catalog, Image};
use crate::digest::{Algorithm, Digest};
use crate::disk::{self, Look};
use crate::finding::{Finding, Kind};
use crate::reference::{Reference, Repository};
use members::Members;

/// What `docker save` lists its images in.
const DOCKER_LIST: &str = "manifest.json";

/// Archives of images.
pub struct Archive;

impl Layout for Archive {
    fn name(&self) -> &'static str {
        "archive"
    }

    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>> {
        let is_file = matches!(disk::look(path)?, Look::File(_));
        Ok((is_file && unpacked::is_tar(path)).then(|| path.to_owned()))
    }

    fn is_top(&self, path: &Path) -> Result<bool> {
        Ok(self.recognise(path)?.is_some())
    }

    fn scan(&self, root: &Path) -> Result<Scan> {
        let members = match unpacked::open(root)?.and_then(|parts| Members::list(root, parts)) {
            Ok(members) => members,
            Err(finding) => return Ok(Scan { catalog: Catalog::default(), findings: vec![finding] }),
        };
        let fallback = fallback(root);
        let is_docker = members.get(DOCKER_LIST).is_some();
        let mut scan = match members.get("oci-layout") {
            Some(_) => oci::read(&layout_files(root, &members, fallback)),
            // A list of a layout without what says so: the end of the archive is missing.
            None if is_docker && members.get("index.json").is_none() => {
                docker::read(root, &members, &fallback)
            }
            None => {
                let expected = match members.get("index.json") {
                    Some(_) => "oci-layout beside index.json",
                    None => "index.json or manifest.json",
                };
                let finding = Finding::at(Kind::InvalidArchive, root).expected(expected);
                let scan =
                    Scan { catalog: Catalog::default(), findings: vec![finding.found(members.first())] };
                return Ok(scan);
            }
        };
        if is_docker {
            scan.findings.extend(docker::made_up(root, &scan.catalog));
        }
        scan.findings.extend(missing_blobs(root, &scan.catalog));
        Ok(scan)
    }

    fn destination(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn entries(&self, _catalog: &Catalog) -> Vec<Entry> {
        Vec::new() // archives are read, never written
    }

    fn standing(&self, _root: &Path, _catalog: &Catalog, _name: &Reference, _image: &Image) -> Vec<Entry> {
        // What an image stands on lies in the archive, and was looked at there.
        Vec::new()
    }

    fn lint(&self, _root: &Path, _catalog: &Catalog) -> Vec<Finding> {
        Vec::new()
    }

    fn content_at(&self, _path: &Path) -> Option<Digest> {
        None
    }

    fn with_host(&self, reference: &Reference) -> Option<Reference> {
        Some(reference.clone())
    }
}

/// What the images need and the archive does not have: no file of its own will show that.
fn missing_blobs(root: &Path, catalog: &Catalog) -> Vec<Finding> {
    let mut missing: BTreeMap<Digest, Finding> = BTreeMap::new();
    for (reference, image) in &catalog.images {
        let blobs = catalog.closure(image.digest).blobs.into_keys();
        let is_missing =
            |digest: &Digest| !catalog.blobs.contains_key(digest) && !catalog.inline.contains_key(digest);
        for digest in blobs.filter(is_missing) {
            let finding = Finding::at(Kind::MissingBlob, root).of(digest).expected(digest);
            missing.entry(digest).or_insert(finding).images.insert(reference.clone());
        }
    }
    missing.into_values().collect()
}

/// What images are called that have no repository: as the archive is, without its endings.
fn fallback(path: &Path) -> Repository {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let ends = [".gz", ".zst", ".tgz", ".tzst", ".tar"];
    let name = ends.into_iter().fold(name, |name, end| name.strip_suffix(end).unwrap_or(name));
    oci::fallback(Path::new(name))
}

fn layout_files(root: &Path, members: &Members, fallback: Repository) -> oci::Files {
    let blobs = members.files().filter_map(|(name, file)| {
        let (algorithm, hex) = name.strip_prefix("blobs/")?.split_once('/')?;
        let algorithm = Algorithm::ALL.into_iter().find(|known| known.name() == algorithm)?;
        Some((Digest::from_hex(algorithm, hex).ok()?, file.clone()))
    });
    oci::Files {
        place: root.to_owned(),
        fallback,
        version: members.get("oci-layout").cloned(),
        index: members.get("index.json").cloned(),
        blobs: blobs.collect(),
        findings: Vec::new(),
    }
}
