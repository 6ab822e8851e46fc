//! `docker save`: images as a list of configurations and uncompressed layers, without any manifest.
//!
//! The format is that of docker's image specification 1.2. Layers lie there as they are unpacked, so neither their
//! digests in a registry nor those of manifests can be had back: manifests are made up here, always the same ones
//! for the same images, and every image is named in a finding.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::Deserialize;
use serde_json::json;

use super::super::Scan;
use super::super::oci::own_digest;
use super::DOCKER_LIST;
use super::members::Members;
use super::unpacked::Compression;
use crate::catalog::{Catalog, Image, gather};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::disk::{File, Reading};
use crate::finding::{self, Finding, Kind};
use crate::hash;
use crate::manifest::{Kind as ManifestKind, PLAIN_LAYER};
use crate::reference::{Identifier, Reference, Repository, Spelled};

/// The longest list of images, and the longest configuration, that is read, in bytes.
const MAX_BYTES: u64 = 16 << 20;
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// One image of the list.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    #[serde(default)]
    layers: Option<Vec<String>>,
}

/// The part of a configuration that names the layers, as they are uncompressed.
#[derive(Deserialize)]
struct Config {
    rootfs: RootFs,
}

#[derive(Deserialize)]
struct RootFs {
    /// Go writes the list of an image without layers as `null`.
    #[serde(default)]
    diff_ids: Option<Vec<Digest>>,
}

/// A layer as it lies in the archive.
#[derive(Clone)]
struct Layer {
    digest: Digest,
    media_type: String,
    file: File,
}

/// Reads the images of a docker-archive; those without a name are called after the archive.
pub(super) fn read(path: &Path, members: &Members, fallback: &Repository) -> Scan {
    let mut scan = Scan::default();
    let saved = match members.get(DOCKER_LIST).map_or(Ok(None), |list| list.read_small(MAX_BYTES)) {
        Ok(bytes) => serde_json::from_slice::<Vec<Saved>>(&bytes.unwrap_or_default()),
        Err(error) => {
            scan.findings.push(finding::unreadable(path, &error));
            return scan;
        }
    };
    let saved = match saved {
        Ok(saved) => saved,
        Err(error) => {
            let what = format!("{DOCKER_LIST}: {error}");
            scan.findings
                .push(Finding::at(Kind::InvalidArchive, path).expected("a list of images").found(what));
            return scan;
        }
    };
    let mut layers = BTreeMap::new();
    let mut named = Vec::new();
    let mut bare = Finding::at(Kind::BareTag, path);
    for saved in &saved {
        let (names, invalid) = names(path, saved);
        scan.findings.extend(invalid);
        match image(path, saved, members, &mut layers, &mut scan.catalog) {
            Ok(digest) => {
                let image =
                    Image { digest, history: [digest].into_iter().collect(), origin: path.to_owned() };
                if names.is_empty() && saved.repo_tags.as_ref().is_none_or(Vec::is_empty) {
                    let identifier = Identifier::Digest(digest);
                    let reference = Reference { host: None, repository: fallback.clone(), identifier };
                    bare.images.insert(reference.clone());
                    named.push((reference, image.clone()));
                }
                let names = names.into_iter().map(|name| own_digest(name, digest, path, &mut scan.findings));
                named.extend(names.map(|name| (name, image.clone())));
            }
            Err(finding) => {
                // What no image is named by must not pass for a fault of a blob that nobody needs.
                let digest = finding.digest.filter(|_| !names.is_empty());
                let images = names.into_iter().collect();
                scan.findings.push(Finding { images, digest, ..*finding });
            }
        }
    }
    let (images, conflicts) = gather(named);
    scan.catalog.images = images;
    scan.findings.extend(conflicts);
    scan.findings.extend((!bare.images.is_empty()).then_some(bare));
    scan
}

/// The names that an image was saved under.
fn names(path: &Path, saved: &Saved) -> (Vec<Reference>, Vec<Finding>) {
    let mut names = Vec::new();
    let mut findings = Vec::new();
    for name in saved.repo_tags.iter().flatten() {
        match name.parse::<Spelled>() {
            Ok(spelled) => names.push(spelled.reference()),
            Err(error) => {
                let finding = Finding::at(Kind::InvalidName, path).expected("[<host>/]<repository>:<tag>");
                findings.push(finding.found(error));
            }
        }
    }
    (names, findings)
}

