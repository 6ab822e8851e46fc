//! Takes content out of a package that passes by.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io::{self, Read, Write};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::restore::{Origin, PutAside, Restoration, restore};
use super::{Outcome, keep};
use crate::catalog::Catalog;
use crate::delta::document::Bytes;
use crate::digest::{Digest, Hasher};
use crate::disk::{Aside, Copy, Destination, File, Scratch};
use crate::finding::{self, Finding};
use crate::layout::package::{Passing, check_manifest};
use crate::plan::Plan;
use crate::text::shown;

/// Puts the content of a package in place while it passes; every byte of it is hashed, wanted or not, and nothing
/// has its place before all of it was found sound. The catalog has the manifests, for [`names`](super::names).
///
/// `there` finds content that is at the destination, for what is restored from it. Findings tell what is wrong
/// with the package; then nothing was changed.
///
/// # Errors
/// When the destination cannot be written.
pub fn receive<R: Read>(
    plan: &Plan,
    mut package: Passing<R>,
    described: &Catalog,
    destination: &Destination,
    there: &(dyn Fn(&Digest) -> Option<File> + Sync),
    on_placed: &(dyn Fn() + Sync),
) -> Result<Result<(Outcome, Catalog), Vec<Finding>>> {
    let targets = plan.target_paths();
    let restored = package.bill.restores.iter().filter(|it| targets.contains_key(&it.digest));
    let mut deltas = Deltas::await_these(restored.map(|it| it.delta.digest).collect(), plan, destination)?;
    let mut catalog = Catalog::default();
    let mut outcome = Outcome::default();
    let mut held_back: BTreeMap<Digest, Aside> = BTreeMap::new();
    loop {
        let (digest, size) = match package.advance() {
            Ok(Some(next)) => next,
            Ok(None) => break,
            Err(finding) => return Ok(Err(vec![finding])),
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
                let mut delta = deltas.begin(digest, size);
                let mut write_error = None;
                let read = package.content(size, |bytes| {
                    hash(bytes);
                    if let Some(scratch) = &mut delta
                        && let Err(error) = scratch.write_all(bytes)
                    {
                        write_error = Some(error);
                        return Err(io::ErrorKind::Other.into());
                    }
                    keep(&mut manifest, bytes)
                });
                if let Some(error) = write_error {
                    let message = || format!("cannot put anything aside in {}", shown(&plan.root));
                    return Err(error).with_context(message);
                }
                read
            }
        };
        let length = match read {
            Ok(length) => length,
            Err(error) => return Ok(Err(vec![finding::unreadable(&package.path, &error).of(digest)])),
        };
        let found = hasher.finish();
        // What is cut short is told by what comes next: its end.
        if length == size && found != digest {
            return Ok(Err(vec![finding::corrupt(&package.path, digest, found)]));
        }
        outcome.hashed.add(length);
        if let Some(copy) = aside {
            outcome.copied.add(size);
            held_back.insert(digest, copy);
            on_placed();
        }
        if let Some((bytes, listed)) = manifest.zip(listed).filter(|_| length == size) {
            if let Err(finding) = check_manifest(&package.path, digest, &bytes, listed) {
                return Ok(Err(vec![finding]));
            }
            catalog.inline.insert(digest, bytes.into_boxed_slice());
        }
    }

    let Passing { bill, path, .. } = &package;
    let origin = Passed { deltas: &deltas, held_back: &held_back, there };
    let restoration = Restoration { bill, package: path, origin: &origin };
    let (restored, made) = match restore(plan, &restoration, destination, on_placed)? {
        Ok(restored) => restored,
        Err(findings) => return Ok(Err(findings)),
    };
    outcome += restored;
    let all: Vec<Aside> = held_back.into_values().chain(made).collect();
    all.into_par_iter().try_for_each(|aside| destination.place(aside).map(drop))?;
    Ok(Ok((outcome, catalog)))
}

/// Deltas that were put aside while they passed: what they take from may come later.
struct Deltas {
    /// Nothing, where none is awaited.
    scratch: Option<Scratch>,
    awaited: BTreeSet<Digest>,
    /// Where each begins, and how long it is.
    places: HashMap<Digest, (u64, u64)>,
}

/// What has passed, and what was there before.
struct Passed<'a> {
    deltas: &'a Deltas,
    held_back: &'a BTreeMap<Digest, Aside>,
    there: &'a (dyn Fn(&Digest) -> Option<File> + Sync),
}

impl Origin for Passed<'_> {
    fn delta(&self, delta: &Digest) -> Option<Box<dyn Bytes + '_>> {
        self.deltas.read(delta)
    }

    fn base(&self, base: &Digest) -> Option<File> {
        match self.held_back.get(base) {
            Some(aside) => aside.file().ok(),
            None => (self.there)(base),
        }
    }
}

impl Deltas {
    fn await_these(awaited: BTreeSet<Digest>, plan: &Plan, destination: &Destination) -> Result<Self> {
        let scratch = match awaited.is_empty() {
            true => None,
            false => {
                let made = destination.scratch_for(&plan.root);
                Some(made.with_context(|| format!("cannot put anything aside in {}", shown(&plan.root)))?)
            }
        };
        Ok(Self { scratch, awaited, places: HashMap::new() })
    }

    /// The file to write a delta to, if it is one that is awaited.
    fn begin(&mut self, digest: Digest, size: u64) -> Option<&mut Scratch> {
        let scratch = self.scratch.as_mut().filter(|_| self.awaited.contains(&digest))?;
        self.places.insert(digest, (scratch.len(), size));
        Some(scratch)
    }

    fn read(&self, delta: &Digest) -> Option<Box<dyn Bytes + '_>> {
        let &(begin, size) = self.places.get(delta)?;
        Some(Box::new(PutAside { scratch: self.scratch.as_ref()?, begin, size }))
    }
}
