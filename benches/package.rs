//! What packages cost: time, and the memory that must not grow with them.
//!
//! One generated tree is packed into one file, and the package applied from the file and from standard input,
//! beside what only moves the same bytes: `cat` of the package into a file that is made durable. Every command
//! is a process of its own, and the peak of its resident memory is what the kernel says of it.
//!
//! ```text
//! cargo bench --bench package
//! cargo bench --bench package -- --images 50 --layer-kib 53248 --rounds 1 --dir /srv/scratch
//! ```

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "the rest is for the other benchmark")]
mod support;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use support::arguments::{Arguments, USAGE};
use support::images;

/// Makes this program run one command and say what it took.
const PEAK_OF: &str = "--peak-of";

/// One row of the table.
struct Row {
    title: &'static str,
    script: &'static str,
    seconds: Vec<f64>,
    peak_kib: i64,
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1).peekable();
    if words.peek().is_some_and(|word| word == PEAK_OF) {
        return say_peak_of(&words.skip(1).collect::<Vec<_>>());
    }
    let Some(arguments) = Arguments::parse(words)? else {
        println!("{USAGE}");
        return Ok(());
    };
    let root = tempfile::Builder::new()
        .prefix("bundle-bench-")
        .tempdir_in(&arguments.dir)
        .with_context(|| format!("no temporary directory in {}", arguments.dir.display()))?;
    let tree = images::generate(root.path(), arguments.images, arguments.layer_bytes())?;

    let row = |title, script| Row { title, script, seconds: Vec::new(), peak_kib: 0 };
    let mut rows = [
        row("cat", "cat package.tar > copy && sync copy && rm copy"),
        row("bundle pack", "\"$BUNDLE\" pack -q images package.tar"),
        row("bundle apply", "rm -rf site && \"$BUNDLE\" apply -q package.tar site"),
        row("bundle apply -", "rm -rf site && cat package.tar | \"$BUNDLE\" apply -q - site"),
        row("bundle verify", "\"$BUNDLE\" verify -q package.tar"),
    ];
    measure(root.path(), &mut rows[1])?; // the package that the others take
    rows[1].seconds.clear();
    for _ in 0..arguments.rounds {
        for row in &mut rows {
            measure(root.path(), row)?;
        }
    }
    print(&rows, fs::metadata(root.path().join("package.tar"))?.len(), tree.images);
    Ok(())
}

/// Runs a row's commands once, all that was written before being on the disk.
fn measure(root: &Path, row: &mut Row) -> Result<()> {
    nix::unistd::syncfs(File::open(root)?).context("syncfs")?;
    let started = Instant::now();
    let output = Command::new(std::env::current_exe()?)
        .args([PEAK_OF, "bash", "-c", &format!("set -o pipefail; {}", row.script)])
        .env("BUNDLE", env!("CARGO_BIN_EXE_bundle"))
        .current_dir(root)
        .stderr(Stdio::inherit())
        .output()?;
    row.seconds.push(started.elapsed().as_secs_f64());
    ensure!(output.status.success(), "{} failed: {}", row.title, output.status);
    let text = String::from_utf8(output.stdout)?;
    row.peak_kib = row.peak_kib.max(text.trim().parse().context("the peak of memory")?);
    Ok(())
}

/// Runs a command and prints the largest resident memory that it, or one of its children, had, in KiB.
fn say_peak_of(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("no command")?;
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    ensure!(status.success(), "{status}");
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss());
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "printed with one decimal")]
fn print(rows: &[Row], bytes: u64, images: usize) {
    let megabytes = bytes as f64 / 1e6;
    println!("{images} images in a package of {megabytes:.1} MB\n");
    println!("| {:<15} | fastest s | MB/s | peak MiB |", "");
    println!("| {:-<15} | --------: | ---: | -------: |", "");
    for row in rows {
        let fastest = row.seconds.iter().copied().fold(f64::INFINITY, f64::min);
        println!(
            "| {:<15} | {fastest:>9.2} | {:>4.0} | {:>8.1} |",
            row.title,
            megabytes / fastest,
            row.peak_kib as f64 / 1024.0
        );
    }
}
