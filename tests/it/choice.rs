//! What a person chooses: which images of which sources, which platforms, under which names.

mod joining;
mod naming;
mod platforms;
mod selecting;
mod sources;

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::bundle::{Ended, bundle};
use crate::support::forge::{self, Blob, Image};
use crate::support::program::program;
use crate::support::registry::{OCI_MANIFEST, Registry};
use crate::support::tree::{assert_same_files, files};
use crate::support::{scratch, skopeo};

/// Runs a command with a JSON report.
fn run(command: &str, options: &[&str], paths: &[&Path]) -> Ended {
    let mut bundle = bundle();
    bundle.args([command, "-q", "--format", "json"]).args(options).args(paths);
    Ended::of(&bundle.output().unwrap())
}

/// Writes a tree of `dir:` images.
fn write_tree(images: &[(String, Image)], root: &Path) {
    forge::write(&forge::tree(images), root);
}

fn named<const N: usize>(images: [(&str, Image); N]) -> Vec<(String, Image)> {
    images.map(|(name, image)| (name.to_owned(), image)).to_vec()
}

/// An OCI image for one platform, `os/architecture[/variant]`, with two layers: one of its own, one of its name's.
fn image(name: &str, platform: &str) -> Image {
    let parts: Vec<_> = platform.split('/').collect();
    let mut config =
        json!({ "os": parts[0], "architecture": parts[1], "config": { "Labels": { "name": name } } });
    if let Some(variant) = parts.get(2) {
        config["variant"] = json!(variant);
    }
    let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string());
    forge::artifact(&config, &[forge::layer(name), forge::layer(&format!("{name} on {platform}"))])
}

/// How a list points at an image for a platform.
fn entry(image: &Image, platform: &str) -> Value {
    let parts: Vec<_> = platform.split('/').collect();
    let mut entry = image.descriptor();
    entry["platform"] = json!({ "architecture": parts[1], "os": parts[0] });
    if let Some(variant) = parts.get(2) {
        entry["platform"]["variant"] = json!(variant);
    }
    entry
}

/// What `BuildKit` says of an image in the same list.
fn attestation(of: &Image) -> (Image, Value) {
    let config =
        Blob::new("application/vnd.oci.image.config.v1+json", json!({ "os": "unknown" }).to_string());
    let layer = Blob::new("application/vnd.in-toto+json", json!({ "subject": of.digest() }).to_string());
    let attestation = forge::artifact(&config, &[layer]);
    let mut entry = entry(&attestation, "unknown/unknown");
    entry["annotations"] = json!({
        "vnd.docker.reference.digest": of.digest(),
        "vnd.docker.reference.type": "attestation-manifest",
    });
    (attestation, entry)
}

/// A list with these entries, of images that are here.
fn list(media_type: &str, entries: &[Value], children: &[&Image]) -> Image {
    let document = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": entries });
    let children = children.iter().map(|child| (*child).clone()).collect();
    Image { children, ..Image::of(media_type, &document, &[]) }
}

/// The list that this program makes: the same document, without any space in it.
fn made(list: &Image) -> Image {
    let document: Value = serde_json::from_slice(&list.manifest).unwrap();
    let made = Image::verbatim(&list.media_type, document.to_string(), &list.blobs);
    Image { children: list.children.clone(), ..made }
}

/// Storage at `docker` holds these images and nothing else, and the real registry serves all of them.
fn assert_holds(images: &[(String, Image)], docker: &Path) {
    assert_same_files(&forge::storage(images), &files(&docker.join("registry/v2")));
    let registry = Registry::start_readonly(docker.parent().unwrap());
    for (name, image) in images {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        let served = registry.manifest(repository, tag);
        assert_eq!((served.digest, served.bytes), (image.digest(), image.manifest.clone()), "{name}");
        for manifest in image.all() {
            assert_eq!(registry.manifest(repository, &manifest.digest()).bytes, manifest.manifest, "{name}");
            for blob in &manifest.blobs {
                assert_eq!(registry.blob(repository, &blob.digest), blob.bytes, "{name}");
            }
        }
    }
    bundle().args(["verify", "-q"]).arg(docker).assert().code(0);
}

/// Skopeo pulls the image for a platform, and gets this one.
fn assert_pulls(registry: &Registry, name: &str, architecture: &str, expected: &Image) {
    let folder = scratch();
    let source = format!("docker://{}/{name}", registry.address());
    let target = format!("dir:{}", folder.path().display());
    let platform = ["--override-os", "linux", "--override-arch", architecture];
    let copy = ["copy", "--src-tls-verify=false", &source, &target];
    skopeo::skopeo(platform.into_iter().chain(copy));
    let pulled = files(folder.path());
    assert_eq!(pulled["manifest.json"], expected.manifest, "{name} for {architecture}");
    for blob in &expected.blobs {
        assert_eq!(
            pulled[blob.digest.trim_start_matches("sha256:")],
            blob.bytes,
            "{name} for {architecture}"
        );
    }
}

/// Skopeo does not pull the image for a platform.
fn assert_pulls_not(registry: &Registry, name: &str, architecture: &str) {
    let folder = scratch();
    let mut skopeo = Command::new(program("skopeo"));
    skopeo.args(["--insecure-policy", "--override-os", "linux", "--override-arch", architecture, "copy"]);
    skopeo.args(["--src-tls-verify=false", &format!("docker://{}/{name}", registry.address())]);
    let output = skopeo.arg(format!("dir:{}", folder.path().display())).output().unwrap();
    assert!(!output.status.success(), "{name} is pulled for {architecture}");
}

/// The kinds of the findings, each with its images.
fn findings(ended: &Ended) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let findings = ended.summary["findings"].as_array().unwrap().iter();
    let images = |finding: &Value| finding["images"].as_array().unwrap().iter().map(text).collect();
    let mut findings: Vec<_> = findings.map(|finding| (text(&finding["kind"]), images(finding))).collect();
    findings.sort();
    findings
}

/// What the media type of a single image is, in most of these tests.
const SINGLE: &str = OCI_MANIFEST;
