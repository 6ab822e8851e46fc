//! OCI image layouts, one below another or one alone, as skopeo, umoci and containerd write and read them:
//!
//! ```text
//! <root>/[<folder>/]
//! ├── oci-layout                        {"imageLayoutVersion":"1.0.0"}
//! ├── index.json                        the images: a descriptor each, with its name in annotations
//! └── blobs/<algorithm>/<hex>           every blob and manifest, once
//! ```
//!
//! The format is that of the OCI image specification, `image-layout.md`. All images of a layout are listed in one
//! file, so that file is written last, in one step, and keeps what others listed there.

mod annotation;
mod find;
mod index;
mod lint;
mod read;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rayon::prelude::*;

use super::entry::{ByDigest, gathered};
use super::{Content, Entry, Layout, Names, Scan, Stage, blob_content, in_order};
use crate::catalog::{Catalog, Closure, Image, refuse};
use crate::digest::Digest;
use crate::disk::{self, Look};
use crate::finding::Finding;
use crate::reference::{Reference, Repository};
use crate::text::shown;
pub use annotation::RefName;
use index::Index;
pub(super) use read::{Files, fallback, own_digest, read};

const VERSION_FILE: &str = "oci-layout";
const INDEX: &str = "index.json";
const BLOBS: &str = "blobs";
/// Readers such as regctl and umoci take exactly this version.
const VERSION_1_0_0: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// The longest list of images that is read, in bytes: one of 50,000 images is half as long.
const MAX_INDEX_BYTES: u64 = 64 << 20;

/// OCI image layouts.
pub struct Oci {
    /// What the annotation is given that most programs choose images by.
    pub ref_name: RefName,
}

impl Layout for Oci {
    fn name(&self) -> &'static str {
        "oci"
    }

    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>> {
        Ok(find::holds_layout(path).then(|| path.to_owned()))
    }

    fn is_top(&self, path: &Path) -> Result<bool> {
        Ok(find::is_layout(path) || find::subfolders(path).iter().any(|folder| find::is_layout(folder)))
    }

    fn scan(&self, root: &Path) -> Result<Scan> {
        let mut scan = Scan::default();
        let folders = find::layouts(root, &mut scan.findings);
        let read: Vec<_> = folders.par_iter().map(|folder| read(&Files::of_folder(root, folder))).collect();
        let mut catalogs = Vec::new();
        for found in read {
            scan.findings.extend(found.findings);
            catalogs.push(found.catalog);
        }
        let (catalog, conflicts) = Catalog::join(catalogs, &mut |_, name, images| refuse(name, images));
        scan.findings.extend(conflicts);
        Ok(Scan { catalog, ..scan })
    }

    fn destination(&self, path: &Path) -> Result<PathBuf> {
        Ok(path.to_owned())
    }

    fn entries(&self, catalog: &Catalog) -> Vec<Entry> {
        self.lay_out(catalog, Index::default(), &Repository::unnamed())
    }

    fn entries_beside(&self, catalog: &Catalog, root: &Path) -> Result<Vec<Entry>> {
        if self.ref_name == RefName::Tag {
            one_repository(catalog)?;
        }
        Ok(self.lay_out(catalog, standing_index(root)?, &read::own_name(root)))
    }

    fn standing(&self, root: &Path, catalog: &Catalog, _name: &Reference, image: &Image) -> Vec<Entry> {
        let folder = image.origin.parent().unwrap_or(root);
        let folder = folder.strip_prefix(root).unwrap_or(folder);
        let blobs = ByDigest::below(&folder.join(BLOBS));
        content_entries(catalog, image.digest, &blobs).collect()
    }

    fn lint(&self, root: &Path, catalog: &Catalog) -> Vec<Finding> {
        lint::lint(root, catalog)
    }

    fn content_at(&self, path: &Path) -> Option<Digest> {
        let mut parts = path.iter().rev().filter_map(|part| part.to_str());
        let (hex, algorithm, folder) = (parts.next()?, parts.next()?, parts.next()?);
        format!("{algorithm}:{hex}").parse().ok().filter(|_| folder == BLOBS)
    }

    fn with_host(&self, reference: &Reference) -> Option<Reference> {
        Some(reference.clone())
    }
}

impl Oci {
    /// All images in one layout, listed behind those that `index` keeps.
    fn lay_out(&self, catalog: &Catalog, mut index: Index, fallback: &Repository) -> Vec<Entry> {
        let mut digests: Vec<Digest> = catalog.images.values().map(|image| image.digest).collect();
        digests.sort_unstable();
        digests.dedup();
        let blobs = ByDigest::below(Path::new(BLOBS));
        let mut entries = gathered(&digests, |digest| content_entries(catalog, *digest, &blobs).collect());
        // Last, so that what an interrupted run leaves is no layout without a list.
        entries.push(Entry::new(Stage::Marker, VERSION_FILE, Content::Text(VERSION_1_0_0.into())));
        let changes = index.take_in(catalog, self.ref_name, fallback);
        let list = Entry::new(Stage::Name, INDEX, Content::Text(index.to_json().into()));
        entries.push(list.naming(Names::Listed(changes)));
        in_order(entries)
    }
}

/// The blobs and manifests that an image needs, in the folders of its layout.
fn content_entries<'c>(
    catalog: &'c Catalog,
    image: Digest,
    folders: &'c ByDigest,
) -> impl Iterator<Item = Entry> + use<'c> {
    let Closure { manifests, blobs, .. } = catalog.closure(image);
    let blobs = blobs.into_keys().map(|digest| (digest, blob_content(catalog, digest)));
    let manifests = manifests.into_iter().map(|(digest, _)| (digest, Content::Manifest(digest)));
    blobs
        .chain(manifests)
        .map(|(digest, content)| Entry::new(Stage::Content, folders.place(&digest), content))
}

/// Refuses images of several repositories where their tags alone have to tell them apart.
fn one_repository(catalog: &Catalog) -> Result<()> {
    let repositories: BTreeSet<_> = catalog.images.keys().map(|image| image.repository.as_str()).collect();
    if repositories.len() > 1 {
        let names: Vec<_> = repositories.into_iter().take(3).collect();
        bail!(
            "--ref-name tag names images by their tags alone, and there are several repositories: {}\n  \
             hint: choose the images of one with --include, or leave the option away",
            names.join(", ")
        );
    }
    Ok(())
}

/// The list of the images that are at `root`.
fn standing_index(root: &Path) -> Result<Index> {
    let path = root.join(INDEX);
    if !matches!(disk::look(&path)?, Look::File(_)) {
        return Ok(Index::default());
    }
    let index = match disk::read_small(&path, MAX_INDEX_BYTES) {
        Ok(Some(bytes)) => Index::parse(&bytes),
        Ok(None) => Err(format!("longer than {MAX_INDEX_BYTES} bytes")),
        Err(error) => return Err(anyhow::Error::new(error).context(format!("cannot read {}", shown(&path)))),
    };
    match index {
        Ok(index) => Ok(index),
        Err(why) => bail!("cannot add images to {}: {why}\n  hint: choose an empty DST", shown(&path)),
    }
}
