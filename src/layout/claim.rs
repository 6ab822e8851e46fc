//! Files that claim to hold content: looked at, and, where they are manifests, read and held to their claim.

use std::path::{Path, PathBuf};

use crate::digest::{Algorithm, Digest};
use crate::disk::{self, File, Folder, Look, Place};
use crate::finding::{self, Finding, Kind};
use crate::manifest::{self, MAX_MANIFEST_BYTES, Manifest};

/// Looks at a file that claims to hold `digest`; `Ok(None)` when there is none.
///
/// # Errors
/// A finding, when there is something that cannot be a blob.
pub(super) fn file(path: &Path, digest: Digest) -> Result<Option<File>, Finding> {
    judge(disk::look(path), || path.to_owned(), digest)
}

/// As [`file`], of a file in a folder that is held open.
pub(super) fn file_in(folder: &Folder, place: Place, digest: Digest) -> Result<Option<File>, Finding> {
    let path = place.clone();
    judge(folder.look(place).map_err(Into::into), || path.path(), digest)
}

fn judge(
    look: anyhow::Result<Look>,
    path: impl Fn() -> PathBuf,
    digest: Digest,
) -> Result<Option<File>, Finding> {
    let not_a_file = |what| Err(Finding::at(Kind::NotAFile, path()).of(digest).found(what));
    match look {
        Ok(Look::File(file)) => Ok(Some(file)),
        Ok(Look::Missing) => Ok(None),
        Ok(Look::Folder) => not_a_file("a folder"),
        Ok(Look::Other(what)) => not_a_file(what),
        Err(error) => Err(Finding::at(Kind::Unreadable, path()).of(digest).found(format_args!("{error:#}"))),
    }
}

/// A manifest that its file's content names.
pub(super) struct Named {
    /// Its name.
    pub(super) digest: Digest,
    /// What it says.
    pub(super) manifest: Manifest,
    /// What its digest names, where that is not the file as it is: the payload of a signed manifest.
    pub(super) payload: Option<Box<[u8]>>,
}

/// Reads a manifest whose digest is that of its content.
///
/// # Errors
/// A finding, when it cannot be read or is no manifest.
pub(super) fn named_by_content(path: &Path, algorithm: Algorithm) -> Result<Named, Finding> {
    let bytes = bytes(path)?;
    let payload = manifest::payload(&bytes);
    let digest = Digest::of(algorithm, &payload);
    let is_file = *payload == *bytes;
    let payload = (!is_file).then(|| payload.into_owned().into_boxed_slice());
    Ok(Named { digest, manifest: parse(path, &bytes)?, payload })
}

/// Reads a manifest that claims to be `digest`.
///
/// # Errors
/// A finding, when it cannot be read, is another one or is none.
pub(super) fn manifest(path: &Path, digest: Digest) -> Result<Manifest, Finding> {
    let bytes = bytes(path).map_err(|finding| finding.of(digest))?;
    hold_to(path, &bytes, digest)
}

/// Reads bytes that claim to be the manifest `digest`.
///
/// # Errors
/// As [`manifest`].
pub(super) fn hold_to(path: &Path, bytes: &[u8], digest: Digest) -> Result<Manifest, Finding> {
    let found = Digest::of(digest.algorithm(), bytes);
    if found != digest {
        return Err(finding::corrupt(path, digest, found));
    }
    parse(path, bytes).map_err(|finding| finding.of(digest))
}

/// As [`manifest`], of content that lies within another file.
pub(super) fn manifest_in(file: &File, digest: Digest) -> Result<Manifest, Finding> {
    let unreadable = |error| finding::unreadable(&file.path(), &error).of(digest);
    let bytes = file.read_small(MAX_MANIFEST_BYTES).map_err(unreadable)?;
    let Some(bytes) = bytes else { return Err(too_long(&file.path()).of(digest)) };
    hold_to(&file.path(), &bytes, digest)
}

/// What to say of a folder below `root` that cannot be walked.
pub(super) fn unwalkable(root: &Path, error: &walkdir::Error) -> Finding {
    Finding::at(Kind::Unreadable, error.path().unwrap_or(root)).found(error)
}

fn bytes(path: &Path) -> Result<Vec<u8>, Finding> {
    match disk::read_small(path, MAX_MANIFEST_BYTES) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(too_long(path)),
        Err(error) => Err(finding::unreadable(path, &error)),
    }
}

fn too_long(path: &Path) -> Finding {
    let finding = Finding::at(Kind::InvalidManifest, path);
    finding.expected(format_args!("at most {MAX_MANIFEST_BYTES} bytes")).found("more")
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest, Finding> {
    manifest::parse(bytes).map_err(|error| Finding::at(Kind::InvalidManifest, path).found(error))
}
