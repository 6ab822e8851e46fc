//! What is wrong with a tree as it lies: every byte, every link, every folder that its readers rely on.
//!
//! Unlike a conversion, which needs one sound copy of each blob from anywhere, an audit holds every image to
//! the files that its own readers will open.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;

use crate::catalog::{Catalog, Image};
use crate::damage;
use crate::digest::Digest;
use crate::finding::{self, Finding, Kind, Severity};
use crate::hash::OnBytes;
use crate::layout::{Content, Entry, Stage, Tree};
use crate::present::{self, Present};
use crate::reference::Reference;
use crate::verify::{self, Claims, Depth, Verdicts};

/// What an audit found, and what it looked at.
#[derive(Debug, Default)]
pub struct Audit {
    /// Everything that is wrong or worth knowing.
    pub findings: Vec<Finding>,
    /// Files of content that were checked, hard links as one.
    pub files: u64,
    /// Bytes that were hashed, those of hard links once.
    pub bytes: u64,
    /// Digests that were checked.
    pub digests: u64,
}

/// Checks trees; with [`Depth::Sizes`] all but the hashes.
///
/// # Errors
/// When the system refuses to say what is there.
pub fn audit(trees: &[Tree], depth: Depth, on_bytes: OnBytes) -> Result<Audit> {
    // What trees share by hard link is read once for all of them.
    let claims = claims(trees);
    let verdicts = verify::verify(&claims, depth, on_bytes);
    let mut audit = Audit::default();
    for tree in trees {
        audit.findings.extend(faults(tree, &verdicts)?);
    }
    let files = claims.iter().flat_map(|claim| &claim.placed);
    audit.files = files.map(|file| file.inode()).collect::<HashSet<_>>().len() as u64;
    audit.bytes = verdicts.hashed.bytes;
    audit.digests = claims.len() as u64;
    Ok(audit)
}

/// Every file claims what its name says; all of them have to keep their word.
fn claims(trees: &[Tree]) -> Claims<'static> {
    let catalogs = || trees.iter().map(|tree| &tree.scan.catalog);
    let mut claims = Claims::about(catalogs().flat_map(|catalog| catalog.blobs.keys().copied()));
    for Catalog { blobs, manifests, .. } in catalogs() {
        for (digest, blob) in blobs {
            let claim = claims.get_mut(digest);
            claim.into_iter().for_each(|claim| claim.placed.extend(blob.files.iter().cloned()));
        }
        for blob in manifests.values().flat_map(|manifest| manifest.blobs()) {
            claims.get_mut(&blob.digest).into_iter().for_each(|it| it.says(blob.size));
        }
    }
    claims
}

/// What is wrong with one tree, given what its files were found to hold.
fn faults(tree: &Tree, verdicts: &Verdicts) -> Result<Vec<Finding>> {
    let catalog = &tree.scan.catalog;
    let mut findings = tree.scan.findings.clone();
    // Where something could not be read, nothing is known to be needed by nobody.
    let is_read = !findings.iter().any(Finding::is_error);
    let lint = tree.layout.lint(&tree.root, catalog).into_iter();
    findings.extend(lint.filter(|finding| is_read || finding.kind != Kind::OrphanBlob));
    findings.extend(verdicts.faults().filter(|fault| fault.file.starts_with(&tree.root)).cloned());
    findings.extend(damage::misdescribed(catalog, &|digest| verdicts.size(digest)));
    let lacking = lacking(tree, &findings)?;
    findings.extend(lacking);

    let mut findings = attribute(catalog, &users_of_files(tree, &findings), findings);
    let lost = findings.iter().filter(|finding| finding.is_error()).filter_map(|finding| finding.digest);
    findings.extend(catalog.remarks(&lost.collect()));
    Ok(finding::settle(findings))
}

/// Which images rely on each file, and for which content.
type Users<'c> = HashMap<PathBuf, (Option<Digest>, BTreeSet<&'c Reference>)>;

/// The users of the files that have faults.
fn users_of_files<'t>(tree: &'t Tree, findings: &[Finding]) -> Users<'t> {
    let faulty: HashSet<&Path> =
        findings.iter().filter(|it| it.is_error()).map(|finding| finding.file.as_path()).collect();
    let mut users = Users::new();
    if faulty.is_empty() {
        return users;
    }
    let Tree { root, layout, scan, .. } = tree;
    let used = scan.catalog.images.par_iter().flat_map_iter(|(name, image)| {
        let entries = layout.standing(root, &scan.catalog, name, image).into_iter();
        let entries = entries.map(|entry| (entry.place.path_in(root), entry.content().digest()));
        entries.filter(|(path, _)| faulty.contains(path.as_path())).map(move |used| (name, used))
    });
    for (name, (path, digest)) in used.collect::<Vec<_>>() {
        let of_file = users.entry(path).or_default();
        of_file.0 = digest;
        of_file.1.insert(name);
    }
    users
}

