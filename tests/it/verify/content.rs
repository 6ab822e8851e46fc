//! Faults of content: corrupt, cut short, missing, unreadable, or no file at all.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{assert_breaks, assert_found, assert_warns, set};
use crate::support::registry::OCI_MANIFEST;
use crate::support::sha256;
use crate::support::special::Special;
use crate::support::storage::{Image, Storage};
use crate::support::testdata::{copied_release, files_named, flip_bit, layer};
use crate::support::verification::verify;

const WEB: &str = "platform/web:1.8.0";
const CLOCK: &str = "tools/clock:1.0";

/// Content of each role that there is: a shared layer, an image's own layer, a configuration, a manifest, a
/// list, and the manifest and the configuration of one of a list's platforms.
pub(super) fn roles(storage: &Storage) -> Vec<String> {
    let (web, clock) = (storage.image(WEB), storage.image(CLOCK));
    let document =
        |digest: &str| -> Value { serde_json::from_slice(&fs::read(storage.data(digest)).unwrap()).unwrap() };
    let text = |value: &Value| value["digest"].as_str().unwrap().to_owned();
    let manifest = document(&web.digest);
    let child = text(&document(&clock.digest)["manifests"][1]);
    let platform = text(&document(&child)["config"]);
    let [shared, own] = [0, 2].map(|number| text(&manifest["layers"][number]));
    vec![shared, own, text(&manifest["config"]), web.digest, clock.digest, child, platform]
}

/// The names of the images that need some content.
pub(super) fn users<'i>(images: &'i [Image], digest: &str) -> BTreeSet<&'i str> {
    set(images.iter().filter(|image| image.needs(digest)).map(|image| image.name.as_str()))
}

#[test]
fn corrupt_content_of_storage_breaks_all_images_that_need_it() {
    let storage = Storage::new();
    let all = storage.images();
    for (number, digest) in roles(&storage).iter().enumerate() {
        let users = users(&all, digest);
        assert_eq!(users.len(), if number == 0 { 7 } else { 1 });
        let data = storage.data(digest);
        flip_bit(&data);
        let verified = assert_found(&[], &storage.docker(), "corrupt-blob", &data, &users);
        let finding = verified.finding("corrupt-blob", &data);
        assert_eq!(finding["digest"], *digest);
        assert_eq!(finding["expected"], *digest);
        assert_eq!(finding["found"], sha256(&fs::read(&data).unwrap()));
        flip_bit(&data);
    }
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
}

#[test]
fn in_a_tree_of_folders_a_corrupt_copy_breaks_the_image_of_its_folder() {
    let (_folder, root) = copied_release();
    let zones = layer(&root.join(WEB), 0);
    let copies = files_named(&root, &zones);
    assert_eq!(copies.len(), 7);
    let name = |path: &Path| path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
    for copy in &copies {
        flip_bit(copy);
        let image = name(copy.parent().unwrap());
        let verified = assert_found(&[], &root, "corrupt-blob", copy, &set([image.as_str()]));
        let finding = verified.finding("corrupt-blob", copy);
        assert_eq!((&finding["digest"], &finding["expected"]), (&finding["expected"], &finding["digest"]));
        assert_eq!(finding["expected"], format!("sha256:{zones}"));
        assert_eq!(finding["found"], sha256(&fs::read(copy).unwrap()));
        flip_bit(copy);
    }
    copies.iter().for_each(|copy| flip_bit(copy));
    let all: Vec<_> = copies.iter().map(|copy| name(copy.parent().unwrap())).collect();
    let verified = verify(&[], &[&root]);
    assert_eq!(verified.broken(), set(all.iter().map(String::as_str)));
    assert_eq!((verified.errors().len(), verified.kinds()), (7, set(["corrupt-blob"])));
}

#[test]
fn the_manifests_of_a_list_are_held_to_their_names() {
    let (_folder, root) = copied_release();
    for child in children(&root) {
        flip_bit(&child);
        assert_found(&[], &root, "corrupt-blob", &child, &set([CLOCK]));
        flip_bit(&child);
    }
}

/// The files of the manifests that the release's index lists.
fn children(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root.join(CLOCK)).unwrap().map(|entry| entry.unwrap().path());
    let children: Vec<_> =
        entries.filter(|path| path.to_str().unwrap().ends_with(".manifest.json")).collect();
    assert_eq!(children.len(), 2);
    children
}

#[test]
fn a_blob_that_was_cut_short_has_the_wrong_size() {
    let storage = Storage::new();
    let all = storage.images();
    let (_folder, root) = copied_release();
    let own = layer(&root.join(WEB), 2);
    let digest = format!("sha256:{own}");
    for (tree, file, users) in [
        (storage.docker(), storage.data(&digest), users(&all, &digest)),
        (root.clone(), root.join(WEB).join(&own), set([WEB])),
    ] {
        let bytes = fs::read(&file).unwrap();
        for length in [bytes.len() - 1, 0] {
            fs::write(&file, &bytes[..length]).unwrap();
            let finding = assert_breaks(&tree, "wrong-size", &file, &users);
            assert_eq!(finding["expected"], format!("{} bytes", bytes.len()));
            assert_eq!(finding["found"], format!("{length} bytes"));
        }
    }
}

#[test]
fn a_manifest_that_lies_about_a_size_breaks_its_own_image_only() {
    let storage = Storage::of(&[WEB, "tools/report:*"]);
    let web = storage.image(WEB);
    let mut manifest: Value = serde_json::from_slice(&fs::read(storage.data(&web.digest)).unwrap()).unwrap();
    let size = manifest["layers"][0]["size"].as_u64().unwrap();
    manifest["layers"][0]["size"] = json!(size + 1);
    storage.push("liar", "1", manifest.to_string().as_bytes());
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&storage.docker()]);
        assert_eq!((verified.kinds(), verified.broken()), (set(["wrong-size"]), set(["liar:1"])));
    }
}

