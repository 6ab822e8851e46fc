//! Does what a plan says; the only caller of what writes.
//!
//! [`build`] makes aside what appears at once, [`content`] brings the rest of what has no name yet, [`names`] makes all
//! of it visible, once the content is durable. A name therefore never leads to something that is missing, killed or
//! not.

mod aside;
mod names;
mod receive;
mod restore;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::ops::AddAssign;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use rayon::prelude::*;
use serde::Serialize;

pub use aside::{Built, build};
pub use names::{names, remove};
pub use receive::receive;
pub use restore::{Origin, Restoration, restore};

use crate::catalog::Files;
use crate::digest::{Digest, Hasher};
use crate::disk::{self, Aside, Destination, File, Place, Share, Shared};
use crate::finding::{self, Finding, Kind};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::plan::{Placement, Plan};
use crate::tally::Tally;
use crate::verify::Verdicts;
use crate::work;

/// How to do it.
pub struct Means<'a> {
    /// How blobs may be shared.
    pub share: Share,
    /// Whether a copy is hashed while it is made.
    pub verifies: bool,
    /// Whether copies get their places only when all of them are complete.
    pub holds_back: bool,
    /// Is told of every place that got its blob.
    pub on_placed: &'a (dyn Fn() + Sync),
}

/// What was really done.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Blobs that became one more name of an inode.
    pub linked: Tally,
    /// Blobs that got an inode of their own on shared bytes.
    pub cloned: Tally,
    /// Blobs that were copied.
    pub copied: Tally,
    /// Blobs that were restored from deltas.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    pub restored: Tally,
    /// Small files that were written: manifests, links, markers.
    pub written_files: u64,
    /// Linked blobs that have another owner or mode than was asked for, because their inode is the source's.
    pub kept_owner: u64,
    /// Blobs that were hashed on the way.
    #[serde(skip)]
    pub hashed: Tally,
}

impl AddAssign for Outcome {
    fn add_assign(&mut self, other: Self) {
        self.linked += other.linked;
        self.cloned += other.cloned;
        self.copied += other.copied;
        self.restored += other.restored;
        self.written_files += other.written_files;
        self.kept_owner += other.kept_owner;
        self.hashed += other.hashed;
    }
}

/// Content that turned out to be unsound while it was copied, with no other copy to take its place.
#[derive(Debug, Default)]
pub struct Spoiled {
    /// The digests that are not at the destination.
    pub digests: BTreeSet<Digest>,
    /// Why; also of copies for which another took the place.
    pub faults: Vec<Finding>,
}

impl Spoiled {
    /// Takes in what was found of files before anything was copied.
    pub fn add(&mut self, verdicts: &Verdicts) {
        for verdict in verdicts.iter() {
            self.faults.extend(verdict.faults().iter().cloned());
            if verdict.sound().is_empty() {
                self.digests.insert(verdict.digest);
            }
        }
    }
}

/// Puts all content in place that no name points at yet.
///
/// # Errors
/// When the destination cannot be written.
pub fn content(plan: &Plan, destination: &Destination, means: &Means) -> Result<(Outcome, Spoiled)> {
    // What fails for one blob, such as a full disk, is not tried for all the others.
    let has_failed = AtomicBool::new(false);
    let placements: Vec<&Placement> = plan.placements.iter().filter(|it| !it.is_to_come()).collect();
    let placed = work::fold_largest_first(
        &placements,
        |placement| placement.size,
        || Ok(AllPlaced::default()),
        |placed: Result<AllPlaced>, placement| {
            let mut placed = placed?;
            if !has_failed.load(Ordering::Relaxed) {
                let one = place(placement, &plan.root, destination, means);
                placed.add(placement, one.inspect_err(|_| has_failed.store(true, Ordering::Relaxed))?);
            }
            Ok(placed)
        },
    );
    let mut all = AllPlaced::default();
    for placed in placed {
        all += placed?;
    }
    let AllPlaced { outcome, spoiled, held_back } = all;
    if spoiled.digests.is_empty() {
        held_back.into_par_iter().try_for_each(|aside| destination.place(aside).map(drop))?;
    }
    Ok((outcome, spoiled))
}

/// Keeps a manifest's bytes while they pass, as many as a manifest may have.
fn keep(manifest: &mut Option<Vec<u8>>, bytes: &[u8]) -> io::Result<()> {
    if let Some(manifest) = manifest {
        manifest.extend_from_slice(bytes);
        if manifest.len() as u64 > MAX_MANIFEST_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a manifest that is too long"));
        }
    }
    Ok(())
}

