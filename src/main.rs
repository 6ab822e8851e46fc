//! The process edge: arguments in, exit code out.

use std::io;
use std::process::ExitCode;

use bundle::cli::{self, Cli};
use bundle::commands::Ending;
use bundle::report;
use bundle::text::plain;
use clap::Parser;

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(Ending::Sound) => ExitCode::SUCCESS,
        Ok(Ending::Faulty) => ExitCode::from(4),
        Err(error) => {
            let message = format!("error: {error:#}");
            message.lines().for_each(|line| report::say(&(plain(line) + "\n")));
            ExitCode::from(code(&error))
        }
    }
}

/// Failures of the environment are told apart from all others.
fn code(error: &anyhow::Error) -> u8 {
    if error.chain().any(|cause| cause.is::<io::Error>()) { 3 } else { 1 }
}
