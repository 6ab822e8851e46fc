//! Packages that are bad for a site, and sites that are bad for a package: a bad blob among good ones, bad files
//! that the package heals, and a base that is not what it should be.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::writer::{Package, packed};
use super::{Sites, apply_in_vain, expect_unchanged, run};
use crate::support::bundle::convert;
use crate::support::sha256;
use crate::support::storage::Storage;
use crate::support::testdata::testdata;
use crate::support::tree::{assert_same_files, assert_same_trees, files, inode, links, stamps};
use crate::support::verification::verify;

/// A patch on the release before.
fn patch() -> Package {
    Package::of(&["--base", testdata().join("previous").to_str().unwrap()])
}

/// A site that has the release before.
fn previous(sites: &Sites, name: &str) -> PathBuf {
    let site = sites.packages().join(name);
    convert("to-registry", &["--link", "copy"], &testdata().join("previous"), &site);
    site
}

fn data(site: &Path, digest: &str) -> PathBuf {
    let hex = digest.strip_prefix("sha256:").unwrap();
    site.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
}

/// Applies a package, which has to succeed.
fn apply(options: &[&str], package: &Path, site: &Path) -> Value {
    let arguments = [&["apply", "-q", "--format", "json"], options].concat();
    let arguments = arguments.iter().map(AsRef::as_ref);
    let said = run(arguments.chain([package.as_os_str(), site.as_os_str()]));
    assert_eq!(said.code, 0, "{}", said.stderr);
    serde_json::from_str(&said.stdout).unwrap()
}

#[test]
fn one_bad_blob_among_good_ones_changes_nothing() {
    let sites = Sites::new();
    let previous = previous(&sites, "previous");
    let before = files(&previous);
    let (full, patch) = (Package::of(&[]), patch());
    assert!(full.contents.len() == 26 && patch.contents.len() == 19);
    for (package, site) in [(&full, sites.site()), (&patch, previous.clone())] {
        for digest in package.contents.keys() {
            let mut bad = package.clone();
            *bad.contents.get_mut(digest).unwrap().last_mut().unwrap() ^= 1;
            let path = sites.package(bad.settled());
            let before = stamps(&site);
            let fault = apply_in_vain(&[], &path, &site);
            fault.expect("corrupt-blob", &path, "sha256:");
            assert!(!fault.images.is_empty(), "{fault:?}");
            expect_unchanged(&before, &stamps(&site), &fault);
        }
    }
    assert_same_files(&before, &files(&previous));
}

#[test]
fn a_bad_file_at_the_site_is_healed_and_its_siblings_stay() {
    let sites = Sites::new();
    let full = Package::of(&[]);
    let path = sites.package(full.settled());
    let whole = sites.packages().join("whole");
    apply(&[], &path, &whole);
    let manifests: Vec<_> = full.bill.manifests.iter().map(|edges| &edges.digest).collect();
    let site = sites.packages().join("site");
    apply(&[], &path, &site);
    for digest in full.contents.keys() {
        let file = data(&site, digest);
        let good = fs::read(&file).unwrap();
        // Of the right length, too short and too long.
        for bad in [vec![b'x'; good.len()], Vec::new(), [&good[..], b"x"].concat()] {
            let sibling = sites.packages().join("sibling");
            fs::remove_file(&file).unwrap();
            fs::write(&sibling, &bad).unwrap();
            fs::hard_link(&sibling, &file).unwrap();
            let before = (inode(&sibling), fs::metadata(&sibling).unwrap().modified().unwrap());
            let report = apply(&[], &path, &site);
            if !manifests.contains(&digest) {
                assert_eq!(report["copied"]["files"], 1, "{report:#}");
                assert_eq!(report["findings"][0]["healed"], true, "{report:#}");
                assert_eq!(report["findings"][0]["file"], file.to_str().unwrap());
            }
            assert_eq!(fs::read(&file).unwrap(), good);
            let after = (inode(&sibling), fs::metadata(&sibling).unwrap().modified().unwrap());
            assert_eq!((before, links(&sibling)), (after, 1), "the sibling was touched");
            assert_eq!(fs::read(&sibling).unwrap(), bad, "the sibling was written into");
            fs::remove_file(&sibling).unwrap();
        }
    }
    assert_same_trees(&whole, &site);
}

