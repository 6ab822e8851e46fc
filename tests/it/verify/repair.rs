//! `verify --repair-from`: what is bad or missing comes out of another tree, if that tree has it whole.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::set;
use crate::support::bundle::convert;
use crate::support::storage::Storage;
use crate::support::testdata::{copied_release, copy_tree, files_named, flip_bit, layer};
use crate::support::tree::{assert_same_trees, files, links};
use crate::support::verification::{Verified, verify};

const WEB: &str = "platform/web:1.8.0";
const CLOCK: &str = "tools/clock:1.0";

/// Verifies and repairs a tree out of others.
fn repair(tree: &Path, sources: &[&Path]) -> Verified {
    let options: Vec<_> = sources.iter().flat_map(|path| ["--repair-from", path.to_str().unwrap()]).collect();
    verify(&options, &[tree])
}

/// The ways in which content goes bad.
const FAULTS: [fn(&Path); 3] =
    [|path| flip_bit(path), |path| fs::write(path, "").unwrap(), |path| fs::remove_file(path).unwrap()];

/// A release as folders and as storage, neither of which shares an inode with the other.
fn both() -> (TempDir, PathBuf, PathBuf) {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    convert("to-registry", &["--link", "copy"], &images, &storage);
    (folder, images, storage)
}

#[test]
fn storage_is_repaired_out_of_folders_and_out_of_storage() {
    let (folder, images, other) = both();
    let pristine = files(&other);
    let storage = Storage::new();
    let (web, clock) = (storage.image(WEB), storage.image(CLOCK));
    // Layers, a configuration, a manifest, and all that belongs to a list.
    let wanted = [&web.manifests, &web.blobs, &clock.manifests, &clock.blobs];
    for source in [&images, &other] {
        for (digest, spoil) in
            wanted.into_iter().flatten().flat_map(|digest| FAULTS.map(|spoil| (digest, spoil)))
        {
            let data = storage.data(digest);
            spoil(&data);
            let verified = repair(&storage.docker(), &[source]);
            assert_eq!(verified.code, 0, "{digest}: {:#}", verified.report);
            let repaired = verified.report["repaired"].as_array().unwrap();
            assert_eq!(repaired.len(), 1, "{repaired:?}");
            assert_eq!(repaired[0]["digest"], *digest);
            assert_eq!(repaired[0]["file"], data.to_str().unwrap());
            let from = Path::new(repaired[0]["from"].as_str().unwrap());
            assert!(from.starts_with(source), "{}", from.display());
            assert_eq!(files(&storage.docker()), pristine);
        }
    }
    assert_eq!(files(&folder.path().join("docker")), pristine);
    assert_same_trees(&images, &copied_release().1);
}

#[test]
fn folders_are_repaired_out_of_folders_and_out_of_storage() {
    let (_folder, images, storage) = both();
    let (_other, broken) = copied_release();
    let pristine = files(&images);
    let content =
        |path: &&PathBuf| !matches!(path.file_name().unwrap().to_str(), Some("manifest.json" | "version"));
    let paths: Vec<_> = pristine.keys().map(PathBuf::from).collect();
    for source in [&images, &storage] {
        for (path, spoil) in paths.iter().filter(content).flat_map(|path| FAULTS.map(|spoil| (path, spoil))) {
            spoil(&broken.join(path));
            let verified = repair(&broken, &[source]);
            assert_eq!(verified.code, 0, "{}: {:#}", path.display(), verified.report);
            assert_eq!(verified.report["repaired"][0]["file"], broken.join(path).to_str().unwrap());
            assert_eq!(files(&broken), pristine);
        }
    }
}

#[test]
fn what_took_a_blob_s_place_gives_way_and_is_not_followed() {
    let (_folder, images) = copied_release();
    let storage = Storage::new();
    let data = storage.data(storage.image(WEB).blobs.first().unwrap());
    let outside = storage.site().join("outside");
    fs::rename(&data, &outside).unwrap();
    flip_bit(&outside);
    let before = fs::read(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, &data).unwrap();
    let verified = repair(&storage.docker(), &[&images]);
    assert_eq!(verified.code, 0, "{:#}", verified.report);
    assert!(fs::symlink_metadata(&data).unwrap().is_file());
    assert_eq!(fs::read(&outside).unwrap(), before);
}

