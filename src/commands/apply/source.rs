//! Where a package comes from: it lies there, or it passes by on standard input.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::Refused;
use crate::catalog::Catalog;
use crate::delta::document::Bytes;
use crate::digest::Digest;
use crate::disk::{self, Destination, File, Look, Share};
use crate::execute::{self, Means, Origin, Outcome, Restoration};
use crate::layout::package::{self, Bill, Opened, Passing};
use crate::layout::{Registry, Scan};
use crate::plan::Plan;
use crate::tally::sum;
use crate::text::shown;

/// A package that was opened.
pub(super) enum Source {
    /// It lies in files, which can be read in any order.
    Lying(Opened, Box<Catalog>),
    /// It is read once, from its beginning to its end.
    Passing(Passing<io::StdinLock<'static>>),
}

impl Source {
    /// Opens a package; `-` is standard input.
    pub(super) fn open(path: &Path) -> Result<Result<Self, Refused>> {
        if path.as_os_str() == "-" {
            let passing = Passing::begin(io::stdin().lock(), None, Path::new("standard input"));
            return Ok(passing.map(Self::Passing).map_err(|finding| vec![finding]));
        }
        if matches!(disk::look(path)?, Look::Missing) {
            let missing = io::Error::from(io::ErrorKind::NotFound);
            return Err(missing).with_context(|| format!("cannot read {}", shown(path)));
        }
        let package = match package::open(path) {
            Ok(package) => package,
            Err(findings) => return Ok(Err(findings)),
        };
        let Scan { catalog, findings } = package.scan();
        if findings.is_empty() { Ok(Ok(Self::Lying(package, Box::new(catalog)))) } else { Ok(Err(findings)) }
    }

    pub(super) fn bill(&self) -> &Bill {
        match self {
            Self::Lying(package, _) => &package.bill,
            Self::Passing(package) => &package.bill,
        }
    }

    /// The content that it brings; of what passes by, and of what is restored, only the lengths are known.
    pub(super) fn files(&self) -> BTreeMap<Digest, File> {
        let restored = self.bill().restores.iter().map(|it| (it.digest, File::to_come(it.size)));
        let mut files: BTreeMap<Digest, File> = match self {
            Self::Lying(package, _) => package.files.iter().cloned().collect(),
            Self::Passing(package) => {
                let carries = package.bill.carries.iter();
                carries.map(|carried| (carried.digest, File::to_come(carried.size))).collect()
            }
        };
        files.extend(restored);
        files
    }

    /// How many bytes have to be put aside meanwhile, at most, for what the plan restores.
    pub(super) fn aside(&self, plan: &Plan) -> u64 {
        let wanted: BTreeSet<Digest> = plan.placements.iter().map(|it| it.digest).collect();
        let restored: Vec<_> = self.bill().restores.iter().filter(|it| wanted.contains(&it.digest)).collect();
        let mut asides: Vec<u64> = restored.iter().map(|it| it.aside).collect();
        asides.sort_unstable_by_key(|size| Reverse(*size));
        // Each thread restores one blob at a time.
        let at_once = asides.into_iter().take(rayon::current_num_threads());
        let deltas = restored.iter().map(|it| it.delta.size);
        match self {
            Self::Lying(..) => sum(at_once),
            Self::Passing(_) => sum(at_once.chain(deltas)),
        }
    }

    /// Puts its content in place, all of it or none; the catalog has its manifests.
    pub(super) fn place(
        self,
        plan: &Plan,
        described: &Catalog,
        share: Share,
        destination: &Destination,
        on_placed: &(dyn Fn() + Sync),
    ) -> Result<Result<(Outcome, Catalog), Refused>> {
        let there = |digest: &Digest| match disk::look(&Registry::blob(&plan.root, digest)) {
            Ok(Look::File(file)) => Some(file),
            _ => None,
        };
        match self {
            Self::Lying(package, catalog) => {
                let carried = package.files.iter().map(|(digest, file)| (*digest, file)).collect();
                let origin = Lying { package: &package, carried, there: &there };
                let restoration =
                    Restoration { bill: &package.bill, package: package.path(), origin: &origin };
                let (restored, asides) = match execute::restore(plan, &restoration, destination, on_placed)? {
                    Ok(restored) => restored,
                    Err(findings) => return Ok(Err(findings)),
                };
                let means = Means { share, verifies: true, holds_back: true, on_placed };
                let (mut outcome, spoiled) = execute::content(plan, destination, &means)?;
                if !spoiled.digests.is_empty() {
                    return Ok(Err(spoiled.faults));
                }
                asides.into_par_iter().try_for_each(|aside| destination.place(aside).map(drop))?;
                outcome += restored;
                Ok(Ok((outcome, *catalog)))
            }
            Self::Passing(package) => {
                execute::receive(plan, package, described, destination, &there, on_placed)
            }
        }
    }
}

/// What lies in a package, and what was there before.
struct Lying<'a> {
    package: &'a Opened,
    carried: BTreeMap<Digest, &'a File>,
    there: &'a (dyn Fn(&Digest) -> Option<File> + Sync),
}

impl Origin for Lying<'_> {
    fn delta(&self, delta: &Digest) -> Option<Box<dyn Bytes + '_>> {
        let file = self.package.deltas.get(delta)?;
        Some(Box::new(file.clone()))
    }

    fn base(&self, base: &Digest) -> Option<File> {
        match self.carried.get(base) {
            Some(&file) => Some(file.clone()),
            None => (self.there)(base),
        }
    }
}
