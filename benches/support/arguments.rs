//! The command line of the benchmark of packages, read by hand: an unknown argument is an error, never ignored.

use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

/// What `--help` prints.
pub(crate) const USAGE: &str = "\
Measures when `cargo bench` starts it: cargo bench --bench package -- [options]
  --images N      images in the generated tree (50)
  --layer-kib N   size of an image's own layer; the two that it shares are 1.5 and 2 times as large (1024)
  --rounds N      how often each command is timed (5)
  --dir DIR       where the tree and the packages go (the system's temporary directory)";

/// What to measure, and where.
pub(crate) struct Arguments {
    /// Images in the generated tree.
    pub(crate) images: usize,
    /// Size of an image's own layer in KiB; the others follow from it.
    pub(crate) layer_kib: usize,
    /// How often each command is timed.
    pub(crate) rounds: usize,
    /// The directory in which the benchmark makes, and removes, its own.
    pub(crate) dir: PathBuf,
}

impl Arguments {
    /// Reads the command line; `None` when the user asked for help, or when `cargo bench` did not start this.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let mut arguments = Self { images: 50, layer_kib: 1024, rounds: 5, dir: std::env::temp_dir() };
        // `cargo bench` says `--bench`. `cargo test --all-targets` starts this program too, without it, unoptimised.
        let mut started_by_bench = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--bench" => started_by_bench = true,
                "--help" => return Ok(None),
                "--images" => arguments.images = positive(&value()?)?,
                "--layer-kib" => arguments.layer_kib = positive(&value()?)?,
                "--rounds" => arguments.rounds = positive(&value()?)?,
                "--dir" => arguments.dir = value()?.into(),
                _ => bail!("unknown argument {word:?}\n{USAGE}"),
            }
        }
        Ok(started_by_bench.then_some(arguments))
    }

    /// Size of an image's own layer in bytes.
    pub(crate) fn layer_bytes(&self) -> usize {
        self.layer_kib * 1024
    }
}

fn positive(text: &str) -> Result<usize> {
    let number = text.parse().with_context(|| format!("{text:?} is not a number\n{USAGE}"))?;
    ensure!(number > 0, "0 is too few\n{USAGE}");
    Ok(number)
}
