//! Trees that somebody else had a hand in: hard links, strays, symbolic links, empty folders.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use super::site::{Site, bytes_on_disk, expect_no_empty_folders, prune, write};
use crate::support::bundle::convert;
use crate::support::tree::{assert_same_files, files};
use crate::support::verification::verify;

#[test]
fn other_names_of_what_goes_are_not_touched_and_free_nothing() {
    let site = Site::plain();
    let [images, sibling] = ["images", "sibling"].map(|name| site.path().join(name));
    convert("to-dir", &["--link", "hardlink", "--untagged"], &site.docker(), &images);
    convert("to-registry", &["--link", "hardlink"], &images, &sibling);
    let [in_images, in_sibling] = [&images, &sibling].map(|tree| files(tree));
    let occupied = bytes_on_disk(site.path());
    let done = site.prune_to_list(&[]).expect(0).summary;
    let freed = done["freed"].as_u64().unwrap();
    assert_eq!(freed, occupied - bytes_on_disk(site.path()) + fs::metadata(site.list()).unwrap().len());
    let apart = Site::plain().prune_to_list(&[]).expect(0).summary;
    assert_eq!(apart["removed"], done["removed"]);
    // Manifests are never shared.
    assert!(freed + 1000 < apart["freed"].as_u64().unwrap(), "{freed} of {}", apart["freed"]);
    assert_same_files(&in_images, &files(&images));
    assert_same_files(&in_sibling, &files(&sibling));
    assert_eq!(verify(&[], &[&images, &sibling]).code, 0);
    site.expect_only(&site.wanted);

    // Two names of one inode that both go free it once.
    let site = Site::plain();
    let one = site.put(b"one inode under two names, of which only one is right");
    let other = site.put(b"a name that will be another's");
    fs::remove_file(site.data(&other)).unwrap();
    fs::hard_link(site.data(&one), site.data(&other)).unwrap();
    let occupied = bytes_on_disk(&site.root());
    let done = site.prune_to_list(&[]).expect(0).summary;
    assert_eq!(done["freed"].as_u64().unwrap(), occupied - bytes_on_disk(&site.root()));
}

#[test]
fn what_is_no_part_of_storage_is_named_and_left() {
    let site = Site::plain();
    let garbage = site.put(b"garbage with somebody's note beside it");
    let note = site.data(&garbage).with_file_name("note");
    let unwanted = site.others.iter().find(|(name, _)| name == "gone:2").unwrap().1.digest();
    let link = site.link("gone/_manifests/revisions", &unwanted);
    let temporary = link.with_file_name("link.0815.tmp");
    let strays: BTreeSet<PathBuf> = [
        note,
        temporary,
        site.root().join("README"),
        site.root().join("repositories/notes.txt"),
        site.root().join("blobs/md5"),
        site.root().join("blobs/sha256/zz0"),
        site.root().join("repositories/team/app/_manifests/notes"),
        site.root().join("repositories/now/_layers/tarsum"),
    ]
    .into();
    for stray in &strays {
        write(
            &if stray.extension().is_some() || stray.ends_with("README") || stray.ends_with("note") {
                stray.clone()
            } else {
                stray.join("inside")
            },
            b"somebody's",
        );
    }
    let done = site.prune_to_list(&[]).expect(0).summary;
    let named: BTreeSet<PathBuf> =
        done["strays"].as_array().unwrap().iter().map(|path| path.as_str().unwrap().into()).collect();
    assert_eq!(named, strays);
    let mut left = files(&site.root());
    let mine = |path: &String| strays.iter().any(|stray| site.root().join(path).starts_with(stray));
    assert_eq!(left.keys().filter(|path| mine(path)).count(), strays.len());
    left.retain(|path, _| !mine(path));
    assert_same_files(&crate::support::forge::storage(&site.wanted), &left);
    expect_no_empty_folders(&site.root());
    assert!(!link.exists() && !site.data(&garbage).exists());
}

#[test]
fn symbolic_links_are_not_followed() {
    let site = Site::plain();
    let outside = site.path().join("outside");
    let folders =
        ["repositories/out", "repositories/gone/_uploads", "repositories/team/app/_manifests/tags/out"];
    let digest = "0".repeat(64);
    let inside = [
        format!("_manifests/tags/1/index/sha256/{digest}/link"),
        format!("_layers/sha256/{digest}/link"),
        "0815/data".to_owned(),
        "current/link".to_owned(),
        format!("00/{digest}/data"),
    ];
    inside.iter().for_each(|path| write(&outside.join(path), b"precious"));
    for folder in folders.iter().chain(&["blobs/sha512", "blobs/sha256/00"]) {
        let _ = fs::remove_dir_all(site.root().join(folder));
        symlink(&outside, site.root().join(folder)).unwrap();
    }
    let upload = site.root().join("repositories/team/mirror/_uploads/0815");
    fs::create_dir_all(&upload).unwrap();
    symlink(&outside, upload.join("hashstates")).unwrap();
    let before = files(&outside);
    prune(&["--include", "team/app:2", "--older-than", "0s"], &site.docker()).expect(4);
    prune(&["--include", "team/app:2", "--older-than", "0s", "--force"], &site.docker()).expect(4);
    assert_same_files(&before, &files(&outside));
    assert!(!upload.exists());
    folders.iter().for_each(|folder| assert!(site.root().join(folder).is_symlink(), "{folder}"));
}

#[test]
fn empty_folders_go_that_others_left() {
    let site = Site::plain();
    let digest = "0".repeat(64);
    let folders = [
        format!("blobs/sha256/00/{digest}"),
        format!("repositories/now/_layers/sha256/{digest}"),
        format!("repositories/now/_manifests/revisions/sha512/{digest}{digest}"),
        format!("repositories/now/_manifests/tags/1/index/sha256/{digest}"),
        "repositories/now/_manifests/tags/empty/current".to_owned(),
        "repositories/now/_uploads".to_owned(),
        "repositories/nothing/_layers".to_owned(),
        "repositories/a/b/c".to_owned(),
    ];
    folders.iter().for_each(|folder| fs::create_dir_all(site.root().join(folder)).unwrap());
    let ended = site.prune_to_list(&["-n"]);
    // A tag that points at nothing is an error where it was something once, and else a tag that never was.
    if ended.code == 4 {
        ended.expect_said(&["tag that points at nothing"]);
        fs::remove_dir(site.root().join(&folders[4])).unwrap();
    }
    site.prune_to_list(&[]).expect(0);
    site.expect_only(&site.wanted);
}

#[test]
fn there_may_be_nothing_at_all() {
    let site = Site::plain();
    fs::remove_dir_all(site.docker()).unwrap();
    for folder in ["blobs", "repositories"] {
        fs::create_dir_all(site.root().join(folder)).unwrap();
    }
    let done = prune(&["--untagged"], &site.docker()).expect(0).summary;
    assert_eq!((&done["images_kept"], &done["freed"]), (&0.into(), &0.into()));
    // What has neither tags nor images is all garbage.
    site.put(b"garbage");
    prune(&["--untagged"], &site.docker()).expect(0);
    assert!(files(&site.root()).is_empty());
    assert!(site.root().join("blobs").is_dir() && site.root().join("repositories").is_dir());
}
