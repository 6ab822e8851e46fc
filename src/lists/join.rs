//! One list of several images that have one name: those of one platform each, and lists of some.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Remade;
use crate::catalog::{Catalog, Image, Past};
use crate::digest::Digest;
use crate::finding::{Finding, Kind};
use crate::manifest;
use crate::platforms::{MAX_CONFIG_BYTES, platform_of};
use crate::reference::Reference;
use crate::text::shown;

/// Joins the images that were found under one name; their manifests stay as they are.
///
/// # Errors
/// A finding, when two of them are for one platform, or one is for none.
pub fn join(
    catalog: &mut Catalog,
    name: &Reference,
    images: &[Image],
) -> Result<(Image, Remade), Box<Finding>> {
    let mut entries: BTreeMap<Digest, Value> = BTreeMap::new();
    let mut origins: BTreeMap<Digest, &Image> = BTreeMap::new();
    for image in images {
        for (digest, entry) in entries_of(catalog, name, image)? {
            origins.entry(digest).or_insert(image);
            entries.entry(digest).or_insert(entry);
        }
    }
    refuse_twins(name, &entries, &origins)?;
    // A list whose order does not depend on that of the sources: attestations last, as builders have it.
    let mut listed: Vec<_> =
        entries.into_iter().map(|(digest, entry)| (order(&entry), digest, entry)).collect();
    listed.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let is_docker = listed.iter().all(|(_, _, entry)| {
        entry["mediaType"].as_str() == Some(manifest::Kind::DockerManifest.media_type())
    });
    let kind = if is_docker { manifest::Kind::DockerList } else { manifest::Kind::OciIndex };
    let document = json!({
        "schemaVersion": 2,
        "mediaType": kind.media_type(),
        "manifests": listed.into_iter().map(|(_, _, entry)| entry).collect::<Vec<_>>(),
    });
    let invalid = |error: manifest::InvalidManifest| {
        Box::new(Finding::at(Kind::InvalidManifest, &images[0].origin).found(error).breaks(name))
    };
    let to = catalog.add_made_up(document.to_string().into_bytes()).map_err(invalid)?;
    let image = Image { digest: to, history: Past::new(), origin: images[0].origin.clone() };
    let from = images.iter().map(|image| image.digest).collect();
    Ok((image, Remade { image: name.clone(), from, to }))
}

/// What a list says of an image: its own entries if it is one, else one of its own.
fn entries_of(
    catalog: &Catalog,
    name: &Reference,
    image: &Image,
) -> Result<Vec<(Digest, Value)>, Box<Finding>> {
    let manifest = &catalog.manifests[&image.digest];
    let invalid = |what: String| {
        Box::new(Finding::at(Kind::CannotJoin, &image.origin).of(image.digest).found(what).breaks(name))
    };
    if manifest.kind.is_index() {
        let bytes = catalog.manifest_bytes(image.digest).map_err(|error| invalid(format!("{error:#}")))?;
        let document: Value = serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?;
        let entries = document["manifests"].as_array().cloned().unwrap_or_default();
        let digest = |entry: &Value| entry["digest"].as_str().and_then(|text| text.parse().ok());
        return Ok(entries.into_iter().filter_map(|entry| Some((digest(&entry)?, entry))).collect());
    }
    let platform = platform(catalog, image.digest);
    let platform =
        platform.ok_or_else(|| invalid("an image that does not say what it runs on".to_owned()))?;
    let entry = json!({
        "mediaType": manifest.kind.media_type(),
        "digest": image.digest.to_string(),
        "size": manifest.size,
        "platform": platform,
    });
    Ok(vec![(image.digest, entry)])
}

/// What an image runs on, as its configuration says it: of Windows, with the version.
fn platform(catalog: &Catalog, image: Digest) -> Option<Value> {
    let config = catalog.manifests.get(&image)?.config.as_ref()?;
    let file = catalog.blobs.get(&config.digest).and_then(|blob| blob.files.first());
    let bytes = file.and_then(|file| file.read_small(MAX_CONFIG_BYTES).ok()?);
    let said: Map<String, Value> =
        bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
    let mut platform = platform_of(catalog, &image)?.to_json();
    for key in ["os.version", "os.features"] {
        if let Some(value) = said.get(key) {
            platform[key] = value.clone();
        }
    }
    Some(platform)
}

/// Refuses two images for one platform: a client would take one of them, and nobody knows which.
fn refuse_twins(
    name: &Reference,
    entries: &BTreeMap<Digest, Value>,
    origins: &BTreeMap<Digest, &Image>,
) -> Result<(), Box<Finding>> {
    let mut seen: BTreeMap<String, Digest> = BTreeMap::new();
    for (digest, entry) in entries.iter().filter(|(_, entry)| !is_about_another(entry)) {
        let Some(first) = seen.insert(entry["platform"].to_string(), *digest) else { continue };
        let (one, other) = (origins[&first], origins[digest]);
        let finding = Finding::at(Kind::NameConflict, &other.origin).of(*digest).breaks(name);
        let expected = format!("{first} of {} alone for {}", shown(&one.origin), entry["platform"]);
        return Err(Box::new(finding.expected(expected).found(digest)));
    }
    Ok(())
}

/// Whether an entry is an attestation of another one.
fn is_about_another(entry: &Value) -> bool {
    entry["annotations"]["vnd.docker.reference.digest"].is_string()
}

/// By what a list is sorted.
fn order(entry: &Value) -> (bool, String) {
    let text = |key: &str| entry["platform"][key].as_str().unwrap_or_default().to_owned();
    let platform = format!("{}/{}/{}", text("os"), text("architecture"), text("variant"));
    (is_about_another(entry), platform)
}
