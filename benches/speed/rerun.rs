//! A conversion that finds everything done takes hardly longer than looking at every name in both trees.

use std::process::Command;

use anyhow::Result;

use super::bench::Bench;
use super::conversion::{NO_VERIFY, again, check, fresh};
use super::disk;
use super::launch::{Words, measured};
use super::runs::take_turns;
use super::table::{Goal, Row, Table};
use crate::support::images::{Image, Layer};

/// An image's layers.
const LAYERS: u64 = 18;
/// How many of them it shares with other images: 61 %.
const SHARED_LAYERS: u64 = 11;
/// With how many images.
const SHARED_BY: u64 = 10;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let made = bench.make(&images(bench.pick(1000, 100)), 1)?;
    let root = made.root();
    fresh(root, "docker", &[])?;
    check(root, "docker", &made.tree, "bundle")?;
    let mut find = Command::new("find");
    find.args(["images", "docker"]).current_dir(root);
    let [ours, find] = take_turns(
        bench.rounds,
        [
            Box::new(|| again(root, "docker", &[NO_VERIFY])),
            Box::new(|| {
                disk::sync(root)?;
                measured(&find, Words::Fault)
            }),
        ],
    )?;
    check(root, "docker", &made.tree, "bundle, run again,")?;
    let row = Row::above_floor(
        "to-registry --no-verify again",
        &made.files(),
        &ours,
        "find over both trees",
        &find,
    );
    table.print(row.with_goal(Goal::AtMost(1.5)));
    Ok(())
}

/// Images of 20 small files.
fn images(count: u64) -> Vec<Image> {
    let layer = |number: u64, kind: u64| {
        let own = if kind < SHARED_LAYERS { number / SHARED_BY } else { number };
        let seed = kind * 1_000_000 + own;
        Layer { seed, bytes: 100 + seed % 201 }
    };
    let image = |number| Image {
        name: format!("team-{}/service-{number}:1.0.{number}", number % 7),
        layers: (0..LAYERS).map(|kind| layer(number, kind)).collect(),
    };
    (0..count).map(image).collect()
}
