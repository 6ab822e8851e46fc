//! Runs a program and says what it took.
//!
//! A small process of its own starts the program, this benchmark run once more: what the kernel tells of ended
//! children is then about this one alone, and their memory does not begin with that of a benchmark that remembers
//! a million files.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;

use super::runs::Ran;

/// Makes the benchmark run one command and say what it took.
pub(crate) const RUN: &str = "--run";

/// The unit in which the kernel counts what was read from the disk.
const SECTOR_BYTES: u64 = 512;

/// What words on standard error mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// That something went wrong, whatever the exit code says: the shell procedure ignores its own failures.
    Fault,
    /// Nothing: it tells there what it does.
    Progress,
}

/// A command of the built `bundle`, without progress, in a folder.
pub(crate) fn bundle(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(arguments).arg("--quiet").current_dir(folder);
    command
}

/// Runs a command, which has to succeed, and says what it took from its start to its end.
pub(crate) fn measured(command: &Command, words: Words) -> Result<Ran> {
    let mut helper = Command::new(std::env::current_exe()?);
    helper.arg(RUN).arg(command.get_program()).args(command.get_args());
    if let Some(folder) = command.get_current_dir() {
        helper.current_dir(folder);
    }
    let output = helper.output().with_context(|| format!("cannot run {command:?}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}:\n{said}");
    ensure!(words == Words::Progress || said.is_empty(), "{command:?} succeeded with these words:\n{said}");
    let numbers: Vec<f64> = String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .map(str::parse)
        .collect::<Result<_, _>>()
        .context("what the command took")?;
    let [seconds, user_seconds, system_seconds, peak_bytes, read_bytes] = numbers[..] else {
        anyhow::bail!("{command:?}: the helper said {numbers:?}");
    };
    Ok(Ran {
        seconds,
        cpu_seconds: user_seconds + system_seconds,
        user_seconds,
        peak_bytes: peak_bytes as u64,
        read_bytes: read_bytes as u64,
    })
}

/// What was read from the disk so far, in bytes, for this process or for its children that have ended.
pub(crate) fn read_bytes(who: UsageWho) -> Result<u64> {
    Ok(getrusage(who)?.block_reads().unsigned_abs() * SECTOR_BYTES)
}

/// Does what [`measured`] asks of another process of this program.
pub(crate) fn answer(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no command")?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let start = Instant::now();
    let status = command.status().with_context(|| format!("cannot run {program}"))?;
    let seconds = start.elapsed().as_secs_f64();
    ensure!(status.success(), "{program}: {status}");
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let [user, system] =
        [usage.user_time(), usage.system_time()].map(|it| it.num_microseconds() as f64 / 1e6);
    let peak_bytes = usage.max_rss() * 1024;
    println!("{seconds} {user} {system} {peak_bytes} {}", read_bytes(UsageWho::RUSAGE_CHILDREN)?);
    Ok(())
}
