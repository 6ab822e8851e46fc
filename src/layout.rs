//! Layouts: how a catalog lies on disk. A layout is only a codec at the rim.
//!
//! One file (and its folder) a layout, each a unit struct in [`LAYOUTS`]; nothing else asks which layout it
//! has before it.

mod archive;
mod claim;
mod dir;
mod entry;
mod find;
pub mod graph;
pub mod inventory;
mod manifests;
mod oci;
pub mod package;
pub mod registry;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use archive::Archive;
pub use dir::Dir;
pub use entry::{Change, Content, Entry, Names, Stage};
pub use find::{Tree, open, open_all, open_below};
pub use oci::{Oci, RefName};
pub use package::Package;
pub use registry::Registry;

use crate::catalog::{Catalog, Image};
use crate::digest::Digest;
use crate::finding::Finding;
use crate::reference::Reference;
use entry::{blob_content, in_order};

/// Every layout there is, in the order in which they are tried.
pub static LAYOUTS: &[&dyn Layout] =
    &[&Package, &Archive, &Registry, &Oci { ref_name: RefName::Whole }, &Dir];

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

    /// The same, of a catalog that joins what is at `root`: a layout that lists all its images in one file keeps
    /// those that are listed there.
    ///
    /// # Errors
    /// When that list cannot be read.
    fn entries_beside(&self, catalog: &Catalog, _root: &Path) -> Result<Vec<Entry>> {
        Ok(self.entries(catalog))
    }

    /// The files that an image of a scanned tree stands on, where they lie; what is missing of them is missing to
    /// whoever reads the tree.
    fn standing(&self, root: &Path, catalog: &Catalog, name: &Reference, image: &Image) -> Vec<Entry>;

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
