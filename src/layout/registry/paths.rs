//! Where things lie in storage: names, and paths from its root on (distribution, `registry/storage/paths.go`).

use std::path::{Path, PathBuf};

use crate::reference::Repository;

/// The folder of all blobs, in the root.
pub(super) const BLOBS: &str = "blobs";
/// The folder of all repositories, in the root.
pub const REPOSITORIES: &str = "repositories";
/// In a repository: what it may serve.
pub(super) const LAYERS: &str = "_layers";
/// In a repository: what it knows of manifests.
pub(super) const MANIFESTS: &str = "_manifests";
/// In a repository: uploads in progress.
pub(super) const UPLOADS: &str = "_uploads";
/// In the folder of manifests: those that it may serve.
pub(super) const REVISIONS: &str = "revisions";
/// In the folder of manifests: its tags.
pub(super) const TAGS: &str = "tags";

/// The folder of a repository.
pub(super) fn folder_of(repository: &Repository) -> PathBuf {
    Path::new(REPOSITORIES).join(repository.as_str())
}

/// The folder of a repository's layers.
pub(super) fn layers_of(repository: &Repository) -> PathBuf {
    folder_of(repository).join(LAYERS)
}

/// The folder of a repository's revisions.
pub(super) fn revisions_of(repository: &Repository) -> PathBuf {
    folder_of(repository).join(MANIFESTS).join(REVISIONS)
}

/// The folder of a repository's tags.
pub(super) fn tags_of(repository: &Repository) -> PathBuf {
    folder_of(repository).join(MANIFESTS).join(TAGS)
}

/// The folders that a repository has to have, for registries look for them.
#[must_use]
pub fn skeleton(repository: &Repository) -> [PathBuf; 2] {
    [layers_of(repository), tags_of(repository)]
}
