//! Equal blob files become one inode, in place: what that frees, and what has to stay as it is.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use walkdir::WalkDir;

use crate::support::bundle::{Ended, convert};
use crate::support::package::{ask, report};
use crate::support::program::{program, run};
use crate::support::testdata::{copied_release, files_named, flip_bit, layer};
use crate::support::tree::{assert_same, assert_same_files, assert_same_trees, files, inode, links, stamps};
use crate::support::verification::verify;

/// The bytes of all files below these roots, each inode once.
fn bytes_on_disk(roots: &[&Path]) -> u64 {
    let entries = roots.iter().flat_map(WalkDir::new).map(|entry| entry.unwrap().metadata().unwrap());
    let inodes: BTreeMap<u64, u64> =
        entries.filter(|it| it.is_file()).map(|it| (it.ino(), it.len())).collect();
    inodes.into_values().sum()
}

fn dedupe(options: &[&str], trees: &[&Path]) -> Ended {
    let trees = trees.iter().map(|tree| tree.to_str().unwrap());
    ask(["dedupe"].into_iter().chain(options.iter().copied()).chain(trees))
}

#[test]
fn what_a_tree_has_twice_is_there_once() {
    let (folder, images) = copied_release();
    let before = files(&images);
    let occupied = bytes_on_disk(&[&images]);
    let stats = report(["stats", images.to_str().unwrap()]);
    let promised =
        stats["total"]["disk_bytes"].as_u64().unwrap() - stats["total"]["unique_bytes"].as_u64().unwrap();

    let stamped = stamps(&images);
    let foretold = dedupe(&["--dry-run"], &[&images]).expect(0).summary;
    assert_same("times and inodes", &stamped, &stamps(&images));
    let done = dedupe(&[], &[&images]).expect(0).summary;
    for number in ["files", "inodes", "linked", "freed"] {
        assert_eq!(foretold[number], done[number], "{number}");
    }
    let freed = done["freed"].as_u64().unwrap();
    assert_eq!(freed, promised);
    assert_eq!(freed, occupied - bytes_on_disk(&[&images]));
    assert!(freed > 1_000_000, "{freed}");
    assert_same_files(&before, &files(&images));
    let manifests = WalkDir::new(&images).into_iter().map(Result::unwrap);
    let manifests = manifests.filter(|entry| entry.file_name() == "manifest.json");
    assert!(manifests.map(|entry| links(entry.path())).all(|links| links == 1));

    let again = dedupe(&[], &[&images]).expect(0).summary;
    assert_eq!((again["linked"].as_u64(), again["freed"].as_u64()), (Some(0), Some(0)));
    assert_eq!(verify(&[], &[&images]).code, 0);
    println!("dedupe: {} files, {} linked, {freed} bytes freed", done["files"], done["linked"]);

    // Plain tar ships each inode once, and the tree still makes the trip to storage and back.
    let tar = folder.path().join("images.tar");
    run(&program("tar"), ["-cf".as_ref(), tar.as_os_str(), "-C".as_ref(), images.as_os_str(), ".".as_ref()]);
    assert!(fs::metadata(&tar).unwrap().len() < occupied - freed / 2);
    let [storage, back] = ["storage", "back"].map(|name| folder.path().join(name));
    convert("to-registry", &[], &images, &storage);
    convert("to-dir", &[], &storage, &back);
    assert_same_trees(&images, &back);
}

#[test]
fn several_trees_share_what_they_have_in_common() {
    let (folder, images) = copied_release();
    let [storage, layout] = ["storage", "layout"].map(|name| folder.path().join(name));
    convert("to-registry", &["--link", "copy"], &images, &storage);
    convert("to-oci", &["--link", "copy"], &images, &layout);
    let trees = [images.as_path(), storage.as_path(), layout.as_path()];
    let occupied = bytes_on_disk(&trees);
    let done = dedupe(&[], &trees).expect(0).summary;
    assert_eq!(done["freed"].as_u64().unwrap(), occupied - bytes_on_disk(&trees));
    let hex = layer(&images.join("zone-base:1.0"), 0);
    let blob = storage.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    assert_eq!(inode(&images.join("zone-base:1.0").join(&hex)), inode(&blob));
    assert_eq!(inode(&layout.join("blobs/sha256").join(&hex)), inode(&blob));
    assert_eq!(links(&layout.join("index.json")), 1);
    assert_eq!(verify(&[], &trees).code, 0);
}

#[test]
fn a_corrupt_copy_is_never_spread() {
    for corrupt in [0, 6] {
        let (_folder, images) = copied_release();
        let copies = files_named(&images, &layer(&images.join("zone-base:1.0"), 0));
        assert_eq!(copies.len(), 7);
        flip_bit(&copies[corrupt]);
        let spoiled = files(&images);
        let ended = dedupe(&[], &[&images]).expect(4);
        ended.expect_said(&["corrupt blob", copies[corrupt].to_str().unwrap()]);
        assert_same_files(&spoiled, &files(&images));
        assert_eq!(links(&copies[corrupt]), 1);
        let others: BTreeSet<u64> =
            copies.iter().enumerate().filter(|(at, _)| *at != corrupt).map(|(_, path)| inode(path)).collect();
        assert_eq!(others.len(), 1);
        let broken = ended.summary["findings"][0]["images"].as_array().unwrap();
        assert_eq!(broken.len(), 1, "{broken:?}");
    }
}

#[test]
fn files_of_another_mode_keep_it() {
    let (_folder, images) = copied_release();
    let hex = layer(&images.join("zone-base:1.0"), 0);
    let private = images.join("zone-base:1.0").join(&hex);
    fs::set_permissions(&private, Permissions::from_mode(0o600)).unwrap();
    let done = dedupe(&[], &[&images]).expect(0).summary;
    assert_eq!(done["kept_apart"], 1);
    assert_eq!(links(&private), 1);
    assert_eq!(fs::metadata(&private).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn what_cannot_be_is_refused() {
    let (folder, images) = copied_release();
    let package = folder.path().join("package.tar");
    report(["pack", images.to_str().unwrap(), package.to_str().unwrap()]);
    dedupe(&[], &[&package]).expect(1).expect_said(&["is one file"]);
    let lock = File::open(&images).unwrap();
    lock.lock().unwrap();
    let before = stamps(&images);
    dedupe(&[], &[&images]).expect(3).expect_said(&["another run"]);
    assert_same("times and inodes", &before, &stamps(&images));
}
