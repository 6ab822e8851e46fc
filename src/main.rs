//! The process edge: arguments in, exit code out.

use std::io;
use std::process::ExitCode;

use bundle::cli::{self, Cli};
use bundle::commands::Ending;
use bundle::interrupt;
use bundle::report;
use bundle::text::plain;
use clap::Parser;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ending = interrupt::listen().map_err(Into::into).and_then(|()| cli::run(cli));
    interrupt::give_way();
    match ending {
        Ok(Ending::Sound) => ExitCode::SUCCESS,
        Ok(Ending::Different) => ExitCode::from(1),
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
