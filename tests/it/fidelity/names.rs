//! Names that look like parts of storage or like digests, and folders whose name is not the image's.

use serde_json::json;

use super::trip::{Trip, assert_served, run};
use crate::support::forge::{self, docker, index, oci};
use crate::support::registry::{OCI_INDEX, Registry};
use crate::support::tree::{assert_same_files, files};
use crate::support::{scratch, sha256};

#[test]
fn names_that_storage_uses_itself() {
    let hex = sha256(b"no digest of anything here").split_off("sha256:".len());
    Trip::of([
        ("current:current", oci("1")),
        ("team/current:index", oci("2")),
        ("team/app:_x", oci("3")),
        ("team/app:link", oci("4")),
        ("a/link/data/index:data", oci("5")),
        ("a/link:revisions", oci("6")),
        ("blobs/sha256/aa:sha256", oci("7")),
        ("registry/v2/repositories:v2", oci("8")),
        (&format!("team/app:{hex}"), oci("9")),
        (&format!("team/{hex}:latest"), oci("10")),
    ])
    .make();
}

#[test]
fn a_folder_without_a_tag() {
    Trip::of([("team/app", docker("app"))])
        .results_in([("team/app:latest", docker("app"))])
        .warns_once("no-tag", "team/app:latest")
        .make();
}

#[test]
fn a_registry_with_a_port() {
    Trip::of([("localhost:5000/team/app:1", docker("1")), ("registry.example.com/team/app:2", docker("2"))])
        .results_in([("team/app:1", docker("1")), ("team/app:2", docker("2"))])
        .make();
}

#[test]
fn a_folder_named_after_the_list_that_it_is_one_platform_of() {
    let list = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let one = oci("amd64");
    let named = format!("team/app@{}", list.digest());
    let image = (format!("team/app@{}", one.digest()), one.clone());

    // A digest is no tag, so the way back has to be asked for it.
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    forge::write(&forge::tree(&[(named, one)]), &path("images"));
    let (code, summary, said) = run("to-registry", &[], &path("images"), &path("docker"));
    assert_eq!(code, 0, "{said}");
    let finding = &summary["findings"][0];
    assert_eq!((&finding["kind"], &finding["severity"]), (&json!("other-digest"), &json!("warning")));
    assert_same_files(&forge::storage([&image]), &files(&path("docker/registry/v2")));
    assert_served(&Registry::start(folder.path()), &image.0, &image.1);

    let (code, _, said) = run("to-dir", &["--untagged"], &path("docker"), &path("back"));
    assert_eq!((code, said.as_str()), (0, ""));
    assert_same_files(&forge::tree([&image]), &files(&path("back")));
}

#[test]
fn signature_files_stay_behind() {
    let signed = docker("app").with_file("signature-1", "an OpenPGP message");
    let list = index(OCI_INDEX, &[oci("amd64")]);
    let hex = list.children[0].digest().split_off("sha256:".len());
    let list = list.with_file(&format!("{hex}.signature-1"), b"\0sigstore-json\n{}");
    Trip::of([("team/app:1", signed), ("team/app:2", list)])
        .warns_once("signatures-left-out", "team/app:1")
        .warns_once("signatures-left-out", "team/app:2")
        .make();
}
