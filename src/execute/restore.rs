//! Restores content from deltas, and from what the destination has.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::Outcome;
use crate::delta::document::{Bytes, Document};
use crate::delta::restore;
use crate::delta::script::is_odd;
use crate::digest::{Digest, Hasher};
use crate::disk::{Aside, Copy, Destination, File};
use crate::finding::{self, Finding, Kind};
use crate::hash;
use crate::layout::package::{self, Bill};
use crate::plan::Plan;
use crate::text::shown;
use crate::work::{self, Budget};

/// How much memory may be taken by content that is restored at the same time, in bytes.
const MEMORY: u64 = 96 << 20;

/// Where deltas are, and what they take from.
pub trait Origin: Sync {
    /// A delta, by its own name.
    fn delta(&self, delta: &Digest) -> Option<Box<dyn Bytes + '_>>;

    /// Content that is at the destination or in the package.
    fn base(&self, base: &Digest) -> Option<File>;
}

/// What was restored, and has no place yet.
type Made = (Outcome, Vec<Aside>);

/// What is to be restored from where.
pub struct Restoration<'a> {
    /// What says which content is made of what.
    pub bill: &'a Bill,
    /// What the package is called in findings.
    pub package: &'a Path,
    /// Where the deltas are, and what they take from.
    pub origin: &'a dyn Origin,
}

/// Restores all that the plan lacks of it; nothing has its place yet.
///
/// Findings tell what is wrong with a delta, or with what it takes from.
///
/// # Errors
/// When the destination cannot be written.
pub fn restore(
    plan: &Plan,
    restoration: &Restoration,
    destination: &Destination,
    on_placed: &(dyn Fn() + Sync),
) -> Result<Result<Made, Vec<Finding>>> {
    let targets = plan.target_paths();
    let budget = Budget::new(MEMORY);
    let mut outcome = Outcome::default();
    let mut asides = Vec::new();
    let mut made: HashMap<Digest, File> = HashMap::new();
    let mut findings = Vec::new();
    for round in restoration.bill.rounds().map_err(anyhow::Error::msg)? {
        let wanted: Vec<(&package::Restored, &Path)> =
            round.into_iter().filter_map(|it| Some((it, targets.get(&it.digest)?.as_path()))).collect();
        let one = |(restored, target): &(&package::Restored, &Path)| {
            let task = Task { restored, target, restoration, destination, made: &made };
            task.run(&budget).inspect(|_| on_placed())
        };
        let results = work::largest_first(&wanted, |(restored, _)| restored.size, one);
        for ((restored, _), result) in wanted.iter().zip(results) {
            match result? {
                Ok(aside) => {
                    outcome.restored.add(restored.size);
                    outcome.hashed.add(restored.size);
                    made.insert(restored.digest, aside.file()?);
                    asides.push(aside);
                }
                Err(found) => findings.extend(found),
            }
        }
        if !findings.is_empty() {
            return Ok(Err(findings));
        }
    }
    Ok(Ok((outcome, asides)))
}

/// One piece of content to restore.
struct Task<'a> {
    restored: &'a package::Restored,
    target: &'a Path,
    restoration: &'a Restoration<'a>,
    destination: &'a Destination,
    made: &'a HashMap<Digest, File>,
}

/// Its bases, each with its name.
type Bases = Vec<(Digest, File)>;

