//! Numbers: what images weigh, what they share, and what a patch against a base would carry; pure.
//!
//! Content is a blob or a manifest, each a file in either layout. What several images share is never counted
//! twice among the unique bytes.

mod patch;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use serde::Serialize;

pub use patch::{ImageChange, Patch, changes, patch};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::disk::{File, Inode};
use crate::manifest::Platform;
use crate::reference::Reference;
use crate::tally::{Tally, sum};

/// The weight of one or more trees.
#[derive(Debug, Default, Clone, PartialEq, Serialize)]
pub struct Weight {
    /// Images, by tag or digest.
    pub images: u64,
    /// Images that a tag names.
    pub tags: u64,
    /// What they run on.
    pub platforms: BTreeSet<Platform>,
    /// Different manifests, lists among them.
    pub manifests: u64,
    /// Files that hold content.
    pub blob_files: u64,
    /// Different contents.
    pub unique_blobs: u64,
    /// Bytes if every image had its own copy of everything.
    pub logical_bytes: u64,
    /// Bytes of all different contents.
    pub unique_bytes: u64,
    /// Bytes of all files, each inode once.
    pub disk_bytes: u64,
    /// What the files take on disk, each inode once, in whole blocks.
    pub allocated_bytes: u64,
    /// What the tree saves as it is: logical bytes less bytes on disk.
    pub saved_now: Saving,
    /// What registry storage saves: logical bytes less unique bytes.
    pub saved_as_registry: Saving,
}

/// What is saved of a number of bytes; negative where a tree holds more than its images need.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize)]
pub struct Saving {
    /// In bytes.
    pub bytes: i64,
    /// In percent of the logical bytes, to one decimal.
    pub percent: f64,
}

impl Saving {
    /// What remains of `logical` bytes when `kept` are enough.
    #[must_use]
    pub fn of(logical: u64, kept: u64) -> Self {
        let most = i128::from(i64::MAX);
        let bytes = (i128::from(logical) - i128::from(kept)).clamp(-most, most) as i64;
        let percent = if logical == 0 { 0.0 } else { bytes as f64 * 100.0 / logical as f64 };
        Self { bytes, percent: (percent * 10.0).round() / 10.0 }
    }
}

/// Weighs trees together: what lies in several is unique once, and an inode is on disk once.
#[must_use]
pub fn weigh(catalogs: &[(&Catalog, &BTreeMap<&Reference, BTreeSet<Platform>>)]) -> Weight {
    let mut weight = Weight::default();
    let mut manifests: HashSet<Digest> = HashSet::new();
    let mut contents: HashMap<Digest, u64> = HashMap::new();
    let mut files: Vec<(Inode, &File)> = Vec::new();
    for (catalog, platforms) in catalogs {
        weight.images += catalog.images.len() as u64;
        weight.tags += catalog.images.keys().filter(|reference| reference.is_tagged()).count() as u64;
        weight.platforms.extend(platforms.values().flatten().cloned());
        let own = catalog.images.values().map(|image| own_copies(catalog, image.digest).bytes);
        weight.logical_bytes = sum([weight.logical_bytes, sum(own)]);
        manifests.extend(catalog.manifests.keys().copied());
        for (digest, blob) in &catalog.blobs {
            if let Some(file) = blob.files.first() {
                contents.entry(*digest).or_insert(file.size);
            }
            files.extend(blob.files.iter().map(|file| (file.inode(), file)));
        }
    }
    // Paths are compared only where one inode has several, which is seldom: it takes far longer than numbers.
    files.sort_unstable_by(|(a, of_a), (b, of_b)| a.cmp(b).then_with(|| of_a.place.cmp(&of_b.place)));
    for links in files.chunk_by(|(a, _), (b, _)| a == b) {
        let (_, file) = links[0];
        weight.disk_bytes = weight.disk_bytes.saturating_add(file.size);
        weight.allocated_bytes = weight.allocated_bytes.saturating_add(file.allocated);
        weight.blob_files += links.chunk_by(|(_, a), (_, b)| a.place == b.place).count() as u64;
    }
    weight.manifests = manifests.len() as u64;
    weight.unique_blobs = contents.len() as u64;
    weight.unique_bytes = sum(contents.into_values());
    weight.saved_now = Saving::of(weight.logical_bytes, weight.disk_bytes);
    weight.saved_as_registry = Saving::of(weight.logical_bytes, weight.unique_bytes);
    weight
}

