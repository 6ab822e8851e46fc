//! `bundle apply`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::Common;
use super::write::{LinkArg, Write};
use crate::commands::{self, Application, Ending};
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(super) struct Apply {
    /// The package: a tar, the index of its volumes, a folder, or `-` for a tar on standard input
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// The registry storage to bring it to; what it holds stays
    #[arg(value_name = "DST")]
    destination: PathBuf,
    /// Hash what the package relies on, too, and not only look at its size
    #[arg(long)]
    verify_base: bool,
    /// Remove the tags that the package does not have; their content stays
    #[arg(long)]
    delete_absent: bool,
    /// How blobs are shared with a package that is a folder
    #[arg(long, value_enum, default_value_t = LinkArg::Auto)]
    link: LinkArg,
    /// Show what would change; write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    write: Write,
}

impl Apply {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::apply(&Application {
            package: &self.package,
            destination: &self.destination,
            verifies_base: self.verify_base,
            deletes_absent: self.delete_absent,
            share: self.link.into(),
            is_dry_run: self.dry_run,
            writing: self.write.writing(),
            progress: Progress::new(common.quiet),
            format: common.format(),
        })
    }
}
