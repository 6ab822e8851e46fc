//! What a conversion did, or would do.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Report;
use super::placed::{placed, remade, to_place};
use super::text::{bytes, count, signed_bytes, table};
use crate::execute::Outcome;
use crate::finding::Finding;
use crate::layout::Change;
use crate::lists::Remade;
use crate::names::Sources;
use crate::plan::Plan;
use crate::reference::Reference;
use crate::space::Demand;
use crate::stats::{Need, Saving};
use crate::tally::Tally;

/// The result of `to-registry` and `to-dir`.
#[derive(Debug, Serialize)]
pub struct Conversion {
    /// `bundle.conversion/1`.
    pub schema: &'static str,
    /// What was read.
    #[serde(serialize_with = "crate::text::paths")]
    pub sources: Vec<PathBuf>,
    /// What was written.
    #[serde(serialize_with = "crate::text::path")]
    pub destination: PathBuf,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether it stopped, because of errors, before it gave anything a name.
    pub stopped: bool,
    /// How many images are at the destination, or would be.
    pub images: u64,
    /// How many of them a tag names.
    pub tags: u64,
    /// How many images were left out because they have no tag.
    pub untagged_left_out: u64,
    /// What happens to each image's name.
    pub changes: BTreeMap<Reference, Change>,
    /// Under which names the source had those images that got another one.
    pub renamed: BTreeMap<Reference, Vec<Reference>>,
    /// The images that got another digest.
    pub remade: Vec<Remade>,
    /// What the images need.
    pub need: Need,
    /// What sharing saves of that.
    pub saved: Saving,
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

/// The size of a plan.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// Blobs to put in place, each place counted.
    pub blobs: Tally,
    /// Small files to write.
    pub files: u64,
    /// What all of it takes of the destination's disk at most.
    pub takes_at_most: Demand,
}

impl Conversion {
    /// Starts a report with nothing done.
    #[must_use]
    pub fn of(sources: &[PathBuf], destination: &Path, dry_run: bool) -> Self {
        Self {
            schema: "bundle.conversion/1",
            sources: sources.to_vec(),
            destination: destination.to_owned(),
            dry_run,
            stopped: false,
            images: 0,
            tags: 0,
            untagged_left_out: 0,
            changes: BTreeMap::new(),
            renamed: BTreeMap::new(),
            remade: Vec::new(),
            need: Need::default(),
            saved: Saving::default(),
            outcome: Outcome::default(),
            already_there: Tally::default(),
            planned: Planned::default(),
            verified: Tally::default(),
            findings: Vec::new(),
        }
    }

    /// Takes in how much there is to do.
    pub fn plans(&mut self, plan: &Plan, takes_at_most: Demand) {
        self.already_there = plan.already_there;
        self.planned =
            Planned { blobs: plan.blobs(), files: plan.small_files().count() as u64, takes_at_most };
    }

    /// Takes in the images that are visible in the end, under which names the sources had them, and what they need.
    pub fn shows(&mut self, plan: &Plan, need: Need, sources: &Sources) {
        self.changes = plan.images.clone();
        let renamed = sources.iter().filter(|(name, sources)| !sources.iter().eq([*name]));
        let shown = renamed.filter(|(name, _)| self.changes.contains_key(name));
        self.renamed = shown.map(|(name, sources)| (name.clone(), sources.to_vec())).collect();
        self.images = plan.images.len() as u64;
        self.tags = plan.images.keys().filter(|reference| reference.is_tagged()).count() as u64;
        self.saved = Saving::of(need.logical.bytes, need.unique.bytes);
        self.need = need;
    }

    fn number_of(&self, change: Change) -> usize {
        self.changes.values().filter(|&&it| it == change).count()
    }

    /// The images that will look different afterwards.
    fn changed(&self) -> impl Iterator<Item = (&Reference, &'static str)> {
        self.changes.iter().filter_map(|(image, change)| match change {
            Change::New => Some((image, "new")),
            Change::Moved => Some((image, "moved")),
            Change::Unchanged => None,
        })
    }
}

impl Report for Conversion {
    fn text(&self) -> String {
        if self.stopped {
            let errors = self.findings.iter().filter(|finding| finding.is_error()).count() as u64;
            return format!(
                "no image was converted: {}\nhint: --keep-going converts the images that are sound\n",
                count(errors, "error")
            );
        }
        let mut text = String::new();
        if self.dry_run {
            let row = |(image, change): (&Reference, &str)| {
                let from: Vec<String> =
                    self.renamed.get(image).into_iter().flatten().map(ToString::to_string).collect();
                let name = if from.is_empty() {
                    image.to_string()
                } else {
                    format!("{} -> {image}", from.join(", "))
                };
                vec![change.to_owned(), name]
            };
            text.push_str(&table(&self.changed().map(row).collect::<Vec<_>>()));
        }
        text += &remade(&self.remade);
        let Need { logical, unique } = self.need;
        let (new, moved, unchanged) =
            (self.number_of(Change::New), self.number_of(Change::Moved), self.number_of(Change::Unchanged));
        let images = count(self.images, "image");
        let _ = writeln!(text, "{images}: {new} new, {moved} moved, {unchanged} unchanged");
        if self.untagged_left_out > 0 {
            let _ = writeln!(
                text,
                "{} left out, --untagged carries them",
                count(self.untagged_left_out, "untagged image")
            );
        }
        let _ = writeln!(
            text,
            "{}, {} as separate images -> {}, {}: {} ({} %) saved",
            count(logical.files, "file"),
            bytes(logical.bytes),
            count(unique.files, "unique blob"),
            bytes(unique.bytes),
            signed_bytes(self.saved.bytes),
            self.saved.percent,
        );
        let there = self.already_there.files;
        text += &if self.dry_run { to_place(&self.planned, there) } else { placed(&self.outcome, there) };
        let _ = match (self.dry_run, self.verified.files) {
            (true, _) => writeln!(text, "dry run: nothing was hashed, nothing was written"),
            (false, 0) => writeln!(text, "nothing was hashed"),
            (false, files) => {
                writeln!(text, "{} verified, {}", count(files, "blob"), bytes(self.verified.bytes))
            }
        };
        text
    }
}
