//! Layouts that are not whole: what is missing, lies or is no file is told, and costs no other image.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{Lying, errors};
use crate::support::forge::layout::{REF_NAME, VERSION, described, layout};
use crate::support::forge::{Image, artifact, index, layer, oci};
use crate::support::registry::OCI_INDEX;
use crate::support::special::Special;
use crate::support::testdata::flip_bit;
use crate::support::verification::verify;

/// A layout with two images, of which one will be broken.
fn two() -> (Lying, Image) {
    let app = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let images = [("team/app:1".to_owned(), app.clone()), ("team/sound:1".to_owned(), oci("sound"))];
    (Lying::files(&layout(&images)), app)
}

fn blob(digest: &str) -> String {
    format!("blobs/{}", digest.replace(':', "/"))
}

#[test]
fn content_that_is_missing_corrupt_or_too_short() {
    let (_, app) = two();
    let (child, layer) = (app.children[0].digest(), app.children[1].blobs[2].digest.clone());
    let config = app.children[0].blobs[0].digest.clone();
    for (digest, missing) in
        [(app.digest(), "missing-manifest"), (layer.clone(), "missing-blob"), (config, "missing-blob")]
    {
        let (lying, _) = two();
        fs::remove_file(lying.layout().join(blob(&digest))).unwrap();
        lying.expect_refused(missing, "team/app:1", &["team/sound:1"]);
    }
    for (digest, kind) in
        [(app.digest(), "corrupt-blob"), (child.clone(), "corrupt-blob"), (layer.clone(), "corrupt-blob")]
    {
        let (lying, _) = two();
        flip_bit(&lying.layout().join(blob(&digest)));
        lying.expect_refused(kind, "team/app:1", &["team/sound:1"]);
    }
    for (digest, kind) in
        [(app.digest(), "corrupt-blob"), (child.clone(), "corrupt-blob"), (layer, "wrong-size")]
    {
        let (lying, _) = two();
        fs::write(lying.layout().join(blob(&digest)), "short").unwrap();
        lying.expect_refused(kind, "team/app:1", &["team/sound:1"]);
    }
    // A platform that is not here was not copied.
    let (lying, _) = two();
    fs::remove_file(lying.layout().join(blob(&child))).unwrap();
    let whole = [("team/app:1", &app.clone().without(&child)), ("team/sound:1", &oci("sound"))];
    lying.expect(&whole, &[("sparse-index", "team/app:1")]);
}

#[test]
fn a_repair_puts_back_what_another_tree_has() {
    let (_, app) = two();
    let digests = [app.digest(), app.children[0].digest(), app.children[1].blobs[2].digest.clone()];
    for digest in digests {
        let (lying, _) = two();
        let (good, _) = two();
        flip_bit(&lying.layout().join(blob(&digest)));
        let good_path = good.layout();
        let verified = verify(&["--repair-from", good_path.to_str().unwrap()], &[&lying.layout()]);
        assert_eq!(verified.code, 0, "{digest}: {:#}", verified.report);
        crate::support::tree::assert_same_trees(&good.layout(), &lying.layout());
    }
}

