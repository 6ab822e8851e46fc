//! What a tree of image folders can hold besides sound images.

use std::fs;

use serde_json::Value;

use super::{assert_breaks, assert_warns, set};
use crate::support::bundle::convert;
use crate::support::sha256;
use crate::support::storage::{Storage, blobs};
use crate::support::testdata::{copied_release, copy_tree, layer};
use crate::support::verification::verify;

const WEB: &str = "platform/web:1.8.0";
const CLOCK: &str = "tools/clock:1.0";

#[test]
fn a_folder_that_a_copy_began_and_left_is_told() {
    let (_folder, root) = copied_release();
    let begun = root.join("begun:1.0");
    fs::create_dir(&begun).unwrap();
    assert_warns(&root, "incomplete-image", &begun, &[]);
    fs::write(begun.join("version"), "Directory Transport Version: 1.1\n").unwrap();
    assert_warns(&root, "incomplete-image", &begun, &[]);
}

#[test]
fn a_temporary_file_that_skopeo_left_is_told() {
    let (_folder, root) = copied_release();
    let file = root.join(WEB).join("dir-put-blob123456");
    fs::write(&file, "half a layer").unwrap();
    assert_warns(&root, "leftover", &file, &[WEB]);
}

#[test]
fn a_folder_named_after_another_digest_is_told() {
    let (_folder, root) = copied_release();
    let other = sha256(b"the list that this was one platform of");
    let folder = root.join(format!("named@{other}"));
    copy_tree(&root.join("zone-base:1.0"), &folder);
    let digest = sha256(&fs::read(folder.join("manifest.json")).unwrap());
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&root]);
        let finding = verified.finding("other-digest", &folder);
        assert_eq!(
            (&finding["expected"], &finding["found"]),
            (&other.as_str().into(), &digest.as_str().into())
        );
        assert_eq!((verified.code, verified.kinds()), (0, set(["other-digest"])));
    }
    let named = root.join(format!("named@{digest}"));
    fs::rename(folder, named).unwrap();
    let verified = verify(&[], &[&root]);
    assert_eq!((verified.code, verified.kinds()), (0, set([])));
}

#[test]
fn a_folder_without_a_tag_is_told() {
    let (_folder, root) = copied_release();
    fs::rename(root.join("zone-base:1.0"), root.join("zone-base")).unwrap();
    assert_warns(&root, "no-tag", &root.join("zone-base"), &["zone-base:latest"]);
}

#[test]
fn a_list_without_one_of_its_platforms_is_told() {
    let (_folder, root) = copied_release();
    let zones = layer(&root.join(WEB), 0);
    let index: Value =
        serde_json::from_slice(&fs::read(root.join(CLOCK).join("manifest.json")).unwrap()).unwrap();
    let child = index["manifests"][1]["digest"].as_str().unwrap();
    let hex = |digest: &str| digest.strip_prefix("sha256:").unwrap().to_owned();
    let file = root.join(CLOCK).join(format!("{}.manifest.json", hex(child)));
    let manifest: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    fs::remove_file(&file).unwrap();
    // While blobs lie there that nothing else needs, the platform was here.
    let lost = assert_breaks(&root, "missing-manifest", &file, &set([CLOCK]));
    assert_eq!(lost["digest"], child);
    for digest in blobs(&manifest).into_iter().filter(|digest| hex(digest) != zones) {
        fs::remove_file(root.join(CLOCK).join(hex(&digest))).unwrap();
    }
    let told = assert_warns(&root, "sparse-index", &root.join(CLOCK), &[CLOCK]);
    assert_eq!(told["digest"], child);
    assert!(told["expected"].as_str().unwrap().contains("linux/arm64"), "{told:#}");

    // In storage it depends on whether the repository claims to have it.
    let storage = Storage::new();
    fs::remove_file(storage.revision("tools/clock", child)).unwrap();
    fs::remove_file(storage.data(child)).unwrap();
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!((verified.code, verified.warned()), (0, set([CLOCK])), "{:#}", verified.report["findings"]);
    assert!(verified.kinds().contains("sparse-index"));
}

#[test]
fn what_is_not_read_is_not_called_sound() {
    let (folder, root) = copied_release();
    let nested = root.join(WEB).join("nested:1.0");
    copy_tree(&root.join("zone-base:1.0"), &nested);
    let verified = verify(&[], &[&root]);
    verified.finding("nested-image", &nested);
    assert_eq!((verified.code, verified.kinds()), (4, set(["nested-image"])));
    fs::remove_dir_all(nested).unwrap();

    let storage = folder.path().join("docker");
    convert("to-registry", &[], &root, &storage);
    let inside = root.join("old/docker");
    copy_tree(&storage, &inside);
    let verified = verify(&[], &[&root]);
    assert_eq!((verified.code, verified.kinds()), (4, set(["unread-layout"])));
}

#[test]
fn a_folder_outside_the_grammar_has_no_name() {
    let (_folder, root) = copied_release();
    let folder = root.join("Upper:1.0");
    fs::rename(root.join("zone-base:1.0"), &folder).unwrap();
    let verified = verify(&[], &[&root]);
    verified.finding("invalid-name", &folder);
    assert_eq!((verified.code, verified.kinds()), (4, set(["invalid-name"])));
}

#[test]
fn a_manifest_that_was_changed_names_what_is_not_there() {
    let (_folder, root) = copied_release();
    let file = root.join(WEB).join("manifest.json");
    let text = fs::read_to_string(&file).unwrap();
    let manifest: Value = serde_json::from_str(&text).unwrap();
    let digest = manifest["layers"][1]["digest"].as_str().unwrap();
    let other = sha256(b"another layer");
    fs::write(&file, text.replace(digest, &other)).unwrap();
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&root]);
        assert_eq!((verified.errors().len(), verified.broken()), (1, set([WEB])));
        assert_eq!(
            (&verified.errors()[0]["kind"], &verified.errors()[0]["digest"]),
            (&"missing-blob".into(), &other.as_str().into())
        );
        // What it named before is needed no more.
        assert!(verified.kinds().contains("orphan-blob"));
    }
    fs::write(&file, "{").unwrap();
    assert_breaks(&root, "invalid-manifest", &file, &set([WEB]));
}
