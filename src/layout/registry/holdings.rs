//! Everything that lies in storage, by what it is and when it last changed: the catalog says what images need,
//! this says what is there, needed or not.
//!
//! No symbolic link is followed. What is no part of the layout is a stray, and is not looked into.

mod walk;

use std::path::{Path, PathBuf};

use anyhow::Result;
use rayon::prelude::*;

use super::Registry;
use super::paths::{BLOBS, REPOSITORIES};
use crate::digest::Digest;
use crate::disk::{Inode, is_staging};
use crate::reference::{Identifier, Reference, Repository, Tag};
use walk::Walk;

/// What lies in storage; all paths are below its root.
#[derive(Debug, Default)]
pub struct Holdings {
    /// What images are made of.
    pub holdings: Vec<Holding>,
    /// The folders that the layout has, but for those that a holding removes with itself.
    pub folders: Vec<Folder>,
    /// What is no part of the layout.
    pub strays: Vec<PathBuf>,
}

/// One thing that lies there.
#[derive(Debug)]
pub struct Holding {
    /// What it is.
    pub part: Part,
    /// Its file; of a tag or an upload, its folder.
    pub path: PathBuf,
    /// All files that are gone with it.
    pub files: Vec<Held>,
    /// When it was written or got its name, in nanoseconds since 1970: the latest time that any of it has.
    pub changed_ns: i64,
    /// When it was written, in nanoseconds since 1970: the same without what only happened to its inodes.
    pub modified_ns: i64,
}

/// What a holding is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// What a tag points and pointed at.
    Tag(Repository, Tag),
    /// That a tag pointed at something.
    History(Repository, Tag, Digest),
    /// Leave for a repository to serve a manifest.
    Revision(Repository, Digest),
    /// Leave for a repository to serve a blob.
    Layer(Repository, Digest),
    /// An upload that did not come to its end.
    Upload(Repository),
    /// Content.
    Blob(Digest),
}

impl Part {
    /// The repository that it belongs to.
    #[must_use]
    pub fn repository(&self) -> Option<&Repository> {
        match self {
            Self::Tag(repository, _)
            | Self::History(repository, ..)
            | Self::Revision(repository, _)
            | Self::Layer(repository, _)
            | Self::Upload(repository) => Some(repository),
            Self::Blob(_) => None,
        }
    }

    /// The image that a tag names.
    #[must_use]
    pub fn tag(&self) -> Option<Reference> {
        let Self::Tag(repository, tag) = self else { return None };
        let (repository, identifier) = (repository.clone(), Identifier::Tag(tag.clone()));
        Some(Reference { host: None, repository, identifier })
    }

    /// The manifest that a repository may serve.
    #[must_use]
    pub fn revision(&self) -> Option<Digest> {
        if let Self::Revision(_, digest) = self { Some(*digest) } else { None }
    }
}

/// A file's inode, and how much it would free.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    /// Which inode it is.
    pub inode: Inode,
    /// How many names that has, in storage and elsewhere.
    pub links: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// A folder of the layout.
#[derive(Debug)]
pub struct Folder {
    /// Where it lies.
    pub path: PathBuf,
    /// When something in it appeared or went, in nanoseconds since 1970.
    pub changed_ns: i64,
}

impl Registry {
    /// Lists everything that lies in storage at `root`.
    ///
    /// # Errors
    /// When anything cannot be looked at: of what is not seen, nothing is known.
    pub fn holdings(root: &Path) -> Result<Holdings> {
        let walk = Walk { root };
        let mut all = Holdings::default();
        let mut found = Vec::new();
        for entry in walk.list(Path::new(""))? {
            match &*entry.name {
                BLOBS | REPOSITORIES if entry.is_folder => {}
                name if is_staging(name) => {}
                _ => all.strays.push(entry.path),
            }
        }
        walk.repositories(Path::new(REPOSITORIES), &mut found, &mut all)?;
        let parts = found.par_iter().map(|folder| walk.repository(folder)).collect::<Result<Vec<_>>>()?;
        parts.into_iter().for_each(|part| all.extend(part));
        all.extend(walk.blobs()?);
        // An order that no folder's own order shows in.
        all.holdings.sort_unstable_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
        all.folders.sort_unstable_by(|a, b| a.path.as_os_str().cmp(b.path.as_os_str()));
        all.strays.sort_unstable();
        Ok(all)
    }
}

impl Holdings {
    fn extend(&mut self, other: Self) {
        self.holdings.extend(other.holdings);
        self.folders.extend(other.folders);
        self.strays.extend(other.strays);
    }
}
