//! Sources and, behind them, what is made of them: options may stand between any two.

use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, CommandFactory};

use super::Cli;

/// Sources and a target.
#[derive(Debug, Args)]
pub(super) struct Paths {
    /// The trees to read, whose layouts are found out, and last what to write
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
}

impl Paths {
    /// The sources, at least one, and the target; without both, the command line was not understood.
    pub(super) fn split(&self) -> (&[PathBuf], &PathBuf) {
        match self.paths.split_last() {
            Some((target, sources)) if !sources.is_empty() => (sources, target),
            _ => {
                let message = "at least one SRC and what to write are needed";
                Cli::command().error(ErrorKind::TooFewValues, message).exit()
            }
        }
    }
}