/// Takes in an image, and makes up its manifest.
fn image(
    path: &Path,
    saved: &Saved,
    members: &Members,
    layers: &mut BTreeMap<(String, Digest), Layer>,
    catalog: &mut Catalog,
) -> Result<Digest, Box<Finding>> {
    let invalid = |what: String| Box::new(Finding::at(Kind::InvalidArchive, path).found(what));
    let missing = |name: &str| invalid(format!("no {name}, and {DOCKER_LIST} names it"));
    let config = members.get(&saved.config).ok_or_else(|| missing(&saved.config))?;
    let bytes = config.read_small(MAX_BYTES).map_err(|error| finding::unreadable(path, &error))?;
    let bytes = bytes.ok_or_else(|| invalid(format!("a longer {} than {MAX_BYTES} bytes", saved.config)))?;
    let Config { rootfs: RootFs { diff_ids } } =
        serde_json::from_slice(&bytes).map_err(|error| invalid(format!("{}: {error}", saved.config)))?;
    let diff_ids = diff_ids.unwrap_or_default();
    let names = saved.layers.as_deref().unwrap_or_default();
    if names.len() != diff_ids.len() {
        let found = format!("{} layers, and {} has {}", names.len(), saved.config, diff_ids.len());
        return Err(invalid(found));
    }
    let mut listed = Vec::new();
    for (name, diff_id) in names.iter().zip(diff_ids) {
        // Images that share a file have to agree on what it is.
        let key = (name.clone(), diff_id);
        let layer = match layers.get(&key) {
            Some(layer) => layer.clone(),
            None => {
                let file = members.get(name).ok_or_else(|| missing(name))?;
                let layer = layer(path, file, diff_id).map_err(Box::new)?;
                catalog.add_file(layer.digest, file.clone());
                layers.insert(key, layer.clone());
                layer
            }
        };
        listed.push(json!({
            "mediaType": layer.media_type,
            "digest": layer.digest.to_string(),
            "size": layer.file.size,
        }));
    }
    let config_digest = Digest::of(Algorithm::Sha256, &bytes);
    if !catalog.blobs.contains_key(&config_digest) {
        catalog.add_file(config_digest, config.clone());
    }
    let document = json!({
        "schemaVersion": 2,
        "mediaType": ManifestKind::OciManifest.media_type(),
        "config": { "mediaType": CONFIG, "digest": config_digest.to_string(), "size": config.size },
        "layers": listed,
    });
    catalog.add_made_up(document.to_string().into_bytes()).map_err(|error| invalid(error.to_string()))
}

/// Finds out what a layer's digest is: that of the file, which as a rule is what the configuration says.
fn layer(path: &Path, file: &File, diff_id: Digest) -> Result<Layer, Finding> {
    let unreadable = |error| finding::unreadable(path, &error);
    let mut beginning = Vec::new();
    file.open_range(0, 4).and_then(|mut it| it.read_to_end(&mut beginning)).map_err(unreadable)?;
    let compression = Compression::of(&beginning);
    let suffix = match compression {
        Compression::None => {
            return Ok(Layer { digest: diff_id, media_type: PLAIN_LAYER.to_owned(), file: file.clone() });
        }
        Compression::Gzip => "+gzip",
        Compression::Zstd => "+zstd",
    };
    // Some programs save layers compressed: then they are held to the configuration here.
    let mut hasher = Hasher::new(diff_id.algorithm());
    let mut content =
        compression.reader(file.open(Reading::Alone).map_err(unreadable)?).map_err(unreadable)?;
    let mut window = vec![0; 256 << 10];
    loop {
        match content.read(&mut window).map_err(unreadable)? {
            0 => break,
            count => hasher.update(&window[..count]),
        }
    }
    let found = hasher.finish();
    if found != diff_id {
        return Err(finding::corrupt(path, diff_id, found));
    }
    let (digest, _) = hash::digest_of(file, Algorithm::Sha256, &|_| {}).map_err(unreadable)?;
    Ok(Layer { digest, media_type: format!("{PLAIN_LAYER}{suffix}"), file: file.clone() })
}

/// Names the images whose manifests and layers are not those of a registry: docker makes them up as well when it
/// saves an OCI layout of images that it keeps unpacked, which shows in layers that are not compressed.
pub(super) fn made_up(path: &Path, catalog: &Catalog) -> Vec<Finding> {
    let is_made_up = |digest: &Digest| {
        let layers = catalog.manifests.get(digest).map(|manifest| manifest.layers.as_slice());
        layers.is_some_and(|layers| {
            let is_inline = catalog.inline.contains_key(digest);
            is_inline || !layers.is_empty() && layers.iter().all(|layer| layer.is_plain_layer)
        })
    };
    let images = catalog.images.iter().filter(|(_, image)| {
        catalog.closure(image.digest).manifests.iter().any(|(digest, _)| is_made_up(digest))
    });
    images.map(|(name, _)| Finding::at(Kind::NewDigests, path).breaks(name)).collect()
}
