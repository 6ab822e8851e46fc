//! What became one inode.

use std::fmt::Write;
use std::ops::AddAssign;
use std::path::PathBuf;

use serde::Serialize;

use super::Report;
use super::text::{bytes, count};
use crate::finding::Finding;

/// The result of `dedupe`.
#[derive(Debug, Serialize)]
pub struct Deduplication {
    /// `bundle.deduplication/1`.
    pub schema: &'static str,
    /// The trees.
    pub paths: Vec<String>,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// The files that hold content, manifests left out.
    pub files: u64,
    /// The inodes that they had.
    pub inodes: u64,
    /// Copies that were left as they are, because they have another owner or mode, or lie on another device.
    pub kept_apart: u64,
    /// What was joined.
    #[serde(flatten)]
    pub joined: Joined,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

/// What was joined.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Joined {
    /// Names that lead to another inode now.
    pub linked: u64,
    /// Files that share their bytes, but have an inode of their own: the file system can have no more links.
    pub cloned: u64,
    /// Bytes of the inodes that have no name any more.
    pub freed: u64,
}

impl AddAssign for Joined {
    fn add_assign(&mut self, other: Self) {
        self.linked += other.linked;
        self.cloned += other.cloned;
        self.freed += other.freed;
    }
}

impl Deduplication {
    /// Starts a report with nothing done.
    #[must_use]
    pub fn of(paths: &[PathBuf], dry_run: bool) -> Self {
        Self {
            schema: "bundle.deduplication/1",
            paths: paths.iter().map(|path| path.to_string_lossy().into_owned()).collect(),
            dry_run,
            files: 0,
            inodes: 0,
            kept_apart: 0,
            joined: Joined::default(),
            findings: Vec::new(),
        }
    }
}

impl Report for Deduplication {
    fn text(&self) -> String {
        let Joined { linked, cloned, freed } = self.joined;
        let mut text = format!("{} on {}\n", count(self.files, "blob file"), count(self.inodes, "inode"));
        let _ = writeln!(text, "{linked} linked, {cloned} cloned, {} freed", bytes(freed));
        if self.kept_apart > 0 {
            let copies = count(self.kept_apart, "copy").replace("copys", "copies");
            let _ = writeln!(text, "{copies} left: another owner, mode or file system");
        }
        if self.dry_run {
            text.push_str("dry run: nothing was hashed, nothing was written\n");
        }
        text
    }
}
