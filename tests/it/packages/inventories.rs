//! Numbers and names that are told before a package is made: by inventories, `diff`, `stats` and `--dry-run`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::releases::{Release, Vendor, inventory_of};
use super::site::Site;
use crate::support::bundle::{bundle, convert};
use crate::support::forge::Image;
use crate::support::package::{ask, bill, content, pack, report};
use crate::support::registry::Registry;
use crate::support::scratch;
use crate::support::verification::verify;

/// A release in every form that can be compared with.
fn forms(vendor: &Vendor, version: usize) -> Vec<PathBuf> {
    let (tree, storage) = (vendor.tree(version), vendor.path(&format!("{version}.storage")));
    convert("to-registry", &[], &tree, &storage);
    let packages = vendor.forms(version, &[]);
    let inventories = [&tree, &storage, &packages[0]].map(|source| {
        let inventory = source.with_extension("inventory");
        fs::write(&inventory, inventory_of(source)).unwrap();
        inventory
    });
    [tree, storage].into_iter().chain(packages).chain(inventories).collect()
}

#[test]
fn it_does_not_matter_in_which_form_a_base_is_given() {
    let vendor = Vendor::new();
    let expected = fs::read(vendor.pack("expected.tar", &[&vendor.tree(1)], 2)).unwrap();
    let mut patches = 0;
    for base in forms(&vendor, 1) {
        let patch = vendor.pack("patch.tar", &[&base], 2);
        assert!(fs::read(&patch).unwrap() == expected, "{}", base.display());
        patches += 1;
    }
    // What a site has after a patch is told by the patch itself, by its inventory, and by the site's.
    let after = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    let expected = fs::read(vendor.pack("expected.tar", &[&vendor.tree(2)], 3)).unwrap();
    let folder = vendor.path("2.folder");
    pack(&["--dir"], &[&vendor.tree(1)], &vendor.tree(2), &folder);
    for base in [&after, &folder] {
        assert!(fs::read(vendor.pack("patch.tar", &[base], 3)).unwrap() == expected);
        patches += 1;
    }
    println!("forms of bases: {patches} patches like two others");
    assert_eq!(patches, 10);
}

#[test]
fn the_inventory_of_a_patch_is_that_of_a_site_that_has_it() {
    let vendor = Vendor::new();
    let patch = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    let ended = ask(["inventory".as_ref(), patch.as_os_str()]);
    assert_eq!((ended.code, &*ended.said), (0, ""));
    let inventory = vendor.path("patch.inventory");
    fs::write(&inventory, ended.summary.to_string()).unwrap();
    let patches = [&patch, &inventory].map(|base| fs::read(vendor.pack("3.tar", &[base], 3)).unwrap());
    assert!(patches[0] == patches[1]);
}

#[test]
fn what_is_foretold_is_what_is_written() {
    let vendor = Vendor::new();
    let trees = [1, 2, 3].map(|version| vendor.tree(version));
    let patch = vendor.pack("2.tar", &[&trees[0]], 2);
    let whole = vendor.pack("1.tar", &[], 1);
    let mut site = Site::new();
    site.apply(&[], &whole, vendor.release(1));
    site.apply(&[], &patch, vendor.release(2));
    let inventory = vendor.path("inventory.json");
    fs::write(&inventory, inventory_of(&site.docker())).unwrap();
    let docker = site.docker();

    let tree = |number: usize| trees[number].as_path();
    let sets: [&[&Path]; 7] = [
        &[tree(0)],
        &[tree(0), tree(1)],
        &[&patch],
        &[&whole, &patch],
        &[&inventory],
        &[&docker],
        &[&inventory, &whole, tree(1)],
    ];
    let mut bytes = BTreeSet::new();
    for bases in sets {
        bytes.insert(assert_foretold(&[], bases, tree(2), &vendor.path("3.tar")));
    }
    // Of a site, all that it holds is compared, and packed if it is asked for.
    for bases in [&[tree(2)][..], &[tree(0), tree(2)]] {
        bytes.insert(assert_foretold(&["--untagged"], bases, &docker, &vendor.path("site.tar")));
    }
    println!("foretold: {} sets of bases, {bytes:?} bytes", sets.len() + 2);
    assert!(bytes.len() >= 5);
}

