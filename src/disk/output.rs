//! Outputs: one file or folder that appears whole under its name, or not at all.
//!
//! It is made beside its place as `.<name>.bundle.tmp`, locked, and renamed when it is finished. One that is
//! there and not locked was left by a run that was killed, and is removed.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::{Destination, Ownership, WhenLocked, staging};
use crate::text::shown;

/// A file that is being written.
pub struct Output {
    path: PathBuf,
    temporary: Temporary,
    file: File,
}

/// A folder that is being written.
pub struct OutputFolder {
    path: PathBuf,
    destination: Destination,
    temporary: Temporary,
}

impl Output {
    /// Begins a file.
    ///
    /// # Errors
    /// When it cannot be created, a folder has its name, or another run is writing it.
    pub fn create(path: &Path) -> Result<Self> {
        if path.is_dir() {
            bail!("{} is a folder", shown(path));
        }
        let cannot = || format!("cannot write {}", shown(path));
        let temporary = temporary_of(path)?;
        staging::begin();
        let file = loop {
            match File::create_new(&temporary) {
                Ok(file) => break file,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    let left = File::open(&temporary).with_context(cannot)?;
                    left.try_lock()
                        .map_err(io::Error::from)
                        .with_context(|| format!("another run is writing {}", shown(path)))?;
                    fs::remove_file(&temporary).with_context(cannot)?;
                }
                Err(error) => return Err(error).with_context(cannot),
            }
        };
        let temporary = Temporary::of(temporary);
        // Where there are no locks, the name alone has to keep others out.
        let _ = file.try_lock();
        Ok(Self { path: path.to_owned(), temporary, file })
    }

    /// The name that it will have.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes durable what was written.
    ///
    /// # Errors
    /// When the disk reports that something could not be written.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_all().with_context(|| format!("cannot write {}", shown(&self.path)))
    }

    /// Removes the file that has its name.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn make_way(&self) -> Result<()> {
        let cannot = || format!("cannot remove {}", shown(&self.path));
        fs::remove_file(&self.path).with_context(cannot)?;
        sync_folder_of(&self.path).with_context(cannot)
    }

    /// Makes it durable and gives it its name, over whatever file has it.
    ///
    /// # Errors
    /// When the disk reports that something could not be written.
    pub fn finish(self) -> Result<()> {
        let cannot = || format!("cannot write {}", shown(&self.path));
        self.sync()?;
        fs::rename(&self.temporary.path, &self.path).with_context(cannot)?;
        self.temporary.keep();
        sync_folder_of(&self.path).with_context(cannot)
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Writes a text file, over whatever file has its name.
///
/// # Errors
/// When it cannot be written.
pub fn write_text(path: &Path, text: &str) -> Result<()> {
    let mut output = Output::create(path)?;
    output.write_all(text.as_bytes()).with_context(|| format!("cannot write {}", shown(path)))?;
    output.finish()
}

/// Removes a file that an earlier run finished, if it is still there.
///
/// # Errors
/// When it cannot be removed.
pub fn remove_output(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", shown(path)))
        }
        _ => Ok(()),
    }
}

impl OutputFolder {
    /// Begins a folder.
    ///
    /// # Errors
    /// When it cannot be created, something with content has its name, or another run is writing it.
    pub fn create(path: &Path) -> Result<Self> {
        let cannot = || format!("cannot write {}", shown(path));
        match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
            Ok(true) => {}
            Ok(false) => bail!("{} is there and not empty\n  hint: choose another name", shown(path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error).with_context(cannot),
        }
        let temporary = temporary_of(path)?;
        let open = || Destination::open(&temporary, Ownership::default(), WhenLocked::Refuse);
        if temporary.exists() {
            let left = open()?; // nobody is at work there
            fs::remove_dir_all(&temporary).with_context(cannot)?;
            drop(left);
        }
        let destination = open()?;
        Ok(Self { path: path.to_owned(), temporary: Temporary::of(temporary), destination })
    }

    /// What to write into.
    #[must_use]
    pub fn destination(&self) -> &Destination {
        &self.destination
    }

    /// Where it is made.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.temporary.path
    }

    /// Makes it durable and gives it its name.
    ///
    /// # Errors
    /// When the disk reports that something could not be written.
    pub fn finish(self) -> Result<()> {
        let cannot = || format!("cannot write {}", shown(&self.path));
        self.destination.clear_staging();
        self.destination.sync()?;
        fs::rename(&self.temporary.path, &self.path).with_context(cannot)?;
        self.temporary.keep();
        sync_folder_of(&self.path).with_context(cannot)
    }
}

/// A name that goes away with the value, unless it is kept.
struct Temporary {
    path: PathBuf,
    is_kept: bool,
}

impl Temporary {
    fn of(path: PathBuf) -> Self {
        staging::remember(&path);
        Self { path, is_kept: false }
    }

    fn keep(mut self) {
        staging::forget(&self.path);
        self.is_kept = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.is_kept {
            staging::remove(&self.path);
        }
    }
}

fn temporary_of(path: &Path) -> Result<PathBuf> {
    let Some(name) = path.file_name() else { bail!("{} is no name of a file", shown(path)) };
    let mut temporary = std::ffi::OsString::from(".");
    temporary.push(name);
    temporary.push(".bundle.tmp");
    Ok(path.with_file_name(temporary))
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
