//! What a patch package carries: everything that the images need and a base does not have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::reference::{Reference, Repository};
use crate::tally::Tally;

/// The difference between images and a base.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Patch {
    /// Content that the base lacks.
    pub new: Tally,
    /// Content that the base has.
    pub reused: Tally,
    /// About how many bytes a patch would carry if layers became deltas, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub about_as_deltas: Option<u64>,
    /// What became of the images.
    pub images: PatchImages,
}

/// The images of both sides, by what became of them; hosts are left out of the comparison.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct PatchImages {
    /// Of a repository that the base does not know.
    pub new: BTreeSet<Reference>,
    /// Under a new name, of a repository that the base knows: a new version.
    pub changed: BTreeSet<Reference>,
    /// Under the same name, with another digest.
    pub repushed: Vec<Repushed>,
    /// With the same name and digest.
    pub unchanged: BTreeSet<Reference>,
    /// Names that only the base has.
    pub gone: BTreeSet<Reference>,
}

/// A name that stands for another image than in the base.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Repushed {
    /// The name.
    pub image: Reference,
    /// What it stands for in the base.
    pub from: Digest,
    /// What it stands for now.
    pub to: Digest,
}

/// Compares images with what a base has.
#[must_use]
pub fn patch(catalogs: &[&Catalog], bases: &[&Catalog]) -> Patch {
    let mut patch = Patch { images: compare(&names(catalogs), &names(bases)), ..Patch::default() };
    let mut needed: BTreeMap<Digest, u64> = BTreeMap::new();
    for catalog in catalogs {
        needed.extend(catalog.contents());
    }
    for (digest, size) in needed {
        // It has to be at every site that the patch is for.
        let is_there = bases.iter().all(|base| base.blobs.contains_key(&digest));
        let tally = if is_there { &mut patch.reused } else { &mut patch.new };
        tally.add(size);
    }
    patch
}

/// What of one image the base does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageChange {
    /// Its name.
    pub image: Reference,
    /// Its digest.
    pub digest: Digest,
    /// What it stands for in the base, if the base knows the name.
    pub from: Option<Digest>,
    /// The layers that the base lacks, in their order.
    pub new_layers: Vec<Layer>,
    /// All content that the base lacks: layers, configurations, manifests.
    pub new: Tally,
    /// All content that the base has.
    pub reused: Tally,
}

/// A layer by its name and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Layer {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
}

/// Lists the images that the base does not have under the same name, and what of each is new.
#[must_use]
pub fn changes(catalog: &Catalog, base: &Catalog) -> Vec<ImageChange> {
    let before = names(&[base]);
    let mut changes = Vec::new();
    for (reference, image) in &catalog.images {
        let name = reference.without_host();
        let from = before.get(&name).copied();
        if from == Some(image.digest) {
            continue;
        }
        let contents = catalog.contents_of(image.digest);
        let (mut new, mut reused) = (Tally::default(), Tally::default());
        for (digest, size) in &contents {
            if base.blobs.contains_key(digest) { reused.add(*size) } else { new.add(*size) }
        }
        let mut seen = BTreeSet::new();
        let manifests = catalog.closure(image.digest).manifests;
        let layers = manifests
            .iter()
            .filter_map(|(digest, _)| catalog.manifests.get(digest))
            .flat_map(|manifest| &manifest.layers)
            .filter(|layer| contents.contains_key(&layer.digest) && !base.blobs.contains_key(&layer.digest))
            .filter(|layer| seen.insert(layer.digest));
        let new_layers =
            layers.map(|layer| Layer { digest: layer.digest, size: contents[&layer.digest] }).collect();
        changes.push(ImageChange { image: name, digest: image.digest, from, new_layers, new, reused });
    }
    changes
}

fn names(catalogs: &[&Catalog]) -> BTreeMap<Reference, Digest> {
    let images = catalogs.iter().flat_map(|catalog| &catalog.images);
    images.map(|(reference, image)| (reference.without_host(), image.digest)).collect()
}

fn compare(images: &BTreeMap<Reference, Digest>, base: &BTreeMap<Reference, Digest>) -> PatchImages {
    let repositories: BTreeSet<&Repository> = base.keys().map(|reference| &reference.repository).collect();
    let mut compared = PatchImages::default();
    for (reference, &to) in images {
        let image = reference.clone();
        match base.get(reference) {
            Some(&from) if from == to => {
                compared.unchanged.insert(image);
            }
            Some(&from) => compared.repushed.push(Repushed { image, from, to }),
            None if repositories.contains(&reference.repository) => {
                compared.changed.insert(image);
            }
            None => {
                compared.new.insert(image);
            }
        }
    }
    compared.gone = base.keys().filter(|reference| !images.contains_key(reference)).cloned().collect();
    compared
}
