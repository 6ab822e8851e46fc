//! Reads one image folder: its name, its manifests, and the files that claim to be its blobs.

use std::fs;
use std::path::Path;

use super::super::claim::{self, Named};
use super::walk::{holds_image, other_layouts};
use super::{MANIFEST, blob_digest, name};
use crate::catalog::{File, Image};
use crate::digest::{Algorithm, Digest};
use crate::disk::{EntryKind, Folder as DiskFolder, Place};
use crate::finding::{self, Finding, Kind};
use crate::manifest::Manifest;
use crate::reference::{Identifier, Reference};

/// What one folder holds.
#[derive(Default)]
pub(super) struct Folder {
    /// The image, unless its name or its manifest is unusable.
    pub(super) image: Option<(Reference, Image)>,
    pub(super) manifests: Vec<(Digest, Manifest)>,
    pub(super) files: Vec<(Digest, File)>,
    /// What the digests of signed manifests name, for their files do not hold just that.
    pub(super) payloads: Vec<(Digest, Box<[u8]>)>,
    pub(super) findings: Vec<Finding>,
}

/// Reads the image folder `path` of the tree at `root`.
pub(super) fn read(root: &Path, path: &Path) -> Folder {
    let mut folder = Folder::default();
    let reference = folder.name(root, path);
    if let Err(error) = folder.files(path, reference.as_ref()) {
        folder.findings.push(Finding::at(Kind::Unreadable, path).found(error));
    }
    let Some(reference) = reference else { return folder };
    if let Some(digest) = folder.manifest(&path.join(MANIFEST), &reference) {
        if let Identifier::Digest(named) = reference.identifier
            && named != digest
        {
            let finding = Finding::at(Kind::OtherDigest, path).expected(named).found(digest);
            folder.findings.push(finding.breaks(&reference));
        }
        // Where a folder is named after another digest, only the content's own is true.
        let identifier = match reference.identifier {
            Identifier::Tag(tag) => Identifier::Tag(tag),
            Identifier::Digest(_) => Identifier::Digest(digest),
        };
        let image = Image { digest, history: [digest].into_iter().collect(), origin: path.to_owned() };
        folder.image = Some((Reference { identifier, ..reference }, image));
    }
    folder
}

impl Folder {
    /// The name that the folder's path gives the image.
    fn name(&mut self, root: &Path, path: &Path) -> Option<Reference> {
        let relative = match path.strip_prefix(root) {
            // A tree that is one image folder itself is named by that folder.
            Ok(relative) if relative.as_os_str().is_empty() => {
                let own = fs::canonicalize(root).ok();
                own.and_then(|root| root.file_name().map(Into::into)).unwrap_or_default()
            }
            Ok(relative) => relative.to_owned(),
            Err(_) => path.to_owned(),
        };
        match name::read(&relative) {
            Ok(named) => {
                if named.is_implied {
                    self.findings.push(Finding::at(Kind::NoTag, path).breaks(&named.reference));
                }
                Some(named.reference)
            }
            Err(reason) => {
                let finding = Finding::at(Kind::InvalidName, path);
                self.findings.push(finding.expected("[<host>/]<repository>:<tag>").found(reason));
                None
            }
        }
    }

    /// Takes in all files but `manifest.json`.
    fn files(&mut self, path: &Path, image: Option<&Reference>) -> std::io::Result<()> {
        // The tree may be one image folder, which a person named, be it by a link.
        let mut folder = DiskFolder::open_named(path)?;
        let mut has_signatures = false;
        for (name, kind) in folder.list()? {
            let Some(name) = name.to_str() else { continue };
            if kind == EntryKind::Folder {
                let path = path.join(name);
                if holds_image(&path, usize::MAX) {
                    self.findings.push(Finding::at(Kind::NestedImage, &path));
                }
                let unread = other_layouts(&path).into_iter();
                self.findings.extend(unread.map(|layout| Finding::at(Kind::UnreadLayout, layout)));
            }
            let place = Place::new(folder.path().clone(), name);
            if let Some(digest) = name.strip_suffix(".manifest.json").and_then(blob_digest) {
                self.child(digest, &place.path());
            } else if let Some(digest) = blob_digest(name) {
                self.take_in(digest, claim::file_in(&folder, place, digest));
            }
            has_signatures |= name.contains("signature-");
        }
        if has_signatures {
            let finding = Finding::at(Kind::SignaturesLeftOut, path);
            self.findings.push(image.into_iter().fold(finding, Finding::breaks));
        }
        Ok(())
    }

    /// Takes in the manifest of a list; it counts only under the digest that its file is named after.
    fn child(&mut self, digest: Digest, path: &Path) {
        match claim::named_by_content(path, digest.algorithm()) {
            Ok(named) if named.digest == digest => self.named(path, named),
            Ok(Named { digest: found, .. }) => {
                self.file(digest, path);
                self.findings.push(finding::corrupt(path, digest, found));
            }
            Err(finding) => {
                self.file(digest, path);
                // Bytes that are no manifest are, first of all, not the bytes that they have to be.
                let hashed = claim::manifest(path, digest).err();
                self.findings.push(hashed.unwrap_or_else(|| finding.of(digest)));
            }
        }
    }

    /// Takes in the image's own manifest; its digest is that of its content.
    fn manifest(&mut self, path: &Path, image: &Reference) -> Option<Digest> {
        // A folder that is named by a digest says which algorithm its readers will use.
        let algorithm = match &image.identifier {
            Identifier::Digest(named) => named.algorithm(),
            Identifier::Tag(_) => Algorithm::Sha256,
        };
        match claim::named_by_content(path, algorithm) {
            Ok(named) => {
                let digest = named.digest;
                self.named(path, named);
                Some(digest)
            }
            Err(finding) => {
                self.findings.push(finding.breaks(image));
                None
            }
        }
    }

    fn named(&mut self, path: &Path, named: Named) {
        let Named { digest, manifest, payload } = named;
        match payload {
            Some(payload) => self.payloads.push((digest, payload)),
            None => self.file(digest, path),
        }
        self.manifests.push((digest, manifest));
    }

    fn file(&mut self, digest: Digest, path: &Path) {
        self.take_in(digest, claim::file(path, digest));
    }

    fn take_in(&mut self, digest: Digest, looked: Result<Option<File>, Finding>) {
        match looked {
            Ok(file) => self.files.extend(file.map(|file| (digest, file))),
            Err(finding) => self.findings.push(finding),
        }
    }
}
