//! Reads the manifests that repositories name, and those that these list, to any depth.

use std::collections::BTreeSet;

use rayon::prelude::*;

use super::super::{Scan, claim};
use super::repositories::Linked;
use crate::digest::Digest;

/// Takes in every manifest once; level by level, each level in parallel.
pub(super) fn scan(repositories: &[Linked], scan: &mut Scan) {
    let mut seen: BTreeSet<Digest> = repositories.iter().flat_map(Linked::manifests).collect();
    let mut level: Vec<Digest> = seen.iter().copied().collect();
    while !level.is_empty() {
        let blobs = &scan.catalog.blobs;
        let read = level.par_iter().filter_map(|digest| {
            let file = blobs.get(digest)?.files.first()?;
            Some((*digest, claim::manifest(&file.path, *digest)))
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
