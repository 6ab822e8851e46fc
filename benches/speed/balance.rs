//! One huge layer among small ones keeps all cores busy, as long as there is something else to do.

use anyhow::Result;

use super::bench::{Bench, size};
use super::conversion::{check, fresh};
use super::hashing::{self, Hashing};
use super::reading::first_copies;
use super::runs::take_turns;
use super::table::{Goal, Row, Table};
use crate::support::images::{Image, Layer};

/// How many images the small layers are in, and how many of them each has.
const IMAGES: u64 = 20;
const SMALL_LAYERS: u64 = 10;
/// Which image has the huge one, behind its small ones: neither the first nor the last.
const HUGE_IN: u64 = 13;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let (huge_bytes, small_bytes) = bench.pick((1 << 30, 1 << 20), (1 << 27, 1 << 17));
    let made = bench.make(&images(huge_bytes, small_bytes), bench.rounds + 1)?;
    let root = made.root();
    fresh(root, "docker", &[])?;
    check(root, "docker", &made.tree, "bundle")?;

    let hashing = Hashing::prepare();
    let huge = &first_copies(&root.join("images"))?[0];
    let [ours, alone, one] = take_turns(
        bench.rounds,
        [
            Box::new(|| fresh(root, "docker", &[])),
            Box::new(|| hashing::of_file(huge)),
            Box::new(|| hashing.on_one()),
        ],
    )?;
    // One file is read and hashed by one core: no number of cores makes that shorter.
    let spread = hashing::floor(&one, made.unique_bytes(), bench.cores);
    let (against, floor) = if alone.median() > spread.median() {
        ("one thread, the huge layer alone", alone)
    } else {
        ("one hash loop / cores, all layers", spread)
    };
    let data = format!("{} among {} x {}", size(huge_bytes), IMAGES * SMALL_LAYERS, size(small_bytes));
    let what = "to-registry, one huge layer";
    table.print(Row::above_floor(what, &data, &ours, against, &floor).with_goal(Goal::AtMost(1.15)));
    let bare = hashing::floor(&one, huge_bytes, 1);
    table.print(Row::above_floor(what, &data, &ours, "one hash loop, the huge layer, not read", &bare));
    let busy = ours.middle(|run| run.cpu_seconds / run.seconds) / bench.cores as f64;
    let best = made.unique_bytes() as f64 / huge_bytes as f64 / bench.cores as f64;
    table.note(format_args!(
        "{} cores were busy for {:.0} % of the time; hashing alone, at its best, keeps them busy for {:.0} %",
        bench.cores,
        busy * 1e2,
        best.min(1.0) * 1e2
    ));
    Ok(())
}

fn images(huge_bytes: u64, small_bytes: u64) -> Vec<Image> {
    let image = |number| {
        let small = (0..SMALL_LAYERS)
            .map(|kind| Layer { seed: 1_000_000 + number * SMALL_LAYERS + kind, bytes: small_bytes });
        let huge = (number == HUGE_IN).then_some(Layer { seed: 2_000_000, bytes: huge_bytes });
        Image { name: format!("team/service-{number}:1.0"), layers: small.chain(huge).collect() }
    };
    (0..IMAGES).map(image).collect()
}
