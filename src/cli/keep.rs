//! Commands that keep a tree in order: `bundle verify` and `bundle dedupe`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Common;
use super::choose::Choose;
use super::write::Write;
use crate::commands::{self, Deduplication, Ending, Verification};
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(super) struct Verify {
    /// The trees to check
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    choose: Choose,
    /// Check everything but the hashes
    #[arg(long)]
    quick: bool,
    /// Replace what is corrupt or missing by verified content of this tree; may be repeated
    #[arg(long, value_name = "PATH")]
    repair_from: Vec<PathBuf>,
    #[command(flatten)]
    write: Write,
}

#[derive(Debug, Args)]
pub(super) struct Dedupe {
    /// The trees
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// Show what could be linked; hash nothing and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Wait until no other run writes there, rather than fail
    #[arg(long)]
    wait: bool,
}

impl Verify {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::verify(&Verification {
            paths: &self.paths,
            sought: self.choose.read()?.sought(),
            repair_from: &self.repair_from,
            is_quick: self.quick,
            writing: self.write.writing(),
            progress: Progress::new(common.quiet),
            format: common.format(),
        })
    }
}

impl Dedupe {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::dedupe(&Deduplication {
            paths: &self.paths,
            is_dry_run: self.dry_run,
            waits: self.wait,
            progress: Progress::new(common.quiet),
            format: common.format(),
        })
    }
}
