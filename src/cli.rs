//! The command line: what can be asked, and how it is understood.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands::{
    self, Application, Conversion, Deduplication, Difference, Ending, Inspection, Package, Packing,
    Statistics, Verification, Wanted, Writing,
};
use crate::disk::{Ownership, Share};
use crate::layout::{self, Layout};
use crate::names::HostRule;
use crate::pack::Split;
use crate::pack::deltas::Wish;
use crate::progress::Progress;
use crate::report::Format;
use crate::select::Selection;
use crate::text::shown;

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  any other failure; differences, with diff --exit-code
  2  the command line was not understood
  3  the environment: no permission, no space, input or output failed, another run at work
  4  the content: a digest mismatch, a missing blob, an invalid manifest, two images under one name,
     a damaged package, a wrong base
  130, 143  interrupted by SIGINT, SIGTERM: what has a name is complete, the same command does the rest";

/// Converts container images between skopeo's dir: trees and registry storage, offline, verified, each layer
/// once.
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
    /// SRC is a tree of dir: images at any depth, as `skopeo sync` writes it, or registry storage. DST is the
    /// folder that a registry sees as <rootdirectory>/docker; it gets registry/v2/{blobs,repositories}. What is
    /// there already stays, and is verified where an image needs it.
    ToRegistry(Convert),
    /// Convert images into a tree of dir: images, one folder a tag
    ///
    /// SRC is registry storage (the registry's root directory, its docker, or docker/registry/v2) or a tree of
    /// dir: images. DST gets <repository>:<tag>/ folders that skopeo reads, syncs and may overwrite.
    ToDir {
        #[command(flatten)]
        convert: Convert,
        /// Also convert images that only a digest names, into <repository>@<digest>/
        #[arg(long)]
        untagged: bool,
    },
    /// Check every byte and every link, and name the images that each fault breaks
    ///
    /// Each PATH is a tree of dir: images or registry storage. Exit code 0: sound, warnings aside; 4: not.
    Verify {
        /// The trees to check
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Check everything but the hashes
        #[arg(long)]
        quick: bool,
        /// Replace what is corrupt or missing by verified content of this tree; may be repeated
        #[arg(long, value_name = "PATH")]
        repair_from: Vec<PathBuf>,
        #[command(flatten)]
        write: Write,
    },
    /// Write images as a package: one tar, or a folder, with a bill of materials
    ///
    /// SRC is a tree of any layout. PACKAGE is the name of a tar, `-` for standard output, or a folder if it ends
    /// in `/`. With --base it leaves out every blob that all bases have. Unpacked over a registry's root
    /// directory with plain tar it serves its images; `bundle apply` is the way that checks.
    Pack(Pack),
    /// Bring a package into registry storage, its base checked first
    ///
    /// DST is the folder that a registry sees as <rootdirectory>/docker. If it lacks anything that the package
    /// relies on, nothing is changed, and the exit code is 4.
    Apply {
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
    },
    /// Print what a site has, small enough to mail, as a --base for the next patch
    Inventory {
        /// The tree to list
        #[arg(value_name = "SRC")]
        source: PathBuf,
    },
    /// Show which images two sides do not have in common, and what a patch would carry
    ///
    /// Each side is a tree of any layout, a package or an inventory.
    Diff {
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
    },
    /// Show what images weigh, what they share, and what a patch against a base would carry
    ///
    /// Each PATH is a tree of dir: images or registry storage; without any, those below the current folder.
    Stats {
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
        select: Select,
    },
    /// Make equal blob files one inode, in place: tar and rsync -H then ship them once
    ///
    /// Each PATH is a tree of dir: images or registry storage. Every file is hashed before it is linked; a corrupt
    /// copy stays as it is and is reported.
    Dedupe {
        /// The trees
        #[arg(value_name = "PATH", required = true)]
        paths: Vec<PathBuf>,
        /// Show what could be linked; hash nothing and write nothing
        #[arg(short = 'n', long)]
        dry_run: bool,
        /// Wait until no other run writes there, rather than fail
        #[arg(long)]
        wait: bool,
    },
    /// Show who compressed a layer, and which files changed in it
    InspectLayer {
        /// The tree that has the layer
        #[arg(value_name = "SRC")]
        source: PathBuf,
        /// The layer's digest, or the beginning of its hexadecimal digits
        #[arg(value_name = "DIGEST")]
        digest: String,
        /// What there was before: the layer there that is most like it is compared with; may be repeated
        #[arg(long, value_name = "PATH")]
        base: Vec<PathBuf>,
    },
}

