//! How fast the inner loops are: hashing, digests, manifests, scanning and following.
//!
//! ```text
//! cargo bench --bench loops
//! cargo bench --bench loops -- hash
//! ```

#[path = "support/mod.rs"]
#[allow(dead_code, reason = "the rest is for the other benchmarks")]
mod support;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context as _, Result, ensure};
use bundle::digest::{Algorithm, Digest};
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use support::images::{self, Image, Layer};

/// The size of the file that is hashed.
const HASHED_BYTES: u64 = 64 << 20;
/// How many files of the same size in all are hashed side by side.
const PIECES: u64 = 32;
/// How many images the generated tree has.
const IMAGES: u64 = 200;
/// How many layers each of them has.
const LAYERS: u64 = 8;

/// Where the generated trees lie.
static ROOT: OnceLock<PathBuf> = OnceLock::new();

fn main() -> Result<()> {
    // `cargo test --all-targets` starts this program too, without it, unoptimised.
    if !std::env::args().any(|word| word == "--bench") {
        println!("measures when `cargo bench` starts it: cargo bench --bench loops");
        return Ok(());
    }
    let folder = tempfile::Builder::new().prefix("bundle-bench-").tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    generate(folder.path())?;
    ROOT.get_or_init(|| folder.path().to_owned());
    divan::main();
    Ok(())
}

/// Makes `large/images` with one large layer, `even/images` with several of one size, `small/images` with many images,
/// and their storage in `small/docker`.
fn generate(root: &Path) -> Result<()> {
    let [large, even, small] = ["large", "even", "small"].map(|tree| root.join(tree));
    [&large, &even, &small].into_iter().try_for_each(fs::create_dir)?;
    let layers = vec![Layer { seed: 1, bytes: HASHED_BYTES }];
    images::write(&large, &[Image { name: "team/large:1.0".to_owned(), layers }])?;
    let layers = (0..PIECES).map(|seed| Layer { seed, bytes: HASHED_BYTES / PIECES }).collect();
    images::write(&even, &[Image { name: "team/even:1.0".to_owned(), layers }])?;
    let image = |number| Image {
        name: format!("team-{}/service-{number}:1.0", number % 7),
        layers: (0..LAYERS).map(|kind| Layer { seed: number * LAYERS + kind, bytes: 200 }).collect(),
    };
    images::write(&small, &(0..IMAGES).map(image).collect::<Vec<_>>())?;
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(["to-registry", "--quiet", "images", "docker"]).current_dir(&small);
    let output = command.output().context("cannot run bundle")?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// The path of a generated tree.
fn tree(name: &str) -> PathBuf {
    ROOT.get().expect("trees are generated before anything is measured").join(name)
}

fn scan(name: &str) -> bundle::layout::Tree {
    bundle::layout::open(&tree(name)).expect("a generated tree")
}

#[divan::bench(sample_count = 20)]
fn hash_a_file_of_64_mib(bencher: Bencher<'_, '_>) {
    let catalog = scan("large/images").scan.catalog;
    let files = catalog.blobs.values().filter_map(|blob| blob.files.first());
    let file = files.max_by_key(|file| file.size).expect("the large layer");
    assert_eq!(file.size, HASHED_BYTES);
    bencher
        .counter(BytesCount::new(HASHED_BYTES))
        .bench(|| bundle::hash::digest_of(file, Algorithm::Sha256, &|_| ()).expect("a file that is there"));
}

/// On one thread, which does several at once where the processor is faster so.
#[divan::bench(sample_count = 20)]
fn hash_32_files_of_2_mib(bencher: Bencher<'_, '_>) {
    let catalog = scan("even/images").scan.catalog;
    let files = catalog.blobs.values().filter_map(|blob| blob.files.first());
    let layers = files.filter(|file| file.size == HASHED_BYTES / PIECES);
    let layers: Vec<_> = layers.map(|file| (file, Algorithm::Sha256)).collect();
    assert_eq!(layers.len() as u64, PIECES);
    let thread = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    let found = |_, found: bundle::hash::Found| {
        black_box(found.expect("a file that is there"));
    };
    bencher
        .counter(BytesCount::new(HASHED_BYTES))
        .bench(|| thread.install(|| bundle::hash::digests_of(&layers, |layer| *layer, &|_| (), found)));
}

#[divan::bench(sample_count = 20)]
fn hash_64_mib_of_memory(bencher: Bencher<'_, '_>) {
    let bytes = vec![1_u8; HASHED_BYTES as usize];
    bencher.counter(BytesCount::new(HASHED_BYTES)).bench(|| Sha256::digest(black_box(&bytes)));
}

#[divan::bench]
fn digest_parse(bencher: Bencher<'_, '_>) {
    let text = digest(1);
    bencher.bench(|| black_box(text.as_str()).parse::<Digest>());
}

#[divan::bench]
fn digest_print(bencher: Bencher<'_, '_>) {
    let digest = Digest::of(Algorithm::Sha256, b"1");
    let mut text = String::with_capacity(80);
    bencher.bench_local(|| {
        text.clear();
        write!(text, "{}", black_box(digest)).expect("writing to a string never fails");
        black_box(text.len())
    });
}

#[divan::bench]
fn manifest_parse_20_layers(bencher: Bencher<'_, '_>) {
    let layer = |number| descriptor("application/vnd.oci.image.layer.v1.tar+gzip", number);
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": descriptor("application/vnd.oci.image.config.v1+json", 0),
        "layers": (1..=20).map(layer).collect::<Vec<_>>(),
    });
    parse(bencher, &manifest);
}

#[divan::bench]
fn manifest_parse_10_platforms(bencher: Bencher<'_, '_>) {
    let platform = |number| {
        let mut platform = descriptor("application/vnd.oci.image.manifest.v1+json", number);
        platform["platform"] = json!({ "architecture": format!("arch{number}"), "os": "linux" });
        platform
    };
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": (1..=10).map(platform).collect::<Vec<_>>(),
    });
    parse(bencher, &index);
}

#[divan::bench(args = ["small/images", "small/docker"])]
fn open_200_images(bencher: Bencher<'_, '_>, name: &str) {
    let path = tree(name);
    assert_eq!(scan(name).scan.catalog.images.len() as u64, IMAGES);
    bencher.counter(ItemsCount::new(IMAGES)).bench(|| bundle::layout::open(&path).expect("a generated tree"));
}

#[divan::bench]
fn closure_of_an_image(bencher: Bencher<'_, '_>) {
    let catalog = scan("small/images").scan.catalog;
    let digest = catalog.images.values().next().expect("an image").digest;
    assert_eq!(catalog.closure(digest).blobs.len() as u64, LAYERS + 1);
    bencher.bench(|| catalog.closure(black_box(digest)));
}

fn parse(bencher: Bencher<'_, '_>, manifest: &Value) {
    let bytes = manifest.to_string().into_bytes();
    bundle::manifest::parse(&bytes).expect("a manifest");
    bencher.counter(BytesCount::new(bytes.len())).bench(|| bundle::manifest::parse(black_box(&bytes)));
}

fn descriptor(media_type: &str, number: u64) -> Value {
    json!({ "mediaType": media_type, "digest": digest(number), "size": 1000 + number })
}

fn digest(number: u64) -> String {
    Digest::of(Algorithm::Sha256, number.to_string().as_bytes()).to_string()
}
