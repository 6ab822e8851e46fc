//! Images that cannot be carried: each is refused by name, and costs no other image.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::trip::run;
use crate::support::forge::{self, Blob, Image, artifact, docker, index, layer, oci};
use crate::support::registry::{DOCKER_LIST, OCI_INDEX, OCI_MANIFEST};
use crate::support::tree::{assert_same_files, files};
use crate::support::{scratch, sha256};

/// Fails unless an image folder of these files is refused for this reason, and its neighbour is not.
pub(super) fn assert_breaks(what: &str, kind: &str, image: &BTreeMap<String, Vec<u8>>) {
    const BROKEN: &str = "team/broken:1";
    let neighbour = ("team/sound:1".to_owned(), docker("sound"));
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    forge::write(&forge::tree([&neighbour]), &path("images"));
    forge::write(image, &path("images").join(BROKEN));

    for (command, whole) in
        [("to-registry", forge::storage([&neighbour])), ("to-dir", forge::tree([&neighbour]))]
    {
        let destination = path(command);
        let (code, summary, said) = run(command, &[], &path("images"), &destination);
        assert_eq!(code, 4, "{command}: {what}: {said}");
        assert!(!destination.exists(), "{command}: {what}: something was written");
        let findings = summary["findings"].as_array().unwrap();
        let is_it = |finding: &Value| {
            finding["severity"] == "error" && finding["kind"] == kind && finding["images"] == json!([BROKEN])
        };
        assert!(findings.iter().any(is_it), "{command}: {what}: no {kind} of {BROKEN} in {findings:#?}");
        let named = |finding: &Value| finding["images"].to_string().contains("team/sound");
        assert!(!findings.iter().any(named), "{command}: {what}: {findings:#?}");

        let (code, summary, said) = run(command, &["--keep-going"], &path("images"), &destination);
        assert_eq!(code, 4, "{command}: {what}: {said}");
        assert_eq!(summary["changes"], json!({ "team/sound:1": "new" }), "{command}: {what}");
        let root = if command == "to-dir" { destination } else { destination.join("registry/v2") };
        assert_same_files(&whole, &files(&root));
    }
}

/// The same of an image that is broken as a whole.
fn assert_image_breaks(what: &str, kind: &str, image: &Image) {
    assert_breaks(what, kind, &image.files());
}

/// The same of an image whose document was changed.
fn assert_document_breaks(what: &str, image: Image, edit: impl FnOnce(&mut Value)) {
    assert_image_breaks(what, "invalid-manifest", &image.edited(edit));
}

#[test]
fn documents_of_two_kinds_at_once() {
    let image = oci("app");
    for media_type in [DOCKER_LIST, OCI_INDEX] {
        let list = index(media_type, &[oci("amd64")]);
        assert_document_breaks("an index with layers", list.clone(), |index| {
            index["layers"] = json!([image.blobs[1].descriptor]);
        });
        assert_document_breaks("an index with a config", list, |index| {
            index["config"] = image.blobs[0].descriptor.clone();
        });
    }
    for image in [oci("app"), docker("app")] {
        assert_document_breaks("an image with manifests", image, |manifest| {
            manifest["manifests"] = json!([oci("amd64").descriptor()]);
        });
    }
}

