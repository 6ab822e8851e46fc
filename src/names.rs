//! Which names the images get at the destination: what becomes of a registry's host.

use crate::catalog::{Catalog, gather};
use crate::finding::{Finding, Kind};
use crate::layout::Layout;

/// What becomes of the registry host in front of an image's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostRule {
    /// It is left out.
    Strip,
    /// It stays, where the target's names can hold it.
    Keep,
}

/// Names all images as the target layout will have them.
///
/// Two different images that would get one name are both refused, and the finding names them.
#[must_use]
pub fn rename(mut catalog: Catalog, rule: HostRule, target: &dyn Layout) -> (Catalog, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut named = Vec::with_capacity(catalog.images.len());
    for (source, image) in std::mem::take(&mut catalog.images) {
        let kept = match rule {
            HostRule::Strip => None,
            HostRule::Keep => target.with_host(&source),
        };
        if rule == HostRule::Keep && kept.is_none() {
            findings.push(Finding::at(Kind::HostDropped, &image.origin).found(&source).breaks(&source));
        }
        named.push((kept.unwrap_or_else(|| source.without_host()), image));
    }
    let (images, conflicts) = gather(named);
    findings.extend(conflicts);
    (Catalog { images, ..catalog }, findings)
}
