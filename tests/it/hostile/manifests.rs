//! Manifests that are too large, too deep, too many, or in a circle.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::run;
use crate::support::registry::{OCI_INDEX, OCI_MANIFEST};
use crate::support::scratch;
use crate::support::storage::{Storage, write};
use crate::support::testdata::copied_release;
use crate::support::verification::verify;

const MOST: usize = 4 << 20;
const BASE: &str = "zone-base:1.0";

/// The manifest of the smallest of the release's images, as text.
fn manifest(storage: &Storage) -> String {
    fs::read_to_string(storage.data(&storage.image(BASE).digest)).unwrap()
}

#[test]
fn a_manifest_has_at_most_four_mebibytes() {
    let storage = Storage::of(&[BASE]);
    let text = manifest(&storage);
    let padded = |length: usize| text.clone() + &" ".repeat(length - text.len());
    storage.push("largest", "1", padded(MOST).as_bytes());
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
    storage.push("too/large", "1", padded(MOST + 1).as_bytes());
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!(verified.kinds(), BTreeSet::from(["invalid-manifest"]));
    assert_eq!(verified.broken(), BTreeSet::from(["too/large:1"]));

    let (_folder, images) = copied_release();
    fs::write(images.join(BASE).join("manifest.json"), padded(MOST + 1)).unwrap();
    let verified = verify(&[], &[&images]);
    assert_eq!(
        (verified.kinds(), verified.broken()),
        (BTreeSet::from(["invalid-manifest"]), BTreeSet::from([BASE]))
    );
}

