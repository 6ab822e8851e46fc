//! What a patch package carries: everything that the images need and a base does not have.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::contents;
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
        for image in catalog.images.values() {
            needed.extend(contents(catalog, image.digest));
        }
    }
    for (digest, size) in needed {
        let is_there = bases.iter().any(|base| base.blobs.contains_key(&digest));
        let tally = if is_there { &mut patch.reused } else { &mut patch.new };
        tally.add(size);
    }
    patch
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
