//! Trees of `dir:` images, as skopeo writes and reads them, at any depth:
//!
//! ```text
//! <root>/
//! └── [<host>[:<port>]/]<repository>:<tag>/      or <repository>@<digest>/
//!     ├── manifest.json                          the image's manifest or list, to the byte
//!     ├── <hex>.manifest.json                    each manifest that a list names
//!     ├── <hex>                                  each blob, configuration and layers alike;
//!     │                                          <algorithm>-<hex> for anything but sha256
//!     └── version                                "Directory Transport Version: 1.1\n"
//! ```
//!
//! The format is that of containers/image, `directory/directory_transport.go`. A folder is an image if and
//! only if it holds `manifest.json`; so that file is written after all that it stands on, and `version`, which
//! allows skopeo to overwrite the folder, is written last.

mod folder;
mod lint;
mod name;
mod walk;

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::entry::gathered;
use super::{Content, Entry, Layout, Names, Scan, Stage, blob_content, in_order};
use crate::catalog::{Catalog, Image, gather};
use crate::digest::{Algorithm, Digest};
use crate::disk::{FolderPath, Place};
use crate::finding::{Finding, Kind};
use crate::reference::Reference;
use crate::work;

const MANIFEST: &str = "manifest.json";
const VERSION: &str = "version";
/// Exactly these bytes, or skopeo refuses to overwrite the folder.
const VERSION_1_1: &str = "Directory Transport Version: 1.1\n";
/// What newer skopeo writes where a digest is not sha256 (containers/image, `directory/version.go`).
const VERSION_1_2: &str = "Directory Transport Version: 1.2\n";

/// A tree of `dir:` images.
pub struct Dir;

impl Layout for Dir {
    fn name(&self) -> &'static str {
        "dir"
    }

    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>> {
        Ok(walk::holds_image(path, usize::MAX).then(|| path.to_owned()))
    }

    fn is_top(&self, path: &Path) -> Result<bool> {
        Ok(walk::holds_image(path, 1))
    }

    fn scan(&self, root: &Path) -> Result<Scan> {
        let walk::Walk { folders, mut findings } = walk::image_folders(root);
        let mut catalog = Catalog::default();
        let mut named = Vec::new();
        let mut held = Vec::new();
        let mut files = Vec::new();
        let read = |path: &PathBuf| folder::read(root, path);
        work::some_at_a_time(&folders, read, |folder| {
            findings.extend(folder.findings);
            if let Some((_, image)) = &folder.image {
                held.push((
                    image.clone(),
                    folder.files.iter().map(|(digest, _)| *digest).collect::<Vec<_>>(),
                ));
            }
            catalog.manifests.extend(folder.manifests);
            files.extend(folder.files);
            catalog.inline.extend(folder.payloads);
            named.extend(folder.image);
        });
        catalog.add_files(files);
        catalog.keep_inline();
        let (images, conflicts) = gather(named);
        catalog.images = images;
        findings.extend(conflicts);
        findings.extend(held.iter().flat_map(|(image, held)| lost_manifests(&catalog, image, held)));
        Ok(Scan { catalog, findings })
    }

    fn destination(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn entries(&self, catalog: &Catalog) -> Vec<Entry> {
        let images: Vec<_> = catalog.images.iter().collect();
        let entries = gathered(&images, |(reference, image)| {
            let folder = Path::new(&reference.to_string()).into();
            image_entries(catalog, reference, image, &folder, &|digest| blob_name(&digest))
        });
        in_order(entries)
    }

    fn standing(&self, root: &Path, catalog: &Catalog, name: &Reference, image: &Image) -> Vec<Entry> {
        let folder = image.origin.strip_prefix(root).unwrap_or(&image.origin).into();
        let spelled = |digest| spelled_in(catalog, &image.origin, digest);
        image_entries(catalog, name, image, &folder, &spelled)
    }

    fn lint(&self, root: &Path, catalog: &Catalog) -> Vec<Finding> {
        lint::lint(root, catalog)
    }

    fn content_at(&self, path: &Path) -> Option<Digest> {
        let name = path.file_name()?.to_str()?;
        blob_digest(name.strip_suffix(".manifest.json").unwrap_or(name))
    }

    fn with_host(&self, reference: &Reference) -> Option<Reference> {
        Some(reference.clone())
    }
}

