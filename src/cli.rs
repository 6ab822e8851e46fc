//! The command line: what can be asked, and how it is understood.

mod apply;
mod choose;
mod convert;
mod keep;
mod look;
mod pack;
mod paths;
mod prune;
mod write;

use anyhow::Result;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::Ending;
use crate::layout;
use crate::report::Format;
use apply::Apply;
use convert::{Convert, RefNameArg};
use keep::{Dedupe, Verify};
use look::{Diff, InspectLayer, Inventory, Stats};
use pack::Pack;
use prune::Prune;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  any other failure; differences, with diff --exit-code
  2  the command line was not understood
  3  the environment: no permission, no space, input or output failed, another run at work
  4  the content: a digest mismatch, a missing blob, an invalid manifest, two images under one name,
     a damaged package, a wrong base
  130, 143  interrupted by SIGINT, SIGTERM: what has a name is complete, the same command does the rest";

/// Converts container images between skopeo's dir: trees, registry storage and OCI layouts, offline, verified,
/// each layer once.
#[derive(Debug, Parser)]
#[command(version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    common: Common,
}

#[derive(Debug, Args)]
struct Common {
    /// How many threads work [default: one for each processor]
    #[arg(short, long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// No progress on standard error; warnings and errors still
    #[arg(short, long, global = true)]
    quiet: bool,
    /// What standard output gets
    #[arg(long, global = true, value_enum, default_value_t = FormatArg::Text)]
    format: FormatArg,
    #[arg(long, global = true, hide = true, conflicts_with = "format")]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Convert images into registry storage
    ///
    /// Each SRC is a tree of any layout: dir: images at any depth, as `skopeo sync` writes them, registry storage,
    /// OCI layouts, an archive or a package. DST is the folder that a registry sees as <rootdirectory>/docker; it
    /// gets registry/v2/{blobs,repositories}. What is there already stays, and is verified where an image needs it.
    #[command(override_usage = "bundle to-registry [OPTIONS] <SRC>... <DST>")]
    ToRegistry(Convert),
    /// Convert images into a tree of dir: images, one folder a tag
    ///
    /// Each SRC is a tree of any layout, registry storage above all (the registry's root directory, its docker, or
    /// docker/registry/v2). DST gets <repository>:<tag>/ folders that skopeo reads, syncs and may overwrite.
    #[command(override_usage = "bundle to-dir [OPTIONS] <SRC>... <DST>")]
    ToDir {
        #[command(flatten)]
        convert: Convert,
        /// Also convert images that only a digest names, into <repository>@<digest>/
        #[arg(long)]
        untagged: bool,
    },
    /// Convert images into an OCI image layout
    ///
    /// Each SRC is a tree of any layout. DST gets oci-layout, index.json and blobs/; images that are listed there already
    /// stay. Each image is listed under its whole name, by which skopeo, podman, umoci and containerd find it.
    #[command(override_usage = "bundle to-oci [OPTIONS] <SRC>... <DST>")]
    ToOci {
        #[command(flatten)]
        convert: Convert,
        /// What skopeo, umoci and regctl find an image by
        #[arg(long, value_enum, default_value_t = RefNameArg::Whole)]
        ref_name: RefNameArg,
    },
    /// Check every byte and every link, and name the images that each fault breaks
    ///
    /// Each PATH is a tree of any layout. Exit code 0: sound, warnings aside; 4: not.
    Verify(Verify),
    /// Write images as a package: one tar, or a folder, with a bill of materials
    ///
    /// Each SRC is a tree of any layout. PACKAGE is the name of a tar, `-` for standard output, or a folder if it ends
    /// in `/`. With --base it leaves out every blob that all bases have. Unpacked over a registry's root
    /// directory with plain tar it serves its images; `bundle apply` is the way that checks.
    #[command(override_usage = "bundle pack [OPTIONS] <SRC>... <PACKAGE>")]
    Pack(Pack),
    /// Bring a package into registry storage, its base checked first
    ///
    /// DST is the folder that a registry sees as <rootdirectory>/docker. If it lacks anything that the package
    /// relies on, nothing is changed, and the exit code is 4.
    Apply(Apply),
    /// Print what a site has, small enough to mail, as a --base for the next patch
    Inventory(Inventory),
    /// Show which images two sides do not have in common, and what a patch would carry
    ///
    /// Each side is a tree of any layout, a package or an inventory.
    Diff(Diff),
    /// Show what images weigh, what they share, and what a patch against a base would carry
    ///
    /// Each PATH is a tree of any layout; without any, those below the current folder.
    Stats(Stats),
    /// Make equal blob files one inode, in place: tar and rsync -H then ship them once
    ///
    /// Each PATH is a tree of dir: images, registry storage or an OCI layout. Every file is hashed before it is
    /// linked; a corrupt copy stays as it is and is reported.
    Dedupe(Dedupe),
    /// Remove from registry storage what is not wanted, with all that only this needed
    ///
    /// Keeps the tags that are chosen, or all of them with --untagged, with everything that they need and that is
    /// about them. It needs a registry that is stopped or read-only, or --older-than.
    Prune(Prune),
    /// Show who compressed a layer, and which files changed in it
    InspectLayer(InspectLayer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Text,
    Json,
}

/// Does what the command line asks.
///
/// # Errors
/// When the world is not as it has to be; wrong data is an [`Ending`].
pub fn run(cli: Cli) -> Result<Ending> {
    let Cli { command, common } = cli;
    if let Some(jobs) = common.jobs {
        let threads = rayon::ThreadPoolBuilder::new().num_threads(usize::from(jobs));
        threads.use_current_thread().build_global()?;
    }
    match command {
        Command::ToRegistry(convert) => convert.run(&layout::Registry, false, &common),
        Command::ToDir { convert, untagged } => convert.run(&layout::Dir, !untagged, &common),
        Command::ToOci { convert, ref_name } => convert.run(ref_name.layout(), false, &common),
        Command::Pack(pack) => pack.run(&common),
        Command::Apply(apply) => apply.run(&common),
        Command::Inventory(inventory) => inventory.run(),
        Command::Diff(diff) => diff.run(&common),
        Command::Verify(verify) => verify.run(&common),
        Command::Dedupe(dedupe) => dedupe.run(&common),
        Command::Prune(prune) => prune.run(&common),
        Command::InspectLayer(inspect) => inspect.run(&common),
        Command::Stats(stats) => stats.run(&common),
    }
}

impl Common {
    fn format(&self) -> Format {
        if self.json || self.format == FormatArg::Json { Format::Json } else { Format::Text }
    }
}
