//! What an OCI image layout has to hold of images, file by file.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};

use super::Image;
use super::schema1::SCHEMA1;
use crate::support::registry::{DOCKER_LIST, OCI_INDEX};

/// What says that a folder is a layout.
pub(crate) const VERSION: &str = r#"{"imageLayoutVersion":"1.0.0"}"#;
/// Where a descriptor has an image's whole name.
pub(crate) const IMAGE_NAME: &str = "io.containerd.image.name";
/// Where a descriptor has what its writer was told.
pub(crate) const REF_NAME: &str = "org.opencontainers.image.ref.name";

/// The files of a layout that holds these images and no others, each listed under its whole name.
pub(crate) fn layout<'a>(images: impl IntoIterator<Item = &'a (String, Image)>) -> BTreeMap<String, Vec<u8>> {
    let images: Vec<_> = images.into_iter().collect();
    let mut files = BTreeMap::new();
    for (_, image) in &images {
        files.extend(blobs(image));
    }
    let platforms = platforms_of_children(images.iter().map(|(_, image)| image));
    let mut listed: Vec<_> = images.iter().map(|(name, image)| (order(name), name, image)).collect();
    listed.sort_by_key(|(order, ..)| *order);
    let descriptors = listed.into_iter().map(|(_, name, image)| {
        let mut descriptor = described(image, json!({ IMAGE_NAME: name, REF_NAME: name }));
        let is_list = [OCI_INDEX, DOCKER_LIST].contains(&image.media_type.as_str());
        let platform = platforms.get(&image.digest()).cloned().or_else(|| platform(image));
        if let Some(platform) = platform.filter(|_| !is_list) {
            descriptor["platform"] = platform;
        }
        descriptor
    });
    files.extend(list(descriptors.collect()));
    files
}

/// What makes a folder with blobs a layout that lists these descriptors.
pub(crate) fn list(descriptors: Vec<Value>) -> BTreeMap<String, Vec<u8>> {
    let index = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors });
    [("oci-layout", VERSION.to_owned()), ("index.json", index.to_string())]
        .map(|(name, text)| (name.to_owned(), text.into_bytes()))
        .into()
}

/// A descriptor of an image with these annotations.
pub(crate) fn described(image: &Image, annotations: Value) -> Value {
    let mut descriptor = image.descriptor();
    if image.media_type == SCHEMA1 {
        // What lies there is the payload, without signatures.
        descriptor["mediaType"] = "application/vnd.docker.distribution.manifest.v1+json".into();
    }
    descriptor["annotations"] = annotations;
    descriptor
}

/// All that is here of an image, in the places where a layout has it.
pub(crate) fn blobs(image: &Image) -> BTreeMap<String, Vec<u8>> {
    let path = |digest: &str| format!("blobs/{}", digest.replace(':', "/"));
    let all = image.all().into_iter();
    let files = all.flat_map(|image| {
        let blobs = image.blobs.iter().map(|blob| (path(&blob.digest), blob.bytes.clone()));
        blobs.chain([(path(&image.digest()), image.payload.clone())]).collect::<Vec<_>>()
    });
    files.collect()
}

/// Names are listed by repository, tags before digests.
fn order(name: &str) -> (&str, bool, &str) {
    match name.split_once('@') {
        Some((repository, digest)) => (repository, true, digest),
        None => name.rsplit_once(':').map(|(repository, tag)| (repository, false, tag)).unwrap(),
    }
}

/// What lists say that their children run on.
fn platforms_of_children<'a>(images: impl Iterator<Item = &'a Image>) -> HashMap<String, Value> {
    let mut platforms = HashMap::new();
    for image in images.flat_map(Image::all) {
        let Ok(Value::Object(document)) = serde_json::from_slice(&image.payload) else { continue };
        for child in document.get("manifests").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(digest), Some(platform)) = (child["digest"].as_str(), child.get("platform")) {
                platforms.insert(digest.to_owned(), platform.clone());
            }
        }
    }
    platforms
}

/// What an image's configuration says that it runs on.
fn platform(image: &Image) -> Option<Value> {
    let config: Value = serde_json::from_slice(&image.blobs.first()?.bytes).ok()?;
    let (os, architecture) = (config.get("os")?.as_str()?, config.get("architecture")?.as_str()?);
    Some(json!({ "architecture": architecture, "os": os }))
}
