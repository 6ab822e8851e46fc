//! Memory does not grow with the size of layers. Files are read and not mapped, so the peak has no page cache in it.

use anyhow::Result;

use super::bench::{Bench, mebibytes};
use super::conversion::{check, fresh};
use super::table::{Goal, Row, Table};
use crate::support::images::{Image, Layer};

/// What a verified conversion may take.
const MOST_BYTES: u64 = 64 << 20;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let images: Vec<_> =
        (0..bench.pick(8, 4)).map(|number| image(number, bench.pick(1 << 29, 1 << 27))).collect();
    let made = bench.make(&images, 1)?;
    let ran = fresh(made.root(), "docker", &[])?;
    check(made.root(), "docker", &made.tree, "bundle")?;
    table.print(Row {
        what: "to-registry, memory".to_owned(),
        data: made.data(),
        ours: format!("{} MiB", mebibytes(ran.peak_bytes)),
        against: "what is allowed".to_owned(),
        theirs: format!("{} MiB", mebibytes(MOST_BYTES)),
        ratio: Some(ran.peak_bytes as f64 / MOST_BYTES as f64),
        goal: Some(Goal::AtMost(1.0)),
    });
    Ok(())
}

/// An image of two layers.
fn image(number: u64, layer_bytes: u64) -> Image {
    let layer = |kind: u64| Layer { seed: 1_000_000 * kind + number, bytes: layer_bytes };
    Image { name: format!("team/service-{number}:1.0"), layers: vec![layer(1), layer(2)] }
}
