//! Packages whose layers are stored better than gzip stores them: smaller, and applied where nothing is.

use std::collections::BTreeMap;
use std::fs;

use serde_json::json;

use crate::packages::releases::{Release, Vendor};
use crate::packages::site::Site;
use crate::support::bundle::{Ended, bundle};
use crate::support::compressor::Compressor;
use crate::support::forge::{self, Blob, artifact};
use crate::support::package::{bill, content, pack};
use crate::support::scratch;
use crate::support::strace::HANGS;
use crate::support::tree::assert_same_trees;

use super::images::{File, archive, few, text};

/// A release of texts, of which gzip is far from the best that can be made.
fn texts() -> Release {
    let sources = ["src/cli.rs", "src/execute.rs", "src/delta/make.rs", "src/layout/package/bill.rs"];
    let texts: [&[&str]; 3] = [&["README.md"], &sources, &["Cargo.lock", "docs/delta.md"]];
    // As those compress that are in a hurry.
    let compressors = [Compressor::Gzip(1), Compressor::Zlib(1), Compressor::Pigz(1)];
    let layers = texts.iter().zip(compressors).map(|(names, compressor)| {
        let files: Vec<_> = names.iter().map(|name| File::new(name, text(name))).collect();
        Blob::new(compressor.media_type(), compressor.compress(&archive(&files)))
    });
    let layers: Vec<_> =
        layers.chain([Blob::new(Compressor::None.media_type(), text("README.md"))]).collect();
    let image = |name: &str, layers: &[Blob]| artifact(&forge::oci(name).blobs[0], layers);
    Release::of([("texts/all:1", image("all", &layers)), ("texts/some:1", image("some", &layers[1..]))])
}

#[test]
fn a_package_that_is_stored_better_brings_the_same() {
    let (folder, release) = (scratch(), texts());
    let [tree, plain, better, folder] =
        ["tree", "plain.tar", "better.tar", "better"].map(|name| folder.path().join(name));
    release.write(&tree);
    let before = pack(&[], &[], &tree, &plain);
    let report = pack(&["--recompress"], &[], &tree, &better);
    pack(&["--recompress", "--dir"], &[], &tree, &folder);
    let [large, small] = [&before, &report].map(|report| report["package_bytes"].as_u64().unwrap());
    println!("recompressed: {small} bytes instead of {large}");
    assert!(small * 5 < large * 4, "{small} bytes instead of {large}");
    assert_eq!(small, fs::metadata(&better).unwrap().len());
    assert_eq!(report["layers"], json!({ "layers": 4, "deltas": 4, "whole": {} }));
    let bill = bill(&better);
    assert_eq!(content(&bill, "relies_on"), BTreeMap::new());
    assert_eq!(bill["unpacked_by"], "bundle apply");

    let mut sites = [Site::new(), Site::new(), Site::new()];
    let [lying, unpacked, passing] = &mut sites;
    let applied = lying.apply(&[], &better, &release);
    assert_eq!(applied["restored"]["files"], 4);
    unpacked.apply(&[], &folder, &release);
    let docker = passing.docker();
    passing.bring(&release, &|more| {
        let mut command = bundle();
        command.args(["apply", "-q", "--format", "json"]).args(more).arg("-").arg(&docker);
        let output = command.pipe_stdin(&better).unwrap().timeout(HANGS).output().unwrap();
        Ended::of(&output).expect(0).summary
    });
    assert_same_trees(sites[0].path(), sites[1].path());
    assert_same_trees(sites[0].path(), sites[2].path());
    let pulls = sites[0].check() + sites[0].check_with_skopeo();
    assert_eq!(pulls, 4);
    sites[0].apply_again(&better, &release);
}

/// Layers that are like one another are stored once, and what changed; with a base, the rest is stored better.
#[test]
fn what_is_alike_in_a_package_is_stored_once() {
    let vendor = Vendor::of(&few().releases, &["--delta"]);
    let both = vendor.path("both");
    // Of the names that both have, those of the second.
    let images = [1, 2].into_iter().flat_map(|version| vendor.release(version).images.iter().cloned());
    let both_releases = Release { images: images.collect::<BTreeMap<_, _>>().into_iter().collect() };
    both_releases.write(&both);
    let [one, two, patch] = ["one.tar", "two.tar", "patch.tar"].map(|name| vendor.path(name));
    let bytes = |report: &serde_json::Value| report["package_bytes"].as_u64().unwrap();
    let alone = bytes(&pack(&["--recompress"], &[], &vendor.tree(1), &one));
    let report = pack(&["--recompress"], &[], &both, &two);
    let together = bytes(&report);
    let chained = bill(&two)["restores"].as_array().unwrap().clone();
    let based = chained.iter().filter(|it| !it["bases"].as_array().unwrap().is_empty()).count();
    println!("alike: {together} bytes for two releases, {alone} for one; {based} layers from others");
    assert!(together * 4 < alone * 7 && based >= 3, "{based}: {together} bytes, {alone} for one");
    // What is restored from one another comes one after the other.
    let mut site = Site::new();
    site.apply(&[], &two, &both_releases);
    site.check();

    let with_deltas = bytes(&pack(&["--delta"], &[&vendor.tree(1)], &vendor.tree(2), &patch));
    let with_both = bytes(&pack(&["--delta", "--recompress"], &[&vendor.tree(1)], &vendor.tree(2), &patch));
    assert!(with_both <= with_deltas, "{with_both} bytes with both, {with_deltas} with deltas alone");
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.apply(&[], &patch, vendor.release(2));
    site.check();
}
