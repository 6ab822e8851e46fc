//! Referrers: images that are about others, and are found through these.

use std::collections::{BTreeSet, HashSet};

use super::Catalog;
use crate::reference::Reference;

impl Catalog {
    /// Those of the `kept` images, and every untagged image that is about one of them: signatures, attestations
    /// and whatever else names a kept manifest as its subject, to any depth.
    #[must_use]
    pub fn with_referrers(&self, mut kept: BTreeSet<Reference>) -> BTreeSet<Reference> {
        let place = |reference: &Reference| (reference.host.clone(), reference.repository.clone());
        let untagged = self.images.iter().filter(|(reference, _)| !reference.is_tagged());
        let mut referrers: Vec<_> = untagged
            .filter_map(|(reference, image)| {
                let subject = self.manifests.get(&image.digest)?.subject?;
                Some((reference, (place(reference), subject)))
            })
            .collect();
        if referrers.is_empty() {
            return kept;
        }
        let mut subjects = HashSet::new();
        let mut fresh: Vec<Reference> = kept.iter().cloned().collect();
        while !fresh.is_empty() {
            for reference in fresh.drain(..) {
                let Some(image) = self.images.get(&reference) else { continue };
                let manifests = self.closure(image.digest).manifests;
                subjects.extend(manifests.into_iter().map(|(digest, _)| (place(&reference), digest)));
            }
            let (followers, others) =
                referrers.into_iter().partition::<Vec<_>, _>(|(_, subject)| subjects.contains(subject));
            referrers = others;
            let followers = followers.into_iter().map(|(referrer, _)| referrer.clone());
            fresh.extend(followers.filter(|referrer| kept.insert(referrer.clone())));
        }
        kept
    }
}
