//! The graph of images, manifests and blobs as a document: what a bill of materials and an inventory share.
//!
//! It says everything that has to be known to lay the images out and to compare them, without any content.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalog::{Catalog, Image, Past};
use crate::digest::Digest;
use crate::manifest::{Descriptor, Kind, Manifest, Need, Platform};
use crate::platforms::{platforms, platforms_of_manifests};
use crate::reference::Reference;

/// Content by its name and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// An image by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedImage {
    /// Its name, without a registry's host.
    pub name: Reference,
    /// The digest of its manifest or list.
    pub digest: Digest,
    /// What it runs on: `os/architecture[/variant]`.
    pub platforms: Vec<String>,
}

/// What one manifest needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edges {
    /// Its name.
    pub digest: Digest,
    /// What it is.
    pub kind: Kind,
    /// What it runs on, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config: Option<Digest>,
    /// Its layers, in their order, those that have to be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Digest>,
    /// The manifests that it lists, those that are there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub manifests: Vec<Digest>,
    /// The manifest that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<Digest>,
}

/// The images of a catalog, in the order of their names.
pub(in crate::layout) fn images(catalog: &Catalog) -> Vec<NamedImage> {
    let platforms = platforms(catalog);
    let images = catalog.images.iter().map(|(name, image)| NamedImage {
        name: name.clone(),
        digest: image.digest,
        platforms: platforms
            .get(name)
            .map(|platforms| platforms.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
    });
    images.collect()
}

/// The manifests that the images need, in the order of their digests.
pub(in crate::layout) fn manifests(catalog: &Catalog) -> Vec<Edges> {
    let platforms = platforms_of_manifests(catalog);
    let needed: BTreeSet<Digest> = catalog
        .images
        .values()
        .flat_map(|image| catalog.closure(image.digest).manifests)
        .map(|(digest, _)| digest)
        .collect();
    let edges = needed.into_iter().filter_map(|digest| {
        let manifest = catalog.manifests.get(&digest)?;
        let is_here = |descriptor: &&Descriptor| {
            descriptor.need == Need::Required
                || catalog.blobs.contains_key(&descriptor.digest)
                || catalog.inline.contains_key(&descriptor.digest)
        };
        let mut listed = BTreeSet::new();
        Some(Edges {
            digest,
            kind: manifest.kind,
            platform: platforms.get(&digest).map(ToString::to_string),
            config: manifest.config.as_ref().map(|config| config.digest),
            layers: manifest.layers.iter().filter(is_here).map(|layer| layer.digest).collect(),
            manifests: manifest
                .manifests
                .iter()
                .map(|child| child.digest)
                .filter(|child| catalog.manifests.contains_key(child) && listed.insert(*child))
                .collect(),
            subject: manifest.subject,
        })
    });
    edges.collect()
}

/// The catalog that a document describes; none of its content has a file.
///
/// # Errors
/// When something is named that the document does not have; the message says what.
pub(in crate::layout) fn catalog(
    images: &[NamedImage],
    manifests: &[Edges],
    sizes: &BTreeMap<Digest, u64>,
    origin: &Path,
) -> Result<Catalog, String> {
    let mut catalog = Catalog::default();
    let known: BTreeSet<Digest> = manifests.iter().map(|edges| edges.digest).collect();
    let size = |digest: &Digest| {
        sizes
            .get(digest)
            .copied()
            .ok_or_else(|| format!("{digest} is needed, and nothing says how long it is"))
    };
    let describe = |digest: &Digest| {
        Ok::<_, String>(Descriptor {
            is_plain_layer: false,
            digest: *digest,
            size: Some(size(digest)?),
            platform: None,
            need: Need::Required,
            about: None,
            data: None,
        })
    };
    for edges in manifests {
        let children = edges.manifests.iter().map(|child| match known.contains(child) {
            true => describe(child),
            false => Err(format!("{} lists {child}, which is not described", edges.digest)),
        });
        let manifest = Manifest {
            kind: edges.kind,
            size: size(&edges.digest)?,
            config: edges.config.as_ref().map(describe).transpose()?,
            layers: edges.layers.iter().map(describe).collect::<Result<_, _>>()?,
            manifests: children.collect::<Result<_, _>>()?,
            subject: edges.subject,
        };
        if catalog.manifests.insert(edges.digest, manifest).is_some() {
            return Err(format!("{} is described twice", edges.digest));
        }
        let platform = edges.platform.as_ref().and_then(|text| text.parse::<Platform>().ok());
        catalog.platforms.extend(platform.map(|platform| (edges.digest, platform)));
    }
    for NamedImage { name, digest, .. } in images {
        if !known.contains(digest) {
            return Err(format!("{name} is {digest}, which is not described"));
        }
        let image = Image { digest: *digest, history: Past::new(), origin: origin.to_owned() };
        if catalog.images.insert(name.clone(), image).is_some() {
            return Err(format!("{name} is there twice"));
        }
    }
    Ok(catalog)
}