/// Fails unless `stats`, `diff` and `pack --dry-run` say of a patch what it then is; returns its content's bytes.
fn assert_foretold(options: &[&str], bases: &[&Path], source: &Path, package: &Path) -> u64 {
    let dry_run = [options, &["--dry-run"]].concat();
    let _ = fs::remove_file(package);
    let mut foretold = pack(&dry_run, bases, source, package);
    assert!(!package.exists());
    let written = pack(options, bases, source, package);
    assert_eq!(foretold["dry_run"], true);
    foretold["dry_run"] = false.into();
    assert_eq!(foretold, written);
    assert_eq!(written["package_bytes"], fs::metadata(package).unwrap().len());

    let of_bases = bases.iter().flat_map(|base| ["--base".as_ref(), base.as_os_str()]);
    let stats = report(["stats".as_ref(), source.as_os_str()].into_iter().chain(of_bases));
    let mut told = vec![stats["base"].clone()];
    if let [base] = bases {
        told.push(report(["diff".as_ref(), base.as_os_str(), source.as_os_str()])["patch"].clone());
    }
    for patch in told {
        assert_eq!(patch["new"], written["carries"]);
        assert_eq!(patch["reused"], written["relies_on"]);
    }
    written["carries"]["bytes"].as_u64().unwrap()
}

#[test]
fn a_difference_names_images_and_layers() {
    let vendor = Vendor::new();
    let mut changed = 0;
    for (old, new) in [(1, 2), (2, 3), (1, 3), (3, 1), (2, 2)] {
        let report = report(["diff".as_ref(), vendor.tree(old).as_os_str(), vendor.tree(new).as_os_str()]);
        assert_eq!(report["schema"], "bundle.difference/1");
        let (old, new) = (vendor.release(old), vendor.release(new));
        assert_eq!(report["patch"]["images"], expected_names(old, new));
        let images = report["images"].as_array().unwrap();
        let before: BTreeMap<_, _> = old.images.iter().cloned().collect();
        let there = old.content();
        let mut expected: Vec<_> = new
            .images
            .iter()
            .filter(|(name, image)| before.get(name).map(Image::digest) != Some(image.digest()))
            .collect();
        expected.sort_by(|a, b| a.0.cmp(&b.0));
        assert_eq!(images.len(), expected.len());
        for (told, (name, image)) in images.iter().zip(expected) {
            assert_eq!(told["image"], *name);
            assert_eq!(told["digest"], image.digest());
            assert_eq!(told["from"], json!(before.get(name).map(Image::digest)));
            let needed = Release { images: vec![(name.clone(), image.clone())] }.content();
            let (reused, lacking): (BTreeMap<_, _>, BTreeMap<_, _>) =
                needed.into_iter().partition(|(digest, _)| there.contains_key(digest));
            for (side, content) in [("reused", &reused), ("new", &lacking)] {
                let bytes: usize = content.values().map(Vec::len).sum();
                assert_eq!(told[side], json!({ "files": content.len(), "bytes": bytes }), "{name}: {side}");
            }
            // The configuration comes first.
            let layers = image.all().into_iter().flat_map(|image| image.blobs.iter().skip(1));
            let layers = layers.filter(|layer| lacking.contains_key(&layer.digest));
            let layers: BTreeMap<_, _> = layers.map(|layer| (&*layer.digest, layer.bytes.len())).collect();
            let told = told["new_layers"].as_array().unwrap();
            assert_eq!(told.len(), layers.len(), "{name}");
            assert!(told.iter().all(|layer| layer["size"] == layers[layer["digest"].as_str().unwrap()]));
            changed += 1;
        }
    }
    println!("differences: {changed} images");
    assert!(changed >= 40);
}

/// The names of two releases by what became of them.
fn expected_names(old: &Release, new: &Release) -> Value {
    let digests = |release: &Release| -> BTreeMap<String, String> {
        release.images.iter().map(|(name, image)| (name.clone(), image.digest())).collect()
    };
    let repository = |name: &String| name.split(['@', ':']).next().unwrap().to_owned();
    let (old, new) = (digests(old), digests(new));
    let known: BTreeSet<_> = old.keys().map(repository).collect();
    let named = |is: &dyn Fn(&String) -> bool| new.keys().filter(|name| is(name)).collect::<Vec<_>>();
    let repushed = new.iter().filter(|(name, to)| old.get(*name).is_some_and(|from| from != *to));
    json!({
        "new": named(&|name| !known.contains(&repository(name))),
        "changed": named(&|name| known.contains(&repository(name)) && !old.contains_key(name)),
        "repushed": repushed
            .map(|(name, to)| json!({ "image": name, "from": old[name], "to": to }))
            .collect::<Vec<_>>(),
        "unchanged": named(&|name| old.get(name) == Some(&new[name])),
        "gone": old.keys().filter(|name| !new.contains_key(*name)).collect::<Vec<_>>(),
    })
}

