//! A tree that is written to: locked, cleared of what killed runs left, its files made aside and renamed.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result};
use tempfile::{Builder, NamedTempFile, TempPath};

use super::lock::{WhenLocked, lock};
use super::mounts::{volume_of, volumes};
use super::ownership::Ownership;
use super::staging::{self, Volume};
use super::{Inode, Scratch};
use crate::text::shown;

/// The only way to write: a folder that this process has locked.
pub struct Destination {
    pub(super) ownership: Ownership,
    root: PathBuf,
    is_locked: bool,
    /// The root first, then the folders below it where other file systems begin.
    volumes: Vec<Volume>,
    /// Held while a folder changes hands: renaming one over another that is still empty would take that one
    /// from under a thread that is about to write there.
    handover: Mutex<()>,
    /// Dropped when nothing is left in staging.
    _made: MadeFolders,
    /// Holds the lock, so it is dropped last.
    folder: File,
}

impl Destination {
    /// Locks the folder `root`, which is created if need be, and clears what killed runs left there.
    ///
    /// # Errors
    /// When it cannot be created or read, or another run holds the lock and waiting was not asked for.
    pub fn open(root: &Path, ownership: Ownership, when_locked: WhenLocked) -> Result<Self> {
        staging::begin();
        let (made, folder, is_locked) = loop {
            let mut made = MadeFolders::make(root, ownership)?;
            let folder = File::open(root).with_context(|| format!("cannot open {}", shown(root)))?;
            // Without the lock they are not ours to remove: another run may be about to write there.
            let is_locked = lock(&folder, root, when_locked).inspect_err(|_| made.0.clear())?;
            // Whoever held the lock may have removed the folder again, because it stayed empty.
            if leads_to(root, &folder) {
                break (made, folder, is_locked);
            }
        };
        let volumes: Vec<Volume> = volumes(root)?.into_iter().map(Volume::new).collect();
        if is_locked {
            volumes.iter().try_for_each(Volume::clear)?;
        }
        let (root, handover) = (root.to_owned(), Mutex::default());
        Ok(Self { ownership, root, is_locked, volumes, handover, _made: made, folder })
    }

