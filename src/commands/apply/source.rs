//! Where a package comes from: it lies there, or it passes by on standard input.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

use super::Refused;
use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::disk::{self, Destination, File, Look, Share};
use crate::execute::{self, Means, Outcome};
use crate::layout::Scan;
use crate::layout::package::{self, Bill, Opened, Passing};
use crate::plan::Plan;
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

    /// The content that it carries; of what passes by, only the lengths are known.
    pub(super) fn files(&self) -> BTreeMap<Digest, File> {
        match self {
            Self::Lying(package, _) => package.files.iter().cloned().collect(),
            Self::Passing(package) => {
                let carries = package.bill.carries.iter();
                carries.map(|carried| (carried.digest, File::to_come(carried.size))).collect()
            }
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
        match self {
            Self::Lying(_, catalog) => {
                let means = Means { share, verifies: true, holds_back: true, on_placed };
                let (outcome, spoiled) = execute::content(plan, destination, &means)?;
                let is_whole = spoiled.digests.is_empty();
                Ok(if is_whole { Ok((outcome, *catalog)) } else { Err(spoiled.faults) })
            }
            Self::Passing(package) => {
                let received = execute::receive(plan, package, described, destination, on_placed)?;
                Ok(received.map_err(|finding| vec![finding]))
            }
        }
    }
}
