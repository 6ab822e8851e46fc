//! Registry storage, as the distribution registry keeps it on a file system:
//!
//! ```text
//! <rootdirectory>/docker/registry/v2/
//! ├── blobs/<algorithm>/<2 hex>/<hex>/data                  every blob and manifest, once
//! └── repositories/<name>/
//!     ├── _layers/<algorithm>/<hex>/link                    the repository may serve this blob
//!     ├── _manifests/
//!     │   ├── revisions/<algorithm>/<hex>/link              the repository may serve this manifest
//!     │   └── tags/<tag>/
//!     │       ├── current/link                              what the tag points at
//!     │       └── index/<algorithm>/<hex>/link              what it ever pointed at
//!     └── _uploads/                                         uploads in progress; never carried
//! ```
//!
//! The paths are those of distribution, `registry/storage/paths.go`. A `link` holds a digest and no newline.
//! Every manifest that an image reaches gets its revision link, and every repository its `_layers` and
//! `tags`, or a registry's garbage collection deletes what it does not see.

mod holdings;
mod links;
mod lint;
mod paths;
mod repositories;
mod store;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::Result;
pub use holdings::{Folder, Held, Holding, Holdings, Part};
pub use paths::{REPOSITORIES, skeleton};

use paths::{BLOBS, layers_of, revisions_of, tags_of};

use super::entry::{ByDigest, gathered};
use super::{Content, Entry, Layout, Names, Scan, Stage, blob_content, in_order, manifests};
use crate::catalog::{Catalog, Closure, Image};
use crate::digest::{Algorithm, Digest};
use crate::disk::{Below, FolderPath, Place};
use crate::finding::Finding;
use crate::reference::{Identifier, Reference, Repository};

/// Registry storage.
pub struct Registry;

/// Whether the registry's own paths start at `folder`; a symbolic link does not count, it leads elsewhere.
pub(super) fn is_root(folder: &Path) -> bool {
    links::is_folder(&folder.join(BLOBS)) && links::is_folder(&folder.join(REPOSITORIES))
}

/// Where storage begins when a person names the registry's root directory, its `docker`, or storage itself.
fn existing_root(path: &Path) -> Option<PathBuf> {
    let whole = ["docker", "registry", "v2"];
    (0..=whole.len()).find_map(|known| {
        let mut root = path.to_owned();
        for part in &whole[known..] {
            root.push(part);
            if !links::is_folder(&root) {
                return None;
            }
        }
        is_root(&root).then_some(root)
    })
}

/// The folders of blobs whose hex digits begin with the same two, by these and by algorithm.
static PREFIXES: LazyLock<Vec<FolderPath>> = LazyLock::new(|| {
    let prefixes = Algorithm::ALL.into_iter().flat_map(|algorithm| {
        (0..=u8::MAX).map(move |first| format!("{BLOBS}/{}/{first:02x}", algorithm.name()))
    });
    prefixes.map(|folder| Path::new(&folder).into()).collect()
});

/// The file that holds a blob, below the root.
fn data_place(digest: &Digest) -> Place {
    let prefix = digest.algorithm() as usize * 256 + usize::from(digest.bytes()[0]);
    Place::of_digits(PREFIXES[prefix].clone(), digest.bytes()).with(Below::Data)
}

impl Registry {
    /// Where a blob lies in storage at `root`.
    #[must_use]
    pub fn blob(root: &Path, digest: &Digest) -> PathBuf {
        data_place(digest).path_in(root)
    }
}