    /// Whether other runs are kept out; some network file systems have no locks.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.is_locked
    }

    /// Whether a file has the owner and the mode that were asked for.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn is_as_asked(&self, path: &Path) -> Result<bool> {
        if self.ownership == Ownership::default() {
            return Ok(true);
        }
        let metadata =
            fs::symlink_metadata(path).with_context(|| format!("cannot look at {}", shown(path)))?;
        Ok(self.ownership.is_that_of(&metadata))
    }

    /// Fails if the folder that was opened is not there any more.
    ///
    /// # Errors
    /// When the path leads nowhere, or to another folder.
    pub fn check(&self) -> Result<()> {
        if leads_to(&self.root, &self.folder) {
            return Ok(());
        }
        Err(io::Error::from(io::ErrorKind::NotFound)).with_context(|| {
            format!("{} was removed or replaced while it was being written", shown(&self.root))
        })
    }

    /// Creates a folder below the root, and those above it as far as they are missing.
    ///
    /// # Errors
    /// When the system refuses, or a file lies in the way.
    pub fn create_folder(&self, path: &Path) -> Result<()> {
        self.make_folder(path).with_context(|| format!("cannot create the folder {}", shown(path)))
    }

    /// Puts a small file in place, whole or not at all, over whatever file is there.
    ///
    /// # Errors
    /// When it cannot be written or renamed into place.
    pub fn write_file(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        let write = || {
            let mut temporary = self.temporary_for(path)?;
            temporary.as_file_mut().write_all(bytes)?;
            self.ownership.give_file(temporary.as_file())?;
            self.put(temporary.into_temp_path(), path)
        };
        write().with_context(|| format!("cannot write {}", shown(path)))
    }

    /// Removes a folder, which is gone in one step: it is renamed aside, and removed there.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn remove_folder(&self, path: &Path) -> Result<()> {
        let remove = || {
            let aside = self.folder_aside(path)?;
            fs::rename(path, aside.path().join("removed"))
        };
        remove().with_context(|| format!("cannot remove {}", shown(path)))
    }

    /// Makes all that was written so far durable.
    ///
    /// # Errors
    /// When the disk reports that something could not be written.
    pub fn sync(&self) -> Result<()> {
        let durable = |folder: &File, path: &Path| {
            nix::unistd::syncfs(folder)
                .map_err(io::Error::from)
                .with_context(|| format!("cannot make {} durable", shown(path)))
        };
        for volume in &self.volumes[1..] {
            let path = &volume.folder;
            let folder = File::open(path).with_context(|| format!("cannot open {}", shown(path)))?;
            durable(&folder, path)?;
        }
        durable(&self.folder, &self.root)
    }

    /// Removes what is left aside, before the folder itself gets another name.
    pub(super) fn clear_staging(&self) {
        self.volumes.iter().for_each(Volume::end);
    }

    /// Runs `work`, and once more, with the folder of `path` created, if something was missing.
    ///
    /// The folder is not looked for: another thread may create it between the failure and the look.
    pub(super) fn in_folder_of<T>(&self, path: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
        or_after(work, || self.make_folder(folder_of(path)))
    }

    /// An empty file aside, to be filled and [`put`](Self::put) at `path`.
    pub(super) fn temporary_for(&self, path: &Path) -> io::Result<NamedTempFile> {
        let mode = Permissions::from_mode(0o666); // the umask takes its part
        Builder::new().permissions(mode).tempfile_in(self.staging_for(path)?)
    }

    /// A file aside that `make` makes under the name it is given, to be [`put`](Self::put) at `path`.
    pub(super) fn made_for(
        &self,
        path: &Path,
        make: impl Fn(&Path) -> io::Result<()>,
    ) -> io::Result<TempPath> {
        let made = Builder::new().make_in(self.staging_for(path)?, |name| make(name))?;
        Ok(made.into_temp_path())
    }

    /// Gives a finished file its name, in one step, over whatever file has it.
    pub(super) fn put(&self, temporary: TempPath, path: &Path) -> io::Result<()> {
        self.in_folder_of(path, || fs::rename(&temporary, path))?;
        // Renaming one link of an inode over another does nothing and leaves both names; ours goes with staging.
        let _ = temporary.keep();
        Ok(())
    }

    /// A file without a name on the file system where `path` has to be.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn scratch_for(&self, path: &Path) -> io::Result<Scratch> {
        Scratch::new(self.staging_for(path)?)
    }

    fn staging_for(&self, path: &Path) -> io::Result<&Path> {
        volume_of(path, &self.volumes, |volume| &volume.folder).staging()
    }

    /// Creates a folder below the root and those between, never the root itself: if that is gone, somebody
    /// removes what we write.
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        make_folder_below(&self.root, path, &|path| self.make_one(path))
    }

    fn make_one(&self, path: &Path) -> io::Result<()> {
        if !self.ownership.has_owner() {
            return fs::create_dir(path);
        }
        let _held = self.handover.lock().unwrap_or_else(PoisonError::into_inner);
        if is_folder(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        // A folder that changes hands does so aside: killed between, it would stay whose it was.
        let aside = self.folder_aside(path)?;
        fs::rename(aside.path(), path)?;
        let _ = aside.keep();
        Ok(())
    }

    pub(super) fn folder_aside(&self, path: &Path) -> io::Result<tempfile::TempDir> {
        let mode = Permissions::from_mode(0o777); // the umask takes its part
        let folder = Builder::new().permissions(mode).tempdir_in(self.staging_for(path)?)?;
        self.ownership.give_folder(folder.path())?;
        Ok(folder)
    }
}

