//! What lies in image folders and belongs to no image.

use std::collections::HashSet;
use std::path::Path;

use walkdir::WalkDir;

use super::{MANIFEST, VERSION, blob_digest};
use crate::catalog::Catalog;
use crate::finding::{Finding, Kind};

/// Finds leftovers, and blobs that the manifests of their folder do not need.
pub(super) fn lint(root: &Path, catalog: &Catalog) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (reference, image) in &catalog.images {
        let closure = catalog.closure(image.digest);
        let needed: HashSet<_> =
            closure.blobs.keys().chain(closure.manifests.iter().map(|(digest, _)| digest)).collect();
        for entry in WalkDir::new(&image.origin).min_depth(1).max_depth(1).sort_by_file_name() {
            let Ok(entry) = entry else { continue };
            let name = entry.file_name().to_string_lossy();
            if is_leftover(&name) {
                findings.push(Finding::at(Kind::Leftover, entry.path()).breaks(reference));
            }
            if name == MANIFEST || name == VERSION || !entry.file_type().is_file() {
                continue;
            }
            let digest = blob_digest(name.strip_suffix(".manifest.json").unwrap_or(&name));
            if let Some(digest) = digest.filter(|digest| !needed.contains(digest)) {
                findings.push(Finding::at(Kind::OrphanBlob, entry.path()).of(digest).breaks(reference));
            }
        }
    }
    let top = WalkDir::new(root).min_depth(1).max_depth(1).sort_by_file_name().into_iter().flatten();
    let left = top.filter(|entry| is_leftover(&entry.file_name().to_string_lossy()));
    findings.extend(left.map(|entry| Finding::at(Kind::Leftover, entry.path())));
    findings
}

/// Whether a name is that of a temporary file of skopeo's or of ours.
fn is_leftover(name: &str) -> bool {
    name.starts_with("dir-put-blob") || name.ends_with(".tmp")
}
