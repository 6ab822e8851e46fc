//! What a registry, or its garbage collection, stumbles over although no image shows it.
//!
//! Each rule is something that registries were seen to do: a file in `tags/` is listed as a tag; a file whose
//! name begins with `_` ends the search for repositories, and the blobs of those behind it are deleted; a file
//! called `data` outside a digest's folder, or a folder name outside the storage driver's alphabet
//! (distribution, `storagedriver.go`), stops the collection; link files are rewritten in place, and their hard
//! links with them.

use std::collections::HashSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::super::Layout;
use super::Registry;
use super::paths::{BLOBS, MANIFESTS, REPOSITORIES, TAGS, UPLOADS};
use crate::catalog::Catalog;
use crate::finding::{Finding, Kind, Severity};

/// Finds all of it.
pub(super) fn lint(root: &Path, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    let left = WalkDir::new(root).min_depth(1).max_depth(1).sort_by_file_name().into_iter().flatten();
    let left = left.filter(|entry| is_temporary(&entry.file_name().to_string_lossy()));
    findings.extend(left.map(|entry| Finding::at(Kind::Leftover, entry.path())));
    repositories(&root.join(REPOSITORIES), &mut findings);
    blobs(&root.join(BLOBS), catalog, &mut findings);
    findings
}

fn repositories(root: &Path, findings: &mut Vec<Finding>) {
    let mut walk = WalkDir::new(root).min_depth(1).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let Ok(entry) = entry else { continue }; // the scan has said that it cannot be read
        let name = entry.file_name().to_string_lossy();
        let parent = entry.path().parent().and_then(Path::file_name).unwrap_or_default();
        if parent == UPLOADS {
            findings.push(Finding::at(Kind::Leftover, entry.path()));
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
        } else if entry.file_type().is_dir() {
            if name == MANIFESTS && !entry.path().join(TAGS).is_dir() {
                // A registry itself leaves it so where nothing was tagged, and then refuses to delete what is
                // untagged.
                let missing = Finding::at(Kind::MissingFolder, entry.path().join(TAGS));
                findings.push(Finding { severity: Severity::Warning, ..missing });
            }
            if !is_in_alphabet(&name) && !is_tag_folder(&entry) {
                findings.push(Finding::at(Kind::InvalidName, entry.path()).found(format_args!("{name:?}")));
            }
        } else if is_tag_folder(&entry) || name.starts_with('_') {
            findings.push(Finding::at(Kind::StrayFile, entry.path()));
        } else if is_temporary(&name) {
            findings.push(Finding::at(Kind::Leftover, entry.path()));
        } else if name == "link" && entry.metadata().is_ok_and(|metadata| metadata.nlink() > 1) {
            let links = entry.metadata().map(|metadata| metadata.nlink()).unwrap_or_default();
            findings.push(Finding::at(Kind::LinkedLink, entry.path()).expected("1 link").found(links));
        }
    }
}

/// Whether an entry lies where only the folders of tags may lie.
fn is_tag_folder(entry: &DirEntry) -> bool {
    entry.path().parent().is_some_and(|parent| parent.ends_with(Path::new(MANIFESTS).join(TAGS)))
}

fn blobs(root: &Path, catalog: &Catalog, findings: &mut Vec<Finding>) {
    let told: HashSet<PathBuf> = findings.iter().map(|finding| finding.file.clone()).collect();
    for entry in WalkDir::new(root).min_depth(1).sort_by_file_name() {
        let Ok(entry) = entry else { continue };
        let name = entry.file_name().to_string_lossy();
        let is_claim = || is_claim(root, entry.path(), catalog) || told.contains(entry.path());
        if !entry.file_type().is_dir() && name == "data" && !is_claim() {
            findings.push(Finding::at(Kind::StrayFile, entry.path()));
        } else if is_temporary(&name) {
            findings.push(Finding::at(Kind::Leftover, entry.path()));
        }
    }
    for digest in &catalog.orphans {
        let files = catalog.blobs.get(digest).into_iter().flat_map(|blob| &blob.files);
        findings.extend(files.map(|file| Finding::at(Kind::OrphanBlob, file.path()).of(*digest)));
    }
}

/// Whether a file is one that the catalog has in its place.
fn is_claim(blobs: &Path, path: &Path, catalog: &Catalog) -> bool {
    let place = blobs.parent().and_then(|root| path.strip_prefix(root).ok());
    let digest = place.and_then(|place| Registry.content_at(place));
    digest.is_some_and(|digest| catalog.blobs.contains_key(&digest))
}

/// Whether the registry's storage driver accepts it as a part of a path.
fn is_in_alphabet(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

/// Whether it is the name of a temporary file, of a registry's or of ours.
fn is_temporary(name: &str) -> bool {
    name.ends_with(".tmp")
}
