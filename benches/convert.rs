//! How long `bundle to-registry` takes, beside the shell procedure that people ran before it.
//!
//! One generated tree, three ways to make registry storage of it: verified, `--no-verify`, and
//! `scripts/published-procedure`. They take turns, each into a fresh destination on the same file system, after
//! everything written before has reached the disk. Nothing is timed before all three have made the same blobs and tags.
//! `bundle` waits until its work is on the disk, and that time counts; the procedure leaves it to the kernel.
//!
//! ```text
//! cargo bench
//! cargo bench --bench convert -- --images 200 --layer-kib 4096 --rounds 9 --dir /srv/scratch
//! ```

#[path = "support/mod.rs"]
mod support;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

use support::arguments::{Arguments, USAGE};
use support::contender::Contender;
use support::images::{self, Tree};
use support::storage::Storage;

fn main() -> Result<()> {
    let Some(arguments) = Arguments::parse(std::env::args().skip(1))? else {
        println!("{USAGE}");
        return Ok(());
    };
    let root = tempfile::Builder::new()
        .prefix("bundle-bench-")
        .tempdir_in(&arguments.dir)
        .with_context(|| format!("no temporary directory in {}", arguments.dir.display()))?;
    let tree = images::generate(root.path(), arguments.images, arguments.layer_bytes())?;
    print_tree(&tree);

    check(root.path(), &tree)?;
    let times = measure(root.path(), arguments.rounds)?;
    print_times(&times);
    print_versions()
}

/// Lets every contender convert the tree once, and fails unless all of them made what the tree calls for.
///
/// It also warms the page cache, so that the first round is like the others.
fn check(root: &Path, tree: &Tree) -> Result<()> {
    for contender in Contender::ALL {
        contender.convert(root)?;
        let storage = Storage::read(&contender.destination(root))?;
        ensure!(
            storage == tree.storage,
            "{} made other storage than the tree calls for: {}",
            contender.title(),
            storage.difference(&tree.storage)
        );
    }
    Ok(())
}

/// Times all contenders, `rounds` times each; every round begins with another one of them.
fn measure(root: &Path, rounds: usize) -> Result<Vec<(Contender, Vec<Duration>)>> {
    let mut times: Vec<_> = Contender::ALL.map(|contender| (contender, Vec::new())).into();
    for round in 0..rounds {
        for turn in 0..times.len() {
            let place = (round + turn) % times.len();
            let (contender, durations) = &mut times[place];
            durations.push(contender.convert(root)?);
        }
    }
    Ok(times)
}

fn print_tree(tree: &Tree) {
    let stored_bytes: u64 = tree.storage.blobs.values().sum();
    println!(
        "{} images, {} layers, {:.1} MB in the tree, {:.1} MB in {} blobs of the storage\n",
        tree.images,
        tree.layers,
        megabytes(tree.bytes),
        megabytes(stored_bytes),
        tree.storage.blobs.len()
    );
}

fn print_times(times: &[(Contender, Vec<Duration>)]) {
    let published = times
        .iter()
        .find(|(contender, _)| *contender == Contender::Published)
        .map(|(_, durations)| median(durations));
    println!("| {:<30} | median ms | fastest ms | slowest ms | times as fast |", "");
    println!("| {:-<30} | --------: | ---------: | ---------: | ------------: |", "");
    for (contender, durations) in times {
        let middle = median(durations);
        let ratio = published.map_or(f64::NAN, |published| published / middle);
        println!(
            "| {:<30} | {middle:>9.1} | {:>10.1} | {:>10.1} | {ratio:>13.1} |",
            contender.title(),
            milliseconds(durations.iter().min()),
            milliseconds(durations.iter().max()),
        );
    }
    println!();
}

fn print_versions() -> Result<()> {
    let cores = std::thread::available_parallelism().context("the number of cores")?;
    println!("{cores} cores; the versions:");
    for program in [env!("CARGO_BIN_EXE_bundle"), "bash", "sha256sum"] {
        let output = Command::new(program)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        println!("- {}", text.lines().next().unwrap_or(program));
    }
    Ok(())
}

/// The middle of the durations in milliseconds; of an even number, the mean of the two in the middle.
fn median(durations: &[Duration]) -> f64 {
    let mut sorted = durations.to_vec();
    sorted.sort();
    let (low, high) = (sorted.get((sorted.len() - 1) / 2), sorted.get(sorted.len() / 2));
    f64::midpoint(milliseconds(low), milliseconds(high))
}

fn milliseconds(duration: Option<&Duration>) -> f64 {
    duration.map_or(f64::NAN, |duration| duration.as_secs_f64() * 1e3)
}

#[allow(clippy::cast_precision_loss, reason = "printed with one decimal")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
