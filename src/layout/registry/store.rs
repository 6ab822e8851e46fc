//! Reads `blobs/`: which files claim to hold which digest.

use std::path::Path;

use super::super::{Scan, claim};
use super::links::subfolders;
use crate::catalog::File;
use crate::digest::{Algorithm, Digest};
use crate::disk::{Below, Place};
use crate::finding::Finding;
use crate::work;

/// Takes in every blob; all of them are orphans until a repository claims them.
pub(super) fn scan(blobs: &Path, scan: &mut Scan) {
    let mut found = Vec::new();
    for algorithm in Algorithm::ALL {
        let folder = blobs.join(algorithm.name());
        let Some((_, prefixes)) = subfolders(&folder, &mut scan.findings) else { continue };
        let read = |prefix: &String| read_prefix(algorithm, &folder.join(prefix));
        work::some_at_a_time(&prefixes, read, |(files, findings)| {
            scan.findings.extend(findings);
            found.extend(files);
        });
    }
    scan.catalog.orphans = found.iter().map(|(digest, _)| *digest).collect();
    scan.catalog.add_files(found);
}

fn read_prefix(algorithm: Algorithm, path: &Path) -> (Vec<(Digest, File)>, Vec<Finding>) {
    let mut files = Vec::new();
    let mut findings = Vec::new();
    let Some((folder, hexes)) = subfolders(path, &mut findings) else { return (files, findings) };
    files.reserve_exact(hexes.len());
    for hex in hexes {
        let Ok(digest) = Digest::from_hex(algorithm, &hex) else { continue };
        let place = Place::new(folder.path().clone(), &hex).with(Below::Data);
        match claim::file_in(&folder, place, digest) {
            Ok(file) => files.extend(file.map(|file| (digest, file))),
            Err(finding) => findings.push(finding),
        }
    }
    (files, findings)
}
