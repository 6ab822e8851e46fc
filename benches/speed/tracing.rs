//! The system calls of a command, as strace counts them.

use std::fs;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::NamedTempFile;

use super::launch::{Words, measured};

/// How often a command and its children entered the kernel.
pub(crate) struct Calls {
    /// All calls.
    pub(crate) total: u64,
    /// The calls of each name, the most frequent first.
    pub(crate) by_name: Vec<(String, u64)>,
}

impl Calls {
    /// Counts the calls of a command, which has to succeed.
    pub(crate) fn of(command: &Command) -> Result<Self> {
        let summary = NamedTempFile::new()?;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-c", "--summary-columns=calls,name", "-o"]).arg(summary.path());
        strace.arg(command.get_program()).args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            strace.current_dir(folder);
        }
        measured(&strace, Words::Fault)?;
        let text = fs::read_to_string(summary.path())?;
        // Lines of a number and a name; heads, rules and the total have neither or another name.
        let mut by_name: Vec<(String, u64)> = text
            .lines()
            .filter_map(|line| line.trim().split_once(' '))
            .filter_map(|(count, name)| Some((name.trim().to_owned(), count.parse().ok()?)))
            .filter(|(name, _)| name != "total")
            .collect();
        by_name.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let total = by_name.iter().map(|(_, count)| count).sum();
        (total > 0)
            .then_some(Self { total, by_name })
            .with_context(|| format!("strace counted nothing:\n{text}"))
    }
}
