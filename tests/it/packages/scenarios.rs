//! Releases on their way to sites: in order, with one lost, out of order, and to sites that differ.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::releases::{Release, Vendor, docker, inventory_of, oci};
use super::site::Site;
use crate::support::package::{ask, bill, content};
use crate::support::tree::{assert_same_trees, stamps};
use crate::support::verification::images;

#[test]
fn three_releases_one_after_another() {
    three_releases(&Vendor::new());
}

/// Three releases, each a patch of the one before.
pub(crate) fn three_releases(vendor: &Vendor) {
    let trees = [1, 2, 3].map(|version| vendor.tree(version));
    let packages = [
        vendor.pack("1.tar", &[], 1),
        vendor.pack("2.tar", &[&trees[0]], 2),
        vendor.pack("3.tar", &[&trees[1]], 3),
    ];
    let mut site = Site::new();
    let (mut pulls, mut moved) = (0, 0);
    for (package, version) in packages.iter().zip(1..) {
        let report = site.apply(&[], package, vendor.release(version));
        moved += report["moves"].as_array().unwrap().len();
        pulls += site.check();
        site.apply_again(package, vendor.release(version));
    }
    let skopeos = site.check_with_skopeo();
    println!("three releases: {pulls} pulls from the registry, {skopeos} by skopeo, {moved} tags moved");
    assert!(pulls >= 60 && skopeos >= 20 && moved >= 6);

    // A site that has it all takes the earlier packages, too: their tags go back, and forth again.
    for (package, version) in [(&packages[0], 1), (&packages[1], 2), (&packages[2], 3)] {
        let report = site.apply(&[], package, vendor.release(version));
        assert_eq!(report["copied"]["files"], 0);
        assert!(!report["moves"].as_array().unwrap().is_empty());
    }
    site.check();
}

#[test]
fn a_patch_for_two_releases_makes_up_for_one_that_was_lost() {
    a_lost_patch(&Vendor::new());
}

/// A patch that was lost, and one that makes up for it.
pub(crate) fn a_lost_patch(vendor: &Vendor) {
    let [first, second] = [vendor.tree(1), vendor.tree(2)];
    let for_both = vendor.pack("both.tar", &[&first, &second], 3);
    let mut pulls = 0;
    for version in [1, 2] {
        let mut site = Site::new();
        site.convert(vendor.release(version));
        site.apply(&[], &for_both, vendor.release(3));
        pulls += site.check();
        site.apply_again(&for_both, vendor.release(3));
    }

    // What is against the lost one alone is refused, for exactly what is missing.
    let for_second = vendor.pack("second.tar", &[&second], 3);
    let mut site = Site::new();
    site.convert(vendor.release(1));
    for options in [&[][..], &["--verify-base"], &["--dry-run"], &["--delete-absent"]] {
        let ended = site.refuse(options, &for_second);
        assert_eq!(missing(&ended.summary), expected_missing(&site, &for_second, vendor.release(3)));
    }
    pulls += site.check();

    // Two versions behind, and a package that knows it.
    let for_first = vendor.pack("first.tar", &[&first], 3);
    site.apply(&[], &for_first, vendor.release(3));
    pulls += site.check();
    println!("a lost patch: {pulls} pulls");
    assert!(pulls >= 80);
}

#[test]
fn a_site_keeps_what_is_its_own() {
    own_images(&Vendor::new());
}

/// A site that has images of its own.
pub(crate) fn own_images(vendor: &Vendor) {
    let own = Release::of([
        ("local/tool:1", docker("local tool", &[("base", 120_000), ("local", 4_000)])),
        // Beside the tags of a repository that the packages bring.
        ("shop/web:local", oci("local web", &[("runtime", 60_000)])),
        ("shop:1", oci("above the others", &[])),
    ]);
    let mut site = Site::new();
    site.convert(&own);
    site.apply(&[], &vendor.pack("1.tar", &[], 1), vendor.release(1));
    let mut pulls = site.check();
    let patch = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    site.apply(&[], &patch, vendor.release(2));
    pulls += site.check();
    site.apply_again(&patch, vendor.release(2));
    println!("a site's own images: {pulls} pulls");
    assert!(pulls >= 40);
}