#[test]
fn many_faults_are_repaired_at_once_out_of_several_trees() {
    let (folder, images) = copied_release();
    let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
    copy_tree(&images.join(WEB), &first.join(WEB));
    copy_tree(&images.join(CLOCK), &second.join(CLOCK));
    let storage = Storage::new();
    let (web, clock) = (storage.image(WEB), storage.image(CLOCK));
    let own: Vec<_> = web.blobs.symmetric_difference(&clock.blobs).chain([&web.digest]).collect();
    own.iter().for_each(|digest| flip_bit(&storage.data(digest)));
    let verified = repair(&storage.docker(), &[&first]);
    assert_eq!((verified.code, verified.broken()), (4, set([CLOCK])));
    let verified = repair(&storage.docker(), &[&first, &second]);
    assert_eq!(verified.code, 0, "{:#}", verified.report);
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
}

#[test]
fn a_hard_linked_sibling_of_a_bad_file_stays_as_it_is() {
    let (folder, images) = copied_release();
    let storage = Storage::new();
    let digest = storage.image(WEB).blobs.first().unwrap().clone();
    let (data, sibling) = (storage.data(&digest), folder.path().join("sibling"));
    flip_bit(&data);
    fs::hard_link(&data, &sibling).unwrap();
    let spoiled = fs::read(&sibling).unwrap();
    assert_eq!(repair(&storage.docker(), &[&images]).code, 0);
    assert_eq!((fs::read(&sibling).unwrap(), links(&sibling)), (spoiled, 1));
}

#[test]
fn manifests_are_never_shared() {
    let (_folder, images, other) = both();
    let storage = Storage::new();
    for source in [&images, &other] {
        for digest in &storage.image(CLOCK).manifests {
            fs::remove_file(storage.data(digest)).unwrap();
            assert_eq!(repair(&storage.docker(), &[source]).code, 0);
            assert_eq!(links(&storage.data(digest)), 1);
        }
    }
}

#[test]
fn a_source_that_is_bad_itself_is_not_used() {
    let (_folder, images, other) = both();
    let storage = Storage::new();
    let hex = layer(&images.join(WEB), 2);
    let digest = format!("sha256:{hex}");
    flip_bit(&storage.data(&digest));
    flip_bit(&images.join(WEB).join(&hex));
    let before = files(&storage.docker());
    let verified = repair(&storage.docker(), &[&images]);
    assert_eq!((verified.code, verified.broken()), (4, set([WEB])));
    assert_eq!(verified.report["repaired"], Value::Array(Vec::new()));
    assert_eq!(files(&storage.docker()), before);

    // Of several copies a sound one is found.
    let verified = repair(&storage.docker(), &[&images, &other]);
    assert_eq!(verified.code, 0, "{:#}", verified.report);
    assert!(verified.report["repaired"][0]["from"].as_str().unwrap().starts_with(other.to_str().unwrap()));
    let zones = layer(&images.join(WEB), 0);
    flip_bit(&storage.data(&format!("sha256:{zones}")));
    let copies = files_named(&images, &zones);
    copies[1..].iter().for_each(|copy| flip_bit(copy));
    let verified = repair(&storage.docker(), &[&images]);
    assert_eq!(verified.code, 0, "{:#}", verified.report);
    assert_eq!(verified.report["repaired"][0]["from"], copies[0].to_str().unwrap());
}

#[test]
fn a_tree_of_folders_can_repair_itself() {
    let (_folder, images) = copied_release();
    let pristine = files(&images);
    let copies = files_named(&images, &layer(&images.join(WEB), 0));
    let (good, bad) = copies.split_last().unwrap();
    bad.iter().for_each(|copy| flip_bit(copy));
    let verified = repair(&images, &[&images]);
    assert_eq!(verified.code, 0, "{:#}", verified.report);
    let repaired = verified.report["repaired"].as_array().unwrap();
    assert!(repaired.len() == bad.len() && repaired.iter().all(|it| it["from"] == good.to_str().unwrap()));
    assert_eq!(files(&images), pristine);
}

#[test]
fn where_nothing_has_it_the_fault_stays() {
    let (folder, images) = copied_release();
    let source = folder.path().join("other");
    copy_tree(&images.join("zone-base:1.0"), &source.join("zone-base:1.0"));
    let storage = Storage::new();
    let hex = layer(&images.join(WEB), 2);
    fs::remove_file(storage.data(&format!("sha256:{hex}"))).unwrap();
    let verified = repair(&storage.docker(), &[&source]);
    assert_eq!((verified.code, verified.broken()), (4, set([WEB])));
    assert_eq!(verified.report["repaired"], Value::Array(Vec::new()));
}

#[test]
fn a_sound_tree_is_left_alone() {
    let (_folder, images) = copied_release();
    let storage = Storage::new();
    let before = crate::support::tree::stamps(&storage.docker());
    let verified = repair(&storage.docker(), &[&images]);
    assert_eq!((verified.code, &verified.report["repaired"]), (0, &Value::Array(Vec::new())));
    assert_eq!(crate::support::tree::stamps(&storage.docker()), before);
}
