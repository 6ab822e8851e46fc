//! Staging: where files and folders are made before they get their names, and how it is cleared away.
//!
//! Every volume of a destination has its own, directly in the volume's topmost folder, so that what was made
//! can be renamed to its place: `.bundle-<random>.tmp`. There, no registry looks for repositories or blobs and
//! no skopeo for images. Whoever holds the lock of a destination is the only one that may have any, so all
//! others are leftovers of runs that were killed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use anyhow::{Context, Result};
use tempfile::TempDir;

use crate::text::shown;

const PREFIX: &str = ".bundle-";
const SUFFIX: &str = ".tmp";

/// What this process has made aside, and whether it ever began to write.
static OPEN: Mutex<Open> = Mutex::new(Open { is_writing: false, aside: Vec::new() });

struct Open {
    is_writing: bool,
    aside: Vec<PathBuf>,
}

/// A folder at which a file system begins, with its staging, once there is something to stage.
pub(super) struct Volume {
    pub(super) folder: PathBuf,
    staging: OnceLock<TempDir>,
}

impl Volume {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, staging: OnceLock::new() }
    }

    /// The staging folder.
    ///
    /// # Errors
    /// When it cannot be created.
    pub(super) fn staging(&self) -> io::Result<&Path> {
        if let Some(staging) = self.staging.get() {
            return Ok(staging.path());
        }
        let folder = std::path::absolute(&self.folder)?;
        let made = tempfile::Builder::new().prefix(PREFIX).suffix(SUFFIX).tempdir_in(folder)?;
        // Where another thread was faster, ours goes away at once.
        let staging = self.staging.get_or_init(|| made).path();
        remember(staging);
        Ok(staging)
    }

    /// Ends staging, with all that is in it.
    pub(super) fn end(&self) {
        if let Some(staging) = self.staging.get() {
            remove(staging.path());
        }
    }

    /// Removes the staging of runs that were killed.
    ///
    /// # Errors
    /// When it cannot be found out or removed.
    pub(super) fn clear(&self) -> Result<()> {
        let cannot = || format!("cannot clear what an interrupted run left in {}", shown(&self.folder));
        for entry in fs::read_dir(&self.folder).with_context(cannot)? {
            let entry = entry.with_context(cannot)?;
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_folder && name.to_str().is_some_and(is_staging) {
                fs::remove_dir_all(entry.path()).with_context(cannot)?;
            }
        }
        Ok(())
    }
}

/// Whether a name is one that only staging folders have.
#[must_use]
pub fn is_staging(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// Notes that this process writes.
pub(super) fn begin() {
    open(|open| open.is_writing = true);
}

/// Notes a file or folder that is made aside.
pub(super) fn remember(path: &Path) {
    open(|open| open.aside.push(path.to_owned()));
}

/// Forgets one that has its name now.
pub(super) fn forget(path: &Path) {
    open(|open| open.aside.retain(|aside| aside != path));
}

/// Removes a file or folder that was made aside, as far as that can be done.
pub(super) fn remove(path: &Path) {
    if fs::remove_file(path).is_err() {
        // Under another name first: a thread that is about to give a folder in it its place must find all of it,
        // or nothing. What a thread makes there in between stays, and is cleared by the next run.
        let gone = path.with_extension(["gone", SUFFIX].concat());
        let _ =
            fs::rename(path, &gone).and_then(|()| rename_all(&gone)).and_then(|()| fs::remove_dir_all(&gone));
    }
    forget(path);
}

/// Gives everything in a folder another name. A rename that found the folder before that had another name looks for
/// the old ones only now: whatever it finds it takes whole, for nothing was removed yet.
fn rename_all(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let mut other = path.clone().into_os_string();
        other.push(".gone");
        match fs::rename(path, other) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Removes what this process has in staging, as far as it can; says whether it was writing at all.
///
/// It is for a process that is about to end: other threads may still be at work there.
pub fn abandon() -> bool {
    let (is_writing, aside) = open(|open| (open.is_writing, std::mem::take(&mut open.aside)));
    aside.iter().for_each(|path| remove(path));
    is_writing
}

fn open<T>(work: impl FnOnce(&mut Open) -> T) -> T {
    work(&mut OPEN.lock().unwrap_or_else(PoisonError::into_inner))
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn what_is_published_while_staging_is_removed_is_whole() {
        const FILES: usize = 50;
        let root = tempfile::tempdir().unwrap();
        for round in 0..100 {
            let staging = root.path().join(format!("{PREFIX}{round}{SUFFIX}"));
            let place = root.path().join(round.to_string());
            fs::create_dir_all(staging.join("folder")).unwrap();
            for file in 0..FILES {
                fs::write(staging.join("folder").join(file.to_string()), b"").unwrap();
            }
            thread::scope(|scope| {
                scope.spawn(|| remove(&staging));
                scope.spawn(|| fs::rename(staging.join("folder"), &place));
            });
            if place.exists() {
                assert_eq!(fs::read_dir(&place).unwrap().count(), FILES, "round {round}");
            }
            assert!(!staging.exists());
        }
        assert!(
            fs::read_dir(root.path())
                .unwrap()
                .all(|it| !is_staging(it.unwrap().file_name().to_str().unwrap()))
        );
    }
}