#[test]
fn a_patch_for_two_sites_is_made_of_their_inventories() {
    let vendor = Vendor::new();
    let own = Release::of([("local/tool:1", docker("local tool", &[("local", 4_000)]))]);
    let (mut one, mut other) = (Site::new(), Site::new());
    one.convert(vendor.release(1));
    one.convert(&own);
    other.convert(vendor.release(2));
    let bases = [(&one, "one"), (&other, "other")].map(|(site, name)| {
        let inventory = vendor.path(name);
        fs::write(&inventory, inventory_of(&site.docker())).unwrap();
        inventory
    });
    let patch = vendor.pack("3.tar", &[&bases[0], &bases[1]], 3);

    let needed: BTreeSet<_> = vendor.release(3).content().into_keys().collect();
    let at_both: BTreeSet<_> = one.content().intersection(&other.content()).cloned().collect();
    let relied: BTreeSet<_> = content(&bill(&patch), "relies_on").into_keys().collect();
    assert_eq!(relied, needed.intersection(&at_both).cloned().collect());
    assert!(relied.len() >= 5 && relied.len() < needed.len());
    let mut pulls = 0;
    for site in [&mut one, &mut other] {
        site.apply(&["--verify-base"], &patch, vendor.release(3));
        pulls += site.check();
        site.apply_again(&patch, vendor.release(3));
    }
    println!("two sites: {pulls} pulls");
    assert!(pulls >= 40);
}

#[test]
fn parts_of_a_release_come_in_any_order() {
    parts_in_any_order(&Vendor::new());
}

/// Two halves of a release.
pub(crate) fn parts_in_any_order(vendor: &Vendor) {
    const PARTS: [&[&str]; 2] = [&["platform/", "tools/", "zone-base"], &["shop/", "mirror/", "rrr"]];
    let release = vendor.release(2);
    let base = vendor.tree(1);
    let parts = PARTS.map(|starts| {
        let part = release.below(starts);
        let tree = vendor.path(starts[0].trim_end_matches('/'));
        part.write(&tree);
        let package = tree.with_extension("tar");
        vendor.pack_tree(&[], &[&base], &tree, &package);
        (package, part)
    });
    let lengths = parts.iter().map(|(_, part)| part.images.len());
    assert_eq!(lengths.sum::<usize>(), release.images.len());
    let sites = [[0, 1], [1, 0]].map(|order| {
        let mut site = Site::new();
        site.convert(vendor.release(1));
        for number in order {
            site.apply(&[], &parts[number].0, &parts[number].1);
        }
        site
    });
    sites[0].check();
    assert_same_trees(sites[0].path(), sites[1].path());
    // In one piece it is the same.
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.apply(&[], &vendor.pack("2.tar", &[&base], 2), release);
    assert_same_trees(sites[0].path(), site.path());
}

#[test]
fn a_patch_that_finds_no_base_at_all_leaves_nothing() {
    no_base_at_all(&Vendor::new());
}

/// A patch, and nothing where it goes.
pub(crate) fn no_base_at_all(vendor: &Vendor) {
    let patch = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    let here = vendor.path("here");
    fs::create_dir(&here).unwrap();
    let before = stamps(&here);
    for place in [here.clone(), here.join("new"), here.join("new/docker"), here.join("docker/registry/v2")] {
        let ended = ask(["apply".as_ref(), patch.as_os_str(), place.as_os_str()]);
        assert_eq!(ended.code, 4, "{}", ended.said);
        let relied = content(&bill(&patch), "relies_on");
        assert_eq!(
            missing(&ended.summary).into_keys().collect::<Vec<_>>(),
            relied.into_keys().collect::<Vec<_>>()
        );
        let now = stamps(&here);
        assert_eq!(now.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    }
}

/// The content that a report says is missing, with the images that need it.
fn missing(report: &Value) -> BTreeMap<String, BTreeSet<String>> {
    let findings = report["findings"].as_array().unwrap();
    let missing = findings.iter().map(|finding| {
        assert_eq!((&finding["kind"], &finding["severity"]), (&"missing-base".into(), &"error".into()));
        let images = images(finding).map(str::to_owned).collect();
        (finding["digest"].as_str().unwrap().to_owned(), images)
    });
    let missing: BTreeMap<_, _> = missing.collect();
    assert_eq!(missing.len(), findings.len(), "something is missing twice: {findings:#?}");
    missing
}

/// The same, worked out from the bill of materials, the site and the release.
fn expected_missing(site: &Site, package: &Path, release: &Release) -> BTreeMap<String, BTreeSet<String>> {
    let there = site.content();
    let bill = bill(package);
    let relied = content(&bill, "relies_on").into_keys();
    let missing = relied.filter(|digest| !there.contains(digest));
    // An image needs its own content, and what that is restored from.
    let users = |digest: &str| {
        let restores = bill["restores"].as_array().into_iter().flatten();
        let restored = restores.filter(|it| it["bases"].as_array().unwrap().contains(&digest.into()));
        let restored = restored.flat_map(|it| release.users(it["digest"].as_str().unwrap()));
        restored.chain(release.users(digest)).collect()
    };
    let missing: BTreeMap<_, BTreeSet<_>> = missing.map(|digest| (digest.clone(), users(&digest))).collect();
    assert!(missing.len() >= 5, "{missing:#?}");
    missing
}
