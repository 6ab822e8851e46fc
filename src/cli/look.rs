//! Commands that only look: `bundle stats`, `diff`, `inventory` and `inspect-layer`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Common;
use super::choose::Choose;
use crate::commands::{self, Difference, Ending, Inspection, Statistics};
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(super) struct Stats {
    /// The trees to weigh
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// A tree that a site has: show what a patch package against it would carry; may be repeated
    #[arg(long, value_name = "PATH")]
    base: Vec<PathBuf>,
    /// Also estimate what a patch with deltas would carry; it reads every layer
    #[arg(long, requires = "base")]
    delta: bool,
    #[command(flatten)]
    choose: Choose,
}

#[derive(Debug, Args)]
pub(super) struct Diff {
    /// What there was
    #[arg(value_name = "OLD")]
    old: PathBuf,
    /// What there is
    #[arg(value_name = "NEW")]
    new: PathBuf,
    /// Also estimate what a patch with deltas would carry; it reads every layer
    #[arg(long)]
    delta: bool,
    /// Exit with 1 if there are differences
    #[arg(long)]
    exit_code: bool,
    #[command(flatten)]
    choose: Choose,
}

#[derive(Debug, Args)]
pub(super) struct Inventory {
    /// The tree to list
    #[arg(value_name = "SRC")]
    source: PathBuf,
    #[command(flatten)]
    choose: Choose,
}

#[derive(Debug, Args)]
pub(super) struct InspectLayer {
    /// The tree that has the layer
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// The layer's digest, or the beginning of its hexadecimal digits
    #[arg(value_name = "DIGEST")]
    digest: String,
    /// What there was before: the layer there that is most like it is compared with; may be repeated
    #[arg(long, value_name = "PATH")]
    base: Vec<PathBuf>,
}

impl Stats {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::stats(&Statistics {
            paths: &self.paths,
            bases: &self.base,
            estimates_deltas: self.delta,
            progress: Progress::new(common.quiet),
            sought: self.choose.read()?.sought(),
            format: common.format(),
        })
    }
}

impl Diff {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::diff(&Difference {
            old: &self.old,
            new: &self.new,
            estimates_deltas: self.delta,
            progress: Progress::new(common.quiet),
            sought: self.choose.read()?.sought(),
            tells_by_exit_code: self.exit_code,
            format: common.format(),
        })
    }
}

impl Inventory {
    pub(super) fn run(&self) -> Result<Ending> {
        commands::inventory(&self.source, &self.choose.read()?.sought())
    }
}

impl InspectLayer {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::inspect_layer(&Inspection {
            source: &self.source,
            digest: &self.digest,
            bases: &self.base,
            format: common.format(),
        })
    }
}
