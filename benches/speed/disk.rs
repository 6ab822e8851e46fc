//! What the benchmark asks of the disk: room, that it is idle, and that it forgets.

use std::fs::{self, File};
use std::io;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use nix::sys::statvfs::statvfs;
use rayon::ThreadPoolBuilder;
use rayon::prelude::*;
use walkdir::WalkDir;

/// How many threads remove files: they wait for the disk most of the time, where it is told of each freed block.
const REMOVERS: usize = 16;

/// Makes way for a fresh folder: what is there is renamed, and removed when all has been measured.
///
/// Removing it now would wear on the run that follows, where the disk is told of each freed block. Memory is told
/// nothing, and may not have room for both.
pub(crate) fn make_way(root: &Path, name: &str) -> Result<()> {
    let folder = root.join(name);
    if statfs(root).with_context(|| root.display().to_string())?.filesystem_type() == TMPFS_MAGIC {
        remove(&folder)?;
    } else if folder.exists() {
        let aside = tempfile::Builder::new().prefix("aside-").tempdir_in(root)?.keep();
        fs::rename(&folder, &aside).with_context(|| format!("cannot rename {}", folder.display()))?;
    }
    Ok(())
}

/// Removes a folder with all that is in it, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        let removers = ThreadPoolBuilder::new().num_threads(REMOVERS).build()?;
        removers
            .install(|| remove_all(folder))
            .with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

fn remove_all(folder: &Path) -> io::Result<()> {
    let entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.par_iter().try_for_each(|entry| {
        if entry.file_type()?.is_dir() { remove_all(&entry.path()) } else { fs::remove_file(entry.path()) }
    })?;
    fs::remove_dir(folder)
}

/// Waits until everything that was written is on the disk: else a run waits for it on behalf of the one before.
pub(crate) fn sync(folder: &Path) -> Result<()> {
    let folder = File::open(folder).with_context(|| folder.display().to_string())?;
    nix::unistd::syncfs(folder).context("syncfs")
}

/// Makes the page cache forget all files in a folder, as far as the kernel follows the advice.
pub(crate) fn drop_pages(folder: &Path) -> Result<()> {
    sync(folder)?; // pages that are not on the disk yet stay
    for entry in WalkDir::new(folder) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let file = File::open(entry.path()).with_context(|| entry.path().display().to_string())?;
            posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).context("posix_fadvise")?;
        }
    }
    Ok(())
}

/// Fails unless a file system has room for that many bytes in that many files and folders.
pub(crate) fn ensure_room(folder: &Path, bytes: u64, inodes: u64) -> Result<()> {
    let free = statvfs(folder).with_context(|| folder.display().to_string())?;
    let free_bytes = free.blocks_available() * free.fragment_size();
    ensure!(
        bytes <= free_bytes,
        "{:.1} GB are needed in {}, and {:.1} GB are free\nhint: --dir names another folder, --quick needs less",
        bytes as f64 / 1e9,
        folder.display(),
        free_bytes as f64 / 1e9
    );
    // File systems that make inodes as they are needed say 0.
    ensure!(
        free.files() == 0 || inodes <= free.files_available(),
        "{inodes} inodes are needed in {}, and {} are free\nhint: --dir names another folder, --quick needs less",
        folder.display(),
        free.files_available()
    );
    Ok(())
}
