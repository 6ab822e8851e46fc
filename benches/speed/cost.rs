//! What a conversion is made of: a fixed start, and what each image, each file of content and each GB add.
//!
//! Each figure but the first is the difference of two runs that differ in this alone. Files are tiny and all
//! different, and what is written is durable at the end.

use anyhow::Result;

use super::bench::{Bench, Made};
use super::conversion::{NO_VERIFY, check, fresh};
use super::runs::{Contender, Runs, milliseconds, take_turns};
use super::table::{Row, Table};
use crate::support::images::{Image, Layer};

/// The size of a layer that costs no more than its name.
const TINY_BYTES: u64 = 20;
/// Images and files of the smaller tree, and how many times as many images or files the larger ones have.
const IMAGES: u64 = 100;
const FILES: u64 = 10;
const TIMES: u64 = 5;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let images = bench.pick(IMAGES, IMAGES / 5);
    let layer_bytes = bench.pick(1 << 26, 1 << 23);
    let stores = 2 * bench.rounds + 1;
    let one = bench.make(&tree(1, 3, TINY_BYTES), stores)?;
    let few = bench.make(&tree(images, FILES, TINY_BYTES), stores)?;
    let more_files = bench.make(&tree(images, FILES * TIMES, TINY_BYTES), stores)?;
    let more_images = bench.make(&tree(images * TIMES, FILES, TINY_BYTES), stores)?;
    let large = bench.make(&tree(4, 6, layer_bytes), stores)?;
    for made in [&one, &few, &more_files, &more_images, &large] {
        convert(made, &[NO_VERIFY])?;
        check(made.root(), "docker", &made.tree, "bundle")?;
    }
    let [one_runs, few_runs, files_runs, images_runs, large_runs, hashed_runs] = take_turns(
        bench.rounds,
        [
            unverified(&one),
            unverified(&few),
            unverified(&more_files),
            unverified(&more_images),
            unverified(&large),
            Box::new(|| convert(&large, &[])),
        ],
    )?;
    check(large.root(), "docker", &large.tree, "bundle")?;

    table.print(Row {
        what: "to start, and one image".to_owned(),
        data: one.files(),
        ours: format!("{one_runs} ms"),
        ..Row::default()
    });
    let files = (more_files.tree.files - few.tree.files) as f64;
    let of_file = difference(&files_runs, &few_runs) / files;
    table.print(Row {
        what: "a file of content, --no-verify".to_owned(),
        data: format!("{} - {} files, {images} images", more_files.tree.files, few.tree.files),
        ours: format!("{:.1} µs", of_file * 1e6),
        against: between(&files_runs, &few_runs, &format!("{files}")),
        ..Row::default()
    });
    let more = (more_images.tree.images - more_files.tree.images) as f64;
    let of_image = difference(&images_runs, &files_runs) / more;
    table.print(Row {
        what: "an image, --no-verify".to_owned(),
        data: format!("{} - {images} images, {} files", more_images.tree.images, more_images.tree.files),
        ours: format!("{:.3} ms", of_image * 1e3),
        against: between(&images_runs, &files_runs, &format!("{more}")),
        ..Row::default()
    });
    let gigabytes = large.unique_bytes() as f64 / 1e9;
    table.print(Row {
        what: "a GB, hashed".to_owned(),
        data: large.data(),
        ours: format!("{:.3} s", difference(&hashed_runs, &large_runs) / gigabytes),
        against: between(&hashed_runs, &large_runs, &format!("{gigabytes:.3} GB")),
        ..Row::default()
    });
    Ok(())
}

fn convert(made: &Made, options: &[&str]) -> Result<super::runs::Ran> {
    fresh(made.root(), "docker", options)
}

fn unverified(made: &Made) -> Contender<'_> {
    Box::new(|| convert(made, &[NO_VERIFY]))
}

fn difference(more: &Runs, less: &Runs) -> f64 {
    more.median() - less.median()
}

/// How a figure came about.
fn between(more: &Runs, less: &Runs, by: &str) -> String {
    format!("({} - {} ms) / {by}", milliseconds(more.median()), milliseconds(less.median()))
}

/// Images of that many files of content each, with layers of this size, all of them different.
fn tree(images: u64, files: u64, layer_bytes: u64) -> Vec<Image> {
    let image = |number: u64| Image {
        name: format!("group-{}/service-{number}:1.0", number % 10),
        layers: (2..files).map(|kind| Layer { seed: number * files + kind, bytes: layer_bytes }).collect(),
    };
    (0..images).map(image).collect()
}
