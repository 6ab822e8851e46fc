//! A verified conversion takes hardly longer than what nobody who verifies can do without.
//!
//! With warm pages that is the bare hash loop on all cores over each unique byte; with cold ones it is that or a
//! plain parallel read of the same files, whichever takes longer.

use anyhow::Result;

use super::bench::{Bench, size};
use super::conversion::{check, fresh};
use super::hashing::{self, Hashing};
use super::runs::take_turns;
use super::table::{Goal, Row, Table};
use super::{disk, reading};
use crate::support::images::{Image, Layer};

/// How many times the floor's time is allowed.
const GOAL: Goal = Goal::AtMost(1.15);
/// How many images share each of an image's layers.
const SHARED_BY: [u64; 6] = [10, 5, 4, 2, 2, 1];
/// Layers have from 1 to this many times the smallest size.
const SIZES: u64 = 16;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let made =
        bench.make(&images(bench.pick(100, 40), bench.pick(1 << 20, 1 << 16)), 2 * bench.rounds + 1)?;
    let (root, unique_bytes) = (made.root(), made.unique_bytes());
    fresh(root, "docker", &[])?;
    check(root, "docker", &made.tree, "bundle")?;

    let hashing = Hashing::prepare();
    let [warm, one, all] = take_turns(
        bench.rounds,
        [
            Box::new(|| fresh(root, "docker", &[])),
            Box::new(|| hashing.on_one()),
            Box::new(|| hashing.on_all(bench.cores)),
        ],
    )?;
    let floor = hashing::floor(&one, unique_bytes, bench.cores);
    let floor_at_once = hashing::floor(&all, unique_bytes, bench.cores);
    let (data, what) = (made.data(), "to-registry, warm pages");
    table.print(Row::above_floor(what, &data, &warm, "one hash loop / cores", &floor).with_goal(GOAL));
    table.print(Row::above_floor(what, &data, &warm, "hash loops on all cores at once", &floor_at_once));
    table.note(format_args!(
        "one hash loop does {:.0} MB/s, {} at once do {:.0} MB/s each",
        hashing::megabytes_a_second(&one),
        bench.cores,
        hashing::megabytes_a_second(&all)
    ));
    let read = warm.middle(|run| run.read_bytes as f64) as u64;
    if read > unique_bytes / 100 {
        table.note(format_args!("pages were NOT warm: {} came from the disk", size(read)));
    }

    let (images, first_copies) = (root.join("images"), reading::first_copies(&root.join("images"))?);
    let [cold, reading] = take_turns(
        bench.rounds,
        [
            Box::new(|| {
                disk::drop_pages(&images)?;
                fresh(root, "docker", &[])
            }),
            Box::new(|| {
                disk::drop_pages(&images)?;
                reading::read_all(&first_copies, bench.cores)
            }),
        ],
    )?;
    check(root, "docker", &made.tree, "bundle")?;
    let what = "to-registry, cold pages";
    let (against, floor) = if reading.median() > floor.median() {
        ("parallel read (more than hash loop)", reading.clone())
    } else {
        ("hash loop (more than parallel read)", floor)
    };
    table.print(Row::above_floor(what, &data, &cold, against, &floor).with_goal(GOAL));
    table.print(Row::above_floor(what, &data, &cold, "parallel read of the same files", &reading));
    for (who, runs) in [("bundle", &cold), ("the parallel read", &reading)] {
        let read = runs.middle(|run| run.read_bytes as f64) as u64;
        let is_cold = read >= unique_bytes / 100 * 95;
        let words = if is_cold { "with cold pages" } else { "pages were NOT cold:" };
        table.note(format_args!("{words} {who} read {} of {} from the disk", size(read), size(unique_bytes)));
    }
    Ok(())
}

/// Images of six layers, shared in part; a layer's size follows from its seed.
fn images(count: u64, smallest_bytes: u64) -> Vec<Image> {
    let layer = |kind: usize, number: u64| {
        let seed = kind as u64 * 1_000_000 + number / SHARED_BY[kind];
        Layer { seed, bytes: (1 + seed * 7 % SIZES) * smallest_bytes }
    };
    let image = |number| Image {
        name: format!("team-{}/service-{number}:1.0.{number}", number % 7),
        layers: (0..SHARED_BY.len()).map(|kind| layer(kind, number)).collect(),
    };
    (0..count).map(image).collect()
}
