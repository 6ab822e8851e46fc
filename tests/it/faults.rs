//! Broken input: what it is called, which images it costs, and that nothing of these gets a name.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::bundle::{bundle, convert};
use crate::support::testdata::{copied_release, copy_tree, files_named, flip_bit, layer};
use crate::support::tree::{assert_same_trees, files, inode};

/// Runs `to-registry`; returns the exit code, the JSON summary and what was said on standard error.
fn to_registry(options: &[&str], images: &Path, storage: &Path) -> (i32, Value, String) {
    let mut command = bundle();
    command.args(["to-registry", "-q", "--format", "json"]).args(options).arg(images).arg(storage);
    let output = command.output().unwrap();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), summary, String::from_utf8(output.stderr).unwrap())
}

/// The tags that storage shows.
fn tags(storage: &Path) -> Vec<String> {
    let links = files(storage).into_keys().filter(|path| path.ends_with("current/link"));
    links
        .map(|path| path.split("/_manifests/").next().unwrap().replace("registry/v2/repositories/", ""))
        .collect()
}

fn kinds(summary: &Value) -> Vec<&str> {
    summary["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

#[test]
fn a_corrupt_blob_stops_the_conversion_before_anything_is_written() {
    let (folder, images) = copied_release();
    let image = images.join("platform/web:1.8.0");
    let hex = layer(&image, 2);
    let intact = fs::read(image.join(&hex)).unwrap();
    flip_bit(&image.join(&hex));
    let found = crate::support::sha256(&fs::read(image.join(&hex)).unwrap());
    let storage = folder.path().join("docker");

    let (code, summary, said) = to_registry(&[], &images, &storage);
    assert_eq!(code, 4, "{said}");
    assert!(!storage.exists(), "something was written");
    assert_eq!(summary["images"], 0);
    let finding = &summary["findings"][0];
    assert_eq!(finding["kind"], "corrupt-blob");
    assert_eq!(finding["file"].as_str().unwrap(), image.join(&hex).to_str().unwrap());
    assert_eq!(finding["expected"], format!("sha256:{hex}"));
    assert_eq!(finding["found"], found);
    assert_eq!(finding["images"], serde_json::json!(["platform/web:1.8.0"]));
    for word in [
        "error: corrupt blob",
        image.join(&hex).to_str().unwrap(),
        &hex,
        &found,
        "platform/web:1.8.0",
        "hint:",
    ] {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }

    let (code, summary, _) = to_registry(&["--keep-going"], &images, &storage);
    assert_eq!(code, 4);
    assert_eq!(summary["images"], 6);
    let shown = tags(&storage);
    assert_eq!(shown.len(), 6, "{shown:?}");
    assert!(!shown.contains(&"platform/web".to_owned()));
    assert!(files_named(&storage, &hex).is_empty(), "the corrupt blob was carried");

    fs::write(image.join(&hex), intact).unwrap();
    let (code, summary, said) = to_registry(&[], &images, &storage);
    assert_eq!((code, said.as_str()), (0, ""));
    assert_eq!(summary["images"], 7);
    assert_eq!(tags(&storage).len(), 7);
}

#[test]
fn a_good_copy_heals_a_bad_one() {
    let (folder, images) = copied_release();
    let hex = layer(&images.join("platform/web:1.8.0"), 0);
    let copies = files_named(&images, &hex);
    assert!(copies.len() > 3);
    let (good, bad) = copies.split_last().unwrap();
    flip_bit(&bad[0]);
    fs::write(&bad[1], b"short").unwrap();
    fs::remove_file(&bad[2]).unwrap();
    bad[3..].iter().for_each(|path| flip_bit(path));

    let storage = folder.path().join("docker");
    let (code, summary, said) = to_registry(&[], &images, &storage);
    assert_eq!(code, 0, "{said}");
    assert_eq!(summary["images"], 7);
    assert!(said.contains("healed by another copy"), "{said}");
    assert_eq!(kinds(&summary).iter().filter(|kind| **kind == "wrong-size").count(), 1);
    let data = storage.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    assert_eq!(inode(&data), inode(good));
}

#[test]
fn a_missing_blob_is_an_error_that_names_the_images() {
    let (folder, images) = copied_release();
    let hex = layer(&images.join("platform/web:1.8.0"), 1);
    let copies = files_named(&images, &hex);
    copies.iter().for_each(|path| fs::remove_file(path).unwrap());
    for options in [&[][..], &["--no-verify"]] {
        let (code, summary, _) = to_registry(options, &images, &folder.path().join("docker"));
        assert_eq!(code, 4);
        assert_eq!(kinds(&summary), ["missing-blob"]);
        assert_eq!(summary["findings"][0]["images"].as_array().unwrap().len(), copies.len());
    }
    assert!(!folder.path().join("docker").exists());
}

#[test]
fn sizes_are_checked_even_without_verification() {
    let (folder, images) = copied_release();
    let image = images.join("platform/web:1.8.0");
    let path = image.join(layer(&image, 2));
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[1..]).unwrap();
    let (code, summary, _) = to_registry(&["--no-verify"], &images, &folder.path().join("docker"));
    assert_eq!(code, 4);
    assert_eq!(kinds(&summary), ["wrong-size"]);
    assert_eq!(summary["findings"][0]["expected"], format!("{} bytes", bytes.len()));
    assert_eq!(summary["findings"][0]["found"], format!("{} bytes", bytes.len() - 1));
}

#[test]
fn no_verify_hashes_nothing() {
    let (folder, images) = copied_release();
    let (_, summary, _) = to_registry(&["--no-verify"], &images, &folder.path().join("docker"));
    assert_eq!(summary["verified"]["files"], 0);
    assert_eq!(summary["images"], 7);
}

#[test]
fn bad_content_at_the_destination_is_replaced_and_never_written_into() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    convert("to-registry", &[], &images, &storage);
    let hex = layer(&images.join("platform/web:1.8.0"), 2);
    let data = storage.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    // A bad file that is somebody else's hard link: it has to stay what it is.
    let theirs = folder.path().join("theirs");
    let length = fs::metadata(&data).unwrap().len();
    fs::write(&theirs, vec![0; usize::try_from(length).unwrap()]).unwrap();
    fs::remove_file(&data).unwrap();
    fs::hard_link(&theirs, &data).unwrap();
    let link = files_named(&storage, "link").into_iter().find(|path| path.ends_with("current/link")).unwrap();
    fs::write(&link, b"sha256:gone\n").unwrap();

    let (code, summary, said) = to_registry(&[], &images, &storage);
    assert_eq!(code, 0, "{said}");
    assert_eq!(summary["linked"]["files"], 1);
    assert_eq!(summary["written_files"], 1);
    assert_eq!(
        summary["changes"].as_object().unwrap().values().filter(|change| **change == "moved").count(),
        1
    );
    assert_eq!(fs::read(&theirs).unwrap(), vec![0; usize::try_from(length).unwrap()]);
    let fresh = folder.path().join("fresh");
    convert("to-registry", &[], &images, &fresh);
    assert_same_trees(&fresh, &storage);
}

