//! Reads `repositories/`: what each repository's tags, revisions and layer links say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rayon::prelude::*;
use walkdir::WalkDir;

use super::super::Scan;
use super::links::{self, Link, subfolders};
use crate::catalog::{Catalog, Image};
use crate::digest::Digest;
use crate::finding::{Finding, Kind};
use crate::reference::{Identifier, Reference, Repository, Tag};

/// One repository, as its links have it.
pub(super) struct Linked {
    repository: Repository,
    tags: Vec<Tagged>,
    /// The manifests that it may serve.
    revisions: Vec<Link>,
    layers: Vec<Link>,
}

struct Tagged {
    tag: Tag,
    current: Digest,
    history: BTreeSet<Digest>,
    path: PathBuf,
}

impl Linked {
    /// The manifests that it names: those its tags point at and all its revisions.
    pub(super) fn manifests(&self) -> impl Iterator<Item = Digest> {
        self.tags.iter().map(|tag| tag.current).chain(self.revisions.iter().map(|link| link.target))
    }
}

/// Finds and reads all repositories, in the order of their names.
pub(super) fn scan(root: &Path, scan: &mut Scan) -> Vec<Linked> {
    let folders = find(root, &mut scan.findings);
    let read: Vec<_> = folders.par_iter().map(|folder| read(root, folder)).collect();
    let mut repositories = Vec::new();
    for (repository, findings) in read {
        scan.findings.extend(findings);
        repositories.extend(repository);
    }
    repositories
}

/// The folders that hold `_manifests` or `_layers`; repositories may lie inside one another.
fn find(root: &Path, findings: &mut Vec<Finding>) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let mut walk = WalkDir::new(root).min_depth(1).into_iter();
    while let Some(entry) = walk.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let path = error.path().unwrap_or(root).to_owned();
                findings.push(Finding::at(Kind::Unreadable, path).found(error));
                continue;
            }
        };
        let name = entry.file_name().to_string_lossy();
        if !entry.file_type().is_dir() || !name.starts_with('_') {
            continue;
        }
        walk.skip_current_dir();
        if matches!(&*name, "_manifests" | "_layers") {
            found.extend(entry.path().parent().map(Path::to_owned));
        }
    }
    found
}

fn read(root: &Path, folder: &Path) -> (Option<Linked>, Vec<Finding>) {
    let mut findings = Vec::new();
    let relative = folder.strip_prefix(root).unwrap_or(folder);
    let repository: Repository = match relative.to_string_lossy().parse() {
        Ok(repository) => repository,
        Err(error) => return (None, vec![Finding::at(Kind::InvalidName, folder).found(error)]),
    };
    let manifests = folder.join("_manifests");
    let mut tags = Vec::new();
    for (name, path) in subfolders(&manifests.join("tags"), &mut findings) {
        match name.parse() {
            Ok(tag) => tags.extend(read_tag(&repository, tag, &path, &mut findings)),
            Err(error) => findings.push(Finding::at(Kind::InvalidName, path).found(error)),
        }
    }
    let revisions = links::read_folder(&manifests.join("revisions"), &mut findings);
    let layers = links::read_folder(&folder.join("_layers"), &mut findings);
    (Some(Linked { repository, tags, revisions, layers }), findings)
}

fn read_tag(repository: &Repository, tag: Tag, folder: &Path, findings: &mut Vec<Finding>) -> Option<Tagged> {
    let path = folder.join("current/link");
    let name =
        || Reference { host: None, repository: repository.clone(), identifier: Identifier::Tag(tag.clone()) };
    match links::read(&path) {
        Ok(Some(current)) => {
            let history = links::read_folder(&folder.join("index"), findings);
            let history = history.into_iter().map(|link| link.name).collect();
            Some(Tagged { tag, current, history, path })
        }
        Ok(None) => {
            findings.push(Finding::at(Kind::EmptyTag, folder).breaks(&name()));
            None
        }
        Err(finding) => {
            findings.push(finding.breaks(&name()));
            None
        }
    }
}

/// Gives the images their names: tags, and the digests of those revisions that nothing else leads to.
pub(super) fn name_images(repositories: Vec<Linked>, scan: &mut Scan) {
    for linked in repositories {
        let Linked { repository, tags, revisions, layers } = linked;
        let catalog = &mut scan.catalog;
        let mut reached: BTreeSet<Digest> = revisions
            .iter()
            .filter_map(|link| catalog.manifests.get(&link.target))
            .flat_map(|manifest| manifest.manifests.iter().map(|child| child.digest))
            .collect();
        reached.extend(tags.iter().map(|tag| tag.current));
        let named = tags.into_iter().map(|tag| {
            let image = Image { digest: tag.current, history: tag.history, origin: tag.path };
            (Identifier::Tag(tag.tag), image)
        });
        let untagged = revisions.into_iter().filter(|link| !reached.contains(&link.target)).map(|link| {
            let image = Image { digest: link.target, history: BTreeSet::new(), origin: link.path };
            (Identifier::Digest(link.target), image)
        });
        for (identifier, image) in named.chain(untagged) {
            let reference = Reference { host: None, repository: repository.clone(), identifier };
            if catalog.manifests.contains_key(&image.digest) {
                catalog.images.insert(reference, image);
            } else {
                scan.findings.push(no_manifest(catalog, &reference, &image));
            }
        }
        let grants = layers.iter().map(|link| (link.name, link.target)).collect();
        for link in layers {
            catalog.orphans.remove(&link.target);
            alias(catalog, &link);
        }
        catalog.grants.insert(repository, grants);
    }
    let manifests: Vec<_> = scan.catalog.manifests.keys().copied().collect();
    for digest in manifests {
        scan.catalog.orphans.remove(&digest);
    }
}

/// A blob that was uploaded under another algorithm lies under the digest its link holds, and answers to both.
fn alias(catalog: &mut Catalog, link: &Link) {
    if link.name != link.target
        && let Some(blob) = catalog.blobs.get(&link.target).cloned()
    {
        blob.files.into_iter().for_each(|file| catalog.add_file(link.name, file));
    }
}

/// Why a name leads to no manifest: it is not there, or what is there was found to be unusable.
fn no_manifest(catalog: &Catalog, reference: &Reference, image: &Image) -> Finding {
    let kind =
        if catalog.blobs.contains_key(&image.digest) { Kind::InvalidManifest } else { Kind::MissingManifest };
    Finding::at(kind, &image.origin).of(image.digest).expected(image.digest).breaks(reference)
}
