//! Folders that are built aside, where nobody looks, and appear at once.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::destination::{Destination, folder_of, make_folder_below, or_after, stands_in_the_way};
use super::share::{cannot_share, check_unchanged};
use super::{File, Place};
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

    /// Writes a small file in it, by its path from the root on.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write_file(&self, place: &Place, bytes: &[u8]) -> Result<()> {
        let path = self.path_aside(place);
        let write = || {
            if place.is_below() {
                self.make_folder(folder_of(&path))?;
            }
            let mut file = or_after(|| fs::File::create_new(&path), || self.make_folder(folder_of(&path)))?;
            file.write_all(bytes)?;
            self.destination.ownership.give_file(&file)
        };
        write().with_context(|| format!("cannot write {}", shown(&place.path_in(&self.root))))
    }

    /// Gives `source` one more name in it, by its path from the root on; `Ok(false)` when the file system refuses.
    ///
    /// # Errors
    /// When the system refuses for any other reason.
    pub fn link(&self, source: &File, place: &Place) -> Result<bool> {
        let path = self.path_aside(place);
        let link = || {
            if place.is_below() {
                self.make_folder(folder_of(&path))?;
            }
            let refused = |error: io::Error| if cannot_share(&error) { Ok(false) } else { Err(error) };
            let link = || fs::hard_link(source.path(), &path).map(|()| true).or_else(refused);
            or_after(link, || self.make_folder(folder_of(&path)))
        };
        link().with_context(|| self.cannot_link(source, place))
    }

    /// Fails unless what was linked is as it was when it was looked at, and still what the source's name leads to:
    /// else whoever hashed the source meanwhile may have read another file.
    ///
    /// # Errors
    /// When it was changed or replaced, or is not there any more.
    pub fn check(&self, source: &File, place: &Place) -> Result<()> {
        let check = source.check_unchanged().and_then(|()| check_unchanged(source, &self.path_aside(place)));
        check.with_context(|| self.cannot_link(source, place))
    }

    /// Whether a file in it has the owner and the mode that were asked for.
    ///
    /// # Errors
    /// When it cannot be looked at.
    pub fn is_as_asked(&self, place: &Place) -> Result<bool> {
        self.destination.is_as_asked(&self.path_aside(place))
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

    fn cannot_link(&self, source: &File, place: &Place) -> String {
        format!("cannot link {} to {}", shown(&source.path()), shown(&place.path_in(&self.root)))
    }

    /// Where something lies meanwhile, by its path from the root on.
    fn path_aside(&self, place: &Place) -> PathBuf {
        let path = place.path();
        self.aside.path().join(path.strip_prefix(&self.folder).unwrap_or(&path))
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