#[test]
fn lists_that_are_none() {
    let whole = |text: &str| text.to_owned();
    for (what, text) in [
        ("nothing", whole("")),
        ("half of one", whole(r#"{"schemaVersion":2,"manifests":[{"#)),
        ("a list", whole("[]")),
        ("null", whole("null")),
        ("another version", whole(r#"{"schemaVersion":1,"manifests":[]}"#)),
        ("no version", whole(r#"{"manifests":[]}"#)),
        ("a number of manifests", whole(r#"{"schemaVersion":2,"manifests":7}"#)),
        ("a text of manifests", whole(r#"{"schemaVersion":2,"manifests":"x"}"#)),
        ("letters that only Go folds", whole(r#"{"schemaVersion":2,"Manifests":[{}]}"#)),
        (
            "great depth",
            format!(r#"{{"schemaVersion":2,"manifests":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)),
        ),
        ("a manifest", String::from_utf8(oci("app").manifest).unwrap() + "x"),
    ] {
        let (lying, _) = two();
        fs::write(lying.layout().join("index.json"), text).unwrap();
        println!("{what}");
        lying.expect_refused("invalid-layout", "index.json", &[]);
    }
    let (lying, _) = two();
    fs::remove_file(lying.layout().join("index.json")).unwrap();
    lying.expect_refused("invalid-layout", "no index.json", &[]);
}

#[test]
fn descriptors_that_point_nowhere() {
    let sound = oci("sound");
    let named = described(&sound, json!({ REF_NAME: "team/sound:1" }));
    for descriptor in [
        json!({}),
        json!(null),
        json!(7),
        json!({ "digest": 7 }),
        json!({ "digest": "sha256:../../x" }),
        json!({ "digest": format!("sha256:{}", "A".repeat(64)) }),
        json!({ "digest": format!("md5:{}", "a".repeat(32)) }),
    ] {
        Lying::of(vec![descriptor, named.clone()], [&sound]).expect_refused(
            "invalid-layout",
            "index.json",
            &["team/sound:1"],
        );
    }
}

#[test]
fn sizes_that_lie() {
    let (app, sound) = (oci("app"), oci("sound"));
    let named = |image: &Image, name: &str| described(image, json!({ REF_NAME: name }));
    for size in [0_u64, 1, 1 << 40, u64::MAX] {
        let mut lie = named(&app, "team/app:1");
        lie["size"] = size.into();
        let lying = Lying::of(vec![lie, named(&sound, "team/sound:1")], [&app, &sound]);
        lying.expect_refused("wrong-size", "team/app:1", &["team/sound:1"]);
    }
    // What does not say how long it is does not lie.
    for size in [Value::Null, json!("12"), json!(-1)] {
        let mut silent = named(&app, "team/app:1");
        silent["size"] = size;
        Lying::of(vec![silent], [&app]).expect(&[("team/app:1", &app)], &[]);
    }
}

#[test]
fn versions() {
    for (text, is_sound) in [
        (VERSION, true),
        ("{\"imageLayoutVersion\": \"1.0.0\"}\n", true),
        (r#"{"imageLayoutVersion":"1.1.0","more":1}"#, true),
        (r#"{"imageLayoutVersion":"2.0.0"}"#, false),
        (r#"{"imageLayoutVersion":"10.0.0"}"#, false),
        (r#"{"imageLayoutVersion":1}"#, false),
        ("{}", false),
        ("", false),
        ("1.0.0", false),
    ] {
        let (lying, _) = two();
        fs::write(lying.layout().join("oci-layout"), text).unwrap();
        if is_sound {
            lying.convert(&lying.layout(), &[]).expect(0);
        } else {
            lying.expect_refused("invalid-layout", "oci-layout", &["team/app:1", "team/sound:1"]);
        }
    }
    // Without the file nobody says that it is one.
    let (lying, _) = two();
    fs::remove_file(lying.layout().join("oci-layout")).unwrap();
    lying.convert(&lying.layout(), &[]).expect(1).expect_said(&["holds no images"]);
}

#[test]
fn sha512_is_read_and_written() {
    let child = Image { algorithm: "sha512", ..oci("arm64") };
    let config = oci("app").blobs.remove(0);
    let image = artifact(&config, &[layer("ordinary"), layer("extraordinary").by_sha512()]);
    let images = [("team/app:1".to_owned(), image), ("team/list:1".to_owned(), index(OCI_INDEX, &[child]))];
    let lying = Lying::files(&layout(&images));
    lying.expect(&[("team/app:1", &images[0].1), ("team/list:1", &images[1].1)], &[]);
    // An image that is itself named by it.
    let own = Image { algorithm: "sha512", ..oci("own") };
    let lying = Lying::of(vec![described(&own, json!({ REF_NAME: "team/own:1" }))], [&own]);
    lying.expect(&[("team/own:1", &own)], &[]);
    flip_bit(&lying.layout().join(blob(&own.digest())));
    lying.expect_refused("corrupt-blob", "team/own:1", &[]);
}

#[test]
fn what_is_no_file_is_told_and_not_read() {
    let (_, app) = two();
    let layer = blob(&app.children[1].blobs[2].digest);
    let places = ["index.json", "oci-layout", "blobs", "blobs/sha256", &blob(&app.digest()), &layer];
    for place in places {
        for special in Special::all() {
            // A folder with nothing in it is an empty one.
            if special == Special::Folder && place.starts_with("blobs") && !place.contains("sha256/") {
                continue;
            }
            let (lying, _) = two();
            let path = lying.layout().join(place);
            special.replace(&path, &lying.path("aside"));
            let verified = verify(&[], &[&lying.layout()]);
            let is_known = !(place == "oci-layout" && special == Special::Folder);
            assert_eq!(verified.code, if is_known { 4 } else { 1 }, "{place} {special:?}: {}", verified.said);
            let ended = lying.convert(&lying.layout(), &["--keep-going"]);
            assert_ne!(ended.code, 0, "{place} {special:?}: {}", ended.said);
            if is_known {
                told(&ended.summary, &path, place, special);
            }
        }
    }
}

fn told(summary: &Value, path: &Path, place: &str, special: Special) {
    let findings = summary["findings"].as_array().unwrap();
    let is_about = |finding: &&Value| Path::new(finding["file"].as_str().unwrap()).starts_with(path);
    assert!(findings.iter().any(|finding| is_about(&finding)), "{place} {special:?}: {findings:#?}");
    let is_broken = errors(summary).iter().any(|(_, image)| image == "team/app:1");
    assert!(is_broken || !place.contains("sha256/"), "{place} {special:?}: {findings:#?}");
}
