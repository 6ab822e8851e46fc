//! Takes content out of a package that passes by.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::Path;

use anyhow::Result;
use rayon::prelude::*;

use super::Outcome;
use crate::catalog::Catalog;
use crate::digest::{Digest, Hasher};
use crate::disk::{Aside, Copy, Destination};
use crate::finding::{self, Finding};
use crate::layout::package::{Passing, check_manifest};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::plan::Plan;

/// Puts the content of a package in place while it passes; every byte of it is hashed, wanted or not, and nothing
/// has its place before all of it was found sound. The catalog has the manifests, for [`names`](super::names).
///
/// A finding tells what is wrong with the package; then nothing was changed.
///
/// # Errors
/// When the destination cannot be written.
pub fn receive<R: Read>(
    plan: &Plan,
    mut package: Passing<R>,
    described: &Catalog,
    destination: &Destination,
    on_placed: &(dyn Fn() + Sync),
) -> Result<Result<(Outcome, Catalog), Finding>> {
    let targets: BTreeMap<Digest, &Path> = plan
        .placements
        .iter()
        .flat_map(|placement| placement.targets.iter().map(|target| (placement.digest, target.as_path())))
        .collect();
    let mut catalog = Catalog::default();
    let mut outcome = Outcome::default();
    let mut held_back: Vec<Aside> = Vec::new();
    loop {
        let (digest, size) = match package.advance() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(finding) => return Ok(Err(finding)),
        };
        let mut hasher = Hasher::new(digest.algorithm());
        let listed = described.manifests.get(&digest);
        let mut manifest = listed.map(|_| Vec::new());
        let mut aside = None;
        let hash = |bytes: &[u8]| hasher.update(bytes);
        let read = match targets.get(&digest) {
            Some(target) => {
                let mut length = 0;
                let accept = |count| {
                    length = count;
                    count == size
                };
                match destination.copy(|sink| package.content(size, sink), target, hash, accept)? {
                    Copy::Done(copy) => {
                        aside = Some(copy);
                        Ok(length)
                    }
                    Copy::Refused => Ok(length),
                    Copy::Unreadable(error) => Err(error),
                }
            }
            None => {
                let mut hash = hash;
                package.content(size, |bytes| {
                    hash(bytes);
                    keep(&mut manifest, bytes)
                })
            }
        };
        let length = match read {
            Ok(length) => length,
            Err(error) => return Ok(Err(finding::unreadable(&package.path, &error).of(digest))),
        };
        let found = hasher.finish();
        // What is cut short is told by what comes next: its end.
        if length == size && found != digest {
            return Ok(Err(finding::corrupt(&package.path, digest, found)));
        }
        outcome.hashed.add(length);
        if let Some(copy) = aside {
            outcome.copied.add(size);
            held_back.push(copy);
            on_placed();
        }
        if let Some((bytes, listed)) = manifest.zip(listed).filter(|_| length == size) {
            if let Err(finding) = check_manifest(&package.path, digest, &bytes, listed) {
                return Ok(Err(finding));
            }
            catalog.inline.insert(digest, bytes.into_boxed_slice());
        }
    }
    held_back.into_par_iter().try_for_each(|aside| destination.place(aside).map(drop))?;
    Ok(Ok((outcome, catalog)))
}

/// Keeps a manifest's bytes, as many as a manifest may have.
fn keep(manifest: &mut Option<Vec<u8>>, bytes: &[u8]) -> io::Result<()> {
    if let Some(manifest) = manifest {
        manifest.extend_from_slice(bytes);
        if manifest.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a manifest that is too long"));
        }
    }
    Ok(())
}