#[derive(Debug, Args)]
struct Convert {
    /// The tree to read; its layout is found out
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// The folder to write to; what it holds stays
    #[arg(value_name = "DST")]
    destination: PathBuf,
    #[command(flatten)]
    select: Select,
    /// What becomes of a registry's host in front of a name, such as docker.io/ or localhost:5000/
    #[arg(long, value_enum, default_value_t = HostArg::Strip)]
    host: HostArg,
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

/// What is asked of everything that is written.
#[derive(Debug, Args)]
struct Write {
    /// Whose the created files and folders are, in numbers; hard links keep their owner
    #[arg(long, value_name = "UID[:GID]", value_parser = owner)]
    chown: Option<(Option<u32>, Option<u32>)>,
    /// The permission bits of the created files, in octal; folders follow the umask, hard links keep theirs
    #[arg(long, value_name = "MODE", value_parser = mode)]
    chmod: Option<u32>,
    /// Wait while another run writes to the same tree, instead of giving up
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Args)]
struct Pack {
    /// The tree to read; its layout is found out
    #[arg(value_name = "SRC")]
    source: PathBuf,
    /// The package to write
    #[arg(value_name = "PACKAGE")]
    package: PathBuf,
    /// What a site has: a tree, a package or an inventory; may be repeated for a package that fits all of them
    #[arg(long, value_name = "BASE")]
    base: Vec<PathBuf>,
    #[command(flatten)]
    select: Select,
    /// What becomes of a registry's host in front of a name, such as docker.io/ or localhost:5000/
    #[arg(long, value_enum, default_value_t = HostArg::Strip)]
    host: HostArg,
    /// Also pack images that only a digest names
    #[arg(long)]
    untagged: bool,
    /// Ship layers as deltas of what every base has, at one of the levels 1 to 19 [default: 9]; each is restored to
    /// the byte by `bundle apply`
    #[arg(long, value_name = "LEVEL", requires = "base", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "9", value_parser = clap::value_parser!(i32).range(1..=19))]
    delta: Option<i32>,
    /// Store layers better than gzip does, once for all that is alike, at one of the levels 1 to 19 [default: 9];
    /// each is restored to the byte by `bundle apply`
    #[arg(long, value_name = "LEVEL", num_args = 0..=1, require_equals = true)]
    #[arg(default_missing_value = "9", value_parser = clap::value_parser!(i32).range(1..=19))]
    recompress: Option<i32>,
    /// What the package is called, such as a product and its version
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// A note on the package; may be repeated
    #[arg(long, value_name = "KEY=VALUE", value_parser = label)]
    label: Vec<(String, String)>,
    /// Write a folder instead of a tar
    #[arg(long, conflicts_with = "split")]
    dir: bool,
    /// Write volumes of this size, such as 4GB or 650MiB, and a small index with the package's name
    #[arg(long, value_name = "SIZE", value_parser = size)]
    split: Option<u64>,
    /// Show what the package would carry; hash nothing and write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
struct Select {
    /// Only the images that this file lists, one a line, `#` for comments; `-` for standard input
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,
    /// Only images whose <repository>:<tag> matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No images whose <repository>:<tag> matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatArg {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HostArg {
    /// Leave it out
    Strip,
    /// Keep it where the target's names can hold it
    Keep,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum LinkArg {
    /// By hard link, else by clone, else by copy
    Auto,
    /// By hard link or not at all
    Hardlink,
    /// By clone, else by copy
    Reflink,
    /// By copy
    Copy,
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
        Command::Pack(pack) => pack.run(&common),
        Command::Apply { package, destination, verify_base, delete_absent, link, dry_run, write } => {
            commands::apply(&Application {
                package: &package,
                destination: &destination,
                verifies_base: verify_base,
                deletes_absent: delete_absent,
                share: link.into(),
                is_dry_run: dry_run,
                writing: write.writing(),
                progress: Progress::new(common.quiet),
                format: common.format(),
            })
        }
        Command::Inventory { source } => commands::inventory(&source),
        Command::Diff { old, new, delta, exit_code } => commands::diff(&Difference {
            old: &old,
            new: &new,
            estimates_deltas: delta,
            progress: Progress::new(common.quiet),
            tells_by_exit_code: exit_code,
            format: common.format(),
        }),
        Command::Verify { paths, quick, repair_from, write } => commands::verify(&Verification {
            paths: &paths,
            repair_from: &repair_from,
            is_quick: quick,
            writing: write.writing(),
            progress: Progress::new(common.quiet),
            format: common.format(),
        }),
        Command::Dedupe { paths, dry_run, wait } => commands::dedupe(&Deduplication {
            paths: &paths,
            is_dry_run: dry_run,
            waits: wait,
            progress: Progress::new(common.quiet),
            format: common.format(),
        }),
        Command::InspectLayer { source, digest, base } => commands::inspect_layer(&Inspection {
            source: &source,
            digest: &digest,
            bases: &base,
            format: common.format(),
        }),
        Command::Stats { paths, base, delta, select } => commands::stats(&Statistics {
            paths: &paths,
            bases: &base,
            estimates_deltas: delta,
            progress: Progress::new(common.quiet),
            selection: &select.read()?,
            format: common.format(),
        }),
    }
}

impl Convert {
    fn run(&self, target: &'static dyn Layout, tagged_only: bool, common: &Common) -> Result<Ending> {
        commands::convert(&Conversion {
            source: &self.source,
            destination: &self.destination,
            target,
            wanted: Wanted { selection: &self.select.read()?, tagged_only, hosts: self.host.into() },
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

impl Pack {
    fn run(&self, common: &Common) -> Result<Ending> {
        let is_folder = self.dir || self.package.as_os_str().as_bytes().ends_with(b"/");
        let package = match self.split {
            _ if is_folder => Package::Folder(&self.package),
            Some(_) if self.package.as_os_str() == "-" => bail!("--split needs a PACKAGE with a name"),
            Some(size) => Package::Tar(Split::Every(self.package.clone(), size)),
            None if self.package.as_os_str() == "-" => Package::Tar(Split::Stdout),
            None => Package::Tar(Split::No(self.package.clone())),
        };
        commands::pack(&Packing {
            source: &self.source,
            package,
            bases: &self.base,
            wish: Wish { from_bases: self.delta, recompressed: self.recompress },
            wanted: Wanted {
                selection: &self.select.read()?,
                tagged_only: !self.untagged,
                hosts: self.host.into(),
            },
            name: self.name.clone(),
            labels: self.label.iter().cloned().collect(),
            is_dry_run: self.dry_run,
            progress: Progress::new(common.quiet),
            format: common.format(),
        })
    }
}

/// Reads `key=value`.
fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected <key>=<value>".to_owned()),
    }
}

/// Reads a size in bytes: a number, and perhaps a unit of a thousand or of 1024.
fn size(text: &str) -> Result<u64, String> {
    const UNITS: [(&str, u64); 9] = [
        ("", 1),
        ("B", 1),
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
    ];
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = text[digits.len()..].trim();
    let unit = UNITS.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    let size = digits.parse::<u64>().ok().zip(unit).and_then(|(number, (_, unit))| number.checked_mul(unit));
    size.filter(|size| *size > 0).ok_or_else(|| "expected a size, such as 4GB or 650MiB".to_owned())
}

impl From<HostArg> for HostRule {
    fn from(host: HostArg) -> Self {
        match host {
            HostArg::Strip => Self::Strip,
            HostArg::Keep => Self::Keep,
        }
    }
}

impl From<LinkArg> for Share {
    fn from(link: LinkArg) -> Self {
        match link {
            LinkArg::Auto => Self::Auto,
            LinkArg::Hardlink => Self::HardLink,
            LinkArg::Reflink => Self::Reflink,
            LinkArg::Copy => Self::Copy,
        }
    }
}

impl Write {
    fn writing(&self) -> Writing {
        let (user, group) = self.chown.unwrap_or_default();
        Writing { ownership: Ownership { user, group, mode: self.chmod }, waits: self.wait }
    }
}

/// Reads `UID`, `UID:GID` or `:GID`.
fn owner(text: &str) -> Result<(Option<u32>, Option<u32>), String> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let number = |text: &str| match text {
        "" => Ok(None),
        // The largest number means "leave it as it is" to the system.
        number => match number.parse() {
            Ok(u32::MAX) | Err(_) => Err(format!("{number:?} is no number of a user or group")),
            Ok(number) => Ok(Some(number)),
        },
    };
    match (number(user)?, number(group)?) {
        (None, None) => Err("neither a user nor a group".to_owned()),
        owner => Ok(owner),
    }
}

/// Reads permission bits, such as `0644`.
fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("expected permission bits in octal, such as 0644".to_owned()),
    }
}

impl Select {
    fn read(&self) -> Result<Selection> {
        let list = match &self.images {
            None => None,
            Some(path) if path.as_os_str() == "-" => {
                Some(io::read_to_string(io::stdin()).context("cannot read standard input")?)
            }
            Some(path) => {
                Some(fs::read_to_string(path).with_context(|| format!("cannot read {}", shown(path)))?)
            }
        };
        Selection::parse(list.as_deref(), &self.include, &self.exclude)
    }
}

impl Common {
    fn format(&self) -> Format {
        if self.json || self.format == FormatArg::Json { Format::Json } else { Format::Text }
    }
}
