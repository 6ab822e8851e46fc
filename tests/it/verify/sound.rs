//! Trees with nothing wrong: what is counted, and that every way of asking gets the same answer.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use serde_json::{Value, json};
use walkdir::WalkDir;

use super::set;
use crate::support::bundle::{bundle, convert};
use crate::support::images::{Family, Workshop, push_standard_set};
use crate::support::layer::Layer;
use crate::support::registry::Registry;
use crate::support::storage::Storage;
use crate::support::testdata::{copied_release, flip_bit, layer};
use crate::support::verification::verify;
use crate::support::{scratch, sha256, skopeo};

/// Counts what lies below the roots and is content: inodes, their bytes, and what digests they have.
fn count(roots: &[&Path]) -> [u64; 3] {
    let mut bytes: BTreeMap<u64, u64> = BTreeMap::new();
    let mut digests = BTreeSet::new();
    for entry in roots.iter().flat_map(WalkDir::new) {
        let entry = entry.unwrap();
        let name = entry.file_name().to_str().unwrap();
        if entry.file_type().is_file() && !matches!(name, "version" | "link") {
            let metadata = entry.metadata().unwrap();
            bytes.insert(metadata.ino(), metadata.len());
            digests.insert(sha256(&fs::read(entry.path()).unwrap()));
        }
    }
    [bytes.len() as u64, bytes.values().sum(), digests.len() as u64]
}

#[test]
fn a_sound_registry_is_called_sound_and_counted() {
    let storage = Storage::new();
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!((verified.code, verified.said.as_str()), (0, ""));
    assert_eq!(verified.report["findings"], json!([]));
    assert_eq!(verified.report["repaired"], json!([]));
    assert_eq!(verified.report["quick"], false);
    let tree =
        json!({ "path": storage.docker(), "layout": "registry", "images": 7, "tags": 7, "manifests": 9 });
    assert_eq!(verified.report["trees"], json!([tree]));
    assert_eq!(verified.checked(), count(&[&storage.docker()]));
}

#[test]
fn a_sound_tree_of_folders_is_called_sound_and_counted() {
    let (_folder, images) = copied_release();
    let verified = verify(&[], &[&images]);
    assert_eq!((verified.code, verified.said.as_str()), (0, ""));
    let tree = json!({ "path": images, "layout": "dir", "images": 7, "tags": 7, "manifests": 9 });
    assert_eq!(verified.report["trees"], json!([tree]));
    assert_eq!(verified.checked(), count(&[&images]));
}

#[test]
fn several_trees_are_one_answer_and_a_shared_inode_is_read_once() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    convert("to-registry", &[], &images, &storage);
    let verified = verify(&[], &[&storage, &images]);
    assert_eq!(verified.code, 0);
    let layouts: Vec<_> =
        verified.report["trees"].as_array().unwrap().iter().map(|tree| tree["layout"].clone()).collect();
    assert_eq!(layouts, ["registry", "dir"]);
    assert_eq!(verified.checked(), count(&[&storage, &images]));

    let image = images.join("platform/web:1.8.0");
    fs::remove_file(image.join(layer(&image, 2))).unwrap();
    let verified = verify(&[], &[&storage, &images]);
    assert_eq!((verified.code, verified.broken()), (4, set(["platform/web:1.8.0"])));
    assert_eq!(verified.kinds(), set(["missing-blob"]));
    assert_eq!(verify(&[], &[&storage]).code, 0);
}

#[test]
fn a_quick_run_hashes_nothing() {
    let (_folder, images) = copied_release();
    let storage = Storage::new();
    let verified = verify(&["--quick"], &[&storage.docker(), &images]);
    assert_eq!((verified.code, &verified.report["quick"]), (0, &json!(true)));
    assert_eq!(verified.checked()[1], 0);
    let image = storage.image("platform/web:1.8.0");
    flip_bit(&storage.data(image.blobs.first().unwrap()));
    assert_eq!(verify(&["--quick"], &[&storage.docker()]).code, 0);
    assert_eq!(verify(&[], &[&storage.docker()]).code, 4);
}

#[test]
fn an_empty_layer_is_a_layer() {
    let storage = Storage::of(&["zone-base:*"]);
    let base = storage.image("zone-base:1.0");
    let mut manifest: Value = serde_json::from_slice(&fs::read(storage.data(&base.digest)).unwrap()).unwrap();
    let empty = storage.put(b"");
    manifest["layers"][0]["digest"] = empty.as_str().into();
    manifest["layers"][0]["size"] = 0.into();
    storage.push("empty", "1", manifest.to_string().as_bytes());
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&storage.docker()]);
        assert_eq!((verified.code, verified.kinds()), (0, set([])), "{:#}", verified.report["findings"]);
    }
    fs::write(storage.data(&empty), "x").unwrap();
    assert_eq!(verify(&["--quick"], &[&storage.docker()]).broken(), set(["empty:1"]));
}

