//! What is worth knowing of images that are sound.

use std::collections::{BTreeMap, BTreeSet};

use super::{Catalog, Closure};
use crate::digest::Digest;
use crate::finding::{Finding, Kind};
use crate::manifest;

impl Catalog {
    /// Says what is worth knowing of images that are sound: lists without all their manifests, layers that are
    /// fetched from elsewhere, manifests that newer registries do not serve. `lost` manifests are missing
    /// against their makers' will, and no part of a list that was left out.
    #[must_use]
    pub fn remarks(&self, lost: &BTreeSet<Digest>) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (reference, image) in &self.images {
            let Closure { manifests, mut absent, foreign, .. } = self.closure(image.digest);
            absent.retain(|digest, _| !lost.contains(digest));
            let (left_out, absent): (BTreeMap<_, _>, BTreeMap<_, _>) =
                absent.into_iter().partition(|(digest, _)| self.left_out.contains(digest));
            let missing = [
                (Kind::SparseIndex, absent),
                (Kind::PlatformsLeftOut, left_out),
                (Kind::ForeignLayer, foreign),
            ];
            for (kind, missing) in missing {
                let Some((first, _)) = missing.first_key_value() else { continue };
                let names = missing.values().map(|descriptor| match &descriptor.platform {
                    Some(platform) => platform.to_string(),
                    None => descriptor.digest.to_string(),
                });
                let names = names.collect::<Vec<_>>().join(", ");
                findings.push(Finding::at(kind, &image.origin).of(*first).expected(names).breaks(reference));
            }
            let is_schema1 =
                |digest| self.manifests.get(digest).is_some_and(|it| it.kind == manifest::Kind::Schema1);
            if manifests.iter().any(|(digest, _)| is_schema1(digest)) {
                findings.push(Finding::at(Kind::Schema1, &image.origin).of(image.digest).breaks(reference));
            }
        }
        findings
    }
}
