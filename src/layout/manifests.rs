//! Reads the manifests that are named, and those that these list, to any depth.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::{Scan, claim};
use crate::digest::Digest;

/// Takes in every manifest once; level by level, each level in parallel.
pub(super) fn scan(named: impl Iterator<Item = Digest>, scan: &mut Scan) {
    let mut seen: BTreeSet<Digest> = named.collect();
    let mut level: Vec<Digest> = seen.iter().copied().collect();
    while !level.is_empty() {
        let blobs = &scan.catalog.blobs;
        let read = level.par_iter().filter_map(|digest| {
            let file = blobs.get(digest)?.files.first()?;
            Some((*digest, claim::manifest_in(file, *digest)))
        });
        let read: Vec<_> = read.collect();
        level.clear();
        for (digest, result) in read {
            match result {
                Ok(manifest) => {
                    let children = manifest.manifests.iter().map(|child| child.digest);
                    level.extend(children.filter(|child| seen.insert(*child)));
                    scan.catalog.manifests.insert(digest, manifest);
                }
                Err(finding) => scan.findings.push(finding),
            }
        }
    }
}