#[test]
fn folders_that_are_no_images_are_told_apart() {
    let (folder, images) = copied_release();
    fs::create_dir(images.join("begun:1.0")).unwrap();
    fs::write(images.join("begun:1.0/version"), "Directory Transport Version: 1.1\n").unwrap();
    fs::create_dir(images.join("empty:1.0")).unwrap();
    let (code, summary, _) = to_registry(&[], &images, &folder.path().join("docker"));
    assert_eq!((code, kinds(&summary)), (0, vec!["incomplete-image", "incomplete-image"]));

    for (name, manifest, kind) in [
        ("broken:1.0", "{", "invalid-manifest"),
        ("saved:1.0", "[{\"Config\":\"x.json\"}]", "invalid-manifest"),
        ("Upper:1.0", "{}", "invalid-name"),
    ] {
        fs::create_dir(images.join(name)).unwrap();
        fs::write(images.join(name).join("manifest.json"), manifest).unwrap();
        let (code, summary, _) = to_registry(&[], &images, &folder.path().join("other"));
        assert_eq!((code, kinds(&summary)[0]), (4, kind));
        assert!(!folder.path().join("other").exists());
        fs::remove_dir_all(images.join(name)).unwrap();
    }

    let nested = images.join("zone-base:1.0/nested:1.0");
    copy_tree(&images.join("platform/web:1.8.0"), &nested);
    let (code, summary, _) = to_registry(&[], &images, &folder.path().join("docker"));
    assert_eq!((code, kinds(&summary)[0]), (4, "nested-image"));
}

#[test]
fn a_tree_that_holds_two_layouts_has_to_be_named_closer() {
    let (folder, images) = copied_release();
    convert("to-registry", &[], &images, &folder.path().join("docker"));
    let (code, _, said) = to_registry(&[], folder.path(), &folder.path().join("out"));
    assert_eq!(code, 1);
    assert!(said.contains("more than one tree") && said.contains("hint:"), "{said}");

    copy_tree(&folder.path().join("docker"), &images.join("old/docker"));
    let (code, summary, _) = to_registry(&[], &images, &folder.path().join("out"));
    assert_eq!((code, kinds(&summary)), (4, vec!["unread-layout"]));
    assert!(!folder.path().join("out").exists());
}

#[test]
fn registry_storage_with_a_lost_child_or_blob_is_not_converted_in_silence() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    convert("to-registry", &[], &images, &storage);
    let hex = layer(&images.join("platform/web:1.8.0"), 2);
    flip_bit(&storage.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])));
    let mut command = bundle();
    let output =
        command.args(["to-dir", "-q", "--keep-going"]).arg(&storage).arg(folder.path().join("back")).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(4));
    let back = folder.path().join("back");
    assert!(!back.join("platform/web:1.8.0").exists());
    assert!(back.join("platform/api:2.3.0/version").exists());
}

#[test]
fn what_is_not_there_is_an_error_of_the_environment() {
    let (folder, images) = copied_release();
    let (code, _, said) = to_registry(&[], &folder.path().join("nowhere"), &folder.path().join("docker"));
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("nowhere"));
    fs::write(folder.path().join("file"), "").unwrap();
    let (code, _, said) = to_registry(&[], &images, &folder.path().join("file"));
    assert_eq!(code, 3, "{said}");
    // A file may be a package; one that is none holds as little as an empty folder.
    fs::create_dir(folder.path().join("none")).unwrap();
    for nothing in ["file", "none"] {
        let (code, _, said) = to_registry(&[], &folder.path().join(nothing), &folder.path().join("docker"));
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("holds no images"));
    }
}
