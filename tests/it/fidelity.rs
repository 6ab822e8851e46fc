//! Every kind of image that registries and skopeo know is carried as it is, or refused by name.
//!
//! Each valid image makes the whole [`trip`]: into registry storage that holds exactly what it has to, through
//! the real registry and its garbage collection, and back to the same files; and by way of an OCI layout, which
//! skopeo reads, to both of them.

mod artifacts;
mod broken;
mod digests;
mod images;
mod indexes;
mod inline;
mod matrix;
mod names;
mod schema1;
mod trip;
