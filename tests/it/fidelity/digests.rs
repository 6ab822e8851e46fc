//! Content that is named by another hash than sha256.

use ureq::Agent;

use super::trip::{Trip, assert_served};
use crate::support::bundle::convert;
use crate::support::forge::{self, Blob, Image, Spelling, artifact, index, layer, oci};
use crate::support::registry::{OCI_INDEX, OCI_MANIFEST, Registry, garbage};
use crate::support::scratch;
use crate::support::tree::{assert_same_files, files};

/// Why skopeo 1.9.3 copies no such image: it knows what it wrote by sha256 only.
const REFUSAL: &str = "saved with digest sha256";

/// An image with one layer of each kind.
fn image() -> Image {
    let config = oci("app").blobs.remove(0);
    artifact(&config, &[layer("ordinary"), layer("extraordinary").by_sha512()])
}

#[test]
fn a_layer_named_by_sha512_in_both_spellings() {
    let plain = Image { spelling: Spelling::Plain, ..image() };
    Trip::of([("team/app:prefixed", image()), ("team/app:plain", plain)])
        .skopeo_refuses("team/app:prefixed", REFUSAL)
        .skopeo_refuses("team/app:plain", REFUSAL)
        .make();
}

#[test]
fn a_child_named_by_sha512() {
    let child = Image { algorithm: "sha512", ..oci("arm64") };
    Trip::of([("team/app:1", index(OCI_INDEX, &[oci("amd64"), child]))])
        .skopeo_refuses("team/app:1", "sha512")
        .make();
}

#[test]
fn an_upload_by_sha512_that_a_registry_stored_by_sha256() {
    let image = image();
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let registry = Registry::start(&path("origin"));
    for blob in &image.blobs {
        upload(&registry, blob);
    }
    registry.put_manifest("team/app", "1", OCI_MANIFEST, &image.manifest);
    assert_served(&registry, "team/app:1", &image);
    drop(registry);
    let stored = without_uploads(&path("origin"));
    let name = image.blobs[2].digest.replace(':', "/");
    let link = format!("docker/registry/v2/repositories/team/app/_layers/{name}/link");
    let by_sha256 = Blob::new("", image.blobs[2].bytes.clone()).digest;
    assert_eq!(String::from_utf8(stored[&link].clone()).unwrap(), by_sha256);
    // A garbage collection would lose the layer: it looks for it by the name that the manifest has for it.
    assert_eq!(garbage(&path("origin")).deletable_blobs, 1);

    convert("to-registry", &[], &path("origin/docker"), &path("copy/docker"));
    assert_same_files(&stored, &files(&path("copy")));
    assert_served(&Registry::start(&path("copy")), "team/app:1", &image);
    convert("to-dir", &[], &path("copy/docker"), &path("back"));
    let image = ("team/app:1".to_owned(), image);
    assert_same_files(&forge::tree([&image]), &files(&path("back")));
}

/// Uploads a blob under its own digest, whatever the algorithm.
fn upload(registry: &Registry, blob: &Blob) {
    let upload = registry.start_upload("team/app").expect("the registry takes uploads");
    let agent: Agent = Agent::config_builder().proxy(None).build().into();
    let request = agent.put(&format!("{upload}&digest={}", blob.digest));
    let response = request.header("content-type", "application/octet-stream").send(&blob.bytes).unwrap();
    assert_eq!(response.status().as_u16(), 201);
}

fn without_uploads(root: &std::path::Path) -> std::collections::BTreeMap<String, Vec<u8>> {
    files(root).into_iter().filter(|(path, _)| !path.contains("/_uploads/")).collect()
}
