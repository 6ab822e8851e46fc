//! What each image runs on.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::manifest::{self, Platform};
use crate::reference::Reference;

/// A configuration is a small document; one larger than this tells no platform.
pub const MAX_CONFIG_BYTES: u64 = 4 << 20;

/// Tells the platforms of every image: those that its list names and that are here, or the one that its
/// configuration names. What says nothing, or `unknown` as attestations do, is left out.
#[must_use]
pub fn platforms(catalog: &Catalog) -> BTreeMap<&Reference, BTreeSet<Platform>> {
    let known = platforms_of_manifests(catalog);
    let of_image = |digest| -> BTreeSet<Platform> {
        let manifests = catalog.closure(digest).manifests;
        let platforms = manifests.iter().filter_map(|(digest, _)| known.get(digest));
        platforms.filter(|platform| platform.is_known()).cloned().collect()
    };
    catalog.images.par_iter().map(|(reference, image)| (reference, of_image(image.digest))).collect()
}

/// Tells what each manifest runs on, where anything says it.
#[must_use]
pub fn platforms_of_manifests(catalog: &Catalog) -> HashMap<Digest, Platform> {
    let mut known: HashMap<Digest, Platform> =
        catalog.platforms.iter().map(|(digest, platform)| (*digest, platform.clone())).collect();
    for child in catalog.manifests.values().flat_map(|manifest| &manifest.manifests) {
        if let Some(platform) = &child.platform {
            known.insert(child.digest, (**platform).clone());
        }
    }
    let untold = catalog.manifests.par_iter().filter(|(digest, _)| !known.contains_key(digest));
    let read: Vec<_> = untold.filter_map(|(digest, _)| Some((*digest, read(catalog, digest)?))).collect();
    known.extend(read);
    known
}

/// Tells what one image runs on, as its configuration says it.
#[must_use]
pub fn platform_of(catalog: &Catalog, image: &Digest) -> Option<Platform> {
    read(catalog, image).or_else(|| catalog.platforms.get(image).cloned()).filter(Platform::is_known)
}

fn read(catalog: &Catalog, manifest: &Digest) -> Option<Platform> {
    let config = catalog.manifests.get(manifest)?.config.as_ref()?;
    let file = catalog.blobs.get(&config.digest)?.files.first()?;
    let bytes = file.read_small(MAX_CONFIG_BYTES).ok()??;
    manifest::platform_of_config(&bytes)
}
