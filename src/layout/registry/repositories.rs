//! Reads `repositories/`: what each repository's tags, revisions and layer links say.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::super::{Scan, claim};
use super::data_place;
use super::links::{self, Link, subfolders};
use super::paths::{LAYERS, MANIFESTS, REVISIONS, TAGS};
use crate::catalog::{Catalog, Image, Past};
use crate::digest::Digest;
use crate::disk::is_staging;
use crate::finding::{Finding, Kind, Severity};
use crate::reference::{Identifier, Reference, Repository, Tag};
use crate::text::shown;
use crate::work;

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
    history: Past,
    path: PathBuf,
}

impl Linked {
    fn only_layers(repository: Repository, folder: &Path, findings: &mut Vec<Finding>) -> Self {
        let layers = links::read_folder(&folder.join(LAYERS), findings);
        Self { repository, tags: Vec::new(), revisions: Vec::new(), layers: take(layers, findings) }
    }

    /// The manifests that it names: those its tags point at and all its revisions.
    pub(super) fn manifests(&self) -> impl Iterator<Item = Digest> {
        self.tags.iter().map(|tag| tag.current).chain(self.revisions.iter().map(|link| link.target))
    }
}

/// Finds and reads all repositories, in the order of their names.
pub(super) fn scan(root: &Path, scan: &mut Scan) -> Vec<Linked> {
    let folders: Vec<PathBuf> = find(root, &mut scan.findings).into_iter().collect();
    let mut repositories = Vec::new();
    let read = |folder: &PathBuf| read(root, folder);
    work::some_at_a_time(&folders, read, |(repository, findings)| {
        scan.findings.extend(findings);
        repositories.extend(repository);
    });
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
                findings.push(claim::unwalkable(root, &error));
                continue;
            }
        };
        let name = entry.file_name().to_string_lossy();
        if entry.file_type().is_symlink() {
            let finding = Finding::at(Kind::NotAFile, entry.path());
            findings.push(finding.expected("a folder").found("a symbolic link"));
        }
        if !entry.file_type().is_dir() || !(name.starts_with('_') || is_staging(&name)) {
            continue;
        }
        walk.skip_current_dir();
        if matches!(&*name, MANIFESTS | LAYERS) {
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
    // A symbolic link in a folder's place was told, and is not followed.
    let manifests = folder.join(MANIFESTS);
    if !links::is_folder(&manifests) {
        return (Some(Linked::only_layers(repository, folder, &mut findings)), findings);
    }
    let mut tags = Vec::new();
    let all = manifests.join(TAGS);
    for name in subfolders(&all, &mut findings).map(|(_, names)| names).into_iter().flatten() {
        match name.parse() {
            Ok(tag) => tags.extend(read_tag(&repository, tag, &all.join(name), &mut findings)),
            Err(error) => findings.push(Finding::at(Kind::InvalidName, all.join(name)).found(error)),
        }
    }
    let revisions = take(links::read_folder(&manifests.join(REVISIONS), &mut findings), &mut findings);
    let linked = Linked::only_layers(repository, folder, &mut findings);
    (Some(Linked { tags, revisions, ..linked }), findings)
}

/// Leaves the links that mean what their paths say.
fn take(mut links: Vec<Link>, findings: &mut Vec<Finding>) -> Vec<Link> {
    findings.extend(links.extract_if(.., |link| link.is_other()).map(|link| link.other()));
    links
}

fn read_tag(repository: &Repository, tag: Tag, folder: &Path, findings: &mut Vec<Finding>) -> Option<Tagged> {
    let path = folder.join("current/link");
    let name =
        Reference { host: None, repository: repository.clone(), identifier: Identifier::Tag(tag.clone()) };
    // What is in the folder is read only if it is a folder: a link in its place may lead elsewhere.
    let told = findings.len();
    let listed = subfolders(folder, findings);
    let inside = listed.as_ref().map(|(_, names)| names.as_slice()).unwrap_or_default();
    let has = |name: &str| inside.iter().any(|it| it == name);
    if inside.is_empty() && findings.len() > told {
        findings[told..].iter_mut().for_each(|finding| finding.images.extend([name.clone()]));
        return None;
    }
    let history = if has("index") { links::read_folder(&folder.join("index"), findings) } else { Vec::new() };
    let others = history.iter().filter(|link| link.is_other());
    findings.extend(others.map(|link| Finding { severity: Severity::Warning, ..link.other().breaks(&name) }));
    let current = match &listed {
        Some((folder, _)) if has("current") => links::read(folder, Path::new("current/link")),
        _ => Ok(None),
    };
    match current {
        Ok(Some(current)) => {
            let history = history.into_iter().map(|link| link.name).collect();
            Some(Tagged { tag, current, history, path })
        }
        Ok(None) if inside.is_empty() => {
            findings.push(Finding::at(Kind::EmptyTag, folder).breaks(&name));
            None
        }
        Ok(None) => {
            findings.push(Finding::at(Kind::TagWithoutLink, folder).breaks(&name));
            None
        }
        Err(finding) => {
            findings.push(finding.breaks(&name));
            None
        }
    }
}

