//! From the files of one layout to the images in it; the files may lie in a folder or within an archive.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::super::entry::ByDigest;
use super::super::{Scan, claim, manifests};
use super::annotation::Name;
use super::index::{Index, Listed};
use super::{BLOBS, INDEX, MAX_INDEX_BYTES, VERSION_FILE};
use crate::catalog::{Image, gather};
use crate::digest::{Algorithm, Digest};
use crate::disk::{self, File, Folder, Look, Place};
use crate::finding::{self, Finding, Kind};
use crate::manifest;
use crate::reference::{Identifier, Reference, Repository};

/// The longest version file that is read, in bytes.
const MAX_VERSION_BYTES: u64 = 4096;

/// The files of one layout.
pub(in crate::layout) struct Files {
    /// The folder or archive that it is in.
    pub(in crate::layout) place: PathBuf,
    /// The repository that images are called by that have nothing but a tag.
    pub(in crate::layout) fallback: Repository,
    /// What says that it is a layout.
    pub(in crate::layout) version: Option<File>,
    /// The list of its images.
    pub(in crate::layout) index: Option<File>,
    /// All that lies where blobs lie.
    pub(in crate::layout) blobs: Vec<(Digest, File)>,
    /// What is wrong with them.
    pub(in crate::layout) findings: Vec<Finding>,
}

impl Files {
    /// Looks at the files of a layout's folder in the tree at `root`.
    pub(super) fn of_folder(root: &Path, folder: &Path) -> Self {
        let relative = folder.strip_prefix(root).unwrap_or(folder);
        let is_root = relative.as_os_str().is_empty();
        let mut files = Self {
            place: folder.to_owned(),
            fallback: if is_root { own_name(root) } else { fallback(relative) },
            version: None,
            index: None,
            blobs: Vec::new(),
            findings: Vec::new(),
        };
        files.version = files.small(&folder.join(VERSION_FILE));
        files.index = files.small(&folder.join(INDEX));
        for algorithm in Algorithm::ALL {
            files.blobs_of(algorithm, &folder.join(BLOBS).join(algorithm.name()));
        }
        files
    }

    fn small(&mut self, path: &Path) -> Option<File> {
        match disk::look(path) {
            Ok(Look::File(file)) => return Some(file),
            Ok(Look::Missing) => {}
            Ok(Look::Folder) => self.findings.push(Finding::at(Kind::NotAFile, path).found("a folder")),
            Ok(Look::Other(what)) => self.findings.push(Finding::at(Kind::NotAFile, path).found(what)),
            Err(error) => {
                self.findings.push(Finding::at(Kind::Unreadable, path).found(format_args!("{error:#}")));
            }
        }
        None
    }

    fn blobs_of(&mut self, algorithm: Algorithm, folder: &Path) {
        if let Some(link) = disk::link_between(&self.place, &folder.join("below")) {
            self.findings.push(Finding::at(Kind::NotAFile, link).found("a symbolic link"));
            return;
        }
        let opened = Folder::open(folder).and_then(|mut opened| Ok((opened.list()?, opened)));
        let (listed, folder) = match opened {
            Ok(opened) => opened,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => return self.findings.push(finding::unreadable(folder, &error)),
        };
        for (name, _) in listed {
            let digest = name.to_str().and_then(|hex| Digest::from_hex(algorithm, hex).ok());
            let Some(digest) = digest else { continue };
            match claim::file_in(&folder, Place::new(folder.path().clone(), name), digest) {
                Ok(file) => self.blobs.extend(file.map(|file| (digest, file))),
                Err(finding) => self.findings.push(finding),
            }
        }
    }
}

/// What a repository is called that no annotation names, in a layout that is no folder of a tree.
pub(super) fn own_name(layout: &Path) -> Repository {
    let own = fs::canonicalize(layout).ok();
    fallback(own.as_deref().and_then(Path::file_name).map_or(Path::new(""), Path::new))
}

/// What a repository is called that no annotation names: after the place, if that can be a name.
pub(in crate::layout) fn fallback(place: &Path) -> Repository {
    let name = place.to_str().and_then(|name| name.parse().ok());
    name.unwrap_or_else(Repository::unnamed)
}

/// Reads the images of a layout.
pub(in crate::layout) fn read(files: &Files) -> Scan {
    let mut scan = Scan { findings: files.findings.clone(), ..Scan::default() };
    for (digest, file) in &files.blobs {
        scan.catalog.add_file(*digest, file.clone());
    }
    scan.findings.extend(wrong_version(files));
    let listed = match listed(files) {
        Ok(listed) => listed,
        Err(finding) => {
            scan.findings.push(finding);
            return scan;
        }
    };
    let origin = &files.index.as_ref().map_or_else(|| files.place.clone(), |index| index.path());
    let mut images = Vec::new();
    for listed in listed {
        match listed {
            Ok(listed) if is_image(&listed.media_type) => images.push(listed),
            Ok(Listed { media_type, digest, .. }) => {
                scan.findings.push(Finding::at(Kind::ForeignEntry, origin).of(digest).found(media_type));
            }
            Err(why) => scan.findings.push(Finding::at(Kind::InvalidLayout, origin).found(why)),
        }
    }
    manifests::scan(images.iter().map(|image| image.digest), &mut scan);
    name_images(files, images, origin, &mut scan);
    scan.catalog.keep_inline();
    scan
}

