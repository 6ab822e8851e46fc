//! Images of the usual kinds; equal names give equal bytes.

use serde_json::{Value, json};

use super::{Blob, Image};
use crate::support::registry::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};

/// A layer for OCI images.
pub(crate) fn layer(name: &str) -> Blob {
    Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", format!("the layer {name}"))
}

/// The same content for docker images.
pub(crate) fn docker_layer(name: &str) -> Blob {
    layer(name).described("mediaType", "application/vnd.docker.image.rootfs.diff.tar.gzip")
}

/// A docker schema 2 image with two layers of its own.
pub(crate) fn docker(name: &str) -> Image {
    let layers = ["bottom", "top"].map(|part| docker_layer(&format!("{part} of {name}")));
    let config = Blob::new("application/vnd.docker.container.image.v1+json", config(name));
    single(DOCKER_MANIFEST, &config, &layers)
}

/// An OCI image with two layers of its own.
pub(crate) fn oci(name: &str) -> Image {
    let layers = ["bottom", "top"].map(|part| layer(&format!("{part} of {name}")));
    artifact(&Blob::new("application/vnd.oci.image.config.v1+json", config(name)), &layers)
}

/// An OCI manifest with any config and layers.
pub(crate) fn artifact(config: &Blob, layers: &[Blob]) -> Image {
    single(OCI_MANIFEST, config, layers)
}

/// A manifest of one of the two kinds that have a config and layers.
pub(crate) fn single(media_type: &str, config: &Blob, layers: &[Blob]) -> Image {
    let descriptors: Vec<_> = layers.iter().map(|layer| &layer.descriptor).collect();
    let document = json!({
        "schemaVersion": 2,
        "mediaType": media_type,
        "config": config.descriptor,
        "layers": descriptors,
    });
    Image::of(media_type, &document, &[std::slice::from_ref(config), layers].concat())
}

/// A list or index of children, each for another platform.
pub(crate) fn index(media_type: &str, children: &[Image]) -> Image {
    assert!([DOCKER_LIST, OCI_INDEX].contains(&media_type));
    const ARCHITECTURES: [&str; 3] = ["amd64", "arm64", "s390x"];
    let descriptors = children.iter().zip(ARCHITECTURES).map(|(child, architecture)| {
        let mut descriptor = child.descriptor();
        descriptor["platform"] = json!({ "architecture": architecture, "os": "linux" });
        descriptor
    });
    let descriptors: Vec<Value> = descriptors.collect();
    let document = json!({ "schemaVersion": 2, "mediaType": media_type, "manifests": descriptors });
    Image { children: children.to_vec(), ..Image::of(media_type, &document, &[]) }
}

fn config(name: &str) -> String {
    let rootfs = json!({ "type": "layers", "diff_ids": [] });
    let labels = json!({ "name": name });
    json!({ "architecture": "amd64", "os": "linux", "config": { "Labels": labels }, "rootfs": rootfs })
        .to_string()
}