#[test]
fn json_that_is_too_deep_is_refused_and_not_followed_down() {
    const DEPTH: usize = 10_000;
    let storage = Storage::of(&[BASE]);
    let text = manifest(&storage);
    let lists = "[".repeat(DEPTH) + &"]".repeat(DEPTH);
    let objects = r#"{"a":"#.repeat(DEPTH) + "1" + &"}".repeat(DEPTH);
    let inside = text.replacen('{', &format!(r#"{{"annotations":{objects},"#), 1);
    let unclosed = "[".repeat(MOST - 1);
    for (number, deep) in [lists.clone(), objects.clone(), inside, unclosed].iter().enumerate() {
        storage.push(&format!("deep/n{number}"), "1", deep.as_bytes());
    }
    let names: Vec<_> = (0..4).map(|number| format!("deep/n{number}:1")).collect();
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!(verified.kinds(), BTreeSet::from(["invalid-manifest"]));
    assert_eq!(verified.broken(), names.iter().map(String::as_str).collect());

    // A configuration is only looked into; an image stands with it, whatever it says.
    let storage = Storage::of(&[BASE]);
    let config = storage.put(lists.as_bytes());
    let mut image: Value = serde_json::from_str(&text).unwrap();
    image["config"]["digest"] = config.as_str().into();
    image["config"]["size"] = lists.len().into();
    storage.push("deep/config", "1", image.to_string().as_bytes());
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
    assert_eq!(run(["stats".as_ref(), storage.docker().as_os_str()]).code, 0);
}

#[test]
fn layers_without_number_are_counted_in_no_time() {
    let storage = Storage::of(&[BASE]);
    let image: Value = serde_json::from_str(&manifest(&storage)).unwrap();
    let with = |count, layer: &dyn Fn(usize) -> String| {
        let layers = (0..count).map(layer).collect::<Vec<_>>().join(",");
        let text = format!(r#"{{"schemaVersion":2,"config":{},"layers":[{layers}]}}"#, image["config"]);
        assert!(text.len() <= MOST);
        text
    };
    let (digest, size) = (&image["layers"][0]["digest"], &image["layers"][0]["size"]);
    // As many as four mebibytes hold.
    let same = with((MOST - 1000) / 110, &|_| format!(r#"{{"digest":{digest},"size":{size}}}"#));
    storage.push("same", "1", same.as_bytes());
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);

    let others = with(10_000, &|number| format!(r#"{{"digest":"sha256:{number:064x}","size":1}}"#));
    let digest = storage.put(others.as_bytes());
    write(&storage.revision("other", &digest), digest.as_bytes());
    write(&storage.current("other", "1"), digest.as_bytes());
    fs::create_dir_all(storage.repository("other/_layers")).unwrap();
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!((verified.code, verified.broken()), (4, BTreeSet::from(["other:1"])));
    let arguments = ["to-dir", "--keep-going", "-q"].map(AsRef::as_ref);
    let out = storage.site().join("out");
    let said = run(arguments.into_iter().chain([storage.docker().as_os_str(), out.as_os_str()]));
    assert_eq!(said.code, 4);
    assert!(out.join(BASE).is_dir() && !out.join("other:1").exists());
}

#[test]
fn a_list_that_lists_itself_is_not_what_it_claims_to_be() {
    let digest = format!("sha256:{}", "5e1f".repeat(16));
    let edge = json!({ "mediaType": OCI_INDEX, "digest": digest, "size": 300 });
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [edge, edge] }).to_string();
    let storage = Storage::of(&[BASE]);
    write(&storage.data(&digest), index.as_bytes());
    write(&storage.revision("circle", &digest), digest.as_bytes());
    write(&storage.current("circle", "1"), digest.as_bytes());
    fs::create_dir_all(storage.repository("circle/_layers")).unwrap();
    let verified = verify(&[], &[&storage.docker()]);
    assert!(verified.kinds().contains("corrupt-blob"));
    assert_eq!(verified.broken(), BTreeSet::from(["circle:1"]));

    let (_folder, images) = copied_release();
    let circle = images.join("circle:1");
    fs::create_dir(&circle).unwrap();
    fs::write(circle.join("manifest.json"), &index).unwrap();
    fs::write(circle.join(format!("{}.manifest.json", "5e1f".repeat(16))), &index).unwrap();
    let verified = verify(&[], &[&images]);
    assert!(verified.kinds().contains("corrupt-blob"));
    assert_eq!(verified.broken(), BTreeSet::from(["circle:1"]));
}

#[test]
fn lists_of_lists_of_lists_are_read_once_each() {
    const LEVELS: usize = 10;
    const WIDTH: usize = 10;
    let storage = Storage::of(&[BASE]);
    let leaf = manifest(&storage);
    let mut below: Vec<(String, usize, &str)> = (0..WIDTH)
        .map(|number| {
            let leaf = leaf.clone() + &" ".repeat(number);
            (storage.push("bomb", "leaf", leaf.as_bytes()), leaf.len(), OCI_MANIFEST)
        })
        .collect();
    for level in 0..LEVELS {
        let edges: Vec<_> = below
            .iter()
            .map(|(digest, size, kind)| json!({ "mediaType": kind, "digest": digest, "size": size }))
            .collect();
        let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": edges }).to_string();
        let next = (0..WIDTH).map(|number| {
            let index = format!("{index}{}", " ".repeat(level * WIDTH + number));
            (storage.push("bomb", "top", index.as_bytes()), index.len(), OCI_INDEX)
        });
        below = next.collect();
    }
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!(verified.code, 0, "{:#}", verified.report["findings"]);
    let folder = scratch();
    for command in ["to-dir", "to-registry"] {
        let out = folder.path().join(command);
        let said = run([command.as_ref(), "-q".as_ref(), storage.docker().as_os_str(), out.as_os_str()]);
        assert_eq!(said.code, 0, "{}", said.stderr);
    }
    assert_eq!(run(["stats".as_ref(), storage.docker().as_os_str()]).code, 0);
}

#[test]
fn sizes_beyond_all_disks_add_up_to_no_panic() {
    let storage = Storage::of(&[BASE]);
    let image: Value = serde_json::from_str(&manifest(&storage)).unwrap();
    for (number, size) in [i64::MAX as u64, u64::MAX].into_iter().enumerate() {
        let layers = (0..4).map(|layer| json!({ "digest": format!("sha256:{layer:064x}"), "size": size }));
        let mut huge = image.clone();
        huge["layers"] = layers.collect();
        storage.push(&format!("huge/n{number}"), "1", huge.to_string().as_bytes());
    }
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!(verified.broken(), BTreeSet::from(["huge/n0:1", "huge/n1:1"]));
    let [source, out] = ["docker", "out"].map(|name| storage.site().join(name));
    for format in ["--format=text", "--format=json"] {
        run(["stats".as_ref(), format.as_ref(), source.as_os_str()]);
    }
    for option in ["--keep-going", "--dry-run", "--no-verify"] {
        let said = run(["to-dir".as_ref(), option.as_ref(), source.as_os_str(), out.as_os_str()]);
        assert_eq!(said.code, 4, "{option}");
    }
}
