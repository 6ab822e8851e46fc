//! Entries: the files and folders that a layout consists of, and the order in which they may appear.

use std::borrow::Cow;
use std::path::Path;

use serde::Serialize;

use crate::catalog::Catalog;
use crate::digest::{Algorithm, Digest};
use crate::disk::{FolderPath, Place};
use crate::reference::Reference;
use crate::work;

/// A file or folder that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it may appear.
    pub stage: Stage,
    /// Where, below the layout's root.
    pub place: Place,
    holds: Holds,
    /// What most entries have nothing of.
    rest: Option<Box<Rest>>,
}

/// What an entry holds, told by the digest that its place is named by, as that of nearly every entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holds {
    /// The manifest.
    Manifest,
    /// The blob, out of a manifest.
    Inline,
    /// The blob.
    Blob,
    /// The digest itself, as text.
    Link,
    /// It is a folder.
    Folder,
    /// Something else.
    Other,
}

/// What only some entries have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Rest {
    /// The images that appear with it.
    names: Names,
    /// What it holds, where its place does not tell.
    other: Option<Content>,
}

/// Folders in which content or links lie under the digests that name them, one for each algorithm.
pub(super) struct ByDigest([FolderPath; Algorithm::ALL.len()]);

impl ByDigest {
    /// Those in a folder.
    pub(super) fn below(folder: &Path) -> Self {
        Self(Algorithm::ALL.map(|algorithm| folder.join(algorithm.name()).into()))
    }

    /// The place that a digest names.
    pub(super) fn place(&self, digest: &Digest) -> Place {
        Place::of_digits(self.0[digest.algorithm() as usize].clone(), digest.bytes())
    }
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
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Names {
    /// None.
    #[default]
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
    /// One that no person sees.
    #[must_use]
    pub fn new(stage: Stage, place: impl Into<Place>, content: Content) -> Self {
        let entry = Self { stage, place: place.into(), holds: Holds::Other, rest: None };
        entry.holding(content)
    }

    /// The same with other content.
    #[must_use]
    pub fn holding(mut self, content: Content) -> Self {
        self.holds = match &content {
            Content::Folder => Holds::Folder,
            content if content.digest() != self.named() => Holds::Other,
            Content::Manifest(_) => Holds::Manifest,
            Content::Inline(_) => Holds::Inline,
            Content::Blob(_) => Holds::Blob,
            Content::Link(_) => Holds::Link,
            Content::Text(_) => Holds::Other,
        };
        let other = (self.holds == Holds::Other).then_some(content);
        if other.is_some() || self.rest.is_some() {
            self.rest.get_or_insert_default().other = other;
        }
        self
    }

    /// What it holds.
    #[must_use]
    pub fn content(&self) -> Content {
        let of_name = |content: fn(Digest) -> Content| self.named().map(content);
        let content = match self.holds {
            Holds::Manifest => of_name(Content::Manifest),
            Holds::Inline => of_name(Content::Inline),
            Holds::Blob => of_name(Content::Blob),
            Holds::Link => of_name(Content::Link),
            Holds::Folder => None,
            Holds::Other => self.rest.as_ref().and_then(|rest| rest.other.clone()),
        };
        content.unwrap_or(Content::Folder)
    }

    /// The digest that its place is named by.
    fn named(&self) -> Option<Digest> {
        self.place.hash().copied().map(Digest::sha256)
    }

    /// The images that appear with it.
    #[must_use]
    pub fn names(&self) -> &Names {
        self.rest.as_ref().map_or(&Names::Nothing, |rest| &rest.names)
    }

    pub(super) fn naming(mut self, names: Names) -> Self {
        self.rest.get_or_insert_default().names = names;
        self
    }
}

/// How a blob gets its content: out of files, or out of the manifest that carries it.
pub(super) fn blob_content(catalog: &Catalog, digest: Digest) -> Content {
    let is_inline = catalog.inline.contains_key(&digest) && !catalog.blobs.contains_key(&digest);
    if is_inline { Content::Inline(digest) } else { Content::Blob(digest) }
}

/// The entries of many things.
pub(super) fn gathered<T: Sync>(things: &[T], entries: impl Fn(&T) -> Vec<Entry> + Sync) -> Vec<Entry> {
    let mut all = Vec::new();
    work::some_at_a_time(things, entries, |entries| all.extend(entries));
    all.shrink_to_fit();
    all
}

/// Sorts entries into the order in which they may appear, and drops those that were asked for twice; of content
/// that is a manifest here and a blob there, the manifest stays, for it must not be shared.
pub(super) fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|a, b| {
        (a.stage, &a.place).cmp(&(b.stage, &b.place)).then_with(|| a.content().cmp(&b.content()))
    });
    entries.dedup_by(|a, b| a.place == b.place);
    entries
}
