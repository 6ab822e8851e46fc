//! Reads `blobs/`: which files claim to hold which digest.

use std::path::Path;

use rayon::prelude::*;

use super::super::{Scan, claim};
use super::links::subfolders;
use crate::catalog::File;
use crate::digest::{Algorithm, Digest};
use crate::finding::Finding;

/// Takes in every blob; all of them are orphans until a repository claims them.
pub(super) fn scan(blobs: &Path, scan: &mut Scan) {
    for algorithm in Algorithm::ALL {
        let prefixes = subfolders(&blobs.join(algorithm.name()), &mut scan.findings);
        let read: Vec<_> = prefixes.par_iter().map(|(_, folder)| read_prefix(algorithm, folder)).collect();
        for (files, findings) in read {
            scan.findings.extend(findings);
            for (digest, file) in files {
                scan.catalog.add_file(digest, file);
                scan.catalog.orphans.insert(digest);
            }
        }
    }
}

fn read_prefix(algorithm: Algorithm, folder: &Path) -> (Vec<(Digest, File)>, Vec<Finding>) {
    let mut files = Vec::new();
    let mut findings = Vec::new();
    for (hex, folder) in subfolders(folder, &mut findings) {
        let Ok(digest) = Digest::from_hex(algorithm, &hex) else { continue };
        match claim::file(&folder.join("data"), digest) {
            Ok(file) => files.extend(file.map(|file| (digest, file))),
            Err(finding) => findings.push(finding),
        }
    }
    (files, findings)
}
