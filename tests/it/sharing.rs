//! How blobs get to the destination: by link where possible, else by clone, else by copy, and counted as such.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::bundle::{bundle, convert};
use crate::support::mount::Mount;
use crate::support::testdata::{copied_release, copy_tree, files_named, flip_bit, layer, testdata};
use crate::support::tree::{assert_same_files, files, inode, links};

/// Linked, cloned, copied.
fn shared(summary: &Value) -> [u64; 3] {
    ["linked", "cloned", "copied"].map(|way| summary[way]["files"].as_u64().unwrap())
}

fn data(storage: &Path, hex: &str) -> std::path::PathBuf {
    storage.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
}

#[test]
fn another_file_system_gets_verified_copies() {
    // A memory file system is another device on every Linux.
    let there = tempfile::tempdir_in("/dev/shm").unwrap();
    let (folder, images) = copied_release();
    let (here, storage) = (folder.path().join("docker"), there.path().join("docker"));
    convert("to-registry", &[], &images, &here);
    let summary = convert("to-registry", &[], &images, &storage);
    let unique = files_named(&here, "data").len() as u64;
    let manifests = 9;
    assert_eq!(shared(&summary), [0, 0, unique - manifests]);
    assert_eq!(summary["verified"]["files"], unique - manifests);
    assert_same_files(&files(&here), &files(&storage));

    // Back again: what many images share is copied once, and linked at the destination.
    let summary = convert("to-dir", &[], &storage, &folder.path().join("back"));
    let [linked, cloned, copied] = shared(&summary);
    assert_eq!((cloned, copied), (0, unique - manifests));
    assert!(linked > 0);
    assert_same_files(&files(&images), &files(&folder.path().join("back")));
}

#[test]
fn what_turns_out_bad_while_it_is_copied_gets_no_name() {
    let there = tempfile::tempdir_in("/dev/shm").unwrap();
    let (_folder, images) = copied_release();
    let image = images.join("platform/web:1.8.0");
    flip_bit(&image.join(layer(&image, 2)));
    for (options, names) in [(&[][..], 0), (&["--keep-going"], 6)] {
        let storage = there.path().join("docker");
        let mut command = bundle();
        command.args(["to-registry", "-q", "--format", "json"]).args(options).arg(&images).arg(&storage);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(4));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(summary["images"], names);
        assert_eq!(summary["findings"][0]["kind"], "corrupt-blob");
        let tags = files_named(&storage, "link").into_iter().filter(|path| path.ends_with("current/link"));
        assert_eq!(tags.count(), names);
        assert!(!data(&storage, &layer(&image, 2)).exists());
    }
    let (_other, good) = copied_release();
    fs::copy(good.join("platform/web:1.8.0").join(layer(&image, 2)), image.join(layer(&image, 2))).unwrap();
    // A copy that is bad where another is good is passed over.
    let copies = files_named(&images, &layer(&image, 0));
    flip_bit(&copies[0]);
    let summary = convert("to-registry", &[], &images, &there.path().join("fresh"));
    assert_eq!(summary["images"], 7);
    assert_eq!(summary["findings"][0]["severity"], "warning");
}

#[test]
fn a_person_can_ask_for_copies() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    let summary = convert("to-registry", &["--link", "copy"], &images, &storage);
    assert_eq!(shared(&summary), [0, 0, 17]);
    assert!(files_named(&storage, "data").iter().all(|path| links(path) == 1));
    let there = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut command = bundle();
    let output =
        command.args(["to-registry", "--link", "hardlink"]).arg(&images).arg(there.path()).output().unwrap();
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("cannot link"));
}

#[test]
fn clones_share_bytes_but_no_inode() {
    let mount = Mount::new("xfs");
    let images = mount.path().join("images");
    copy_tree(&testdata().join("images"), &images);
    let storage = mount.path().join("docker");
    let summary = convert("to-registry", &["--link", "reflink"], &images, &storage);
    assert_eq!(shared(&summary), [0, 17, 0]);
    let image = images.join("platform/web:1.8.0");
    let hex = layer(&image, 2);
    assert_ne!(inode(&data(&storage, &hex)), inode(&image.join(&hex)));
    assert_eq!(fs::read(data(&storage, &hex)).unwrap(), fs::read(image.join(&hex)).unwrap());
    let linked = convert("to-registry", &[], &images, &mount.path().join("linked"));
    assert_eq!(shared(&linked), [17, 0, 0]);
}

#[test]
fn where_an_inode_can_take_no_more_links_a_copy_takes_over() {
    let mount = Mount::new("ext4");
    let images = mount.path().join("images");
    copy_tree(&testdata().join("images"), &images);
    let image = images.join("platform/web:1.8.0");
    let hex = layer(&image, 2);
    let full = mount.path().join("full");
    fs::create_dir(&full).unwrap();
    let refused =
        (0..).find_map(|number: u32| fs::hard_link(image.join(&hex), full.join(number.to_string())).err());
    assert_eq!(refused.unwrap().kind(), std::io::ErrorKind::TooManyLinks);

    let summary = convert("to-registry", &[], &images, &mount.path().join("docker"));
    assert_eq!(shared(&summary), [16, 0, 1]);
    assert_eq!(links(&data(&mount.path().join("docker"), &hex)), 1);
    assert_eq!(links(&image.join(&hex)), 65_000);
}
