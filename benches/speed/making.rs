//! The bare calls that storage consists of: what nobody who makes it on this file system can do without.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use walkdir::WalkDir;

use super::disk;
use super::runs::Ran;

/// How deep the folders lie that threads fill, each on its own: those of the repositories, and the prefixes of blobs.
const DEPTH: usize = 5;

/// Something that is made with one path, all paths below the storage.
enum Made {
    Folder(PathBuf),
    /// It has these bytes.
    File(PathBuf, Vec<u8>),
    /// It shares the inode of this file.
    Link(PathBuf, PathBuf),
}

/// Storage, as the calls that make it.
pub(crate) struct Making {
    /// What comes first.
    top: Vec<Made>,
    /// What can be made side by side.
    parts: Vec<Vec<Made>>,
}

impl Making {
    /// Finds out what a folder of `root` is made of, whose blobs are links to those of `root/images`.
    pub(crate) fn of(root: &Path, storage: &str) -> Result<Self> {
        let mut shared = HashMap::new();
        for entry in WalkDir::new(root.join("images")) {
            let entry = entry?;
            if entry.file_type().is_file() {
                shared.insert(entry.metadata()?.ino(), entry.into_path());
            }
        }
        let storage = root.join(storage);
        let mut top = Vec::new();
        let mut parts: BTreeMap<PathBuf, Vec<Made>> = BTreeMap::new();
        for entry in WalkDir::new(&storage) {
            let entry = entry?;
            let path = entry.path().strip_prefix(&storage)?.to_owned();
            let part: PathBuf = path.components().take(DEPTH).collect();
            let made = match shared.get(&entry.metadata()?.ino()) {
                _ if entry.file_type().is_dir() => Made::Folder(path),
                Some(source) => Made::Link(path, source.clone()),
                None => Made::File(path, fs::read(entry.path())?),
            };
            if entry.depth() < DEPTH { top.push(made) } else { parts.entry(part).or_default().push(made) }
        }
        Ok(Self { top, parts: parts.into_values().collect() })
    }

    /// Makes it once more, in a fresh folder of `root`, on all cores, and waits until it is on the disk.
    pub(crate) fn again(&self, root: &Path, storage: &str) -> Result<Ran> {
        disk::make_way(root, storage)?;
        disk::sync(root)?;
        let storage = root.join(storage);
        let start = Instant::now();
        self.top.iter().try_for_each(|made| made.make(&storage))?;
        self.parts.par_iter().try_for_each(|part| part.iter().try_for_each(|made| made.make(&storage)))?;
        disk::sync(root)?;
        Ok(Ran { seconds: start.elapsed().as_secs_f64(), ..Ran::default() })
    }
}

impl Made {
    fn make(&self, storage: &Path) -> Result<()> {
        let (path, made) = match self {
            Self::Folder(path) => (path, fs::create_dir(storage.join(path))),
            Self::File(path, bytes) => (path, fs::write(storage.join(path), bytes)),
            Self::Link(path, source) => (path, fs::hard_link(source, storage.join(path))),
        };
        made.with_context(|| format!("cannot make {}", path.display()))
    }
}
