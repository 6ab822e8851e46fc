//! What `docker save` writes of images, after its image specification 1.2 and after what its versions were seen to
//! write; and the images that have to be made of it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::layout::{IMAGE_NAME, REF_NAME, VERSION};
use super::{Blob, Image};
use crate::support::registry::{OCI_INDEX, OCI_MANIFEST};
use crate::support::sha256;
use crate::support::tar::Tar;

/// An image as a docker keeps it: its layers are unpacked, so it has neither manifest nor compressed layers.
#[derive(Debug, Clone)]
pub(crate) struct Saved {
    /// What the list says of its names.
    pub(crate) repo_tags: Value,
    pub(crate) config: Vec<u8>,
    /// Its layers as they are uncompressed.
    pub(crate) layers: Vec<Vec<u8>>,
}

/// An image of these names with a layer that all have and one of its own.
pub(crate) fn saved(own: &str, names: &[&str]) -> Saved {
    let layers = ["shared", own].map(|part| Tar::default().file("etc/part", part.as_bytes()).end()).to_vec();
    Saved::of(json!(names), layers)
}

impl Saved {
    /// An image of these layers.
    pub(crate) fn of(repo_tags: Value, layers: Vec<Vec<u8>>) -> Self {
        let diff_ids: Vec<_> = layers.iter().map(|layer| sha256(layer)).collect();
        let rootfs = json!({ "type": "layers", "diff_ids": diff_ids });
        let config = json!({ "architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs });
        Self { repo_tags, config: config.to_string().into(), layers }
    }

    /// The same with another configuration.
    pub(crate) fn edited(mut self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut config = serde_json::from_slice(&self.config).unwrap();
        edit(&mut config);
        self.config = config.to_string().into();
        self
    }

    /// The image that has to be made of it: an OCI image with the layers as they are.
    pub(crate) fn made_up(&self) -> Image {
        let layers = self.layers.iter().map(|layer| Blob::new(LAYER, layer.clone()));
        made_up(&self.config, layers.collect())
    }
}

/// What the layers of an image are that is made of an archive.
pub(crate) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An OCI image in the one spelling that always gives the same digest.
pub(crate) fn made_up(config: &[u8], layers: Vec<Blob>) -> Image {
    let config = Blob::new("application/vnd.oci.image.config.v1+json", config);
    let descriptors: Vec<_> = layers.iter().map(|layer| &layer.descriptor).collect();
    let document = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": config.descriptor,
        "layers": descriptors,
    });
    let blobs: Vec<_> = [vec![config], layers].concat();
    Image::verbatim(OCI_MANIFEST, document.to_string(), &blobs)
}

fn hex(bytes: &[u8]) -> String {
    sha256(bytes).split_off("sha256:".len())
}

/// As docker up to 24 writes it: a folder for each layer, and a symbolic link where an image has another's.
pub(crate) fn by_docker_24(images: &[Saved]) -> Tar {
    let mut tar = Tar::default();
    let mut first: Vec<(&[u8], String)> = Vec::new();
    let mut list = Vec::new();
    for (number, image) in images.iter().enumerate() {
        let mut names = Vec::new();
        for layer in &image.layers {
            let folder = hex(format!("{number} {}", hex(layer)).as_bytes());
            let name = format!("{folder}/layer.tar");
            tar = tar.folder(&format!("{folder}/")).file(&format!("{folder}/VERSION"), b"1.0");
            tar = tar.file(&format!("{folder}/json"), b"{}");
            match first.iter().find(|(known, _)| known == layer) {
                Some((_, target)) => tar = tar.symlink(&name, &format!("../{target}")),
                None => {
                    tar = tar.file(&name, layer);
                    first.push((layer, name.clone()));
                }
            }
            names.push(name);
        }
        let config = format!("{}.json", hex(&image.config));
        tar = tar.file(&config, &image.config);
        list.push(json!({ "Config": config, "RepoTags": image.repo_tags, "Layers": names }));
    }
    tar.file("manifest.json", json!(list).to_string().as_bytes()).file("repositories", b"{}")
}

/// As docker from 25 on writes images that it keeps unpacked: an OCI layout with manifests that it makes up, and
/// the list beside it.
pub(crate) fn by_docker_25(images: &[Saved]) -> Tar {
    let mut tar = Tar::default().folder("blobs/").folder("blobs/sha256/");
    let mut written = BTreeSet::new();
    let (mut descriptors, mut list) = (Vec::new(), Vec::new());
    for image in images {
        let made_up = image.made_up();
        // Its own spelling, which is not that of anybody else.
        let made_up = made_up.clone().edited(|_| ());
        let contents = made_up.blobs.iter().map(|blob| &blob.bytes).chain([&made_up.manifest]);
        for bytes in contents.filter(|bytes| written.insert(hex(bytes))) {
            tar = tar.file(&format!("blobs/sha256/{}", hex(bytes)), bytes);
        }
        for name in image.repo_tags.as_array().unwrap() {
            let name = name.as_str().unwrap();
            let mut descriptor = made_up.descriptor();
            descriptor["annotations"] = json!({ IMAGE_NAME: format!("docker.io/{name}"), REF_NAME: name.rsplit_once(':').unwrap().1 });
            descriptors.push(descriptor);
        }
        let layers: Vec<_> =
            image.layers.iter().map(|layer| format!("blobs/sha256/{}", hex(layer))).collect();
        let config = format!("blobs/sha256/{}", hex(&image.config));
        list.push(json!({ "Config": config, "RepoTags": image.repo_tags, "Layers": layers }));
    }
    beside(tar, descriptors, &json!(list))
}

/// As docker with the image store of containerd writes images: as they came from the registry, and the list beside.
pub(crate) fn by_containerd(images: &[(&str, Image)]) -> Tar {
    let mut tar = Tar::default();
    let mut written = BTreeSet::new();
    let (mut descriptors, mut list) = (Vec::new(), Vec::new());
    for (name, image) in images {
        for (path, bytes) in super::layout::blobs(image) {
            if written.insert(path.clone()) {
                tar = tar.file(&path, &bytes);
            }
        }
        let mut descriptor = image.descriptor();
        descriptor["annotations"] = json!({ IMAGE_NAME: name, REF_NAME: name.rsplit_once(':').unwrap().1 });
        descriptors.push(descriptor);
        if let [config, layers @ ..] = image.blobs.as_slice() {
            let path = |blob: &Blob| format!("blobs/{}", blob.digest.replace(':', "/"));
            let layers: Vec<_> = layers.iter().map(path).collect();
            list.push(json!({ "Config": path(config), "RepoTags": [name], "Layers": layers }));
        }
    }
    beside(tar, descriptors, &json!(list))
}

fn beside(tar: Tar, descriptors: Vec<Value>, list: &Value) -> Tar {
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors });
    tar.file("index.json", index.to_string().as_bytes())
        .file("manifest.json", list.to_string().as_bytes())
        .file("oci-layout", VERSION.as_bytes())
}