impl Task<'_> {
    fn run(&self, budget: &Budget) -> Result<Result<Aside, Vec<Finding>>> {
        let package::Restored { digest, delta, bases, .. } = self.restored;
        let Some(bytes) = self.restoration.origin.delta(&delta.digest) else {
            return Ok(Err(vec![self.damaged("no delta")]));
        };
        let document = match Document::open(&*bytes) {
            Ok(document) => document,
            Err(error) if is_odd(&error) => return Ok(Err(vec![self.damaged(error)])),
            Err(error) => {
                return Ok(Err(vec![finding::unreadable(self.restoration.package, &error).of(*digest)]));
            }
        };
        if !self.is_described_by(&document) {
            return Ok(Err(vec![self.damaged("a delta of something else")]));
        }
        let mut files = Vec::new();
        for (base, described) in bases.iter().zip(&document.header.bases) {
            let made = self.made.get(base).cloned();
            let Some(file) = made.or_else(|| self.restoration.origin.base(base)) else {
                let lack = Finding::at(Kind::MissingBase, self.target);
                return Ok(Err(vec![lack.of(*base).expected(base).found("nothing")]));
            };
            if file.size != described.size {
                return Ok(Err(vec![self.damaged("a delta from bases of other lengths")]));
            }
            files.push((*base, file));
        }
        budget.with(document.memory(), || self.restore(&document, files))
    }

    /// Whether a delta says the same of itself as the bill does.
    fn is_described_by(&self, document: &Document) -> bool {
        let package::Restored { digest, size, bases, aside, .. } = self.restored;
        let header = &document.header;
        let of_delta: Vec<Digest> = header.bases.iter().map(|base| base.digest).collect();
        let plain = header.bases.iter().map(|base| base.plain_size).fold(0, u64::saturating_add);
        header.blob.digest == *digest && header.blob.size == *size && of_delta == *bases && plain == *aside
    }

    fn restore(&self, document: &Document, files: Bases) -> Result<Result<Aside, Vec<Finding>>> {
        let package::Restored { digest, size, .. } = self.restored;
        let cannot = || format!("cannot restore {}", shown(self.target));
        let mut plain = Vec::new();
        for (base, (_, file)) in document.header.bases.iter().zip(&files) {
            let mut scratch = self.destination.scratch_for(self.target).with_context(cannot)?;
            match restore::uncompress(base, file, &mut scratch) {
                Ok(()) => plain.push(scratch),
                Err(error) if is_odd(&error) => return Ok(Err(self.blame(&files, &error))),
                Err(error) => return Err(error).with_context(cannot),
            }
        }
        let hasher = RefCell::new(Hasher::new(digest.algorithm()));
        let mut found = None;
        let copied = self.destination.copy(
            |sink| restore::blob(document, &plain, sink),
            self.target,
            |piece| hasher.borrow_mut().update(piece),
            |length| {
                found = Some(hasher.replace(Hasher::new(digest.algorithm())).finish());
                length == *size && found == Some(*digest)
            },
        )?;
        Ok(match copied {
            Copy::Done(aside) => Ok(aside),
            Copy::Refused => Err(self.blame(&files, &"a delta that restores something else")),
            Copy::Unreadable(error) if is_odd(&error) => Err(self.blame(&files, &error)),
            Copy::Unreadable(error) => return Err(error).with_context(cannot),
        })
    }

    /// Says what is wrong: the bases that are not what their names say, or, where all of them are, the delta.
    fn blame(&self, bases: &Bases, what: &dyn ToString) -> Vec<Finding> {
        let bad = bases.iter().filter_map(|(digest, file)| {
            match hash::digest_of(file, digest.algorithm(), &|_| {}) {
                Ok((found, _)) if found == *digest => None,
                Ok((found, _)) => Some(Finding {
                    kind: Kind::MissingBase,
                    ..finding::corrupt(&file.path(), *digest, found)
                }),
                Err(error) => Some(finding::unreadable(&file.path(), &error).of(*digest)),
            }
        });
        let bad: Vec<_> = bad.collect();
        if bad.is_empty() { vec![self.damaged(what.to_string())] } else { bad }
    }

    fn damaged(&self, found: impl ToString) -> Finding {
        Finding::at(Kind::DamagedPackage, self.restoration.package).of(self.restored.digest).found(found)
    }
}

/// A delta that was put aside.
pub(super) struct PutAside<'s> {
    /// The file that has it.
    pub scratch: &'s crate::disk::Scratch,
    /// Where it begins there.
    pub begin: u64,
    /// How long it is, in bytes.
    pub size: u64,
}

impl Bytes for PutAside<'_> {
    fn size(&self) -> u64 {
        self.size
    }

    fn range(&self, offset: u64, length: u64) -> io::Result<Box<dyn io::Read + '_>> {
        self.scratch.range(self.begin + offset, length)
    }
}
