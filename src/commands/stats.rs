//! `stats`: what trees weigh, what they share, and what a patch against a base would carry.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::estimate::add_estimate;
use super::{Ending, Sought, conclude};
use crate::catalog::Catalog;
use crate::damage;
use crate::finding::Finding;
use crate::layout::inventory::open_bases;
use crate::layout::{self, Tree};
use crate::platforms::platforms;
use crate::progress::Progress;
use crate::report::{BaseStats, Format, Stats, TreeStats};
use crate::stats::{patch, weigh, weigh_images};

/// What `stats` was asked.
pub struct Statistics<'a> {
    /// The trees; none for those below the current folder.
    pub paths: &'a [PathBuf],
    /// The trees that a patch would be against.
    pub bases: &'a [PathBuf],
    /// Which images count.
    pub sought: Sought<'a>,
    /// Whether to estimate what deltas would save.
    pub estimates_deltas: bool,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Weighs trees and reports.
///
/// # Errors
/// When a tree is not there or cannot be read.
pub fn stats(asked: &Statistics) -> Result<Ending> {
    let mut trees = if asked.paths.is_empty() {
        layout::open_below(Path::new("."))?
    } else {
        layout::open_all(asked.paths)?
    };
    let (bases, unread) = open_bases(asked.bases)?;
    asked.sought.narrow(trees.iter_mut().map(|tree| &mut tree.scan))?;
    let findings: Vec<Finding> = trees.iter_mut().flat_map(faults).chain(unread).collect();

    let catalogs: Vec<&Catalog> = trees.iter().map(|tree| &tree.scan.catalog).collect();
    let platforms: Vec<_> = catalogs.iter().map(|catalog| platforms(catalog)).collect();
    let weighed: Vec<_> = catalogs.iter().copied().zip(&platforms).collect();
    let of_tree = |(tree, weighed): (&Tree, &(&Catalog, _))| {
        let (per_image, shared_layers) = weigh_images(weighed.0, weighed.1);
        let weight = weigh(std::slice::from_ref(weighed));
        TreeStats { path: tree.path.clone(), layout: tree.layout.name(), weight, per_image, shared_layers }
    };
    let bases = bases.into_iter().map(|base| asked.sought.of_base(base)).collect::<Result<Vec<Catalog>>>()?;
    let base_catalogs: Vec<&Catalog> = bases.iter().collect();
    let base = match bases.is_empty() {
        true => None,
        false => {
            let mut patch = patch(&catalogs, &base_catalogs);
            if asked.estimates_deltas {
                add_estimate(&mut patch, &catalogs, &base_catalogs, asked.progress)?;
            }
            let paths = asked.bases.iter().map(|path| path.to_string_lossy().into_owned()).collect();
            Some(BaseStats { paths, patch })
        }
    };
    let stats = Stats {
        schema: "bundle.stats/1",
        trees: trees.iter().zip(&weighed).map(of_tree).collect(),
        total: weigh(&weighed),
        base,
        findings,
    };

    conclude(&stats, &stats.findings, asked.format)
}

/// What is wrong with a tree as far as names and sizes tell; nothing is hashed.
fn faults(tree: &mut Tree) -> Vec<Finding> {
    let findings = std::mem::take(&mut tree.scan.findings);
    let catalog = &tree.scan.catalog;
    let largest = |digest: &_| {
        let files = catalog.blobs.get(digest).map(|blob| blob.files.as_slice()).unwrap_or_default();
        files.iter().map(|file| file.size).max().or_else(|| catalog.elsewhere.get(digest).copied())
    };
    damage::assess(catalog, findings, &largest).findings
}
