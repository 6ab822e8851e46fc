//! Time and memory of all that looks at a whole tree grow no faster than the tree.
//!
//! The worst case: every layer is tiny and another one, so that nothing is shared and hashing takes nothing. Every
//! command runs once at each of three sizes; the exponent is the slope of the logarithm of time over that of size. What
//! the system's own part in it grows with shows `find`, which does nothing but look at each file of the same trees.

use std::process::Command;

use anyhow::Result;

use super::bench::{Bench, Made, mebibytes};
use super::conversion::{NO_VERIFY, again, check, fresh};
use super::disk;
use super::launch::{Words, bundle, measured};
use super::runs::{Ran, milliseconds};
use super::table::{Goal, Row, Table};
use crate::support::images::{Image, Layer};

/// How many repositories' groups there are, and how many tags a repository has.
const GROUPS: u64 = 100;
const TAGS: u64 = 5;
/// An image's layers, and their size.
const LAYERS: u64 = 8;
const LAYER_BYTES: u64 = 20;
/// What time may grow with.
const MOST_EXPONENT: f64 = 1.1;
/// What memory a run may take, and what for each file of content besides.
const MEMORY_BYTES: u64 = 32 << 20;
const MEMORY_BYTES_PER_FILE: u64 = 1 << 10;

/// A command, and what it took at each size.
struct Growth {
    what: &'static str,
    /// Whether it is one of ours, and not a yardstick.
    is_ours: bool,
    runs: Vec<(usize, Ran)>,
}

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let mut growths: Vec<Growth> = Vec::new();
    let mut sizes = Vec::new();
    let mut kept = Vec::new(); // until all is measured: removing it wears on the runs that follow
    for count in bench.pick([1_000, 10_000, 100_000], [100, 300, 1_000]) {
        let made = bench.make(&images(count), 2)?;
        for (is_ours, ran) in [(true, run_all(&made)?), (false, find_all(&made)?)] {
            for (what, ran) in ran {
                let at = growths.iter().position(|growth| growth.what == what).unwrap_or_else(|| {
                    growths.push(Growth { what, is_ours, runs: Vec::new() });
                    growths.len() - 1
                });
                growths[at].runs.push((made.tree.files, ran));
            }
        }
        sizes.push(count.to_string());
        kept.push(made);
    }
    let data = format!("{} images of {} files", sizes.join(" / "), LAYERS + 2);
    for growth in &growths {
        table.print(time_row(growth, &data));
        if growth.is_ours {
            table.print(memory_row(growth, &data));
        }
    }
    Ok(())
}

/// Runs every command once at one size.
fn run_all(made: &Made) -> Result<Vec<(&'static str, Ran)>> {
    let root = made.root();
    let look = |arguments: &[&str]| {
        disk::sync(root)?;
        measured(&bundle(root, arguments), Words::Fault)
    };
    let unverified = fresh(root, "docker", &[NO_VERIFY])?;
    check(root, "docker", &made.tree, "bundle --no-verify")?;
    let verified = fresh(root, "docker", &[])?;
    check(root, "docker", &made.tree, "bundle")?;
    Ok(vec![
        ("to-registry --no-verify", unverified),
        ("to-registry", verified),
        ("to-registry --no-verify again", again(root, "docker", &[NO_VERIFY])?),
        ("stats of images", look(&["stats", "images"])?),
        ("stats of storage", look(&["stats", "docker"])?),
        ("verify --quick of images", look(&["verify", "--quick", "images"])?),
        ("verify --quick of storage", look(&["verify", "--quick", "docker"])?),
    ])
}

/// Looks at the size of every file, at one size.
fn find_all(made: &Made) -> Result<Vec<(&'static str, Ran)>> {
    let look = |tree: &str| {
        let mut find = Command::new("find");
        find.args([tree, "-size", "-0"]).current_dir(made.root());
        disk::sync(made.root())?;
        measured(&find, Words::Fault)
    };
    Ok(vec![("find -size in images", look("images")?), ("find -size in storage", look("docker")?)])
}

fn time_row(growth: &Growth, data: &str) -> Row {
    let points = |time: fn(&Ran) -> f64| -> Vec<_> {
        growth.runs.iter().map(|(files, ran)| (*files as f64, time(ran))).collect()
    };
    Row {
        what: growth.what.to_owned(),
        data: data.to_owned(),
        ours: joined(growth.runs.iter().map(|(_, ran)| milliseconds(ran.seconds))),
        against: "exponent of time".to_owned(),
        // What the system does on its behalf grows with what the system remembers of other files.
        theirs: format!("{:.3} of user time", exponent(&points(|ran| ran.user_seconds))),
        ratio: Some(exponent(&points(|ran| ran.seconds))),
        goal: growth.is_ours.then_some(Goal::AtMost(MOST_EXPONENT)),
    }
}

/// The row of a command's memory, whose ratio is that of the size that comes closest to what is allowed.
fn memory_row(growth: &Growth, data: &str) -> Row {
    let allowed = |files: usize| MEMORY_BYTES + MEMORY_BYTES_PER_FILE * files as u64;
    let ratios = growth.runs.iter().map(|(files, ran)| ran.peak_bytes as f64 / allowed(*files) as f64);
    let by_file = growth.runs.last().map_or(0, |(files, ran)| ran.peak_bytes / *files as u64);
    Row {
        what: format!("{}, memory", growth.what),
        data: data.to_owned(),
        ours: format!(
            "{} MiB, {by_file} B a file",
            joined(growth.runs.iter().map(|(_, ran)| mebibytes(ran.peak_bytes)))
        ),
        against: "32 MiB + 1 KiB a file".to_owned(),
        theirs: format!("{} MiB", joined(growth.runs.iter().map(|(files, _)| mebibytes(allowed(*files))))),
        ratio: ratios.reduce(f64::max),
        goal: Some(Goal::AtMost(1.0)),
    }
}

fn joined(cells: impl Iterator<Item = String>) -> String {
    cells.collect::<Vec<_>>().join(" / ")
}

/// The slope of ln y over ln x, by least squares.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let count = points.len() as f64;
    let logarithms = || points.iter().map(|(x, y)| (x.ln(), y.ln()));
    let mean_x = logarithms().map(|(x, _)| x).sum::<f64>() / count;
    let mean_y = logarithms().map(|(_, y)| y).sum::<f64>() / count;
    let rise: f64 = logarithms().map(|(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let run: f64 = logarithms().map(|(x, _)| (x - mean_x).powi(2)).sum();
    rise / run
}

/// Images of ten tiny files, no two of which have a layer in common.
fn images(count: u64) -> Vec<Image> {
    let image = |number: u64| {
        let repository = number / TAGS;
        Image {
            name: format!("group-{}/service-{repository}:1.{}", repository % GROUPS, number % TAGS),
            layers: (0..LAYERS)
                .map(|kind| Layer { seed: number * LAYERS + kind, bytes: LAYER_BYTES })
                .collect(),
        }
    };
    (0..count).map(image).collect()
}
