//! What lies in a layout and belongs to no image.

use std::collections::HashSet;
use std::path::Path;

use walkdir::WalkDir;

use super::find;
use crate::catalog::Catalog;
use crate::disk;
use crate::finding::{Finding, Kind};

/// Finds leftovers, and blobs that no image of the tree needs.
pub(super) fn lint(root: &Path, catalog: &Catalog) -> Vec<Finding> {
    let needed: HashSet<_> = catalog.contents().into_keys().collect();
    let orphans = catalog.blobs.iter().filter(|(digest, _)| !needed.contains(digest));
    let orphans = orphans.flat_map(|(digest, blob)| blob.files.iter().map(|file| (*digest, file)));
    let mut findings: Vec<Finding> =
        orphans.map(|(digest, file)| Finding::at(Kind::OrphanBlob, file.path()).of(digest)).collect();
    for layout in find::layouts(root, &mut Vec::new()) {
        let inside =
            WalkDir::new(&layout).min_depth(1).max_depth(1).sort_by_file_name().into_iter().flatten();
        let left = inside.filter(|entry| disk::is_staging(&entry.file_name().to_string_lossy()));
        findings.extend(left.map(|entry| Finding::at(Kind::Leftover, entry.path())));
    }
    findings
}
