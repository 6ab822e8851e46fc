//! What was checked, with which version, and what was found: the sheet for an acceptance protocol.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::Report;
use super::text::{bytes, count, table};
use crate::audit::Audit;
use crate::digest::Digest;
use crate::finding::Finding;
use crate::layout::Tree;
use crate::text::shown;

/// The result of `verify`.
#[derive(Debug, Serialize)]
pub struct Verification {
    /// `bundle.verification/1`.
    pub schema: &'static str,
    /// Which version of this program looked.
    pub version: &'static str,
    /// Whether the hashes were left out.
    pub quick: bool,
    /// Whether no image is broken.
    pub sound: bool,
    /// What was looked at.
    pub trees: Vec<VerifiedTree>,
    /// How much that was.
    pub checked: Checked,
    /// What was put in the place of lost content.
    pub repaired: Vec<Repaired>,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

/// One tree.
#[derive(Debug, Serialize)]
pub struct VerifiedTree {
    /// Where it lies.
    #[serde(serialize_with = "crate::text::path")]
    pub path: PathBuf,
    /// How.
    pub layout: &'static str,
    /// Its images that have a manifest.
    pub images: u64,
    /// Those of them that a tag names.
    pub tags: u64,
    /// Its different manifests.
    pub manifests: u64,
}

/// How much was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// Files of content, hard links as one.
    pub files: u64,
    /// Bytes that were hashed, those of hard links once.
    pub bytes: u64,
    /// Digests.
    pub digests: u64,
}

/// Lost content that was replaced.
#[derive(Debug, Serialize)]
pub struct Repaired {
    /// What it is.
    pub digest: Digest,
    /// Where it was lost.
    #[serde(serialize_with = "crate::text::path")]
    pub file: PathBuf,
    /// Where it was found.
    #[serde(serialize_with = "crate::text::path")]
    pub from: PathBuf,
}

impl Verification {
    /// Takes in what was looked at, and what came of it.
    #[must_use]
    pub fn of(trees: &[Tree], audit: Audit, repaired: Vec<Repaired>, quick: bool) -> Self {
        let Audit { findings, files, bytes, digests } = audit;
        Self {
            schema: "bundle.verification/1",
            version: env!("CARGO_PKG_VERSION"),
            quick,
            sound: !findings.iter().any(Finding::is_error),
            trees: trees.iter().map(VerifiedTree::of).collect(),
            checked: Checked { files, bytes, digests },
            repaired,
            findings,
        }
    }
}

impl VerifiedTree {
    fn of(tree: &Tree) -> Self {
        let catalog = &tree.scan.catalog;
        Self {
            path: tree.path.clone(),
            layout: tree.layout.name(),
            images: catalog.images.len() as u64,
            tags: catalog.images.keys().filter(|reference| reference.is_tagged()).count() as u64,
            manifests: catalog.manifests.len() as u64,
        }
    }
}

impl Report for Verification {
    fn text(&self) -> String {
        let mut text = String::new();
        for repaired in &self.repaired {
            let file = shown(&repaired.file);
            let from = shown(&repaired.from);
            let _ = writeln!(text, "repaired {file}\n  from     {from}");
        }
        let trees = self.trees.iter().map(|tree| {
            vec![
                shown(&tree.path),
                format!(
                    "{}, {}, {}, {}",
                    tree.layout,
                    count(tree.images, "image"),
                    count(tree.tags, "tag"),
                    count(tree.manifests, "manifest"),
                ),
            ]
        });
        text.push_str(&table(&trees.collect::<Vec<_>>()));
        let Checked { files, bytes: hashed, digests } = self.checked;
        let how = if self.quick {
            "sizes and links, no hashes (--quick)".to_owned()
        } else {
            format!("{} hashed, every byte", bytes(hashed))
        };
        let _ = writeln!(text, "checked {}, {}: {how}", count(files, "file"), count(digests, "digest"));
        let errors = self.findings.iter().filter(|finding| finding.is_error()).count() as u64;
        let warnings = self.findings.len() as u64 - errors;
        let verdict = if self.sound { "sound" } else { "NOT SOUND" };
        let _ = writeln!(
            text,
            "{verdict}: {}, {}, by bundle {}",
            count(errors, "error"),
            count(warnings, "warning"),
            self.version
        );
        text
    }
}