#[test]
fn the_same_images_are_the_same_in_every_form() {
    let vendor = Vendor::new();
    let diff = |old: &Path, new: &Path, options: &[&str]| {
        let mut command = bundle();
        command.arg("diff").args(options).arg(old).arg(new);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap())
    };
    let (old, new) = (forms(&vendor, 1), forms(&vendor, 2));
    let mut pairs = 0;
    for (number, left) in new.iter().enumerate() {
        // Each form with two others, and with itself.
        for right in [number, number + 1, number + 3].map(|it| &new[it % new.len()]) {
            let expected = (Some(0), "the same images\n".to_owned());
            assert_eq!(diff(left, right, &["--exit-code"]), expected, "{left:?} {right:?}");
            pairs += 1;
        }
        let (code, said) = diff(&old[number], left, &[]);
        assert!(code == Some(0) && said.contains("re-pushed"), "{said}");
        let (code, again) = diff(&old[number], left, &["--exit-code"]);
        assert_eq!((code, again), (Some(1), said));
        pairs += 1;
    }
    println!("diff: {pairs} pairs");
    assert_eq!(pairs, 32);
    // One name less is a difference, too.
    let less = vendor.path("less.tar");
    pack(&["--exclude", "shop/base:1"], &[], &vendor.tree(2), &less);
    assert_eq!(diff(&vendor.tree(2), &less, &["--exit-code"]).0, Some(1));
    assert_eq!(diff(&less, &vendor.tree(2), &["--exit-code"]).0, Some(1));
    // A side that is not sound is told first.
    fs::remove_file(vendor.tree(2).join("shop/base:1/manifest.json")).unwrap();
    fs::write(vendor.tree(2).join("shop/base:1/manifest.json"), "{").unwrap();
    assert_eq!(diff(&vendor.tree(1), &vendor.tree(2), &["--exit-code"]).0, Some(4));
}

#[test]
fn an_inventory_is_small_enough_to_mail() {
    let vendor = Vendor::new();
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.convert(vendor.release(2));
    for tree in [vendor.tree(1), vendor.tree(2), site.docker()] {
        let text = inventory_of(&tree);
        let inventory: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(inventory["schema"], "bundle.inventory/1");
        let [images, content] = ["images", "content"].map(|list| inventory[list].as_array().unwrap().len());
        let bytes_each = text.len() / (images + content);
        println!("inventory: {images} images, {content} blobs, {bytes_each} bytes each");
        assert!(images >= 14 && content >= 40 && bytes_each < 400);
    }
    let listed: Value = serde_json::from_slice(&inventory_of(&site.docker())).unwrap();
    let listed = listed["content"].as_array().unwrap().iter();
    let listed: BTreeSet<_> = listed.map(|it| it["digest"].as_str().unwrap().to_owned()).collect();
    assert_eq!(listed, site.content());
}

#[test]
fn content_that_no_image_needs_is_content_of_a_base() {
    let vendor = Vendor::new();
    let site = scratch();
    let (_, image) = vendor.release(1).images.iter().find(|(name, _)| name == "shop/base:1").unwrap();
    let layer = image.blobs.last().unwrap();
    // As a push leaves it that ends before its manifest.
    let registry = Registry::start(site.path());
    assert_eq!(registry.put_blob("unfinished", &layer.bytes), layer.digest);
    drop(registry);
    let docker = site.path().join("docker");
    let inventory = vendor.path("inventory.json");
    fs::write(&inventory, inventory_of(&docker)).unwrap();
    let patches =
        [(&docker, "1.tar"), (&inventory, "2.tar")].map(|(base, name)| vendor.pack(name, &[base], 1));
    for patch in &patches {
        let relied = BTreeMap::from([(layer.digest.clone(), layer.bytes.len() as u64)]);
        assert_eq!(content(&bill(patch), "relies_on"), relied);
    }
    let report = report(["apply".as_ref(), patches[1].as_os_str(), docker.as_os_str()]);
    assert_eq!(report["changes"].as_object().unwrap().len(), vendor.release(1).images.len());
    assert!(verify(&[], &[&docker]).errors().is_empty());
}
