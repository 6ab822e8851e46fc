//! Entries: the files and folders that a layout consists of, and the order in which they may appear.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Serialize;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::reference::Reference;

/// A file or folder that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it may appear.
    pub stage: Stage,
    /// Where, below the layout's root.
    pub path: PathBuf,
    /// What it holds.
    pub content: Content,
    /// The images that appear with it.
    pub names: Names,
    /// The folder above it that has to appear whole, with all its entries, if it is new.
    pub whole: Option<PathBuf>,
}

/// The order in which entries may appear: content before names, so that whoever looks, at any moment, finds
/// every name complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// Blobs, and folders that have to be there.
    Content,
    /// Leave for a repository to serve a blob.
    Grant,
    /// Manifests that are found by digest; children (height 0) before the lists that name them.
    Revision(u32),
    /// What a tag pointed at.
    History,
    /// What makes an image visible.
    Name,
    /// What says that it is complete.
    Marker,
}

/// What an entry holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Content {
    /// It is a folder.
    Folder,
    /// A manifest's bytes, always in a file of their own.
    Manifest(Digest),
    /// A blob that no file holds, but a manifest carries itself.
    Inline(Digest),
    /// A blob, which may share its inode with other files.
    Blob(Digest),
    /// A digest as text, without a newline: a link of the registry.
    Link(Digest),
    /// These bytes.
    Text(Cow<'static, str>),
}

impl Content {
    /// The digest that it is, or points at.
    #[must_use]
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Manifest(digest) | Self::Inline(digest) | Self::Blob(digest) | Self::Link(digest) => {
                Some(*digest)
            }
            Self::Folder | Self::Text(_) => None,
        }
    }
}

/// The images that appear with an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// None.
    Nothing,
    /// This one; what happens to it shows in what lies in the entry's place.
    One(Reference),
    /// All that a list has, and what happens to each.
    Listed(Vec<(Reference, Change)>),
}

/// What happens to an image's name at the destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// It is not there yet.
    New,
    /// It is there and stands for another image.
    Moved,
    /// It is there and stands for this image.
    Unchanged,
}

impl Names {
    /// The images.
    pub fn images(&self) -> impl Iterator<Item = &Reference> {
        let (one, listed): (Option<&Reference>, &[_]) = match self {
            Self::Nothing => (None, &[]),
            Self::One(image) => (Some(image), &[]),
            Self::Listed(images) => (None, images),
        };
        one.into_iter().chain(listed.iter().map(|(image, _)| image))
    }
}

impl Entry {
    pub(super) fn new(stage: Stage, path: impl Into<PathBuf>, content: Content) -> Self {
        Self { stage, path: path.into(), content, names: Names::Nothing, whole: None }
    }

    pub(super) fn naming(self, image: &Reference) -> Self {
        Self { names: Names::One(image.clone()), ..self }
    }

    pub(super) fn within(self, whole: impl Into<PathBuf>) -> Self {
        Self { whole: Some(whole.into()), ..self }
    }
}

/// How a blob gets its content: out of files, or out of the manifest that carries it.
pub(super) fn blob_content(catalog: &Catalog, digest: Digest) -> Content {
    let is_inline = catalog.inline.contains_key(&digest) && !catalog.blobs.contains_key(&digest);
    if is_inline { Content::Inline(digest) } else { Content::Blob(digest) }
}

/// Sorts entries into the order in which they may appear, and drops those that were asked for twice; of content
/// that is a manifest here and a blob there, the manifest stays, for it must not be shared.
pub(super) fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|a, b| (a.stage, &a.path, &a.content).cmp(&(b.stage, &b.path, &b.content)));
    entries.dedup_by(|a, b| a.path == b.path);
    entries
}
