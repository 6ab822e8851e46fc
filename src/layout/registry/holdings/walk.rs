//! Walks over storage, and tells what each thing that lies there is.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::super::data_place;
use super::super::paths::{BLOBS, LAYERS, MANIFESTS, REPOSITORIES, REVISIONS, TAGS, UPLOADS};
use super::{Folder, Held, Holding, Holdings, Part};
use crate::digest::{Algorithm, Digest};
use crate::disk::Inode;
use crate::reference::{Repository, Tag};
use crate::text::shown;

/// One entry of a folder.
pub(super) struct Entry {
    pub(super) name: String,
    /// Below the root.
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
    is_file: bool,
}

/// A look at everything below a root.
pub(super) struct Walk<'r> {
    pub(super) root: &'r Path,
}

impl Walk<'_> {
    /// What a folder holds, links not followed.
    pub(super) fn list(&self, folder: &Path) -> Result<Vec<Entry>> {
        let at = self.root.join(folder);
        let read = || -> io::Result<Vec<Entry>> {
            let mut entries = Vec::new();
            for entry in fs::read_dir(&at)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                entries.push(Entry {
                    path: folder.join(entry.file_name()),
                    name: entry.file_name().to_string_lossy().into_owned(),
                    is_folder: kind.is_dir(),
                    is_file: kind.is_file(),
                });
            }
            Ok(entries)
        };
        read().with_context(|| format!("cannot read {}", shown(&at)))
    }

    fn metadata(&self, path: &Path) -> Result<fs::Metadata> {
        let at = self.root.join(path);
        fs::symlink_metadata(&at).with_context(|| format!("cannot look at {}", shown(&at)))
    }

    fn folder(&self, path: &Path) -> Result<Folder> {
        Ok(Folder { changed_ns: changed_ns(&self.metadata(path)?), path: path.to_owned() })
    }

    /// Finds the folders of repositories, which may lie inside one another.
    pub(super) fn repositories(
        &self,
        folder: &Path,
        found: &mut Vec<PathBuf>,
        all: &mut Holdings,
    ) -> Result<()> {
        let mut is_repository = false;
        for entry in self.list(folder)? {
            if !entry.is_folder {
                all.strays.push(entry.path);
            } else if !entry.name.starts_with('_') {
                all.folders.push(self.folder(&entry.path)?);
                self.repositories(&entry.path, found, all)?;
            } else if folder != Path::new(REPOSITORIES) && is_part_of_repository(&entry.name) {
                is_repository = true;
            } else {
                all.strays.push(entry.path);
            }
        }
        if is_repository {
            found.push(folder.to_owned());
        }
        Ok(())
    }

    /// All that a repository has of its own.
    pub(super) fn repository(&self, folder: &Path) -> Result<Holdings> {
        let mut all = Holdings::default();
        let name = folder.strip_prefix(REPOSITORIES).unwrap_or(folder);
        let Ok(repository) = name.to_string_lossy().parse::<Repository>() else {
            all.strays.push(folder.to_owned());
            return Ok(all);
        };
        for entry in self.list(folder)?.into_iter().filter(|it| it.is_folder) {
            if !is_part_of_repository(&entry.name) {
                continue;
            }
            all.folders.push(self.folder(&entry.path)?);
            match &*entry.name {
                LAYERS => {
                    all.extend(self.links(&entry.path, &|digest| Part::Layer(repository.clone(), digest))?);
                }
                UPLOADS => self.uploads(&entry.path, &repository, &mut all)?,
                _ => self.manifests(&entry.path, &repository, &mut all)?,
            }
        }
        Ok(all)
    }

    fn manifests(&self, folder: &Path, repository: &Repository, all: &mut Holdings) -> Result<()> {
        for entry in self.list(folder)? {
            match &*entry.name {
                REVISIONS if entry.is_folder => {
                    let part = |digest| Part::Revision(repository.clone(), digest);
                    all.folders.push(self.folder(&entry.path)?);
                    all.extend(self.links(&entry.path, &part)?);
                }
                TAGS if entry.is_folder => {
                    all.folders.push(self.folder(&entry.path)?);
                    let tags = self.list(&entry.path)?;
                    let tags = tags.par_iter().map(|tag| self.tag(tag, repository));
                    tags.collect::<Result<Vec<_>>>()?.into_iter().for_each(|tag| all.extend(tag));
                }
                _ => all.strays.push(entry.path),
            }
        }
        Ok(())
    }

    fn tag(&self, entry: &Entry, repository: &Repository) -> Result<Holdings> {
        let mut all = Holdings::default();
        let (true, Ok(tag)) = (entry.is_folder, entry.name.parse::<Tag>()) else {
            all.strays.push(entry.path.clone());
            return Ok(all);
        };
        let part = Part::Tag(repository.clone(), tag.clone());
        all.holdings.push(self.whole(part, &entry.path)?);
        for inside in self.list(&entry.path)? {
            match &*inside.name {
                "current" if inside.is_folder => {
                    let others = self.list(&inside.path)?.into_iter();
                    all.strays.extend(others.filter(|it| it.name != "link").map(|it| it.path));
                }
                "index" if inside.is_folder => {
                    let part = |digest| Part::History(repository.clone(), tag.clone(), digest);
                    all.folders.push(self.folder(&inside.path)?);
                    all.extend(self.links(&inside.path, &part)?);
                }
                _ => all.strays.push(inside.path),
            }
        }
        Ok(all)
    }

    fn uploads(&self, folder: &Path, repository: &Repository, all: &mut Holdings) -> Result<()> {
        for entry in self.list(folder)? {
            if entry.is_folder {
                all.holdings.push(self.whole(Part::Upload(repository.clone()), &entry.path)?);
            } else {
                all.strays.push(entry.path);
            }
        }
        Ok(())
    }

    /// A folder that goes with all that is in it.
    fn whole(&self, part: Part, path: &Path) -> Result<Holding> {
        let metadata = self.metadata(path)?;
        let mut holding = Holding {
            part,
            path: path.to_owned(),
            files: Vec::new(),
            changed_ns: changed_ns(&metadata),
            modified_ns: modified_ns(&metadata),
        };
        let mut folders = vec![path.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in self.list(&folder)? {
                let metadata = self.metadata(&entry.path)?;
                holding.changed_ns = holding.changed_ns.max(changed_ns(&metadata));
                holding.modified_ns = holding.modified_ns.max(modified_ns(&metadata));
                if entry.is_folder {
                    folders.push(entry.path);
                } else if entry.is_file {
                    holding.files.push(held(&metadata));
                }
            }
        }
        Ok(holding)
    }

    /// The links of a folder `<algorithm>/<hex>/link`.
    fn links(&self, folder: &Path, part: &(dyn Fn(Digest) -> Part + Sync)) -> Result<Holdings> {
        self.digests(folder, &|_, folder| self.list(folder), "link", part)
    }

    pub(super) fn blobs(&self) -> Result<Holdings> {
        let folders = |all: &mut Holdings, algorithm: &Path| -> Result<Vec<Entry>> {
            let mut digests = Vec::new();
            for prefix in self.list(algorithm)? {
                if prefix.is_folder && prefix.name.len() == 2 {
                    all.folders.push(self.folder(&prefix.path)?);
                    digests.extend(self.list(&prefix.path)?);
                } else {
                    all.strays.push(prefix.path);
                }
            }
            Ok(digests)
        };
        self.digests(Path::new(BLOBS), &folders, "data", &Part::Blob)
    }

    /// What lies in folders that are named after digests, by `<algorithm>/…/<hex>/<file>`.
    fn digests(
        &self,
        folder: &Path,
        folders: &(dyn Fn(&mut Holdings, &Path) -> Result<Vec<Entry>> + Sync),
        file: &str,
        part: &(dyn Fn(Digest) -> Part + Sync),
    ) -> Result<Holdings> {
        let mut all = Holdings::default();
        for entry in self.list(folder)? {
            let algorithm = Algorithm::ALL.into_iter().find(|known| known.name() == entry.name);
            let (true, Some(algorithm)) = (entry.is_folder, algorithm) else {
                all.strays.push(entry.path);
                continue;
            };
            all.folders.push(self.folder(&entry.path)?);
            let found = folders(&mut all, &entry.path)?;
            let read = found.par_iter().map(|entry| self.digest(entry, algorithm, file, part));
            read.collect::<Result<Vec<_>>>()?.into_iter().for_each(|one| all.extend(one));
        }
        Ok(all)
    }

    /// What lies in one folder that is named after a digest.
    fn digest(
        &self,
        entry: &Entry,
        algorithm: Algorithm,
        file: &str,
        part: &(dyn Fn(Digest) -> Part + Sync),
    ) -> Result<Holdings> {
        let mut all = Holdings::default();
        let digest = Digest::from_hex(algorithm, &entry.name).ok().filter(|_| entry.is_folder);
        // A blob in another place than its own is no blob to a registry.
        let is_in_place = |digest: &Digest| {
            file != "data" || data_place(digest).path().parent() == Some(entry.path.as_path())
        };
        let Some(digest) = digest.filter(is_in_place) else {
            all.strays.push(entry.path.clone());
            return Ok(all);
        };
        all.folders.push(self.folder(&entry.path)?);
        for inside in self.list(&entry.path)? {
            if !inside.is_file || inside.name != file {
                all.strays.push(inside.path);
                continue;
            }
            let metadata = self.metadata(&inside.path)?;
            all.holdings.push(Holding {
                part: part(digest),
                path: inside.path,
                files: vec![held(&metadata)],
                changed_ns: changed_ns(&metadata),
                modified_ns: modified_ns(&metadata),
            });
        }
        Ok(all)
    }
}

fn is_part_of_repository(name: &str) -> bool {
    matches!(name, LAYERS | MANIFESTS | UPLOADS)
}

fn held(metadata: &fs::Metadata) -> Held {
    Held { inode: Inode::of(metadata), links: metadata.nlink(), size: metadata.len() }
}

fn modified_ns(metadata: &fs::Metadata) -> i64 {
    nanoseconds(metadata.mtime(), metadata.mtime_nsec())
}

/// A file that was linked or renamed to its place is as old as ever to its modification time alone.
fn changed_ns(metadata: &fs::Metadata) -> i64 {
    modified_ns(metadata).max(nanoseconds(metadata.ctime(), metadata.ctime_nsec()))
}

fn nanoseconds(seconds: i64, rest: i64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add(rest)
}
