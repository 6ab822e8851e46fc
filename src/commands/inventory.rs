//! `inventory`: what a site has, small enough to mail, as a base for the next patch.

use std::path::Path;

use anyhow::{Context, Result};

use super::{Ending, Sought};
use crate::damage;
use crate::finding::Finding;
use crate::layout::inventory::Inventory;
use crate::layout::{self, Scan};
use crate::report::{self, Findings};

/// Prints the inventory of a tree, or of what is sought in it.
///
/// # Errors
/// When the tree is not there or cannot be read.
pub fn inventory(source: &Path, sought: &Sought) -> Result<Ending> {
    let mut scan = layout::open(source)?.scan;
    sought.narrow([&mut scan])?;
    let Scan { catalog, findings } = scan;
    let largest = |digest: &_| {
        let files = catalog.blobs.get(digest).map(|blob| blob.files.as_slice()).unwrap_or_default();
        files.iter().map(|file| file.size).max().or_else(|| catalog.elsewhere.get(digest).copied())
    };
    let findings = damage::assess(&catalog, findings, &largest).findings;
    report::say(&Findings(&findings).text());
    let document = serde_json::to_string_pretty(&Inventory::of(&catalog))?;
    report::print_text(&(document + "\n")).context("cannot print the inventory")?;
    // What is not sound there is not listed, or listed with the size that it has: a patch brings it.
    Ok(if findings.iter().any(Finding::is_error) { Ending::Faulty } else { Ending::Sound })
}
