//! What should be at the destination, what of it is, and which files claim to hold it.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::layout::{Content, Entry};
use crate::present::Present;
use crate::verify::{Claim, Claims};

/// What should be at the destination, and what of it is.
pub(super) struct Goal {
    pub(super) entries: Vec<Entry>,
    /// In the entries' order.
    pub(super) present: Vec<Present>,
}

impl Goal {
    /// Whether there is a place at which nothing is.
    pub(super) fn lacks_anything(&self) -> bool {
        self.present.iter().any(|present| matches!(present, Present::Missing { .. }))
    }

    /// Which files claim to hold what the images need, and what else has to be at the destination.
    pub(super) fn claims<'c>(&self, catalog: &'c Catalog) -> Claims<'c> {
        let laid_out = self.entries.iter().filter_map(|entry| match entry.content() {
            Content::Blob(digest) => Some(digest),
            _ => None,
        });
        let mut claims = Claims::about(laid_out);
        // What a manifest carries itself, or another one is, is laid out as something else.
        let mut others: BTreeMap<Digest, Claim> = BTreeMap::new();
        let images: HashSet<Digest> = catalog.images.values().map(|image| image.digest).collect();
        for (digest, descriptor) in images.into_iter().flat_map(|image| catalog.closure(image).blobs) {
            let claim = claims.get_mut(&digest);
            claim
                .unwrap_or_else(|| others.entry(digest).or_insert_with(|| Claim::of(digest)))
                .says(descriptor.size);
        }
        claims.add(others);
        for (entry, present) in self.entries.iter().zip(&self.present) {
            if let (Content::Blob(digest), Present::Blob(file)) = (entry.content(), present)
                && let Some(claim) = claims.get_mut(&digest)
            {
                claim.placed.push(file.clone());
            }
        }
        for claim in claims.iter_mut() {
            claim.sources = Cow::Borrowed(catalog.files_of(&claim.digest));
        }
        claims
    }
}
