//! How programs name the images of a layout, and what bundle calls them.

use serde_json::{Value, json};

use super::{Lying, findings};
use crate::support::forge::layout::{IMAGE_NAME, REF_NAME, described};
use crate::support::forge::{Blob, Image, artifact, docker, index, oci};
use crate::support::package::ask;
use crate::support::registry::OCI_INDEX;

/// The names that the images of a layout have, hosts too, and the kinds of what is said of it.
fn read(layout: &Lying) -> (Vec<String>, Vec<String>) {
    let ended = ask(["stats", layout.layout().to_str().unwrap()]);
    let images = ended.summary["trees"][0]["per_image"].as_array();
    let name = |image: &Value| image["image"].as_str().unwrap().to_owned();
    let names = images.map(|images| images.iter().map(name).collect());
    let mut kinds: Vec<_> = findings(&ended.summary).into_iter().map(|(kind, _)| kind).collect();
    kinds.dedup();
    (names.unwrap_or_default(), kinds)
}

#[test]
fn each_program_names_images_in_its_own_way() {
    let app = oci("app");
    let digest = app.digest();
    let both = |image: &str, name: &str| json!({ IMAGE_NAME: image, REF_NAME: name });
    let one = |name: &str| json!({ REF_NAME: name });
    let bare = format!("lay@{digest}");
    for (who, annotations, name, kinds) in [
        ("bundle", both("team/app:1", "team/app:1"), "team/app:1", &[][..]),
        ("bundle --ref-name tag", both("team/app:1", "1"), "team/app:1", &[]),
        ("skopeo, whole name", one("team/app:1"), "team/app:1", &[]),
        ("skopeo, with a port", one("localhost:5000/app:1"), "localhost:5000/app:1", &[]),
        ("skopeo and umoci, a tag", one("1.0"), "lay:1.0", &["bare-tag"]),
        ("skopeo, no name", json!({}), &bare, &["bare-tag"]),
        ("crane", Value::Null, &bare, &["bare-tag"]),
        ("crane --annotate-ref", one("index.docker.io/library/app:1"), "docker.io/library/app:1", &[]),
        (
            "regctl",
            json!({ REF_NAME: "v1", "org.opencontainers.image.created": "2024" }),
            "lay:v1",
            &["bare-tag"],
        ),
        ("docker, buildx", both("docker.io/library/app:1", "1"), "docker.io/library/app:1", &[]),
        (
            "containerd, by digest",
            both(&format!("docker.io/library/app@{digest}"), &format!("docker.io/library/app@{digest}")),
            &format!("docker.io/library/app@{digest}"),
            &[],
        ),
        ("containerd, tag and digest", both(&format!("ghcr.io/app:1@{digest}"), "1"), "ghcr.io/app:1", &[]),
        (
            "hauler",
            json!({ IMAGE_NAME: "index.docker.io/library/app:1", REF_NAME: "library/app:1", "kind": "dev.cosignproject.cosign/image" }),
            "docker.io/library/app:1",
            &[],
        ),
        (
            "zarf",
            json!({ REF_NAME: "ghcr.io/team/app:1", "org.opencontainers.image.base.name": "ghcr.io/team/app:1" }),
            "ghcr.io/team/app:1",
            &[],
        ),
        ("no tag", one("ghcr.io/team/app"), "ghcr.io/team/app:latest", &[]),
        ("an empty name", one(""), &bare, &["bare-tag"]),
        ("a name that is no text", json!({ REF_NAME: 1 }), &bare, &["bare-tag"]),
        (
            "another image's digest",
            one(&format!("team/app@sha256:{}", "0".repeat(64))),
            &format!("team/app@{digest}"),
            &["other-digest"],
        ),
    ] {
        let layout = Lying::of(vec![described(&app, annotations)], [&app]);
        assert_eq!(
            read(&layout),
            (vec![name.to_owned()], kinds.iter().map(|kind| (*kind).to_owned()).collect()),
            "{who}"
        );
    }
}

#[test]
fn names_outside_the_grammar_are_refused_and_cost_no_other_image() {
    for name in [
        "Team/app:1",
        "team/app:",
        "../x:1",
        "a b",
        "-1",
        "/app:1",
        "team//app:1",
        "x:1:2",
        "x@sha256:1",
        "é",
        "app:\n1",
    ] {
        for key in [IMAGE_NAME, REF_NAME] {
            let (app, sound) = (oci("app"), oci("sound"));
            let list = vec![
                described(&app, json!({ key: name })),
                described(&sound, json!({ key: "team/sound:1" })),
            ];
            let layout = Lying::of(list, [&app, &sound]);
            layout.expect_refused("invalid-name", "expected", &["team/sound:1"]);
        }
    }
}