#[test]
fn a_bad_file_of_the_base_is_found_when_that_is_asked_for() {
    let package = patch();
    assert!(package.bill.relies_on.len() >= 5);
    let is_manifest = |digest: &str| package.bill.manifests.iter().any(|edges| edges.digest == digest);
    for relied in &package.bill.relies_on {
        let sites = Sites::new();
        let path = sites.package(package.settled());
        let refuse = |options: &[&str], site: &Path, found: &str| {
            let before = (files(site), stamps(site));
            let fault = apply_in_vain(options, &path, site);
            fault.expect("missing-base", &data(site, &relied.digest), found);
            assert!(!fault.images.is_empty(), "{fault:?}");
            assert_same_files(&before.0, &files(site));
            assert_eq!(before.1, stamps(site));
        };
        let site = previous(&sites, "site");
        let file = data(&site, &relied.digest);
        let good = fs::read(&file).unwrap();
        for wrong in [&good[1..], &[], &[&good[..], b"x"].concat()] {
            fs::write(&file, wrong).unwrap();
            for options in [&[][..], &["--verify-base"]] {
                refuse(options, &site, &format!("{} bytes", wrong.len()));
            }
        }
        fs::write(&file, [&[good[0] ^ 1], &good[1..]].concat()).unwrap();
        refuse(&["--verify-base"], &site, "sha256:");
        // A look at the size is all that was promised otherwise; a manifest is small enough to be read anyway.
        if !is_manifest(&relied.digest) {
            apply(&[], &path, &site);
        }
        let absent = sites.packages().join("absent");
        let fault = apply_in_vain(&[], &path, &absent);
        assert_eq!((fault.kind.as_str(), fault.found.as_str()), ("missing-base", "nothing"));
        assert!(!absent.exists());
    }
}

#[test]
fn a_base_cannot_be_made_up() {
    // A manifest that the site is to have, said to need less than it does: the site has it, and lacks the layer.
    let storage = Storage::of(&["zone-base:*"]);
    let base = storage.image("zone-base:1.0");
    let manifest: Value = serde_json::from_slice(&fs::read(storage.data(&base.digest)).unwrap()).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
    fs::remove_file(storage.data(&layer)).unwrap();
    fs::remove_dir_all(storage.repository("zone-base")).unwrap();
    let before = files(&storage.docker());

    let mut package = Package::small();
    package.bill.relies_on = std::mem::take(&mut package.bill.carries);
    package.bill.relies_on.retain(|relied| relied.digest != layer);
    package.bill.relies_on.iter_mut().for_each(|relied| relied.offset = None);
    package.bill.manifests[0].layers.clear();
    package.bill.images[0].name = "made/up:1".to_owned();
    let sites = Sites::new();
    let path = sites.package(package.settled());
    let said = run(["apply".as_ref(), "-q".as_ref(), path.as_os_str(), storage.docker().as_os_str()]);
    let broken: Vec<String> =
        verify(&[], &[&storage.docker()]).broken().into_iter().map(str::to_owned).collect();
    assert!(broken.is_empty(), "exit {}: the site shows {broken:?}, which is not complete", said.code);
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert_same_files(&before, &files(&storage.docker()));
}

#[test]
fn an_image_that_a_digest_names_is_that_one() {
    let mut package = Package::small();
    package.bill.images[0].name = format!("zone-base@{}", sha256(b"another"));
    let sites = Sites::new();
    let path = sites.package(package.settled());
    sites.refuse(&path).expect("damaged-package", &path, "");
    // Named rightly, it is one without a tag.
    package.bill.images[0].name = format!("zone-base@{}", package.bill.images[0].digest);
    let path = sites.package(package.settled());
    let site = sites.packages().join("site");
    assert_eq!(apply(&[], &path, &site)["changes"][&package.bill.images[0].name], "new");
    assert_eq!(verify(&[], &[&site]).code, 0);
}

#[test]
fn what_stands_in_the_way_at_the_site_is_not_written_through() {
    let sites = Sites::new();
    let path = sites.package(packed(&[]));
    let outside = sites.packages().join("outside");
    fs::create_dir(&outside).unwrap();
    let storage = "registry/v2";
    for place in ["registry", storage, "registry/v2/blobs", "registry/v2/repositories/platform"] {
        let site = sites.packages().join("site");
        fs::create_dir_all(site.join(place).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&outside, site.join(place)).unwrap();
        let said = run(["apply".as_ref(), "-q".as_ref(), path.as_os_str(), site.as_os_str()]);
        assert_ne!(said.code, 0, "{place} is a symbolic link");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0, "{place} was followed");
        fs::remove_dir_all(&site).unwrap();
    }
}