/// Whether what a descriptor points at may be an image; one that says nothing may.
fn is_image(media_type: &str) -> bool {
    media_type.is_empty() || manifest::Kind::of_media_type(media_type).is_some()
}

fn wrong_version(files: &Files) -> Option<Finding> {
    #[derive(Deserialize)]
    struct Version {
        #[serde(rename = "imageLayoutVersion")]
        version: String,
    }
    let file = files.version.as_ref()?;
    let wrong = Finding::at(Kind::InvalidLayout, file.path()).expected("imageLayoutVersion 1.0.0");
    match file.read_small(MAX_VERSION_BYTES) {
        Ok(bytes) => match serde_json::from_slice(&bytes.unwrap_or_default()) {
            Ok(Version { version }) if version.starts_with("1.") => None,
            Ok(Version { version }) => Some(wrong.found(version)),
            Err(error) => Some(wrong.found(error)),
        },
        Err(error) => Some(finding::unreadable(&file.path(), &error)),
    }
}

fn listed(files: &Files) -> Result<Vec<Result<Listed, String>>, Finding> {
    let invalid = |path: &Path, why: String| Finding::at(Kind::InvalidLayout, path).found(why);
    let Some(file) = &files.index else {
        return Err(invalid(&files.place, format!("no {INDEX}")));
    };
    match file.read_small(MAX_INDEX_BYTES) {
        Ok(Some(bytes)) => match Index::parse(&bytes) {
            Ok(index) => Ok(index.listed().collect()),
            Err(why) => Err(invalid(&file.path(), why)),
        },
        Ok(None) => Err(invalid(&file.path(), format!("more than {MAX_INDEX_BYTES} bytes"))),
        Err(error) => Err(finding::unreadable(&file.path(), &error)),
    }
}

/// Gives the images their names; those that have but a tag, or nothing, are called after the layout's place.
fn name_images(files: &Files, images: Vec<Listed>, origin: &Path, scan: &mut Scan) {
    // What has no name of its own, and is found through something else, is no image of its own.
    let mut found: BTreeSet<Digest> =
        scan.catalog.manifests.values().flat_map(|it| &it.manifests).map(|child| child.digest).collect();
    found.extend(images.iter().filter(|image| image.name != Name::Bare(None)).map(|image| image.digest));
    let mut bare = Finding::at(Kind::BareTag, &files.place);
    let mut named = Vec::new();
    for Listed { digest, name, size, .. } in images {
        let called = |identifier| Reference { host: None, repository: files.fallback.clone(), identifier };
        let reference = match name {
            Name::Whole(reference) => own_digest(reference, digest, origin, &mut scan.findings),
            Name::Bare(None) if found.contains(&digest) => continue,
            Name::Bare(tag) => {
                let reference = called(tag.map_or(Identifier::Digest(digest), Identifier::Tag));
                bare.images.insert(reference.clone());
                reference
            }
            Name::Invalid(why) => {
                // Not about the content: that would make it a fault of a blob that nobody needs.
                let invalid = Finding::at(Kind::InvalidName, origin).expected("[<host>/]<repository>:<tag>");
                scan.findings.push(invalid.found(format_args!("{why}, of {digest}")));
                continue;
            }
        };
        let image = Image { digest, history: [digest].into_iter().collect(), origin: origin.to_owned() };
        named.extend(has_manifest(&reference, &image, size, files, scan).then_some((reference, image)));
    }
    let (images, conflicts) = gather(named);
    scan.catalog.images = images;
    scan.findings.extend(conflicts);
    if !bare.images.is_empty() {
        scan.findings.push(bare);
    }
}

/// A name that has a digest gets the one that its image has; a name with another one says so.
pub(in crate::layout) fn own_digest(
    reference: Reference,
    digest: Digest,
    origin: &Path,
    findings: &mut Vec<Finding>,
) -> Reference {
    let Identifier::Digest(named) = reference.identifier else { return reference };
    let reference = Reference { identifier: Identifier::Digest(digest), ..reference };
    if named != digest {
        let finding = Finding::at(Kind::OtherDigest, origin).of(digest);
        findings.push(finding.expected(named).found(digest).breaks(&reference));
    }
    reference
}

/// Whether an image's manifest is there, and as long as its descriptor says; if not, the findings say so.
fn has_manifest(
    reference: &Reference,
    image: &Image,
    size: Option<u64>,
    files: &Files,
    scan: &mut Scan,
) -> bool {
    let digest = image.digest;
    if let Some(manifest) = scan.catalog.manifests.get(&digest) {
        let said = size.filter(|size| *size != manifest.size);
        scan.findings.extend(said.map(|said| {
            Finding::at(Kind::WrongSize, &image.origin)
                .of(digest)
                .expected(format_args!("{said} bytes, says its descriptor"))
                .found(format_args!("{} bytes", manifest.size))
                .breaks(reference)
        }));
        return said.is_none();
    }
    let is_fault = |finding: &&mut Finding| finding.digest == Some(digest) && finding.is_error();
    match scan.findings.iter_mut().find(is_fault) {
        Some(fault) => drop(fault.images.insert(reference.clone())),
        None => {
            let path = ByDigest::below(&files.place.join(BLOBS)).place(&digest).path();
            let missing = Finding::at(Kind::MissingManifest, path).of(digest).expected(digest);
            scan.findings.push(missing.found("nothing, and index.json names it").breaks(reference));
        }
    }
    false
}
