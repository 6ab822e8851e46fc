//! `bundle pack`.

use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;

use super::Common;
use super::choose::{Choose, Name};
use super::paths::Paths;
use crate::commands::{self, Ending, Package, Packing};
use crate::pack::Split;
use crate::pack::deltas::Wish;
use crate::progress::Progress;

#[derive(Debug, Args)]
pub(super) struct Pack {
    #[command(flatten)]
    paths: Paths,
    /// What a site has: a tree, a package or an inventory; may be repeated for a package that fits all of them
    #[arg(long, value_name = "BASE")]
    base: Vec<PathBuf>,
    #[command(flatten)]
    choose: Choose,
    #[command(flatten)]
    naming: Name,
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

impl Pack {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        let (sources, path) = self.paths.split();
        let is_folder = self.dir || path.as_os_str().as_bytes().ends_with(b"/");
        let package = match self.split {
            _ if is_folder => Package::Folder(path),
            Some(_) if path.as_os_str() == "-" => bail!("--split needs a PACKAGE with a name"),
            Some(size) => Package::Tar(Split::Every(path.clone(), size)),
            None if path.as_os_str() == "-" => Package::Tar(Split::Stdout),
            None => Package::Tar(Split::No(path.clone())),
        };
        let (selected, naming) = (self.choose.read()?, self.naming.naming());
        commands::pack(&Packing {
            sources,
            package,
            bases: &self.base,
            wish: Wish { from_bases: self.delta, recompressed: self.recompress },
            wanted: self.naming.wanted(&selected, &naming, !self.untagged),
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
