//! `bundle prune`.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::{ArgGroup, Args};

use super::Common;
use super::choose::Select;
use crate::commands::{self, Ending, Pruning};
use crate::progress::Progress;
use crate::prune::History;

#[derive(Debug, Args)]
#[command(group(
    ArgGroup::new("what").required(true).multiple(true).args(["images", "include", "exclude", "untagged"])
))]
pub(super) struct Prune {
    /// The storage: the registry's root directory, its docker, or docker/registry/v2
    #[arg(value_name = "STORAGE")]
    path: PathBuf,
    #[command(flatten)]
    select: Select,
    /// Keep all tags; remove what no tag needs
    #[arg(long)]
    untagged: bool,
    /// Keep what tags pointed at before, with its content
    #[arg(long)]
    keep_history: bool,
    /// Leave alone what was written in this time, such as 90m, 24h or 7d; 0s leaves nothing alone
    #[arg(long, value_name = "AGE", value_parser = age)]
    older_than: Option<Duration>,
    /// Go on where something is damaged, and keep what damaged images may need
    #[arg(long)]
    force: bool,
    /// Show what would be removed; remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Wait while another run writes to the same tree, instead of giving up
    #[arg(long)]
    wait: bool,
}

impl Prune {
    pub(super) fn run(&self, common: &Common) -> Result<Ending> {
        commands::prune(&Pruning {
            path: &self.path,
            selection: &self.select.read()?,
            history: if self.keep_history { History::Whole } else { History::Current },
            older_than: self.older_than,
            is_forced: self.force,
            is_dry_run: self.dry_run,
            waits: self.wait,
            progress: Progress::new(common.quiet),
            format: common.format(),
        })
    }
}

/// Reads a number with `s`, `m`, `h`, `d` or `w` behind it.
fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a number with s, m, h, d or w behind it, such as 90m, 24h or 7d".to_owned();
    let (number, unit) = text.split_at_checked(text.len().saturating_sub(1)).ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        "d" => 24 * 60 * 60,
        "w" => 7 * 24 * 60 * 60,
        _ => return Err(wrong()),
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u64 = number.parse().ok().filter(|_| is_number).ok_or_else(wrong)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        for (text, seconds) in [("0s", 0), ("90m", 5400), ("24h", 86400), ("7d", 604_800), ("2w", 1_209_600)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)));
        }
        for wrong in ["", "s", "1", "1y", "-1s", "+1s", "1.5h", "1 h", "h1", "99999999999999999w", "1é"] {
            assert!(age(wrong).is_err(), "{wrong:?} was accepted");
        }
    }
}
