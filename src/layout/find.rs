//! Finding out which layout lies at a path, and reading it.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{LAYOUTS, Layout, Scan};
use crate::disk::{self, Look};
use crate::text::shown;

/// A tree that was recognised and read.
pub struct Tree {
    /// The path that a person gave.
    pub path: PathBuf,
    /// Where the layout's own paths start.
    pub root: PathBuf,
    /// How it lies there.
    pub layout: &'static dyn Layout,
    /// What a scan of it saw.
    pub scan: Scan,
}

/// Recognises and reads the one tree at `path`.
///
/// # Errors
/// When nothing is there, no layout or more than one recognises it, or its root cannot be read.
pub fn open(path: &Path) -> Result<Tree> {
    // A folder that is not there, or not to be read, is worth another message than one without images.
    if !matches!(disk::look(path)?, Look::File(_)) {
        fs::read_dir(path).with_context(|| format!("cannot read {}", shown(path)))?;
    }
    match recognise(path)?.as_slice() {
        [(layout, root)] => read(path, *layout, root),
        [] => bail!(
            "{} holds no images\n  expected image folders as skopeo writes them (<repository>:<tag>/manifest.json), \
             registry storage (docker/registry/v2), OCI layouts (oci-layout, index.json), an archive of images or a package",
            shown(path)
        ),
        several => {
            let found: Vec<_> = several
                .iter()
                .map(|(layout, root)| format!("{} at {}", layout.name(), shown(root)))
                .collect();
            bail!("{} holds more than one tree: {}\n  hint: name one of them", shown(path), found.join(", "))
        }
    }
}

/// Recognises and reads the trees at all these paths.
///
/// # Errors
/// As [`open`].
pub fn open_all(paths: &[PathBuf]) -> Result<Vec<Tree>> {
    paths.iter().map(|path| open(path)).collect()
}

/// Reads the tree at `path` or, where `path` itself is none, those in the folders right below it.
///
/// # Errors
/// As [`open`], and when there is none.
pub fn open_below(path: &Path) -> Result<Vec<Tree>> {
    if let [(layout, root)] = recognise(path)?.as_slice()
        && layout.is_top(path)?
    {
        return Ok(vec![read(path, *layout, root)?]);
    }
    let mut folders = Vec::new();
    for entry in fs::read_dir(path).with_context(|| format!("cannot read {}", shown(path)))? {
        let entry = entry.with_context(|| format!("cannot read {}", shown(path)))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            folders.push(entry.path());
        }
    }
    folders.sort();
    let mut trees = Vec::new();
    for folder in folders {
        let folder = folder.strip_prefix(".").unwrap_or(&folder);
        for (layout, root) in recognise(folder)? {
            trees.push(read(folder, layout, &root)?);
        }
    }
    if trees.is_empty() {
        bail!("no images below {}\n  hint: name the folder that holds them", shown(path));
    }
    Ok(trees)
}

fn recognise(path: &Path) -> Result<Vec<(&'static dyn Layout, PathBuf)>> {
    let mut found = Vec::new();
    for &layout in LAYOUTS {
        if let Some(root) = layout.recognise(path)? {
            found.push((layout, root));
            if layout.is_nothing_else() {
                break;
            }
        }
    }
    Ok(found)
}

fn read(path: &Path, layout: &'static dyn Layout, root: &Path) -> Result<Tree> {
    let scan = layout.scan(root).with_context(|| format!("cannot read {}", shown(path)))?;
    Ok(Tree { path: path.to_owned(), root: root.to_owned(), layout, scan })
}
