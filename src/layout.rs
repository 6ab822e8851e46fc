//! Layouts: how a catalog lies on disk. A layout is only a codec at the rim.
//!
//! One file (and its folder) a layout, each a unit struct in [`LAYOUTS`]; nothing else asks which layout it
//! has before it.

mod claim;
mod dir;
mod find;
pub mod graph;
pub mod inventory;
pub mod package;
pub mod registry;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use dir::Dir;
pub use find::{Tree, open, open_all, open_below};
pub use package::Package;
pub use registry::Registry;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::finding::Finding;
use crate::reference::Reference;

/// Every layout there is, in the order in which they are tried.
pub static LAYOUTS: &[&dyn Layout] = &[&Package, &Registry, &Dir];

/// A way in which images lie on disk.
pub trait Layout: Sync {
    /// What it is called in reports.
    fn name(&self) -> &'static str;

    /// Finds the folder that the layout's own paths start from, if `path` holds this layout.
    ///
    /// # Errors
    /// When the system refuses to say.
    fn recognise(&self, path: &Path) -> Result<Option<PathBuf>>;

    /// Whether `path` itself is where a person would say that the tree begins, rather than a folder above it.
    ///
    /// # Errors
    /// When the system refuses to say.
    fn is_top(&self, path: &Path) -> Result<bool>;

    /// Whether what it recognises is this and nothing else, whatever else it looks like.
    fn is_nothing_else(&self) -> bool {
        false
    }

    /// Reads what is below a root that [`Layout::recognise`] found; wrong data becomes findings.
    ///
    /// # Errors
    /// When the root itself cannot be read.
    fn scan(&self, root: &Path) -> Result<Scan>;

    /// The root to write to when a person names `path` as the destination.
    ///
    /// # Errors
    /// When the system refuses to say.
    fn destination(&self, path: &Path) -> Result<PathBuf>;

    /// All files that hold the catalog in this layout, sorted by stage and path.
    fn entries(&self, catalog: &Catalog) -> Vec<Entry>;

    /// The files that every image of a scanned tree stands on, where they lie; what is missing of them is
    /// missing to whoever reads the tree.
    fn standing(&self, root: &Path, catalog: &Catalog) -> Vec<(Reference, Vec<Entry>)>;

    /// Faults of a scanned tree that no image shows, and that its readers stumble over all the same.
    fn lint(&self, root: &Path, catalog: &Catalog) -> Vec<Finding>;

    /// The content that belongs at a path below the root; `None` where anything else does.
    fn content_at(&self, path: &Path) -> Option<Digest>;

    /// The name under which this layout can keep an image's host, if its alphabet allows that.
    fn with_host(&self, reference: &Reference) -> Option<Reference>;
}

/// What a scan saw.
#[derive(Debug, Default)]
pub struct Scan {
    /// What is there.
    pub catalog: Catalog,
    /// What is wrong with it.
    pub findings: Vec<Finding>,
}

/// A file or folder that should exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it may appear.
    pub stage: Stage,
    /// Where, below the layout's root.
    pub path: PathBuf,
    /// What it holds.
    pub content: Content,
    /// The image that appears with it.
    pub names: Option<Reference>,
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
    Text(&'static str),
}

impl Content {
    /// The digest that it is, or points at.
    #[must_use]
    pub fn digest(self) -> Option<Digest> {
        match self {
            Self::Manifest(digest) | Self::Inline(digest) | Self::Blob(digest) | Self::Link(digest) => {
                Some(digest)
            }
            Self::Folder | Self::Text(_) => None,
        }
    }
}

impl Entry {
    fn new(stage: Stage, path: impl Into<PathBuf>, content: Content) -> Self {
        Self { stage, path: path.into(), content, names: None, whole: None }
    }

    fn naming(self, image: &Reference) -> Self {
        Self { names: Some(image.clone()), ..self }
    }

    fn within(self, whole: impl Into<PathBuf>) -> Self {
        Self { whole: Some(whole.into()), ..self }
    }
}

/// How a blob gets its content: out of files, or out of the manifest that carries it.
fn blob_content(catalog: &Catalog, digest: Digest) -> Content {
    let is_inline = catalog.inline.contains_key(&digest) && !catalog.blobs.contains_key(&digest);
    if is_inline { Content::Inline(digest) } else { Content::Blob(digest) }
}

/// Sorts entries into the order in which they may appear, and drops those that were asked for twice; of content
/// that is a manifest here and a blob there, the manifest stays, for it must not be shared.
fn in_order(mut entries: Vec<Entry>) -> Vec<Entry> {
    entries.sort_unstable_by(|a, b| (a.stage, &a.path, a.content).cmp(&(b.stage, &b.path, b.content)));
    entries.dedup_by(|a, b| a.path == b.path);
    entries
}