/// The folders that had to be made for a destination; they go again if they stay empty.
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn make(path: &Path, ownership: Ownership) -> Result<Self> {
        let mut made = Self(Vec::new());
        let missing: Vec<&Path> = path
            .ancestors()
            .take_while(|folder| !folder.as_os_str().is_empty() && fs::metadata(folder).is_err())
            .collect();
        for folder in missing.into_iter().rev() {
            let created = fs::create_dir(folder).and_then(|()| {
                made.0.push(folder.to_owned());
                ownership.give_folder(folder)
            });
            match created {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {} // another run was faster
                created => {
                    created.with_context(|| format!("cannot create the folder {}", shown(folder)))?;
                }
            }
        }
        Ok(made)
    }
}

impl Drop for MadeFolders {
    fn drop(&mut self) {
        // Where something is inside, the system refuses, and all is well.
        self.0.iter().rev().for_each(|folder| drop(fs::remove_dir(folder)));
    }
}

/// Runs `work`, and once more, after `make`, if something was missing.
pub(super) fn or_after<T>(
    work: impl Fn() -> io::Result<T>,
    make: impl FnOnce() -> io::Result<()>,
) -> io::Result<T> {
    match work() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make()?;
            work()
        }
        result => result,
    }
}

/// Creates a folder below `top` and those between, never `top` itself, each with `make`.
pub(super) fn make_folder_below(
    top: &Path,
    path: &Path,
    make: &dyn Fn(&Path) -> io::Result<()>,
) -> io::Result<()> {
    let made = match make(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound && is_below(folder_of(path), top) => {
            make_folder_below(top, folder_of(path), make)?;
            make(path)
        }
        made => made,
    };
    match made {
        // Another thread was faster.
        Err(error) if stands_in_the_way(&error) && is_folder(path) => Ok(()),
        made => made,
    }
}

fn leads_to(path: &Path, folder: &File) -> bool {
    let (at_path, opened) = (fs::metadata(path), folder.metadata());
    matches!((at_path, opened), (Ok(a), Ok(b)) if Inode::of(&a) == Inode::of(&b))
}

fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

fn is_below(path: &Path, root: &Path) -> bool {
    path != root && path.starts_with(root)
}

pub(super) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

pub(super) fn stands_in_the_way(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, NotADirectory};
    matches!(error.kind(), DirectoryNotEmpty | AlreadyExists | NotADirectory)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(root: &Path) -> Result<Destination> {
        Destination::open(root, Ownership::default(), WhenLocked::Refuse)
    }

    #[test]
    fn threads_that_need_one_folder_do_not_trip_over_each_other() {
        let own = Ownership { user: Some(nix::unistd::getuid().as_raw()), ..Ownership::default() };
        for ownership in [Ownership::default(), own] {
            let root = tempfile::tempdir().unwrap();
            let destination = Destination::open(root.path(), ownership, WhenLocked::Refuse).unwrap();
            for round in 0..500 {
                let folder = root.path().join(round.to_string()).join("below/and/below");
                std::thread::scope(|scope| {
                    for thread in 0..8 {
                        let path = folder.join(thread.to_string());
                        let destination = &destination;
                        scope.spawn(move || destination.write_file(&path, b"").unwrap());
                    }
                });
            }
        }
    }

    #[test]
    fn what_is_made_for_a_destination_and_stays_empty_goes_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a/b");
        let destination = open(&root).unwrap();
        assert!(open(&root).is_err(), "the lock was given twice");
        drop(destination);
        assert!(!folder.path().join("a").exists());
        let destination = open(&root).unwrap();
        destination.write_file(&root.join("file"), b"").unwrap();
        drop(destination);
        assert_eq!(fs::read_dir(&root).unwrap().count(), 1, "staging is left");
    }

    #[test]
    fn a_root_that_is_removed_is_never_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("a");
        let destination = open(&root).unwrap();
        fs::remove_dir(&root).unwrap();
        assert!(destination.write_file(&root.join("b/file"), b"").is_err());
        assert!(destination.create_folder(&root.join("b")).is_err());
        assert!(destination.check().is_err());
        fs::create_dir(&root).unwrap();
        assert!(destination.check().is_err());
    }
}