#[test]
fn missing_content_breaks_the_images_that_need_it() {
    let storage = Storage::new();
    let all = storage.images();
    for (number, digest) in roles(&storage).iter().enumerate() {
        // The last two are a manifest's child and a configuration, the two before it manifests.
        let kind = if (3..=5).contains(&number) { "missing-manifest" } else { "missing-blob" };
        let (data, aside) = (storage.data(digest), storage.site().join("aside"));
        fs::rename(&data, &aside).unwrap();
        for options in [&[][..], &["--quick"]] {
            let verified = verify(options, &[&storage.docker()]);
            assert_eq!(verified.broken(), users(&all, digest), "{:#}", verified.report["findings"]);
            assert_eq!(verified.kinds(), set([kind]));
            assert!(verified.errors().iter().all(|finding| finding["digest"] == *digest));
        }
        fs::rename(&aside, &data).unwrap();
    }
}

#[test]
fn in_a_tree_of_folders_another_folder_s_copy_is_no_help() {
    let (_folder, root) = copied_release();
    let zones = layer(&root.join(WEB), 0);
    fs::remove_file(root.join(WEB).join(&zones)).unwrap();
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&root]);
        assert_eq!((verified.kinds(), verified.broken()), (set(["missing-blob"]), set([WEB])));
        assert_eq!(verified.errors()[0]["digest"], format!("sha256:{zones}"));
    }
}

#[test]
fn what_is_no_file_is_not_read_and_breaks_the_images() {
    let storage = Storage::new();
    let all = storage.images();
    let aside = storage.site().join("aside");
    for special in Special::all() {
        for digest in roles(&storage) {
            let data = storage.data(&digest);
            special.replace(&data, &aside);
            let finding = assert_breaks(&storage.docker(), "not-a-file", &data, &users(&all, &digest));
            assert_eq!(finding["digest"], digest);
            Special::undo(&data, &aside);
        }
    }
}

#[test]
fn what_is_no_file_is_not_read_in_a_tree_of_folders_either() {
    let (folder, root) = copied_release();
    let aside = folder.path().join("aside");
    let blob = root.join(WEB).join(layer(&root.join(WEB), 0));
    for special in Special::all() {
        for (file, image) in
            [(&blob, WEB), (&children(&root)[0], CLOCK), (&root.join(WEB).join("manifest.json"), WEB)]
        {
            special.replace(file, &aside);
            assert_breaks(&root, "not-a-file", file, &set([image]));
            Special::undo(file, &aside);
        }
    }
}

#[test]
fn an_inode_is_held_to_every_digest_that_it_claims() {
    let storage = Storage::of(&["zone-base:*"]);
    let text = fs::read_to_string(storage.data(&storage.image("zone-base:1.0").digest)).unwrap();
    let [one, other] = [("one", " "), ("other", "\n")]
        .map(|(name, end)| storage.push(name, "1", (text.clone() + end).as_bytes()));
    let data = storage.data(&other);
    fs::remove_file(&data).unwrap();
    fs::hard_link(storage.data(&one), &data).unwrap();
    let verified = assert_found(&[], &storage.docker(), "corrupt-blob", &data, &set(["other:1"]));
    assert_eq!(verified.finding("corrupt-blob", &data)["found"], one);
}

#[test]
fn bytes_that_are_no_manifest_make_no_image() {
    let artifact = json!({ "mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": [] });
    let two_kinds = json!({ "schemaVersion": 2, "mediaType": OCI_MANIFEST, "manifests": [] });
    for bytes in ["", "{", "[]", r#"{"schemaVersion":7}"#, &artifact.to_string(), &two_kinds.to_string()] {
        let storage = Storage::of(&["zone-base:*"]);
        let digest = storage.push("strange", "1", bytes.as_bytes());
        for options in [&[][..], &["--quick"]] {
            let verified = verify(options, &[&storage.docker()]);
            assert_eq!(
                (verified.kinds(), verified.broken()),
                (set(["invalid-manifest"]), set(["strange:1"]))
            );
            assert!(verified.errors().iter().all(|finding| finding["digest"] == digest), "{bytes}");
        }
        let (_folder, root) = copied_release();
        let manifest = root.join(WEB).join("manifest.json");
        fs::write(&manifest, bytes).unwrap();
        assert_breaks(&root, "invalid-manifest", &manifest, &set([WEB]));
    }
}

#[test]
fn blobs_that_nothing_needs_are_worth_a_word() {
    let storage = Storage::of(&["zone-base:*"]);
    let digest = storage.put(b"nobody needs me");
    let data = storage.data(&digest);
    let finding = assert_warns(&storage.docker(), "orphan-blob", &data, &[]);
    assert_eq!(finding["digest"], digest);
    assert!(storage.collect(&[]).unwrap().contains(&digest), "garbage collection keeps it");

    flip_bit(&data);
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!((verified.code, verified.kinds()), (0, set(["spoiled-orphan"])));
    assert_eq!(verified.finding("spoiled-orphan", &data)["found"], sha256(&fs::read(&data).unwrap()));
    assert_warns_quickly(&storage, &data);
}

fn assert_warns_quickly(storage: &Storage, data: &Path) {
    let verified = verify(&["--quick"], &[&storage.docker()]);
    verified.finding("orphan-blob", data);
    assert_eq!((verified.code, verified.kinds()), (0, set(["orphan-blob"])));
}