#[test]
fn one_name_for_two_images_is_refused_and_twice_for_one_is_not() {
    let (app, other) = (oci("app"), oci("other"));
    let named = |image: &Image, name: &str| described(image, json!({ REF_NAME: name }));
    let list = vec![named(&app, "team/app:1"), named(&other, "team/other:1"), named(&other, "team/app:1")];
    Lying::of(list, [&app, &other]).expect_refused("name-conflict", "team/app:1", &["team/other:1"]);
    let list = vec![named(&app, "team/app:1"), named(&app, "team/app:1"), named(&app, "team/app:2")];
    Lying::of(list, [&app]).expect(&[("team/app:1", &app), ("team/app:2", &app)], &[]);
    // A host apart, where hosts are kept.
    let list = vec![named(&app, "ghcr.io/team/app:1"), named(&other, "quay.io/team/app:1")];
    let layout = Lying::of(list, [&app, &other]);
    let ended = layout.convert(&layout.layout(), &[]).expect(4);
    ended.expect_said(&["two images under one name", "--host keep"]);
    assert_eq!(read(&layout).0, ["ghcr.io/team/app:1", "quay.io/team/app:1"]);
}

#[test]
fn what_has_no_name_and_is_part_of_something_else_is_no_image_of_its_own() {
    let list = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let [amd64, arm64] = [&list.children[0], &list.children[1]];
    // As crane and hauler list the platforms next to their index.
    let listed =
        vec![amd64.descriptor(), described(&list, json!({ REF_NAME: "team/app:1" })), arm64.descriptor()];
    Lying::of(listed, [&list]).expect(&[("team/app:1", &list)], &[]);
    let twice = vec![described(&list, json!({ REF_NAME: "team/app:1" })), list.descriptor()];
    Lying::of(twice, [&list]).expect(&[("team/app:1", &list)], &[]);
    // A name of its own makes it an image.
    let listed = vec![
        described(amd64, json!({ REF_NAME: "team/one:1" })),
        described(&list, json!({ REF_NAME: "team/app:1" })),
    ];
    Lying::of(listed, [&list]).expect(&[("team/app:1", &list), ("team/one:1", amd64)], &[]);
}

#[test]
fn indexes_in_indexes_and_attestations() {
    let image = oci("amd64");
    let statement = Blob::new("application/vnd.in-toto+json", "a statement");
    let attestation = artifact(&image.blobs[0], &[statement]);
    let inner = index(OCI_INDEX, &[image, attestation]).edited(|index| {
        index["manifests"][1]["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
    });
    let outer = index(OCI_INDEX, &[inner.clone(), docker("amd64")]);
    let list = vec![
        described(&outer, json!({ REF_NAME: "team/outer:1" })),
        described(&inner, json!({ IMAGE_NAME: "team/inner:1" })),
    ];
    Lying::of(list, [&outer]).expect(&[("team/inner:1", &inner), ("team/outer:1", &outer)], &[]);
}

#[test]
fn entries_that_are_no_images_are_left_out_with_a_warning() {
    let app = oci("app");
    let named = || described(&app, json!({ REF_NAME: "team/app:1" }));
    for media_type in [
        "application/xml",
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.buildkit.cacheconfig.v0",
    ] {
        let mut foreign = app.blobs[1].descriptor.clone();
        foreign["mediaType"] = media_type.into();
        Lying::of(vec![foreign, named()], [&app]).expect(&[("team/app:1", &app)], &[("foreign-entry", "")]);
    }
    // What does not say what it is may be an image.
    let mut untyped = named();
    untyped.as_object_mut().unwrap().remove("mediaType");
    Lying::of(vec![untyped], [&app]).expect(&[("team/app:1", &app)], &[]);
}

#[test]
fn what_else_lies_in_a_layout_is_tolerated() {
    let app = oci("app");
    let layout = Lying::of(vec![described(&app, json!({ REF_NAME: "team/app:1" }))], [&app]);
    for (name, text) in [
        ("manifest.json", "[]"),
        ("repositories", "{}"),
        ("ingest", ""),
        ("blobs/sha256/notes", "x"),
        ("blobs/md5/00", "x"),
    ] {
        let path = layout.layout().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    layout.expect(&[("team/app:1", &app)], &[]);
    crate::support::bundle::bundle().arg("verify").arg(layout.layout()).assert().code(0);
}
