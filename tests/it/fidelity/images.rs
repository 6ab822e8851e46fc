//! Single images: both families, odd spellings, odd layers.

use serde_json::json;

use super::trip::Trip;
use crate::support::forge::{Blob, Image, artifact, docker, docker_layer, index, layer, oci, single};
use crate::support::registry::{DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::support::tree::links;

const FOREIGN: &str = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";

#[test]
fn a_docker_image() {
    Trip::of([("team/app:1", docker("app"))]).make();
}

#[test]
fn an_oci_image_with_and_without_its_media_type() {
    let named = oci("app");
    let unnamed = oci("app").edited(|manifest| {
        manifest.as_object_mut().unwrap().remove("mediaType");
    });
    Trip::of([("team/app:named", named), ("team/app:unnamed", unnamed)]).make();
}

#[test]
fn an_image_with_an_empty_blob() {
    let empty = Blob::new("application/vnd.oci.image.layer.v1.tar", "");
    Trip::of([("team/app:1", artifact(&config(), &[empty, layer("app")]))]).make();
}

#[test]
fn an_image_that_repeats_a_layer() {
    let (once, again) = (layer("again"), layer("again"));
    Trip::of([("team/app:1", artifact(&config(), &[once, layer("between"), again]))]).make();
}

#[test]
fn a_manifest_that_is_a_layer_elsewhere() {
    let app = oci("app");
    let packed = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", app.manifest.clone());
    let archive = artifact(&config(), &[packed]);
    // In another repository and in the same one.
    Trip::of([("team/app:1", app), ("team/archive:1", archive.clone()), ("team/app:archive", archive)])
        .make();
}

#[test]
fn a_layer_that_many_images_share() {
    const IMAGES: usize = 40;
    let shared = layer("shared");
    let images = (0..IMAGES).map(|number| {
        let own = layer(&format!("layer {number}"));
        (format!("team/app-{}:{number}", number % 4), artifact(&config(), &[shared.clone(), own]))
    });
    let source: Vec<_> = images.collect();
    let trip = Trip { result: source.clone(), listed: source.clone(), source, ..Trip::of([]) };
    let folder = trip.make();
    let hex = shared.digest.trim_start_matches("sha256:");
    let data = folder.path().join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
    // One of the tree that it came from, its own, and all of the tree that was made of it.
    assert_eq!(links(&data), 1 + 1 + IMAGES as u64);
}

#[test]
fn keys_in_other_letter_case_and_twice() {
    let (config, decoy) = (docker_config(), docker_layer("decoy"));
    let [bottom, top] = ["bottom", "top"].map(docker_layer);
    let shouted = format!(
        r#"{{"SchemaVersion":2,"MEDIATYPE":"{DOCKER_MANIFEST}","Config":{},"layers":[{}],"LAYERS":[{},{}]}}"#,
        config.descriptor, decoy.descriptor, bottom.descriptor, top.descriptor
    );
    let digest_twice = format!(
        r#"{{"size":{},"digest":"{}","mediaType":"{}","digest":"{}"}}"#,
        top.bytes.len(),
        decoy.digest,
        top.descriptor["mediaType"].as_str().unwrap(),
        top.digest
    );
    let twice = format!(
        r#"{{"schemaVersion":2,"mediaType":"{DOCKER_MANIFEST}","layers":[{}],"config":{},"layers":[{},{digest_twice}]}}"#,
        decoy.descriptor, config.descriptor, bottom.descriptor
    );
    // The decoy is nowhere: whoever took it for a layer would miss it.
    let blobs = [config, bottom, top];
    let verbatim = |bytes: String| Image::verbatim(DOCKER_MANIFEST, bytes, &blobs);
    Trip::of([("team/app:shouted", verbatim(shouted)), ("team/app:twice", verbatim(twice))]).make();
}

#[test]
fn digests_in_annotations_are_text() {
    let other = crate::support::sha256(b"the base image, which is nowhere");
    let hex = other.trim_start_matches("sha256:").to_owned();
    let image = oci("app").edited(|manifest| {
        manifest["annotations"] = json!({
            "org.opencontainers.image.base.digest": other,
            "org.opencontainers.image.revision": hex,
        });
        manifest["layers"][0]["annotations"] = json!({ "digest": other, "layers": hex });
        manifest["layers"][0]["urls"] = json!([format!("http://127.0.0.1:1/{hex}")]);
        manifest["unheard of"] = json!({ "digest": other, "manifests": [{ "digest": other, "size": 3 }] });
    });
    Trip::of([("team/app:1", image)]).make();
}

#[test]
fn what_is_null_is_not_there() {
    let nulls = oci("app").edited(|manifest| {
        for key in ["annotations", "subject", "artifactType", "manifests", "unheard of"] {
            manifest[key] = json!(null);
        }
        for key in ["annotations", "urls", "data", "platform"] {
            manifest["layers"][0][key] = json!(null);
        }
    });
    Trip::of([("team/app:1", nulls)]).make();
}

#[test]
fn a_null_where_text_is_usual_is_no_text() {
    let untyped = oci("app").edited(|manifest| manifest["layers"][0]["mediaType"] = json!(null));
    let null_url = oci("app").edited(|manifest| manifest["layers"][0]["urls"] = json!([null]));
    let list = index(OCI_INDEX, &[oci("amd64")]).edited(|index| {
        index["manifests"][0]["platform"] =
            json!({ "os": "linux", "architecture": "amd64", "variant": null, "os.version": null });
    });
    Trip::of([("team/app:untyped", untyped), ("team/app:null-url", null_url), ("team/app:list", list)])
        .make();
}

#[test]
fn json_that_only_go_reads() {
    let image = oci("app");
    let with = |member: &[u8]| {
        let body = image.manifest.trim_ascii_end().strip_suffix(b"}").unwrap();
        Image::verbatim(OCI_MANIFEST, [body, b",", member, b"}"].concat(), &image.blobs)
    };
    Trip::of([
        ("team/app:long", with(br#""long":123456789012345678901234567890"#)),
        ("team/app:latin-1", with(b"\"annotations\":{\"author\":\"Andr\xe9\"}")),
    ])
    .make();
}

#[test]
fn files_that_no_manifest_names_stay_behind() {
    let stray = oci("stray");
    let hex = |digest: &str| digest.trim_start_matches("sha256:").to_owned();
    let cluttered = docker("app")
        .with_file(&format!("{}.manifest.json", hex(&stray.digest())), stray.manifest.clone())
        .with_file(&hex(&stray.blobs[1].digest), stray.blobs[1].bytes.clone())
        .with_file("dir-put-blob123456789", "the beginning of a la")
        .with_file("notes.txt", "these are no part of the image");
    Trip::of([("team/app:1", cluttered)]).make();
}

#[test]
fn a_manifest_of_the_largest_size() {
    const MAX_MANIFEST_BYTES: usize = 4 << 20;
    let image = oci("app");
    let mut bytes = image.manifest.clone();
    bytes.resize(MAX_MANIFEST_BYTES, b' ');
    let image = Image::verbatim(OCI_MANIFEST, bytes, &image.blobs);
    Trip::of([("team/app:1", image)]).make();
}

#[test]
fn a_foreign_layer_that_is_here() {
    let image = single(DOCKER_MANIFEST, &docker_config(), &[foreign(), docker_layer("app")]);
    Trip::of([("team/app:1", image)]).make();
}

#[test]
fn a_foreign_layer_that_is_elsewhere() {
    let foreign = foreign();
    let nondistributable = foreign
        .clone()
        .described("mediaType", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip");
    let docker = single(DOCKER_MANIFEST, &docker_config(), &[foreign.clone(), docker_layer("app")]);
    let oci = artifact(&config(), &[nondistributable, layer("app")]);
    Trip::of([
        ("team/app:docker", docker.without(&foreign.digest)),
        ("team/app:oci", oci.without(&foreign.digest)),
    ])
    .warns("foreign-layer", "team/app:docker")
    .warns("foreign-layer", "team/app:oci")
    .skopeo_refuses("team/app:docker", "reading blob")
    .skopeo_refuses("team/app:oci", "reading blob")
    .make();
}

/// A layer that is to be fetched from where nobody listens; skopeo then asks the registry.
fn foreign() -> Blob {
    let urls = json!(["http://127.0.0.1:1/layer"]);
    layer("foreign").described("mediaType", FOREIGN).described("urls", urls)
}

fn config() -> Blob {
    oci("app").blobs.remove(0)
}

fn docker_config() -> Blob {
    docker("app").blobs.remove(0)
}