/// Whether a folder is an image's own.
pub(super) fn is_image_folder(folder: &Path) -> bool {
    walk::is_image(folder)
}

/// The files of one image, in its folder; `name` tells how a digest is spelled there.
fn image_entries(
    catalog: &Catalog,
    reference: &Reference,
    image: &Image,
    folder: &FolderPath,
    name: &dyn Fn(Digest) -> String,
) -> Vec<Entry> {
    let place = |name: &str| Place::new(folder.clone(), name);
    let closure = catalog.closure(image.digest);
    let mut entries = Vec::with_capacity(closure.blobs.len() + closure.manifests.len() + 1);
    for digest in closure.blobs.keys() {
        entries.push(Entry::new(Stage::Content, place(&name(*digest)), blob_content(catalog, *digest)));
    }
    for (digest, _) in closure.manifests.iter().filter(|(digest, _)| *digest != image.digest) {
        let child = place(&format!("{}.{MANIFEST}", name(*digest)));
        entries.push(Entry::new(Stage::Content, child, Content::Manifest(*digest)));
    }
    let manifest = Content::Manifest(image.digest);
    entries.push(Entry::new(Stage::Name, place(MANIFEST), manifest).naming(Names::One(reference.clone())));
    let children = closure.manifests.iter().map(|(digest, _)| digest);
    let is_sha256 = |digest: &Digest| digest.algorithm() == Algorithm::Sha256 || *digest == image.digest;
    let version = if closure.blobs.keys().chain(children).all(is_sha256) { VERSION_1_1 } else { VERSION_1_2 };
    entries.push(Entry::new(Stage::Marker, place(VERSION), Content::Text(version.into())));
    entries
}

/// Tells a list that lost a manifest from one that was copied without it: what the lost one needs is still in
/// the folder, and nothing else there needs it.
fn lost_manifests(catalog: &Catalog, image: &Image, held: &[Digest]) -> Vec<Finding> {
    let closure = catalog.closure(image.digest);
    let is_needed = |digest: &Digest| {
        closure.blobs.contains_key(digest) || closure.manifests.iter().any(|(manifest, _)| manifest == digest)
    };
    if closure.absent.is_empty() || held.iter().all(is_needed) {
        return Vec::new();
    }
    let absent = closure.absent.keys().filter(|digest| !catalog.blobs.contains_key(digest));
    let missing = absent.map(|digest| {
        let path = image.origin.join(format!("{}.{MANIFEST}", blob_name(digest)));
        Finding::at(Kind::MissingManifest, path)
            .of(*digest)
            .expected(digest)
            .found("nothing, but blobs that no other manifest of the folder needs")
    });
    missing.collect()
}

/// How a blob's file is named: by its hex digits alone only where they are those of sha256.
fn blob_name(digest: &Digest) -> String {
    match digest.algorithm() {
        Algorithm::Sha256 => digest.hex(),
        other => format!("{}-{}", other.name(), digest.hex()),
    }
}

/// How a folder that is there spells a digest: older skopeo leaves the algorithm away.
fn spelled_in(catalog: &Catalog, folder: &Path, digest: Digest) -> String {
    let own = catalog.files_of(&digest).iter().find(|file| &**file.place.folder() == folder);
    let path = own.map(|file| file.place.path_in_folder());
    let name = path.as_deref().and_then(Path::to_str).filter(|name| *name != MANIFEST);
    name.map_or_else(|| blob_name(&digest), |name| name.trim_end_matches(".manifest.json").to_owned())
}

/// Reads a file's name as a blob's digest: `<hex>`, or `<algorithm>-<hex>` as newer skopeo writes for anything
/// but sha256.
fn blob_digest(name: &str) -> Option<Digest> {
    Algorithm::ALL.into_iter().find_map(|algorithm| {
        let hex = name.strip_prefix(algorithm.name()).and_then(|rest| rest.strip_prefix('-')).unwrap_or(name);
        Digest::from_hex(algorithm, hex).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_blob_are_read() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"layer");
            assert_eq!(blob_digest(&digest.hex()), Some(digest));
            assert_eq!(blob_digest(&format!("{}-{}", algorithm.name(), digest.hex())), Some(digest));
        }
        for other in ["version", "manifest.json", "signature-1", "dir-put-blob123", "sha256-"] {
            assert_eq!(blob_digest(other), None);
        }
    }
}
