//! The conversions: `bundle to-registry`, `bundle to-dir` and `bundle to-oci`.

use anyhow::Result;
use clap::{Args, ValueEnum};

use super::Common;
use super::choose::{Choose, Name};
use super::paths::Paths;
use super::write::{LinkArg, Write};
use crate::commands::{self, Conversion, Ending};
use crate::layout::{Layout, Oci, RefName};
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(super) struct Convert {
    #[command(flatten)]
    paths: Paths,
    #[command(flatten)]
    choose: Choose,
    #[command(flatten)]
    name: Name,
    /// How blobs are shared with the source
    #[arg(long, value_enum, default_value_t = LinkArg::Auto)]
    link: LinkArg,
    /// Check sizes only: trust that every blob has the digest that its name claims
    #[arg(long)]
    no_verify: bool,
    /// Convert the sound images even if others are broken; the exit code is still 4
    #[arg(long)]
    keep_going: bool,
    /// Show what would be done; hash nothing and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    write: Write,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum RefNameArg {
    /// Its whole name
    Whole,
    /// Its tag alone, where all images are of one repository
    Tag,
}

impl RefNameArg {
    pub(super) fn layout(self) -> &'static dyn Layout {
        match self {
            Self::Whole => &Oci { ref_name: RefName::Whole },
            Self::Tag => &Oci { ref_name: RefName::Tag },
        }
    }
}

impl Convert {
    pub(super) fn run(
        &self,
        target: &'static dyn Layout,
        tagged_only: bool,
        common: &Common,
    ) -> Result<Ending> {
        let (sources, destination) = self.paths.split();
        let (selected, naming) = (self.choose.read()?, self.name.naming());
        commands::convert(&Conversion {
            sources,
            destination,
            target,
            wanted: self.name.wanted(&selected, &naming, tagged_only),
            share: self.link.into(),
            verifies: !self.no_verify,
            is_dry_run: self.dry_run,
            writing: self.write.writing(),
            keeps_going: self.keep_going,
            progress: Progress::new(common.quiet),
            format: common.format(),
        })
    }
}