/// What became of one blob.
#[derive(Default)]
struct Placed {
    outcome: Outcome,
    faults: Vec<Finding>,
    /// Whether it is in all its places, or will be with what is held back.
    is_whole: bool,
    aside: Vec<Aside>,
}

/// What became of many.
#[derive(Default)]
struct AllPlaced {
    outcome: Outcome,
    spoiled: Spoiled,
    held_back: Vec<Aside>,
}

impl AllPlaced {
    fn add(&mut self, placement: &Placement, placed: Placed) {
        self.outcome += placed.outcome;
        self.spoiled.faults.extend(placed.faults);
        self.held_back.extend(placed.aside);
        if !placed.is_whole {
            self.spoiled.digests.insert(placement.digest);
        }
    }
}

impl AddAssign for AllPlaced {
    fn add_assign(&mut self, other: Self) {
        self.outcome += other.outcome;
        self.spoiled.faults.extend(other.spoiled.faults);
        self.spoiled.digests.extend(other.spoiled.digests);
        self.held_back.extend(other.held_back);
    }
}

/// Puts one blob into all its places: shared where possible, and copied once where not.
fn place(placement: &Placement, root: &Path, destination: &Destination, means: &Means) -> Result<Placed> {
    let mut placed =
        Placed { outcome: Outcome::default(), faults: Vec::new(), is_whole: true, aside: Vec::new() };
    let mut sound = Files::from(placement.sound());
    let mut unread = Files::from(placement.unread());
    for place in &placement.targets {
        let target = &place.path_in(root);
        let mut shared = None;
        if let Some(file) = sound.first() {
            own_folder(place, target, destination)?;
            shared = destination.share(file, target, means.share)?;
        }
        let outcome = &mut placed.outcome;
        match shared {
            Some(Shared::Linked) => {
                outcome.linked.add(placement.size);
                outcome.kept_owner += u64::from(!destination.is_as_asked(target)?);
            }
            Some(Shared::Cloned) => outcome.cloned.add(placement.size),
            None => {
                let sources = Sources { sound: &mut sound, unread: &mut unread };
                let copied = copy(placement.digest, sources, target, destination, means, &mut placed)?;
                let Some(copied) = copied else {
                    placed.is_whole = false;
                    return Ok(placed);
                };
                placed.outcome.copied.add(placement.size);
                if means.holds_back {
                    placed.aside.push(copied);
                } else {
                    // The copy lies on the destination's own file system: its siblings can be links to it.
                    sound.insert(0, destination.place(copied)?);
                }
            }
        }
        (means.on_placed)();
    }
    Ok(placed)
}

/// Creates the folder that a file has for itself, which nearly always has to be: whoever goes there first and finds
/// nothing has gone in vain.
fn own_folder(place: &Place, path: &Path, destination: &Destination) -> Result<()> {
    match path.parent() {
        Some(folder) if place.is_below() => destination.create_folder(folder),
        _ => Ok(()),
    }
}

/// The files that a blob may be copied from; those that turn out not to hold it are struck off.
struct Sources<'p> {
    sound: &'p mut Files,
    unread: &'p mut Files,
}

/// Copies a blob from the first source that holds it; `None` when none does.
fn copy(
    digest: Digest,
    sources: Sources,
    target: &Path,
    destination: &Destination,
    means: &Means,
    placed: &mut Placed,
) -> Result<Option<Aside>> {
    let Sources { sound, unread } = sources;
    let candidates: Vec<File> = sound.iter().chain(unread.iter()).cloned().collect();
    for source in candidates {
        let hasher = RefCell::new(means.verifies.then(|| Hasher::new(digest.algorithm())));
        let mut found = None;
        let copied = destination.copy(
            |sink| source.stream(sink),
            target,
            |piece| hasher.borrow_mut().iter_mut().for_each(|hasher| hasher.update(piece)),
            |length| {
                found = hasher.take().map(Hasher::finish);
                length == source.size && found.is_none_or(|found| found == digest)
            },
        )?;
        if found.is_some() {
            placed.outcome.hashed.add(source.size);
        }
        match copied {
            disk::Copy::Done(aside) => return Ok(Some(aside)),
            disk::Copy::Refused => placed.faults.push(match found {
                Some(found) => finding::corrupt(&source.path(), digest, found),
                None => Finding::at(Kind::WrongSize, source.path()).of(digest).expected(source.size),
            }),
            disk::Copy::Unreadable(error) => {
                placed.faults.push(finding::unreadable(&source.path(), &error).of(digest));
            }
        }
        let is_other = |file: &mut File| file.inode() != source.inode();
        sound.retain(is_other);
        unread.retain(is_other);
    }
    Ok(None)
}