/// Gives the images their names: tags, and the digests of those revisions that nothing else leads to.
pub(super) fn name_images(repositories: Vec<Linked>, root: &Path, scan: &mut Scan) {
    for linked in repositories {
        let Linked { repository, tags, revisions, mut layers } = linked;
        let children: BTreeSet<Digest> = revisions
            .iter()
            .map(|link| link.target)
            .chain(tags.iter().map(|tag| tag.current))
            .filter_map(|digest| scan.catalog.manifests.get(&digest))
            .flat_map(|manifest| manifest.manifests.iter().map(|child| child.digest))
            .collect();
        let currents: BTreeSet<Digest> = tags.iter().map(|tag| tag.current).collect();
        for tag in tags {
            let image = Image { digest: tag.current, history: tag.history, origin: tag.path };
            name_image(&repository, Some(Identifier::Tag(tag.tag)), image, root, scan);
        }
        for link in revisions.into_iter().filter(|link| !currents.contains(&link.target)) {
            // The child of a list is no image of its own, but has to be there all the same.
            let identifier = (!children.contains(&link.target)).then_some(Identifier::Digest(link.target));
            let image = Image { digest: link.target, history: Past::new(), origin: link.path() };
            name_image(&repository, identifier, image, root, scan);
        }
        let catalog = &mut scan.catalog;
        let dangling = layers.extract_if(.., |link| !catalog.blobs.contains_key(&link.target));
        scan.findings
            .extend(dangling.map(|link| Finding::at(Kind::DanglingLink, link.path()).of(link.target)));
        let grants = layers.iter().map(|link| (link.name, link.target)).collect();
        for link in layers {
            catalog.orphans.remove(&link.target);
            alias(catalog, &link);
        }
        catalog.grants.insert(repository, grants);
    }
    let Catalog { manifests, orphans, .. } = &mut scan.catalog;
    let blobs: HashSet<Digest> =
        manifests.values().flat_map(|manifest| manifest.blobs()).map(|blob| blob.digest).collect();
    orphans.retain(|digest| !manifests.contains_key(digest) && !blobs.contains(digest));
}

/// Takes in an image, if it has a name, or says why its manifest cannot be had.
fn name_image(
    repository: &Repository,
    identifier: Option<Identifier>,
    image: Image,
    root: &Path,
    scan: &mut Scan,
) {
    let reference =
        identifier.map(|identifier| Reference { host: None, repository: repository.clone(), identifier });
    scan.catalog.orphans.remove(&image.digest);
    if scan.catalog.manifests.contains_key(&image.digest) {
        scan.catalog.images.extend(reference.map(|reference| (reference, image)));
        return;
    }
    // What is there was found to be unusable, or there is nothing.
    let is_fault = |finding: &&mut Finding| finding.digest == Some(image.digest) && finding.is_error();
    if let Some(fault) = scan.findings.iter_mut().find(is_fault) {
        fault.images.extend(reference);
        return;
    }
    let found = format!("nothing, and {} names it", shown(&image.origin));
    let missing = Finding::at(Kind::MissingManifest, data_place(&image.digest).path_in(root));
    let missing = missing.of(image.digest).expected(image.digest).found(found);
    scan.findings.push(Finding { images: reference.into_iter().collect(), ..missing });
}

/// A blob that was uploaded under another algorithm lies under the digest its link holds, and answers to both.
fn alias(catalog: &mut Catalog, link: &Link) {
    if link.name != link.target
        && let Some(blob) = catalog.blobs.get(&link.target).cloned()
    {
        blob.files.into_iter().for_each(|file| catalog.add_file(link.name, file));
    }
}
