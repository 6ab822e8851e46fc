//! The ways of releases to sites again, with what changed in their layers instead of the layers.

use std::fs;

use crate::packages::releases::{Vendor, inventory_of};
use crate::packages::scenarios;
use crate::support::package::{ask, bill};

/// Has releases whose packages have deltas.
fn vendor() -> Vendor {
    let vendor = Vendor::with_deltas();
    let patch = vendor.pack("first look.tar", &[&vendor.tree(1)], 2);
    let restores = bill(&patch)["restores"].as_array().map_or(0, Vec::len);
    assert!(restores >= 2, "only {restores} layers became deltas");
    vendor
}

#[test]
fn three_releases_one_after_another() {
    scenarios::three_releases(&vendor());
}

#[test]
fn a_patch_for_two_releases_makes_up_for_one_that_was_lost() {
    scenarios::a_lost_patch(&vendor());
}

#[test]
fn a_site_keeps_what_is_its_own() {
    scenarios::own_images(&vendor());
}

#[test]
fn parts_of_a_release_come_in_any_order() {
    scenarios::parts_in_any_order(&vendor());
}

#[test]
fn a_patch_that_finds_no_base_at_all_leaves_nothing() {
    scenarios::no_base_at_all(&vendor());
}

#[test]
fn deltas_are_made_of_bytes() {
    let vendor = Vendor::with_deltas();
    let [inventory, patch, package] = ["inventory", "patch.tar", "package.tar"].map(|name| vendor.path(name));
    fs::write(&inventory, inventory_of(&vendor.tree(1))).unwrap();
    vendor.pack_tree(&[], &[&vendor.tree(1)], &vendor.tree(2), &patch);
    let tree = vendor.tree(2);
    let refuse = |base: &[&std::ffi::OsStr], code: i32, words: &[&str]| {
        let arguments = ["pack".as_ref(), "--delta".as_ref()].into_iter().chain(base.iter().copied());
        let ended = ask(arguments.chain([tree.as_os_str(), package.as_os_str()]));
        ended.expect(code).expect_said(words);
        assert!(!package.exists());
    };
    let words = ["no base holds the bytes of a layer", "hint: an inventory or a patch is not enough"];
    refuse(&["--base".as_ref(), inventory.as_os_str()], 1, &words);
    // With several bases, it is enough that one of them has the bytes.
    let both =
        ["--base".as_ref(), inventory.as_os_str(), "--base".as_ref(), vendor.tree(1).into_os_string().leak()];
    let arguments = ["pack".as_ref(), "--delta".as_ref()].into_iter().chain(both);
    let report = ask(arguments.chain([tree.as_os_str(), package.as_os_str()])).expect(0).summary;
    assert!(report["layers"]["deltas"].as_u64().unwrap() >= 2, "{report:#}");
    fs::remove_file(&package).unwrap();
    // Against nothing there is nothing that could have changed.
    refuse(&[], 2, &["--base"]);
}
