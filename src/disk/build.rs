//! Folders that are built aside, where nobody looks, and appear at once.

mod within;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

pub use within::Within;

use super::Place;
use super::destination::{Destination, make_folder_below, stands_in_the_way};
use crate::text::shown;

/// A folder that is being built aside, by several threads if need be; dropped before it appears, it is gone.
pub struct Build<'d> {
    destination: &'d Destination,
    /// Where the paths of what it holds start.
    root: PathBuf,
    /// Its own path, from there on.
    folder: PathBuf,
    aside: TempDir,
}

impl Destination {
    /// Begins a folder that is not there, by its path from `root` on, which is the destination's or lies below it.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn build(&self, root: &Path, folder: &Path) -> Result<Build<'_>> {
        let path = root.join(folder);
        let aside = self.folder_aside(&path).with_context(|| cannot_put(&path))?;
        Ok(Build { destination: self, root: root.to_owned(), folder: folder.to_owned(), aside })
    }
}

impl Build<'_> {
    /// Creates a folder in it, by its path from the root on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn create_folder(&self, place: &Place) -> Result<()> {
        self.make_folder(&self.path_aside(place))
            .with_context(|| format!("cannot create the folder {}", shown(&place.path_in(&self.root))))
    }

    /// Lets it appear; `Ok(false)`, with nothing changed, when something lies in its place meanwhile.
    ///
    /// # Errors
    /// When it cannot be renamed.
    pub fn publish(self) -> Result<bool> {
        let path = self.root.join(&self.folder);
        match self.destination.in_folder_of(&path, || fs::rename(self.aside.path(), &path)) {
            Ok(()) => {
                let _ = self.aside.keep();
                Ok(true)
            }
            Err(error) if stands_in_the_way(&error) => Ok(false),
            Err(error) => Err(error).with_context(|| cannot_put(&path)),
        }
    }

    /// Where something lies meanwhile, by its path from the root on.
    fn path_aside(&self, place: &Place) -> PathBuf {
        self.folder_aside(&place.path())
    }

    fn folder_aside(&self, path: &Path) -> PathBuf {
        self.aside.path().join(path.strip_prefix(&self.folder).unwrap_or(path))
    }

    /// Creates a folder in it and those between, never the folder that is built itself: if that is gone, somebody
    /// removes what we write.
    fn make_folder(&self, path: &Path) -> io::Result<()> {
        make_folder_below(self.aside.path(), path, &|path| {
            fs::create_dir(path)?;
            self.destination.ownership.give_folder(path)
        })
    }
}

fn cannot_put(path: &Path) -> String {
    format!("cannot put {} in place", shown(path))
}
