//! Inventories: what a site has, as a document that is small enough to mail, without any content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::find::{Tree, open};
use super::graph::{self, Content, Edges, NamedImage};
use crate::catalog::{Blob, Catalog};
use crate::digest::Digest;
use crate::disk::{self, Look};
use crate::finding::Finding;
use crate::text::shown;

/// The format that this program writes.
const SCHEMA: &str = "bundle.inventory/1";
/// How the names of all formats of inventories begin.
const SCHEMAS: &str = "bundle.inventory/";
/// The longest inventory that is read, in bytes.
const MAX_BYTES: u64 = 256 << 20;

/// What a site has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inventory {
    schema: String,
    created_by: String,
    /// The images.
    pub images: Vec<NamedImage>,
    /// The manifests that they need.
    pub manifests: Vec<Edges>,
    /// All content that lies there, manifests included.
    pub content: Vec<Content>,
}

impl Inventory {
    /// Lists what a catalog has.
    #[must_use]
    pub fn of(catalog: &Catalog) -> Self {
        let needed = catalog.contents();
        let mut content: BTreeMap<Digest, u64> = catalog
            .blobs
            .iter()
            .map(|(digest, blob)| {
                let size = blob.files.first().map(|file| file.size);
                (*digest, size.or(needed.get(digest).copied()).unwrap_or_default())
            })
            .collect();
        // Where a patch was applied, what it relies on is there as well.
        content.extend(&catalog.elsewhere);
        // What a manifest carries itself is written out at a site.
        content.extend(catalog.inline.iter().map(|(digest, bytes)| (*digest, bytes.len() as u64)));
        Self {
            schema: SCHEMA.to_owned(),
            created_by: concat!("bundle ", env!("CARGO_PKG_VERSION")).to_owned(),
            images: graph::images(catalog),
            manifests: graph::manifests(catalog),
            content: content.into_iter().map(|(digest, size)| Content { digest, size }).collect(),
        }
    }

    fn catalog(&self, path: &Path) -> Result<Catalog, String> {
        let mut sizes: BTreeMap<Digest, u64> =
            self.content.iter().map(|content| (content.digest, content.size)).collect();
        let content: Vec<Digest> = sizes.keys().copied().collect();
        // An inventory of a site that lacks something is an inventory all the same.
        let needed = self.manifests.iter().flat_map(|edges| edges.config.iter().chain(&edges.layers));
        for digest in needed {
            sizes.entry(*digest).or_default();
        }
        let mut catalog = graph::catalog(&self.images, &self.manifests, &sizes, path)?;
        catalog.blobs = content.into_iter().map(|digest| (digest, Blob::default())).collect();
        Ok(catalog)
    }
}

/// Reads bases, and says why nothing is known of one, where that is so: a base that has nothing would be taken for
/// one that lacks everything.
///
/// # Errors
/// As [`open_base`].
pub fn open_bases(paths: &[PathBuf]) -> Result<(Vec<Catalog>, Vec<Finding>)> {
    let mut catalogs = Vec::new();
    let mut findings = Vec::new();
    for path in paths {
        let (catalog, tree) = open_base(path)?;
        let unread = tree.filter(|_| catalog.images.is_empty());
        let faults = unread.into_iter().flat_map(|tree| tree.scan.findings);
        findings.extend(faults.filter(Finding::is_error));
        catalogs.push(catalog);
    }
    Ok((catalogs, findings))
}

/// Reads what is compared with: an inventory, or a tree of any layout.
///
/// # Errors
/// As [`open`], and when an inventory is none of a known format.
pub fn open_base(path: &Path) -> Result<(Catalog, Option<Tree>)> {
    if let Look::File(file) = disk::look(path)?
        && disk::read_beginning(path, 1).is_ok_and(|beginning| beginning == b"{")
    {
        let cannot = || format!("cannot read {}", shown(path));
        let json = file.read_small(MAX_BYTES).with_context(cannot)?.unwrap_or_default();
        let schema = serde_json::from_slice::<serde_json::Value>(&json)
            .ok()
            .and_then(|document| Some(document.get("schema")?.as_str()?.to_owned()))
            .unwrap_or_default();
        if schema == SCHEMA {
            let inventory: Inventory = serde_json::from_slice(&json).with_context(cannot)?;
            return match inventory.catalog(path) {
                Ok(catalog) => Ok((catalog, None)),
                Err(error) => bail!("{} is no inventory: {error}", shown(path)),
            };
        }
        if schema.starts_with(SCHEMAS) {
            bail!("{} is of another format: expected {SCHEMA}, found {schema}", shown(path));
        }
    }
    let mut tree = open(path)?;
    let mut catalog = std::mem::take(&mut tree.scan.catalog);
    // Where a patch was applied, what it relies on is there as well.
    for digest in std::mem::take(&mut catalog.elsewhere).into_keys() {
        catalog.blobs.entry(digest).or_default();
    }
    Ok((catalog, Some(tree)))
}