/// What an image weighs with its own copy of everything.
fn own_copies(catalog: &Catalog, image: Digest) -> Tally {
    let mut tally = Tally::default();
    catalog.contents_of(image).values().for_each(|size| tally.add(*size));
    tally
}

/// What the images of a catalog need: each with its own copy, and each content once.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Need {
    /// With a copy for each image.
    pub logical: Tally,
    /// Each content once.
    pub unique: Tally,
}

/// Adds up what the images need, without what merely lies beside them.
#[must_use]
pub fn need(catalog: &Catalog) -> Need {
    let mut need = Need::default();
    let mut unique = BTreeMap::new();
    for image in catalog.images.values() {
        let contents = catalog.contents_of(image.digest);
        contents.values().for_each(|size| need.logical.add(*size));
        unique.extend(contents);
    }
    unique.values().for_each(|size| need.unique.add(*size));
    need
}

/// What one image weighs, and what of it other images of its tree have as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageWeight {
    /// Its name.
    pub image: Reference,
    /// Its manifest's digest.
    pub digest: Digest,
    /// What it runs on.
    pub platforms: BTreeSet<Platform>,
    /// All its bytes.
    pub total_bytes: u64,
    /// Those that another image has, too.
    pub shared_bytes: u64,
    /// Those that only it has.
    pub own_bytes: u64,
}

/// A layer that several images of a tree share.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SharedLayer {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub bytes: u64,
    /// What sharing it saves: its bytes for each image but one.
    pub saved_bytes: u64,
    /// The images that share it.
    pub images: BTreeSet<Reference>,
}

/// Weighs each image of a tree, and the layers that they share, those that save most first.
#[must_use]
pub fn weigh_images(
    catalog: &Catalog,
    platforms: &BTreeMap<&Reference, BTreeSet<Platform>>,
) -> (Vec<ImageWeight>, Vec<SharedLayer>) {
    let needs = || catalog.images.iter().map(|(name, image)| (name, catalog.contents_of(image.digest)));
    // Most content is one image's own: of that, no names are gathered.
    let mut seen: HashSet<Digest> = HashSet::new();
    let mut shared: BTreeMap<Digest, (u64, BTreeSet<&Reference>)> = BTreeMap::new();
    for (digest, size) in needs().flat_map(|(_, contents)| contents) {
        if !seen.insert(digest) {
            shared.insert(digest, (size, BTreeSet::new()));
        }
    }
    drop(seen);
    for (reference, contents) in needs() {
        for digest in contents.keys() {
            if let Some((_, images)) = shared.get_mut(digest) {
                images.insert(reference);
            }
        }
    }
    let images = needs().map(|(reference, contents)| {
        let total_bytes = sum(contents.values().copied());
        let is_shared = |(digest, _): &(&Digest, &u64)| shared.contains_key(digest);
        let shared_bytes = sum(contents.iter().filter(is_shared).map(|(_, size)| *size));
        ImageWeight {
            image: reference.clone(),
            digest: catalog.images[reference].digest,
            platforms: platforms.get(reference).cloned().unwrap_or_default(),
            total_bytes,
            shared_bytes,
            own_bytes: total_bytes - shared_bytes,
        }
    });
    let images = images.collect();
    let layers: HashSet<Digest> =
        catalog.manifests.values().flat_map(|manifest| &manifest.layers).map(|layer| layer.digest).collect();
    let mut shared: Vec<_> = shared
        .into_iter()
        .filter(|(digest, _)| layers.contains(digest))
        .map(|(digest, (bytes, images))| SharedLayer {
            digest,
            bytes,
            saved_bytes: bytes.saturating_mul(images.len() as u64 - 1),
            images: images.into_iter().cloned().collect(),
        })
        .collect();
    shared.sort_by(|a, b| b.saved_bytes.cmp(&a.saved_bytes).then(a.digest.cmp(&b.digest)));
    (images, shared)
}