#[test]
fn documents_of_no_kind() {
    let blob = layer("content");
    let artifact = json!({
        "mediaType": "application/vnd.oci.artifact.manifest.v1+json",
        "artifactType": "application/spdx+json",
        "blobs": [blob.descriptor],
    });
    let artifact = Image::of("application/vnd.oci.artifact.manifest.v1+json", &artifact, &[blob]);
    assert_image_breaks("an OCI artifact manifest", "invalid-manifest", &artifact);
    let deep = format!(r#"{{"schemaVersion":2,"config":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    let saved = json!([{ "Config": "config.json", "RepoTags": ["team/app:1"], "Layers": ["layer.tar"] }]);
    let sound = oci("app");
    let truncated = &sound.manifest[..sound.manifest.len() / 2];
    for (what, manifest) in [
        ("nothing", &b""[..]),
        ("an array", saved.to_string().as_bytes()),
        ("truncated JSON", truncated),
        ("two documents", &[&sound.manifest[..], b"{}"].concat()),
        ("JSON of great depth", deep.as_bytes()),
        ("no text", &[0xff; 100]),
        ("a text", br#""a text""#),
        ("null", b"null"),
        ("an object", b"{}"),
    ] {
        assert_image_breaks(what, "invalid-manifest", &Image::verbatim(OCI_MANIFEST, manifest, &sound.blobs));
    }
}

/// What Go reads and no program writes: refused by name, rather than read in a way of our own.
#[test]
fn json_beyond_what_manifests_need() {
    let sound = oci("app");
    let body = sound.manifest.trim_ascii_end().strip_suffix(b"}").unwrap();
    let deep = format!(r#""deep":{}{}"#, "[".repeat(200), "]".repeat(200));
    for (what, member) in [
        ("200 levels", deep.as_str()),
        ("a number beyond all doubles", r#""large":1e999"#),
        ("half a surrogate pair", r#""annotations":{"half":"\ud83d"}"#),
    ] {
        let manifest = [body, b",", member.as_bytes(), b"}"].concat();
        assert_image_breaks(what, "invalid-manifest", &Image::verbatim(OCI_MANIFEST, manifest, &sound.blobs));
    }
}

#[test]
fn a_manifest_that_registries_would_not_take() {
    let sound = oci("app");
    let mut bytes = sound.manifest.clone();
    bytes.resize((4 << 20) + 1, b' ');
    let image = Image::verbatim(OCI_MANIFEST, bytes, &sound.blobs);
    assert_image_breaks("more than 4 MiB", "invalid-manifest", &image);
}

#[test]
fn sizes_that_are_none() {
    for size in [json!(-1), json!(0.5), json!(1e30), json!(u64::MAX), json!(null), json!("12"), json!([12])] {
        for part in ["/config/size", "/layers/1/size"] {
            assert_document_breaks(&format!("{part} {size}"), oci("app"), |manifest| {
                *manifest.pointer_mut(part).unwrap() = size.clone();
            });
        }
        assert_document_breaks(
            &format!("a child's size {size}"),
            index(OCI_INDEX, &[oci("amd64")]),
            |index| {
                index["manifests"][0]["size"] = size.clone();
            },
        );
    }
}

#[test]
fn sizes_that_are_not_the_file_s() {
    for part in ["/config/size", "/layers/1/size"] {
        for size in [0_u64, 1, 1 << 40] {
            let image = oci("app").edited(|manifest| *manifest.pointer_mut(part).unwrap() = size.into());
            assert_image_breaks(&format!("{part} {size}"), "wrong-size", &image);
        }
    }
    let list = index(OCI_INDEX, &[oci("amd64")]).edited(|index| index["manifests"][0]["size"] = 1.into());
    assert_image_breaks("the size of a child", "wrong-size", &list);
}

#[test]
fn digests_that_are_none() {
    let hex = sha256(b"content").split_off("sha256:".len());
    for digest in [
        format!("sha256:{}", hex.to_uppercase()),
        "sha256:../../x".to_owned(),
        format!("sha256:../../../../{}", &hex[12..]),
        format!("blake3:{hex}"),
        format!("md5:{}", &hex[32..]),
        format!("sha512:{hex}"),
        format!("sha256:{}", &hex[1..]),
        format!("sha256:{hex}\n"),
        hex.clone(),
        String::new(),
    ] {
        for part in ["/config/digest", "/layers/1/digest"] {
            assert_document_breaks(&format!("{part} {digest:?}"), oci("app"), |manifest| {
                *manifest.pointer_mut(part).unwrap() = digest.clone().into();
            });
        }
        assert_document_breaks(&format!("a child {digest:?}"), index(OCI_INDEX, &[oci("amd64")]), |index| {
            index["manifests"][0]["digest"] = digest.clone().into();
        });
    }
}

#[test]
fn a_child_that_is_not_what_it_is_called() {
    let list = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let name = format!("{}.manifest.json", list.children[1].digest().trim_start_matches("sha256:"));
    let child = &list.children[1].manifest;
    let mut flipped = child.clone();
    flipped[20] ^= 1;
    for (what, bytes) in [
        ("another manifest", &oci("s390x").manifest[..]),
        ("the same manifest, spaced differently", &[&child[..], b" "].concat()),
        ("a flipped bit", &flipped),
        ("half a manifest", &child[..child.len() / 2]),
        ("nothing", b""),
    ] {
        assert_image_breaks(what, "corrupt-blob", &list.clone().with_file(&name, bytes));
    }
}

#[test]
fn a_child_that_is_no_manifest() {
    let text = b"a text with the digest that the index lists";
    let child = Image::verbatim(OCI_MANIFEST, &text[..], &[]);
    let list = index(OCI_INDEX, &[oci("amd64"), child]);
    assert_image_breaks("a text", "invalid-manifest", &list);
}

#[test]
fn a_child_that_is_broken_itself() {
    let child = oci("arm64");
    let missing = child.blobs[1].digest.clone();
    let list = index(OCI_INDEX, &[oci("amd64"), child]).without(&missing);
    assert_image_breaks("a child without a layer", "missing-blob", &list);
    let inner = index(OCI_INDEX, &[list]);
    assert_image_breaks("a child of a child without a layer", "missing-blob", &inner);
}

#[test]
fn blobs_that_are_missing() {
    for image in [oci("app"), docker("app")] {
        for (what, blob) in [("config", 0), ("layer", 1), ("last layer", 2)] {
            let digest = image.blobs[blob].digest.clone();
            assert_image_breaks(what, "missing-blob", &image.clone().without(&digest));
        }
    }
}

#[test]
fn foreign_layers_that_are_nowhere() {
    let config = oci("app").blobs.remove(0);
    let foreign = layer("foreign")
        .described("mediaType", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    // An ordinary layer is not to be fetched from elsewhere, whatever its URLs say.
    let urls = json!(["https://example.com/layer"]);
    let ordinary = layer("ordinary").described("urls", urls);
    for missing in [foreign.clone(), foreign.described("urls", json!([])), ordinary] {
        let image = artifact(&config, &[layer("app"), missing.clone()]).without(&missing.digest);
        assert_image_breaks("a layer that is nowhere", "missing-blob", &image);
    }
}

#[test]
fn blobs_that_are_not_what_they_are_called() {
    let image = oci("app");
    let Blob { bytes, digest, .. } = &image.blobs[1];
    let mut flipped = bytes.clone();
    flipped[0] ^= 1;
    let name = digest.trim_start_matches("sha256:");
    assert_image_breaks("a flipped bit", "corrupt-blob", &image.clone().with_file(name, flipped));
    assert_image_breaks("a shorter file", "wrong-size", &image.clone().with_file(name, &bytes[1..]));
}
