//! The command line of the benchmark, read by hand: an unknown argument is an error, never ignored.

use std::fmt::Write as _;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

use super::sections::SECTIONS;

/// How often each contender is timed, unless the user says it.
const ROUNDS: usize = 5;
const QUICK_ROUNDS: usize = 2;

/// What to measure, and where.
pub(crate) struct Arguments {
    /// The sections to measure.
    pub(crate) sections: Vec<&'static str>,
    /// How often each contender is timed.
    pub(crate) rounds: usize,
    /// The folder in which the benchmark makes, and removes, its own.
    pub(crate) dir: PathBuf,
    /// Whether sizes are small.
    pub(crate) quick: bool,
}

/// What `--help` prints.
pub(crate) fn usage() -> String {
    let mut usage = "\
Measures when `cargo bench` starts it: cargo bench --bench speed -- [SECTION...] [options]
  --dir DIR       where trees and storage go, on the disk that is to be measured (target/tmp)
  --rounds N      how often each contender is timed (5; 2 with --quick)
  --quick         small sizes, which show that everything runs, and nothing else
Sections, all of them unless some are named:"
        .to_owned();
    for section in SECTIONS {
        let _ = write!(usage, "\n  {:<14}  {}", section.name, section.about); // writing to a string never fails
    }
    usage
}

impl Arguments {
    /// Reads the command line; `None` when the user asked for help, or when `cargo bench` did not start this.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>> {
        let dir = env!("CARGO_TARGET_TMPDIR").into();
        let mut arguments = Self { sections: Vec::new(), rounds: ROUNDS, dir, quick: false };
        let mut rounds = None;
        // `cargo bench` says `--bench`. `cargo test --all-targets` starts this program too, without it, unoptimised.
        let mut started_by_bench = false;
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{}", usage()));
            match word.as_str() {
                "--bench" => started_by_bench = true,
                "--help" => return Ok(None),
                "--quick" => arguments.quick = true,
                "--dir" => arguments.dir = value()?.into(),
                "--rounds" => rounds = Some(positive(&value()?)?),
                name => match SECTIONS.iter().find(|section| section.name == name) {
                    Some(section) => arguments.sections.push(section.name),
                    None => bail!("unknown argument {word:?}\n{}", usage()),
                },
            }
        }
        arguments.rounds = rounds.unwrap_or(if arguments.quick { QUICK_ROUNDS } else { ROUNDS });
        if arguments.sections.is_empty() {
            arguments.sections = SECTIONS.iter().map(|section| section.name).collect();
        }
        Ok(started_by_bench.then_some(arguments))
    }
}

fn positive(text: &str) -> Result<usize> {
    text.parse().ok().filter(|number| *number > 0).with_context(|| format!("{text:?} is no number from 1 on"))
}