/// What the images rely on and is not there, or is something else; what was told already is not told again.
fn lacking(tree: &Tree, told: &[Finding]) -> Result<Vec<Finding>> {
    let told: HashSet<&Path> = told.iter().map(|finding| finding.file.as_path()).collect();
    let images: Vec<(&Reference, &Image)> = tree.scan.catalog.images.iter().collect();
    // Images of one repository stand on much the same.
    let alike: Vec<_> =
        images.chunk_by(|(a, _), (b, _)| (&a.host, &a.repository) == (&b.host, &b.repository)).collect();
    let lacking = alike.par_iter().map(|images| lacking_to(tree, images, &told));
    Ok(lacking.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect())
}

/// What these images lack.
fn lacking_to(tree: &Tree, images: &[(&Reference, &Image)], told: &HashSet<&Path>) -> Result<Vec<Finding>> {
    let Tree { root, layout, scan, .. } = tree;
    let standing = images.iter().flat_map(|(name, image)| layout.standing(root, &scan.catalog, name, image));
    // A tag's history is for people: no reader needs it. What the scan has seen is there.
    let is_asked = |entry: &Entry| entry.stage != Stage::History && !was_seen(tree, entry);
    let mut entries: Vec<Entry> = standing.filter(is_asked).collect();
    entries.sort_unstable_by(|a, b| a.place.cmp(&b.place));
    entries.dedup_by(|a, b| a.place == b.place);
    let present = present::look(root, &entries)?;
    let mut findings = Vec::new();
    for (entry, present) in entries.iter().zip(present) {
        let path = entry.place.path_in(root);
        if !told.contains(path.as_path()) {
            findings.extend(lack(&path, &entry.content(), present));
        }
    }
    Ok(findings)
}

/// Whether the scan looked at the file of a blob.
fn was_seen(tree: &Tree, entry: &Entry) -> bool {
    let Content::Blob(digest) = entry.content() else { return false };
    let path = entry.place.path_in(&tree.root);
    tree.scan.catalog.files_of(&digest).iter().any(|file| file.path() == path)
}

fn lack(path: &Path, content: &Content, present: Present) -> Option<Finding> {
    let is_missing = matches!(present, Present::Missing { .. });
    let kind = match content {
        _ if matches!(present, Present::Same | Present::Blob(_)) => return None,
        Content::Text(_) => Kind::OddVersion,
        _ if matches!(present, Present::Blocked(_)) => Kind::NotAFile,
        _ if matches!(present, Present::Unreadable(_)) => Kind::Unreadable,
        Content::Folder => Kind::MissingFolder,
        Content::Link(_) if is_missing => Kind::MissingLink,
        Content::Link(_) => Kind::OtherLink,
        Content::Manifest(_) if is_missing => Kind::MissingManifest,
        Content::Manifest(_) => Kind::CorruptBlob,
        Content::Blob(_) | Content::Inline(_) if is_missing => Kind::MissingBlob,
        Content::Blob(_) | Content::Inline(_) => Kind::NotAFile,
    };
    let mut finding = Finding::at(kind, path);
    if let Some(digest) = content.digest() {
        finding = finding.of(digest).expected(digest);
    }
    Some(match present {
        Present::Blocked(what) => finding.found(what),
        Present::Unreadable(code) => finding.found(io::Error::from_raw_os_error(code)),
        _ => finding,
    })
}

/// Tells each finding which images it breaks: those that rely on its file, or else on its content.
fn attribute(catalog: &Catalog, users: &Users, findings: Vec<Finding>) -> Vec<Finding> {
    let by_digest = if findings.iter().any(|finding| finding.is_error() && finding.digest.is_some()) {
        catalog.users()
    } else {
        HashMap::new()
    };
    let attributed = findings.into_iter().map(|mut finding| {
        if !finding.is_error() {
            return finding;
        }
        if let Some((digest, users)) = users.get(&finding.file)
            && (finding.digest.is_none() || finding.digest == *digest)
        {
            finding.images.extend(users.iter().map(|&reference| reference.clone()));
        }
        if let Some(digest) = finding.digest.filter(|_| finding.images.is_empty()) {
            let users = by_digest.get(&digest).into_iter().flatten();
            finding.images.extend(users.map(|&reference| reference.clone()));
            let is_content = matches!(
                finding.kind,
                Kind::CorruptBlob
                    | Kind::WrongSize
                    | Kind::NotAFile
                    | Kind::Unreadable
                    | Kind::InvalidManifest
            );
            if finding.images.is_empty() && is_content {
                finding = Finding { kind: Kind::SpoiledOrphan, severity: Severity::Warning, ..finding };
            }
        }
        finding
    });
    attributed.collect()
}
