//! A plain parallel read: what nobody who reads these files from this disk can do without.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use nix::sys::resource::UsageWho;
use walkdir::WalkDir;

use super::launch::read_bytes;
use super::runs::Ran;

/// How much is asked for at once.
const WINDOW_BYTES: usize = 1 << 20;

/// The first copy of every blob of a tree of image folders, the largest first.
pub(crate) fn first_copies(images: &Path) -> Result<Vec<PathBuf>> {
    let mut copies = BTreeMap::new();
    for entry in WalkDir::new(images).sort_by_file_name() {
        let entry = entry?;
        // Manifests have one name in all images, and hardly any bytes.
        if entry.file_type().is_file() && entry.file_name().len() == 64 {
            let size = entry.metadata()?.len();
            copies.entry(entry.file_name().to_owned()).or_insert((Reverse(size), entry.into_path()));
        }
    }
    let mut copies: Vec<_> = copies.into_values().collect();
    copies.sort();
    Ok(copies.into_iter().map(|(_, path)| path).collect())
}

/// Reads files to their ends, on that many threads, each taking the next one.
pub(crate) fn read_all(files: &[PathBuf], cores: usize) -> Result<Ran> {
    let read_before = read_bytes(UsageWho::RUSAGE_SELF)?;
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(|| read_some(files, &next))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| anyhow::bail!("a reader panicked")))
    })?;
    let seconds = start.elapsed().as_secs_f64();
    let read_bytes = read_bytes(UsageWho::RUSAGE_SELF)? - read_before;
    Ok(Ran { seconds, read_bytes, ..Ran::default() })
}

fn read_some(files: &[PathBuf], next: &AtomicUsize) -> Result<()> {
    let mut window = vec![0; WINDOW_BYTES];
    while let Some(path) = files.get(next.fetch_add(1, Ordering::Relaxed)) {
        let mut file = File::open(path).with_context(|| path.display().to_string())?;
        while file.read(&mut window).with_context(|| path.display().to_string())? > 0 {}
    }
    Ok(())
}
