//! Removes what a plan says, names before what they lead to.
//!
//! Killed anywhere, every tag that is still shown is complete, no manifest is served without what it needs, and
//! the same command does the rest: tags go first, then the manifests' links, lists before their children, then
//! the blobs' links, then content. Each step is durable before the next one begins.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;

use crate::disk::Destination;

/// What to remove; all paths are below the root.
#[derive(Debug, Default)]
pub struct Removal {
    /// The folders of tags, each of which goes in one step.
    pub tags: Vec<PathBuf>,
    /// The links that say what other tags were.
    pub history: Vec<PathBuf>,
    /// The links to manifests, by how far these stand above their farthest children.
    pub revisions: BTreeMap<u32, Vec<PathBuf>>,
    /// The links to blobs.
    pub layers: Vec<PathBuf>,
    /// The folders of uploads.
    pub uploads: Vec<PathBuf>,
    /// The files of blobs.
    pub blobs: Vec<PathBuf>,
    /// The folders that nobody needs, as far as they are empty, those inside others first.
    pub folders: Vec<PathBuf>,
}

/// Removes it; `on_blob` is told of every blob.
///
/// # Errors
/// When the storage cannot be written, or is not there any more.
pub fn remove(
    root: &Path,
    removal: &Removal,
    destination: &Destination,
    on_blob: &(dyn Fn() + Sync),
) -> Result<()> {
    let whole = |path: &PathBuf| destination.remove_folder(&root.join(path));
    let file = |path: &PathBuf| {
        let path = root.join(path);
        destination.remove_file(&path)?;
        // The folder is named after the digest, and holds nothing else.
        path.parent().map_or(Ok(()), |folder| destination.remove_if_empty(folder))
    };
    let step = |paths: &[PathBuf], one: &(dyn Fn(&PathBuf) -> Result<()> + Sync)| {
        if paths.is_empty() {
            return Ok(());
        }
        destination.check()?;
        paths.par_iter().try_for_each(one)?;
        destination.sync()
    };
    step(&removal.tags, &whole)?;
    step(&removal.history, &file)?;
    for revisions in removal.revisions.values().rev() {
        step(revisions, &file)?;
    }
    step(&removal.layers, &file)?;
    step(&removal.uploads, &whole)?;
    step(&removal.blobs, &|path| file(path).inspect(|()| on_blob()))?;
    for folders in removal.folders.chunk_by(|a, b| a.components().count() == b.components().count()) {
        folders.par_iter().try_for_each(|folder| destination.remove_if_empty(&root.join(folder)))?;
    }
    if removal.folders.is_empty() { Ok(()) } else { destination.sync() }
}
