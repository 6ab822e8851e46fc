//! Which of a tree's images a command is about, and under which names.

use std::collections::BTreeSet;

use anyhow::Result;

use crate::catalog::Catalog;
use crate::finding::Finding;
use crate::layout::{Layout, Scan};
use crate::names::{self, HostRule};
use crate::select::Selection;

/// What was asked for.
pub struct Wanted<'a> {
    /// Which images.
    pub selection: &'a Selection,
    /// Whether images without a tag are left out, unless they are about one that has.
    pub tagged_only: bool,
    /// What becomes of hosts.
    pub hosts: HostRule,
}

/// What was chosen.
pub(super) struct Chosen {
    /// The wanted images, under the names that they will have.
    pub(super) catalog: Catalog,
    /// What is wrong with them, as far as the scan tells.
    pub(super) findings: Vec<Finding>,
    /// How many images were left out because they have no tag.
    pub(super) untagged_left_out: u64,
}

/// Leaves the wanted images, under the names that they will have in the target layout.
pub(super) fn choose(scan: Scan, wanted: &Wanted, target: &dyn Layout) -> Result<Chosen> {
    let Scan { catalog, mut findings } = scan;
    let (catalog, renamed) = names::rename(catalog, wanted.hosts, target);
    findings.extend(renamed);
    findings.retain(|finding| wanted.selection.concerns(finding));
    wanted.selection.check([&catalog], &findings)?;
    let catalog = wanted.selection.choose(catalog);
    if !wanted.tagged_only {
        return Ok(Chosen { catalog, findings, untagged_left_out: 0 });
    }
    // What only a digest names comes along where it is about an image that does.
    let tagged = catalog.images.keys().filter(|reference| reference.is_tagged()).cloned().collect();
    let kept = catalog.with_referrers(tagged, |_| false);
    let left_out: BTreeSet<_> =
        catalog.images.keys().filter(|reference| !kept.contains(reference)).cloned().collect();
    let untagged_left_out = left_out.len() as u64;
    Ok(Chosen { catalog: catalog.without(&left_out, &BTreeSet::new()), findings, untagged_left_out })
}
