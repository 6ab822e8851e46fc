//! What was removed from storage, and what was left alone.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::Report;
use super::text::{bytes, count};
use crate::finding::Finding;
use crate::prune::{Amount, Plan};
use crate::text::shown;

/// How many strays are named before the others are only counted.
const MAX_NAMED: usize = 10;

/// The result of `prune`.
#[derive(Debug, Serialize)]
pub struct Pruning {
    /// `bundle.pruning/1`.
    pub schema: &'static str,
    /// The storage.
    pub path: String,
    /// Whether nothing was removed because nobody asked for that.
    pub dry_run: bool,
    /// Whether nothing was removed because of what was found.
    pub refused: bool,
    /// How many images stay: tags, and images that only a digest names.
    pub images_kept: u64,
    /// The tags that went.
    pub tags_removed: Vec<String>,
    /// The images that went and that only a digest named.
    pub untagged_removed: Vec<String>,
    /// The repositories that went as a whole.
    pub repositories_removed: u64,
    /// How much went.
    pub removed: Amount,
    /// Bytes of the inodes that have no name any more.
    pub freed: u64,
    /// How old something has to be to be removed, in seconds, if that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub older_than_seconds: Option<u64>,
    /// What was left because it is younger.
    pub too_young: Amount,
    /// What was left because damaged images may need it.
    pub in_doubt: Amount,
    /// What was left because it is no part of registry storage.
    pub strays: Vec<String>,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Pruning {
    /// Starts a report with nothing done.
    #[must_use]
    pub fn of(path: &Path, dry_run: bool, older_than: Option<Duration>) -> Self {
        Self {
            schema: "bundle.pruning/1",
            path: path.to_string_lossy().into_owned(),
            dry_run,
            refused: false,
            images_kept: 0,
            tags_removed: Vec::new(),
            untagged_removed: Vec::new(),
            repositories_removed: 0,
            removed: Amount::default(),
            freed: 0,
            older_than_seconds: older_than.map(|age| age.as_secs()),
            too_young: Amount::default(),
            in_doubt: Amount::default(),
            strays: Vec::new(),
            findings: Vec::new(),
        }
    }

    /// Takes in what is to be done.
    pub fn plans(&mut self, plan: &Plan, root: &Path, strays: &[PathBuf]) {
        self.images_kept = plan.kept.len() as u64;
        self.tags_removed = plan.tags.iter().map(ToString::to_string).collect();
        self.untagged_removed = plan.untagged.iter().map(ToString::to_string).collect();
        self.repositories_removed = plan.repositories;
        self.removed = plan.gone;
        self.freed = plan.freed;
        self.too_young = plan.young;
        self.in_doubt = plan.doubted;
        self.strays = strays.iter().map(|path| root.join(path).to_string_lossy().into_owned()).collect();
    }

    fn amount(&self) -> String {
        let mut text = String::new();
        let (tags, untagged) = (self.tags_removed.len() as u64, self.untagged_removed.len() as u64);
        let _ = writeln!(
            text,
            "{} kept; {} and {} {}",
            count(self.images_kept, "image"),
            count(tags, "tag"),
            count(untagged, "untagged image"),
            if self.dry_run { "to remove" } else { "removed" }
        );
        let Amount { links, uploads, blobs, .. } = self.removed;
        let _ =
            write!(text, "{}, {}, {}", count(blobs.files, "blob"), bytes(blobs.bytes), count(links, "link"));
        if uploads > 0 {
            let _ = write!(text, ", {}", count(uploads, "stale upload"));
        }
        let _ = writeln!(
            text,
            " {}: {} {}",
            if self.dry_run { "to remove" } else { "removed" },
            bytes(self.freed),
            if self.dry_run { "to free" } else { "freed" }
        );
        text
    }
}

impl Report for Pruning {
    fn text(&self) -> String {
        if self.refused {
            let errors = self.findings.iter().filter(|finding| finding.is_error()).count() as u64;
            return format!(
                "nothing was removed: {}\nhint: `bundle verify` names all faults; --force prunes all the same, and keeps what damaged images may need\n",
                count(errors, "error")
            );
        }
        let mut text = String::new();
        if self.dry_run {
            for name in self.tags_removed.iter().chain(&self.untagged_removed) {
                let _ = writeln!(text, "  remove  {name}");
            }
        }
        text += &self.amount();
        for (left, why) in [(self.too_young, "too young"), (self.in_doubt, "damaged images may need it")] {
            if !left.is_none() {
                let _ = writeln!(text, "left alone, {why}: {}", words(left));
            }
        }
        if !self.strays.is_empty() {
            let strays = count(self.strays.len() as u64, "path");
            let _ = writeln!(text, "left alone, no part of registry storage: {strays}");
            for stray in self.strays.iter().take(MAX_NAMED) {
                let _ = writeln!(text, "  {}", shown(Path::new(stray)));
            }
            if self.strays.len() > MAX_NAMED {
                let _ = writeln!(text, "  and {} more", self.strays.len() - MAX_NAMED);
            }
        }
        if self.dry_run {
            text.push_str("dry run: nothing was removed\n");
        }
        text
    }
}

/// An amount in words.
fn words(amount: Amount) -> String {
    let Amount { tags, links, uploads, blobs } = amount;
    let named = [(tags, "tag"), (links, "link"), (uploads, "upload"), (blobs.files, "blob")];
    let named = named.into_iter().filter(|(number, _)| *number > 0);
    let mut words: Vec<String> = named.map(|(number, noun)| count(number, noun)).collect();
    if blobs.files > 0 {
        words.push(bytes(blobs.bytes));
    }
    words.join(", ")
}
