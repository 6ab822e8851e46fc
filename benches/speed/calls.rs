//! How many system calls a file of content costs. Times are not told: strace makes each call many times as slow.

use std::process::Command;

use anyhow::Result;

use super::bench::Bench;
use super::conversion::{self, NO_VERIFY, check};
use super::disk;
use super::launch::bundle;
use super::table::{Row, Table};
use super::tracing::Calls;
use crate::support::images::{Image, Layer};

/// An image's layers; the manifest and the configuration make ten files.
const LAYERS: u64 = 8;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let made = bench.make(&images(bench.pick(200, 40)), 3)?;
    let root = made.root();
    let traced_into = |destination: &str, command: &Command, by: &str| {
        disk::make_way(root, destination)?;
        let calls = Calls::of(command)?;
        check(root, destination, &made.tree, by)?;
        Ok::<_, anyhow::Error>(calls)
    };
    let published = traced_into("published", &conversion::published(root, "published"), "the procedure")?;
    let unverified_command = conversion::command(root, "docker", &[NO_VERIFY]);
    let unverified = traced_into("docker", &unverified_command, "bundle --no-verify")?;
    let verified = traced_into("docker", &conversion::command(root, "docker", &[]), "bundle")?;
    let ours = [
        ("to-registry --no-verify", &unverified),
        ("to-registry", &verified),
        ("to-registry --no-verify again", &Calls::of(&unverified_command)?),
        ("stats of images", &Calls::of(&bundle(root, &["stats", "images"]))?),
        ("stats of storage", &Calls::of(&bundle(root, &["stats", "docker"]))?),
    ];
    let files = made.tree.files as f64;
    let words = |calls: &Calls| format!("{} calls, {:.1} a file", calls.total, calls.total as f64 / files);
    for (what, calls) in ours {
        // Looking is other work than converting: there is nothing to compare it with.
        let is_conversion = !what.starts_with("stats");
        table.print(Row {
            what: what.to_owned(),
            data: made.files(),
            ours: words(calls),
            against: if is_conversion { "shell procedure".to_owned() } else { String::new() },
            theirs: if is_conversion { words(&published) } else { String::new() },
            ratio: is_conversion.then_some(published.total as f64 / calls.total as f64),
            goal: None,
        });
    }
    for (what, calls) in [("to-registry --no-verify", &unverified), ("to-registry", &verified)] {
        let most = calls
            .by_name
            .iter()
            .take(5)
            .map(|(name, count)| format!("{name} {count} ({:.1} a file)", *count as f64 / files));
        table.note(format_args!("{what} calls most: {}", most.collect::<Vec<_>>().join(", ")));
    }
    Ok(())
}

/// Images of ten tiny files, no two of which have a layer in common.
fn images(count: u64) -> Vec<Image> {
    let image = |number: u64| Image {
        name: format!("group-{}/service-{number}:1.0", number % 10),
        layers: (0..LAYERS).map(|kind| Layer { seed: number * LAYERS + kind, bytes: 20 }).collect(),
    };
    (0..count).map(image).collect()
}
