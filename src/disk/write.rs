//! Writing: folders, small files, and folders that appear whole.

use std::fs::{self, File, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::text::shown;
use anyhow::{Context, Result};
use tempfile::{NamedTempFile, TempDir};

/// Creates a folder and those above it, as far as they are missing.
///
/// # Errors
/// When the system refuses, or a file lies in the way.
pub fn create_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).with_context(|| format!("cannot create the folder {}", shown(path)))
}

/// Puts a small file in place, whole or not at all, over whatever file is there.
///
/// # Errors
/// When it cannot be written or renamed into place.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<()> {
    in_folder_of(path, || {
        let mut temporary = temporary_beside(path)?;
        temporary.write_all(bytes)?;
        temporary.persist(path).map(drop).map_err(|error| error.error)
    })
    .with_context(|| format!("cannot write {}", shown(path)))
}

/// Makes all that was written so far durable, on the file system that holds `path`.
///
/// # Errors
/// When the disk reports that something could not be written.
pub fn sync(path: &Path) -> Result<()> {
    let folder = File::open(path).with_context(|| format!("cannot open {}", shown(path)))?;
    nix::unistd::syncfs(folder)
        .map_err(io::Error::from)
        .with_context(|| format!("cannot make {} durable", shown(path)))
}

/// A temporary file beside `path`, named as the registry names its own: `<name>.<random>.tmp`.
pub(super) fn temporary_beside(path: &Path) -> io::Result<NamedTempFile> {
    tempfile::Builder::new()
        .prefix(&format!("{}.", file_name(path)))
        .suffix(".tmp")
        .permissions(Permissions::from_mode(0o666)) // the umask takes its part
        .tempfile_in(folder_of(path))
}

/// Runs `work`, and once more, with the folder of `path` created, if something was missing.
///
/// The folder is not looked for: another thread may create it between the failure and the look.
pub(super) fn in_folder_of<T>(path: &Path, work: impl Fn() -> io::Result<T>) -> io::Result<T> {
    match work() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(folder_of(path))?;
            work()
        }
        result => result,
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("/"))
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A place outside the visible tree where folders are built that have to appear whole.
///
/// It lies on the target's file system, so that a finished folder can be renamed to its place.
pub struct Staging {
    folder: TempDir,
}

impl Staging {
    /// Opens a staging folder inside `root`.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn inside(root: &Path) -> Result<Self> {
        let folder = tempfile::Builder::new()
            .prefix(".bundle-")
            .suffix(".tmp")
            .tempdir_in(root)
            .with_context(|| format!("cannot create a temporary folder in {}", shown(root)))?;
        Ok(Self { folder })
    }

    /// Builds a folder of small files and renames it to `path`; `Ok(false)`, with nothing changed, when a
    /// folder with content is there already.
    ///
    /// # Errors
    /// When it cannot be built or renamed.
    pub fn publish(&self, path: &Path, number: usize, files: &[(PathBuf, &[u8])]) -> Result<bool> {
        let build = self.folder.path().join(number.to_string());
        for (name, bytes) in files {
            let file = build.join(name);
            create_folder(folder_of(&file))?;
            fs::write(&file, bytes).with_context(|| format!("cannot write {}", shown(&file)))?;
        }
        match in_folder_of(path, || fs::rename(&build, path)) {
            Ok(()) => Ok(true),
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::DirectoryNotEmpty
                        | io::ErrorKind::AlreadyExists
                        | io::ErrorKind::NotADirectory
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(error).with_context(|| format!("cannot put {} in place", shown(path))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_need_one_folder_do_not_trip_over_each_other() {
        let root = tempfile::tempdir().unwrap();
        for round in 0..500 {
            let folder = root.path().join(round.to_string()).join("below");
            std::thread::scope(|scope| {
                for thread in 0..8 {
                    let path = folder.join(thread.to_string());
                    scope.spawn(move || in_folder_of(&path, || fs::write(&path, "")).unwrap());
                }
            });
        }
    }
}
