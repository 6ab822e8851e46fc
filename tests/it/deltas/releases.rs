//! Releases whose layers were compressed by the real programs: which of them become deltas, and that all images
//! arrive as they were, down to the last byte of every layer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::images::{few, layers, product, why_whole};
use crate::packages::releases::{Vendor, read};
use crate::packages::site::Site;
use crate::support::bundle::bundle;
use crate::support::compressor::Compressor;
use crate::support::package::bill;
use crate::support::tree::files;

/// What has to become of the layers of a version that the version before does not have.
fn expected(version: usize) -> (BTreeSet<String>, BTreeMap<&'static str, u64>) {
    let (product, mut deltas, mut whole) = (product(), BTreeSet::new(), BTreeMap::new());
    let before = layers(&product.releases[version - 2]);
    for digest in layers(&product.releases[version - 1]).difference(&before) {
        let why = match product.alike.get(digest) {
            Some(compressor) => why_whole(*compressor),
            None => Some(product.new[digest]),
        };
        match why {
            None => drop(deltas.insert(digest.clone())),
            Some(why) => *whole.entry(why).or_default() += 1,
        }
    }
    (deltas, whole)
}

#[test]
fn layers_of_all_compressors_arrive_as_they_were() {
    let product = product();
    let vendor = Vendor::of(&product.releases, &["--delta"]);
    let mut site = Site::new();
    let first = vendor.pack("1.tar", &[], 1);
    assert_eq!(bill(&first).get("unpacked_by"), None::<&Value>);
    site.apply(&[], &first, vendor.release(1));
    let mut pulls = site.check();
    let mut deltas = 0;
    for version in [2, 3] {
        let package = vendor.path(&format!("{version}.tar"));
        let (base, tree) = (vendor.tree(version - 1), vendor.tree(version));
        let (as_deltas, whole) = expected(version);
        let number = as_deltas.len() as u64;
        match version {
            // Once in words.
            2 => expect_told(&base, &tree, &package),
            _ => {
                let report = vendor.pack_tree(&[], &[&base], &tree, &package);
                let all = number + whole.values().sum::<u64>();
                assert_eq!(report["layers"], json!({ "layers": all, "deltas": number, "whole": whole }));
            }
        }
        let bill = bill(&package);
        let restores = bill["restores"].as_array().unwrap();
        let restored: BTreeSet<_> =
            restores.iter().map(|it| it["digest"].as_str().unwrap().to_owned()).collect();
        assert_eq!(restored, as_deltas);
        // They are worth it.
        let [blobs, shipped] = ["restores", "deltas"].map(|it| bill["totals"][it]["bytes"].as_u64().unwrap());
        assert!(shipped * 8 < blobs, "{shipped} bytes for {blobs}");
        assert_eq!(bill["totals"]["restores"]["files"], number);

        let applied = site.apply(&["--verify-base"], &package, vendor.release(version));
        assert_eq!(applied["restored"], bill["totals"]["restores"]);
        pulls += site.check();
        site.apply_again(&package, vendor.release(version));
        deltas += number;
    }
    let skopeos = site.check_with_skopeo();
    println!("deltas: {deltas} layers restored, {pulls} pulls from the registry, {skopeos} by skopeo");
    assert!(deltas == 14 && pulls >= 25 && skopeos >= 10);

    // Back in the vendor's form, every image is the vendor's.
    let back = vendor.path("back");
    bundle().args(["to-dir", "-q"]).arg(site.docker()).arg(&back).assert().success();
    let mut images = 0;
    for (name, image) in &vendor.release(3).images {
        assert_eq!(read(&back.join(name)).files(), image.files(), "{name}");
        images += 1;
    }
    assert_eq!(images, 5);
}

/// Packs the second release, and fails unless the text says what becomes of its layers.
fn expect_told(base: &Path, tree: &Path, package: &Path) {
    let mut command = bundle();
    command.args(["pack", "-q", "--delta", "--base"]).arg(base).arg(tree).arg(package);
    let said = String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap();
    let layers = "layers     14: 7 delta, 1 small, 1 zstd, 1 no single gzip member, 2 unknown gzip encoder, \
                  1 nothing like it in the base, 1 no smaller as a delta";
    assert!(said.lines().any(|line| line == layers), "{said}");
    assert!(said.lines().any(|line| line.starts_with("restores   7 blobs, ")), "{said}");
    // Whoever has only tar is told, by the package and when it is made.
    assert!(said.contains("plain tar cannot unpack it, bundle apply can"), "{said}");
    assert_eq!(bill(package)["unpacked_by"], "bundle apply");
}

/// A file of the base with another byte than its name says, in a layer that has no checksum of its own: sites have
/// what the name says, and a delta of that file would fail at all of them.
#[test]
fn a_bad_file_of_the_base_is_not_taken_from() {
    let product = few();
    let vendor = Vendor::of(&product.releases, &["--delta"]);
    let (base, tree, package) = (vendor.tree(1), vendor.tree(2), vendor.path("2.tar"));
    let honest = vendor.pack_tree(&[], &[&base], &tree, &package);
    assert_eq!(honest["layers"]["deltas"], 3);
    let bare = layers(vendor.release(1));
    let bare = bare.iter().find(|digest| product.alike.get(*digest) == Some(&Compressor::None)).unwrap();
    let hex = bare.trim_start_matches("sha256:");
    let mut spoiled = 0;
    for (path, mut bytes) in files(&base).into_iter().filter(|(path, _)| path.ends_with(hex)) {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        fs::write(base.join(path), bytes).unwrap();
        spoiled += 1;
    }
    assert!(spoiled > 0);
    let report = vendor.pack_tree(&[], &[&base], &tree, &package);
    assert_eq!(report["layers"]["deltas"], 2);
    let [before, now] = [&honest, &report].map(|it| it["layers"]["whole"]["nothing-alike"].as_u64().unwrap());
    assert_eq!(now, before + 1);
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.apply(&[], &package, vendor.release(2));
    site.check();
}
