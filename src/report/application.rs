//! What a package brought to a site, or would bring.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::placed::{placed, to_place};
use super::text::{count, short, table};
use super::{Planned, Report};
use crate::digest::Digest;
use crate::execute::Outcome;
use crate::finding::Finding;
use crate::layout::Change;
use crate::layout::package::{Bill, Totals};
use crate::plan::Plan;
use crate::reference::Reference;
use crate::space::Demand;
use crate::tally::Tally;
use crate::text::plain;

/// The result of `apply`.
#[derive(Debug, Serialize)]
pub struct Application {
    /// `bundle.application/1`.
    pub schema: &'static str,
    /// The package.
    #[serde(serialize_with = "crate::text::path")]
    pub package: PathBuf,
    /// What a person called it.
    pub name: Option<String>,
    /// What a person noted on it.
    pub labels: BTreeMap<String, String>,
    /// Where it was brought.
    #[serde(serialize_with = "crate::text::path")]
    pub destination: PathBuf,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether nothing was changed, because of errors.
    pub stopped: bool,
    /// What the package carries and relies on.
    #[serde(flatten)]
    pub totals: Totals,
    /// What happens to each image's name.
    pub changes: BTreeMap<Reference, Change>,
    /// From which digest to which the moved names go.
    pub moves: Vec<Move>,
    /// The tags that were removed.
    pub gone: BTreeSet<Reference>,
    /// What was done.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// Blobs that were in their place.
    pub already_there: Tally,
    /// What is, or was, to be done.
    pub planned: Planned,
    /// What was hashed.
    pub verified: Tally,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

/// A name that goes from one image to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Move {
    /// The name.
    pub image: Reference,
    /// What it stood for, if that could be read.
    pub from: Option<Digest>,
    /// What it stands for now.
    pub to: Digest,
}

impl Application {
    /// Starts a report with nothing done.
    #[must_use]
    pub fn of(package: &Path, destination: &Path, dry_run: bool) -> Self {
        Self {
            schema: "bundle.application/1",
            package: package.to_owned(),
            name: None,
            labels: BTreeMap::new(),
            destination: destination.to_owned(),
            dry_run,
            stopped: false,
            totals: Totals::default(),
            changes: BTreeMap::new(),
            moves: Vec::new(),
            gone: BTreeSet::new(),
            outcome: Outcome::default(),
            already_there: Tally::default(),
            planned: Planned::default(),
            verified: Tally::default(),
            findings: Vec::new(),
        }
    }

    /// Takes back what was to be done: nothing was.
    pub fn stops(&mut self) {
        self.stopped = true;
        self.changes.clear();
        self.moves.clear();
        self.gone.clear();
        self.outcome = Outcome::default();
    }

    /// Takes in what the package says of itself.
    pub fn describes(&mut self, bill: &Bill) {
        self.name.clone_from(&bill.name);
        self.labels.clone_from(&bill.labels);
        self.totals = bill.totals;
    }

    /// Takes in how much there is to do.
    pub fn plans(&mut self, plan: &Plan, takes_at_most: Demand) {
        self.changes = plan.images.clone();
        self.already_there = plan.already_there;
        self.planned =
            Planned { blobs: plan.blobs(), files: plan.small_files().count() as u64, takes_at_most };
    }
}

impl Report for Application {
    fn text(&self) -> String {
        if self.stopped {
            let errors = self.findings.iter().filter(|finding| finding.is_error()).count() as u64;
            return format!("nothing was changed: {}\n", count(errors, "error"));
        }
        let mut rows = Vec::new();
        for (image, change) in &self.changes {
            match change {
                Change::New => rows.push(vec!["new".to_owned(), plain(&image.to_string())]),
                Change::Unchanged => {}
                Change::Moved => {
                    let digests = self.moves.iter().find(|it| it.image == *image).map(|it| {
                        let from = it.from.map_or("?".to_owned(), |from| short(&from.to_string()));
                        format!("  {from} -> {}", short(&it.to.to_string()))
                    });
                    let name = plain(&image.to_string()) + &digests.unwrap_or_default();
                    rows.push(vec!["moved".to_owned(), name]);
                }
            }
        }
        rows.extend(self.gone.iter().map(|image| vec!["gone".to_owned(), plain(&image.to_string())]));
        let mut text = table(&rows);
        let number = |change| self.changes.values().filter(|it| **it == change).count();
        let _ = writeln!(
            text,
            "{}: {} new, {} moved, {} unchanged",
            count(self.changes.len() as u64, "image"),
            number(Change::New),
            number(Change::Moved),
            number(Change::Unchanged),
        );
        if !self.gone.is_empty() {
            let _ = writeln!(text, "{} removed; their content stays", count(self.gone.len() as u64, "tag"));
        }
        let there = self.already_there.files + self.totals.relies_on.files;
        text += &if self.dry_run { to_place(&self.planned, there) } else { placed(&self.outcome, there) };
        if self.dry_run {
            text.push_str("dry run: nothing was hashed, nothing was written\n");
        }
        text
    }
}
