//! What is stored beside images: artifacts, and what refers to an image from outside.

use serde_json::json;

use super::trip::Trip;
use crate::support::bundle::convert;
use crate::support::forge::{self, Blob, Image, artifact, index, layer, oci};
use crate::support::registry::OCI_INDEX;
use crate::support::scratch;
use crate::support::tree::{assert_same_files, files};

/// The config of an artifact that has none.
fn empty() -> Blob {
    Blob::new("application/vnd.oci.empty.v1+json", "{}")
}

/// An artifact about an image.
fn referrer(name: &str, subject: &Image) -> Image {
    let content = Blob::new("application/spdx+json", format!("the contents {name}"));
    artifact(&empty(), &[content]).edited(|manifest| {
        manifest["artifactType"] = "application/spdx+json".into();
        manifest["subject"] = subject.descriptor();
    })
}

/// How a folder is named whose image has no tag.
fn untagged(image: &Image) -> String {
    format!("team/app@{}", image.digest())
}

/// A tag that is made of a digest, with this behind it.
fn tag_of(image: &Image, suffix: &str) -> String {
    format!("team/app:{}{suffix}", image.digest().replace(':', "-"))
}

#[test]
fn an_artifact_with_a_config_of_its_own_kind() {
    let config =
        Blob::new("application/vnd.cncf.helm.config.v1+json", r#"{"name":"chart","version":"1.0.0"}"#);
    let chart = Blob::new("application/vnd.cncf.helm.chart.content.v1.tar+gzip", "a chart");
    Trip::of([("team/chart:1.0.0", artifact(&config, &[chart]))]).make();
}

#[test]
fn an_artifact_with_the_empty_config() {
    let of_type = artifact(&empty(), &[empty()]).edited(|manifest| {
        manifest["artifactType"] = "application/vnd.example.note".into();
    });
    Trip::of([("team/note:1", artifact(&empty(), &[layer("note")])), ("team/note:2", of_type)]).make();
}

#[test]
fn a_referrer_without_a_tag_follows_its_subject() {
    let app = oci("app");
    let contents = referrer("of app", &app);
    let index = index(OCI_INDEX, &[oci("amd64")]).edited(|index| index["subject"] = app.descriptor());
    Trip::of([("team/app:1", app), (&untagged(&contents), contents.clone()), (&untagged(&index), index)])
        .make();
}

#[test]
fn referrers_of_platforms_and_of_referrers_follow_too() {
    let app = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let contents = referrer("of one platform", &app.children[1]);
    let signature = referrer("signature of the contents", &contents);
    Trip::of([
        ("team/app:1", app),
        (&untagged(&contents), contents.clone()),
        (&untagged(&signature), signature),
    ])
    .make();
}

#[test]
fn referrers_are_found_by_the_fallback_tag() {
    let app = oci("app");
    let list = index(OCI_INDEX, &[referrer("of app", &app)]).edited(|list| {
        list["manifests"][0]["artifactType"] = "application/spdx+json".into();
    });
    Trip::of([("team/app:1", app.clone()), (&tag_of(&app, ""), list)])
        // It would write the list anew, without `artifactType`.
        .skopeo_refuses(&tag_of(&app, ""), "preserve digests")
        .make();
}

#[test]
fn a_signature_under_a_tag_of_its_own() {
    let app = oci("app");
    let payload = Blob::new(
        "application/vnd.dev.cosign.simplesigning.v1+json",
        json!({ "critical": { "image": { "docker-manifest-digest": app.digest() } } }).to_string(),
    )
    .described("annotations", json!({ "dev.cosignproject.cosign/signature": "MEUCIQ==" }));
    let signature = artifact(&app.blobs[0], &[payload]);
    Trip::of([("team/app:1", app.clone()), (&tag_of(&app, ".sig"), signature)]).make();
}

#[test]
fn only_the_referrers_of_chosen_images_follow() {
    let [app, other, gone] = ["app", "other", "gone"].map(oci);
    let of = |image: &Image| {
        let referrer = referrer("of one image", image);
        (untagged(&referrer), referrer)
    };
    let nobodys = (untagged(&oci("nobody's")), oci("nobody's"));
    // A registry looks for referrers in the subject's own repository only.
    let elsewhere = referrer("elsewhere", &app);
    let elsewhere = (format!("team/other@{}", elsewhere.digest()), elsewhere);
    let all = [
        ("team/app:1".to_owned(), app.clone()),
        of(&app),
        ("team/app:2".to_owned(), other.clone()),
        of(&other),
        of(&gone),
        nobodys,
        elsewhere,
    ];
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    forge::write(&forge::tree(&all), &path("images"));
    convert("to-registry", &[], &path("images"), &path("docker"));

    convert("to-dir", &["--include", "team/app:1"], &path("docker"), &path("chosen"));
    assert_same_files(&forge::tree(&all[..2]), &files(&path("chosen")));
    // Nothing brings the others but the asking.
    convert("to-dir", &[], &path("docker"), &path("tagged"));
    assert_same_files(&forge::tree(&all[..4]), &files(&path("tagged")));
    convert("to-dir", &["--untagged"], &path("docker"), &path("untagged"));
    assert_same_files(&forge::tree(&all), &files(&path("untagged")));
}
