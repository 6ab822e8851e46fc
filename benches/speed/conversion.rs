//! Conversions of the tree `images` of a folder: the work of most sections.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

use super::disk;
use super::launch::{Words, bundle, measured};
use super::runs::Ran;
use crate::support::images::Tree;
use crate::support::storage::Storage;

/// Trusts that every blob has the digest that its name claims.
pub(crate) const NO_VERIFY: &str = "--no-verify";

/// Converts `root/images` into a fresh folder of `root`.
pub(crate) fn fresh(root: &Path, destination: &str, options: &[&str]) -> Result<Ran> {
    disk::make_way(root, destination)?;
    again(root, destination, options)
}

/// Converts `root/images` into a folder of `root` in which something may be.
pub(crate) fn again(root: &Path, destination: &str, options: &[&str]) -> Result<Ran> {
    disk::sync(root)?;
    measured(&command(root, destination, options), Words::Fault)
}

/// The command of a conversion; paths are relative, as those of the published procedure have to be.
pub(crate) fn command(root: &Path, destination: &str, options: &[&str]) -> Command {
    bundle(root, &[&["to-registry", "images", destination], options].concat())
}

/// The command of the shell procedure that does the same.
pub(crate) fn published(root: &Path, destination: &str) -> Command {
    let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/published-procedure"));
    command.args(["images", destination]).current_dir(root);
    command
}

/// Fails unless a folder of `root` has exactly the blobs and tags that the tree calls for.
pub(crate) fn check(root: &Path, destination: &str, tree: &Tree, by: &str) -> Result<()> {
    let storage = Storage::read(&root.join(destination))?;
    ensure!(
        storage == tree.storage,
        "{by} made other storage than the tree calls for: {}",
        storage.difference(&tree.storage)
    );
    Ok(())
}