#[test]
fn a_tree_may_be_named_by_a_symbolic_link_and_more_than_once() {
    let storage = Storage::of(&["zone-base:*"]);
    let link = storage.site().join("link");
    std::os::unix::fs::symlink(storage.docker(), &link).unwrap();
    let once = verify(&[], &[&storage.docker()]);
    assert_eq!(verify(&[], &[&link]).checked(), once.checked());
    assert_eq!(verify(&[], &[&storage.docker(), &link]).checked(), once.checked());
}

#[test]
fn storage_may_be_named_from_any_of_its_beginnings() {
    let storage = Storage::of(&["zone-base:*"]);
    for path in
        [storage.site().to_owned(), storage.docker(), storage.docker().join("registry"), storage.root()]
    {
        let verified = verify(&[], &[&path]);
        assert_eq!(
            (verified.code, &verified.report["trees"][0]["images"]),
            (0, &json!(1)),
            "{}",
            path.display()
        );
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let storage = Storage::new();
    for image in storage.images() {
        flip_bit(&storage.data(image.blobs.first().unwrap()));
        fs::remove_file(storage.revision(&image.repository, &image.digest)).unwrap();
    }
    fs::write(storage.repository("zone-base").join("_manifests/tags/.DS_Store"), "").unwrap();
    for format in ["json", "text"] {
        let run = |jobs: &str| {
            let mut bundle = bundle();
            bundle.args(["verify", "-q", "-j", jobs, "--format", format]).arg(storage.docker());
            let output = bundle.output().unwrap();
            assert_eq!(output.status.code(), Some(4));
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
        };
        let one = run("1");
        for _ in 0..4 {
            assert_eq!(one, run("8"));
        }
    }
}

#[test]
fn text_says_the_sum_on_stdout_and_the_findings_on_stderr() {
    let storage = Storage::new();
    let run = || {
        let output = bundle().args(["verify", "-q"]).arg(storage.docker()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
    };
    let (code, sum, said) = run();
    assert_eq!((code, said.as_str()), (0, ""));
    assert!(sum.contains("7 images"), "{sum}");
    let image = storage.image("platform/web:1.8.0");
    let data = storage.data(&image.digest);
    flip_bit(&data);
    let (code, sum, said) = run();
    assert_eq!(code, 4);
    for word in ["error: corrupt blob", data.to_str().unwrap(), image.digest.as_str(), &image.name, "hint:"] {
        assert!(said.contains(word), "{word:?} is not in: {said}");
    }
    assert!(!sum.is_empty() && !sum.contains("corrupt blob"), "{sum}");
}

#[test]
fn what_the_real_registry_wrote_is_sound() {
    let (workshop, root) = (Workshop::new(), scratch());
    let registry = Registry::start(root.path());
    let images = push_standard_set(&workshop, &registry);
    let layers = [Layer { name: "later", bytes: 30_000 }];
    workshop.build("retagged", Family::Docker, "amd64", &layers).push(&registry, "shop/worker", "1.0");
    workshop.build("untagged", Family::Oci, "amd64", &layers).push_untagged(&registry, "shop/worker");
    let verified = verify(&[], &[root.path()]);
    assert_eq!((verified.code, verified.kinds()), (0, set([])), "{:#}", verified.report["findings"]);
    assert_eq!(verified.checked(), count(&[root.path()]));

    registry.put_blob("only/blobs", b"a layer whose image never came");
    registry.start_upload("shop/worker").expect("the registry takes uploads");
    let verified = verify(&[], &[root.path()]);
    assert_eq!(
        (verified.code, verified.kinds()),
        (0, set(["leftover"])),
        "{:#}",
        verified.report["findings"]
    );

    let mirror = scratch();
    let names = images.iter().map(|image| (image.repository.as_str(), image.tag.as_str()));
    skopeo::sync_to_dir(&registry, names, mirror.path());
    let verified = verify(&[], &[mirror.path()]);
    assert_eq!((verified.code, verified.kinds()), (0, set([])), "{:#}", verified.report["findings"]);
}

#[test]
fn what_cannot_be_looked_at_is_no_verdict() {
    let (folder, images) = copied_release();
    fs::create_dir(folder.path().join("none")).unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    assert_eq!(verify(&[], &[&folder.path().join("nowhere")]).code, 3);
    assert_eq!(verify(&[], &[&folder.path().join("file")]).code, 1);
    assert_eq!(verify(&[], &[&folder.path().join("none")]).code, 1);
    assert_eq!(verify(&[], &[&images, &folder.path().join("nowhere")]).code, 3);
    assert_eq!(verify(&["--repair-from", "/nowhere"], &[&images]).code, 3);
    assert_eq!(verify(&[], &[]).code, 2);
}
