//! What is wrong with a tree as it lies: every byte, every link, every folder that its readers rely on.
//!
//! Unlike a conversion, which needs one sound copy of each blob from anywhere, an audit holds every image to
//! the files that its own readers will open.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::catalog::Catalog;
use crate::damage;
use crate::digest::Digest;
use crate::finding::{self, Finding, Kind, Severity};
use crate::hash::OnBytes;
use crate::layout::{Content, Entry, Stage, Tree};
use crate::present::{self, Present};
use crate::reference::Reference;
use crate::verify::{self, Claim, Depth, Verdict};

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
    let files = claims.iter().flat_map(|(_, claim)| &claim.placed);
    audit.files = files.map(|file| file.inode).collect::<HashSet<_>>().len() as u64;
    audit.bytes = verdicts.values().map(|verdict| verdict.hashed.bytes).sum();
    audit.digests = claims.len() as u64;
    Ok(audit)
}

/// Every file claims what its name says; all of them have to keep their word.
fn claims(trees: &[Tree]) -> Vec<(Digest, Claim)> {
    let mut claims: BTreeMap<Digest, Claim> = BTreeMap::new();
    for Catalog { blobs, manifests, .. } in trees.iter().map(|tree| &tree.scan.catalog) {
        for (digest, blob) in blobs {
            claims.entry(*digest).or_default().placed.extend(blob.files.iter().cloned());
        }
        for blob in manifests.values().flat_map(|manifest| manifest.blobs()) {
            if let Some(claim) = claims.get_mut(&blob.digest) {
                claim.sizes.extend(blob.size);
            }
        }
    }
    claims.into_iter().collect()
}

/// What is wrong with one tree, given what its files were found to hold.
fn faults(tree: &Tree, verdicts: &HashMap<Digest, Verdict>) -> Result<Vec<Finding>> {
    let catalog = &tree.scan.catalog;
    let standing = tree.layout.standing(&tree.root, catalog);
    let mut findings = tree.scan.findings.clone();
    // Where something could not be read, nothing is known to be needed by nobody.
    let is_read = !findings.iter().any(Finding::is_error);
    let lint = tree.layout.lint(&tree.root, catalog).into_iter();
    findings.extend(lint.filter(|finding| is_read || finding.kind != Kind::OrphanBlob));
    let unsound = verdicts.values().flat_map(|verdict| &verdict.faults);
    findings.extend(unsound.filter(|fault| fault.file.starts_with(&tree.root)).cloned());
    findings.extend(damage::misdescribed(catalog, &|digest| verdicts.get(digest)?.size()));
    findings.extend(lacking(&tree.root, &standing, &findings)?);

    let mut findings = attribute(catalog, &users_of_files(&tree.root, &standing), findings);
    let lost = findings.iter().filter(|finding| finding.is_error()).filter_map(|finding| finding.digest);
    findings.extend(catalog.remarks(&lost.collect()));
    Ok(finding::settle(findings))
}

/// Which images rely on each file, and for which content.
type Users<'s> = HashMap<PathBuf, (Option<Digest>, BTreeSet<&'s Reference>)>;

fn users_of_files<'s>(root: &Path, standing: &'s [(Reference, Vec<Entry>)]) -> Users<'s> {
    let mut users = Users::new();
    for (reference, entries) in standing {
        for entry in entries {
            let of_file = users.entry(root.join(&entry.path)).or_default();
            of_file.0 = entry.content.digest();
            of_file.1.insert(reference);
        }
    }
    users
}

/// What the images rely on and is not there, or is something else; what was told already is not told again.
fn lacking(root: &Path, standing: &[(Reference, Vec<Entry>)], told: &[Finding]) -> Result<Vec<Finding>> {
    let told: HashSet<&Path> = told.iter().map(|finding| finding.file.as_path()).collect();
    let mut seen = HashSet::new();
    let entries = standing.iter().flat_map(|(_, entries)| entries);
    // A tag's history is for people: no reader needs it.
    let needed = entries.filter(|entry| entry.stage != Stage::History && seen.insert(entry.path.as_path()));
    let entries: Vec<Entry> = needed.cloned().collect();
    let present = present::look(root, &entries)?;
    let mut findings = Vec::new();
    for (entry, present) in entries.iter().zip(present) {
        let path = root.join(&entry.path);
        if !told.contains(path.as_path()) {
            findings.extend(lack(&path, &entry.content, present));
        }
    }
    Ok(findings)
}

fn lack(path: &Path, content: &Content, present: Present) -> Option<Finding> {
    let is_missing = matches!(present, Present::Missing);
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
    let by_digest = if findings.iter().any(|finding| finding.digest.is_some()) {
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
