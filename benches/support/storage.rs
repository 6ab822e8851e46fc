//! What registry storage holds, as far as two conversions must agree on it: its blobs and its tags.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use walkdir::WalkDir;

/// Blobs and tags of one registry storage.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    /// Digest in hex to size in bytes, of every blob that has its `data`.
    pub(crate) blobs: BTreeMap<String, u64>,
    /// `repository:tag` to the digest that its `current/link` names.
    pub(crate) tags: BTreeMap<String, String>,
}

impl Storage {
    /// Reads what lies below `destination/registry/v2`.
    pub(crate) fn read(destination: &Path) -> Result<Self> {
        let root = destination.join("registry/v2");
        let repositories = root.join("repositories");
        let mut storage = Self::default();
        for entry in WalkDir::new(&root) {
            let entry = entry.with_context(|| format!("cannot walk {}", root.display()))?;
            let path = entry.path();
            if path.ends_with("current/link") {
                if let Some(name) = path.strip_prefix(&repositories).ok().and_then(tag_name) {
                    let digest = fs::read_to_string(path).with_context(|| path.display().to_string())?;
                    storage.tags.insert(name, digest);
                }
            } else if entry.file_name() == "data" {
                let hex = path.parent().and_then(Path::file_name).unwrap_or_default();
                storage.blobs.insert(hex.to_string_lossy().into_owned(), entry.metadata()?.len());
            }
        }
        Ok(storage)
    }

    /// Says in a line how this storage differs from the expected one.
    pub(crate) fn difference(&self, expected: &Self) -> String {
        format!(
            "{} blobs instead of {}, {} of them missing or of another size; {} tags instead of {}, {} missing or other",
            self.blobs.len(),
            expected.blobs.len(),
            wrong(&self.blobs, &expected.blobs),
            self.tags.len(),
            expected.tags.len(),
            wrong(&self.tags, &expected.tags),
        )
    }
}

/// How many of the wanted entries are missing, or are others.
fn wrong<V: PartialEq>(have: &BTreeMap<String, V>, want: &BTreeMap<String, V>) -> usize {
    want.iter().filter(|&(name, value)| have.get(name) != Some(value)).count()
}

/// `team/api/_manifests/tags/1.0/current/link` is the tag `team/api:1.0`.
fn tag_name(path: &Path) -> Option<String> {
    let (repository, rest) = path.to_str()?.split_once("/_manifests/tags/")?;
    Some(format!("{repository}:{}", rest.strip_suffix("/current/link")?))
}