impl Layout for Registry {
    fn name(&self) -> &'static str {
        "registry"
    }

    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>> {
        Ok(existing_root(path))
    }

    fn is_top(&self, path: &Path) -> Result<bool> {
        Ok(existing_root(path).is_some())
    }

    fn scan(&self, root: &Path) -> Result<Scan> {
        let mut scan = Scan::default();
        store::scan(&root.join(BLOBS), &mut scan);
        let repositories = repositories::scan(&root.join(REPOSITORIES), &mut scan);
        manifests::scan(repositories.iter().flat_map(repositories::Linked::manifests), &mut scan);
        repositories::name_images(repositories, root, &mut scan);
        scan.catalog.keep_inline();
        Ok(scan)
    }

    fn destination(&self, path: &Path) -> Result<PathBuf> {
        Ok(existing_root(path).unwrap_or_else(|| path.join("registry/v2")))
    }

    fn entries(&self, catalog: &Catalog) -> Vec<Entry> {
        let mut by_repository: BTreeMap<&Repository, Vec<(&Reference, &Image)>> = BTreeMap::new();
        for (reference, image) in &catalog.images {
            by_repository.entry(&reference.repository).or_default().push((reference, image));
        }
        let nothing = BTreeMap::new();
        let by_repository: Vec<_> = by_repository.into_iter().collect();
        let mut entries = gathered(&by_repository, |(repository, images)| {
            let grants = catalog.grants.get(*repository).unwrap_or(&nothing);
            repository_entries(catalog, repository, images, grants)
        });
        for (repository, grants) in &catalog.grants {
            let folder = layers_of(repository);
            let layers = ByDigest::below(&folder);
            entries.push(Entry::new(Stage::Content, &*folder, Content::Folder));
            for (name, target) in grants {
                entries.push(grant(&layers, name, *target));
                entries.push(blob(*target));
            }
        }
        entries.extend(catalog.orphans.iter().map(|digest| blob(*digest)));
        in_order(entries)
    }

    fn standing(&self, _root: &Path, catalog: &Catalog, name: &Reference, image: &Image) -> Vec<Entry> {
        let repository = &name.repository;
        let nothing = BTreeMap::new();
        let grants = catalog.grants.get(repository).unwrap_or(&nothing);
        let mut entries = repository_entries(catalog, repository, &[(name, image)], grants);
        // A registry itself makes `tags` only with the first tag.
        let tags = Place::from(&*tags_of(repository));
        entries.retain(|entry| entry.place != tags);
        entries
    }

    fn lint(&self, root: &Path, catalog: &Catalog) -> Vec<Finding> {
        lint::lint(root, catalog)
    }

    fn content_at(&self, path: &Path) -> Option<Digest> {
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let [BLOBS, algorithm, _, hex, "data"] = parts[..] else { return None };
        let digest: Digest = format!("{algorithm}:{hex}").parse().ok()?;
        (data_place(&digest).path() == path).then_some(digest)
    }

    fn with_host(&self, reference: &Reference) -> Option<Reference> {
        let Some(host) = &reference.host else { return Some(reference.clone()) };
        let repository = format!("{host}/{}", reference.repository).parse().ok()?;
        Some(Reference { host: None, repository, ..reference.clone() })
    }
}

fn repository_entries(
    catalog: &Catalog,
    repository: &Repository,
    images: &[(&Reference, &Image)],
    grants: &BTreeMap<Digest, Digest>,
) -> Vec<Entry> {
    let layers = ByDigest::below(&layers_of(repository));
    let revisions = ByDigest::below(&revisions_of(repository));
    let tags = tags_of(repository);
    let mut entries: Vec<Entry> = skeleton(repository)
        .iter()
        .map(|folder| Entry::new(Stage::Content, &**folder, Content::Folder))
        .collect();
    // Images of one repository share most of what they need: what was written once is not written again.
    let mut granted = BTreeSet::new();
    let mut revised = BTreeSet::new();
    for &(reference, image) in images {
        let Closure { manifests, blobs, .. } = catalog.closure(image.digest);
        for name in blobs.keys().filter(|digest| granted.insert(**digest)) {
            // A blob that was uploaded under another algorithm lies under the digest that its link holds.
            let target = grants.get(name).copied().unwrap_or(*name);
            entries.push(grant(&layers, name, target));
            entries.push(Entry::new(Stage::Content, data_place(&target), blob_content(catalog, target)));
        }
        for (digest, height) in manifests.into_iter().filter(|(digest, _)| revised.insert(*digest)) {
            let place = revisions.place(&digest).with(Below::Link);
            let revision = Entry::new(Stage::Revision(height), place, Content::Link(digest));
            entries.push(Entry::new(Stage::Content, data_place(&digest), Content::Manifest(digest)));
            entries.push(match reference.identifier {
                Identifier::Digest(named) if named == digest => {
                    revision.naming(Names::One(reference.clone()))
                }
                _ => revision,
            });
        }
        if let Identifier::Tag(tag) = &reference.identifier {
            let folder: FolderPath = tags.join(tag.as_str()).into();
            let index = ByDigest::below(&folder.join("index"));
            for digest in image.history.iter().chain([&image.digest]) {
                let place = index.place(digest).with(Below::Link);
                entries.push(Entry::new(Stage::History, place, Content::Link(*digest)));
            }
            let current = Place::new(folder.clone(), "current").with(Below::Link);
            let current = Entry::new(Stage::Name, current, Content::Link(image.digest));
            entries.push(current.naming(Names::One(reference.clone())));
        }
    }
    entries
}

fn blob(digest: Digest) -> Entry {
    Entry::new(Stage::Content, data_place(&digest), Content::Blob(digest))
}

fn grant(layers: &ByDigest, name: &Digest, target: Digest) -> Entry {
    Entry::new(Stage::Grant, layers.place(name).with(Below::Link), Content::Link(target))
}
