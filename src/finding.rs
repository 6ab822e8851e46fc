//! Findings: what is wrong with the data, as values that are collected, sorted, counted and printed.
//!
//! A finding is never swallowed and never printed where it is made. What is wrong with the *world* (no
//! permission, no space) is an error instead.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::digest::Digest;
use crate::disk;
use crate::reference::Reference;

/// One thing that is wrong, or that a reader has to know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// Whether it costs an image.
    pub severity: Severity,
    /// What it is.
    pub kind: Kind,
    /// Where it was found.
    #[serde(serialize_with = "crate::text::path")]
    pub file: PathBuf,
    /// The content that is affected, where it is content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What had to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
    /// The images that it breaks; of a warning, the images that it speaks of.
    pub images: BTreeSet<Reference>,
    /// Whether it broke nothing because another file has the same content.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub healed: bool,
}

/// Whether a finding costs an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// An image is broken, missing or ambiguous.
    Error,
    /// No image is lost, but a person has to know.
    Warning,
}

/// Declares the kinds: each with its severity, the words that name it, and what to do next.
macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident => $severity:ident, $words:literal, $hint:literal;)*) => {
        /// What a finding is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Kind {
            $($(#[$doc])* $kind,)*
        }

        impl Kind {
            /// How bad it is, unless another copy heals it.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity,)* }
            }

            /// What it is called in a sentence.
            #[must_use]
            pub fn words(self) -> &'static str {
                match self { $(Self::$kind => $words,)* }
            }

            /// What to do next.
            #[must_use]
            pub fn hint(self) -> &'static str {
                match self { $(Self::$kind => $hint,)* }
            }
        }
    };
}

kinds! {
    /// A file's content has another digest than its name claims.
    CorruptBlob => Error, "corrupt blob", "copy its images again from where they came from";
    /// A file is longer or shorter than the manifest says.
    WrongSize => Error, "wrong size", "copy its images again from where they came from";
    /// No file holds the content at all.
    MissingBlob => Error, "missing blob", "copy its images again from where they came from";
    /// A tag or link names a manifest that is not there.
    MissingManifest => Error, "missing manifest", "copy its images again from where they came from";
    /// Bytes that cannot be read as a manifest.
    InvalidManifest => Error, "invalid manifest", "copy the image again from where it came from";
    /// The operating system refuses to read it.
    Unreadable => Error, "unreadable", "check its permissions and the health of the disk";
    /// A folder, symbolic link or device where a file has to be.
    NotAFile => Error, "neither a file nor a folder of its own", "put there what has to be there, no link to it";
    /// A name outside the registry's grammar.
    InvalidName => Error, "invalid name", "rename the folder to <repository>:<tag>, in lower case";
    /// A name that a rule made, outside the registry's grammar.
    InvalidNewName => Error, "invalid name at the destination", "change --rename or --prefix";
    /// Two images that would get the same name.
    NameConflict => Error, "two images under one name", "keep the hosts apart with --host keep, --rename one of them, or --merge-platforms where they are one image for several";
    /// A manifest of docker schema 1.
    Schema1 => Warning, "docker schema 1, which registries from 3.0 on do not serve and whose garbage collection stops at it", "keep it out of storage for such a registry";
    /// A link that an image needs is not there.
    MissingLink => Error, "missing link", "convert or push the image again";
    /// A folder that a registry needs is not there.
    MissingFolder => Error, "missing folder, without which a registry's garbage collection deletes the repository's content or stops", "create it";
    /// A tag that was, with its history, and points at nothing.
    TagWithoutLink => Error, "tag that points at nothing", "push the tag again, or remove its folder";
    /// A link that holds another digest than its folder's name.
    OtherLink => Error, "link to another digest than its folder's name", "push the image again, or remove the link";
    /// A link file that shares its inode with others.
    LinkedLink => Error, "hard-linked link file: a registry that moves one tag moves them all", "replace it by a copy of its own";
    /// A file that a registry or its garbage collection stumbles over.
    StrayFile => Error, "stray file that a registry, or its garbage collection, takes for something else", "remove it";
    /// A link to a blob that is not there, and that no image was seen to need.
    DanglingLink => Warning, "link to a blob that is not there", "remove the link, unless an image misses the blob";
    /// A blob that nothing needs.
    OrphanBlob => Warning, "blob that no image needs", "it can be removed: `bundle prune --untagged` does that";
    /// What an upload or an interrupted run left behind.
    Leftover => Warning, "leftover of an upload or of an interrupted run", "what bundle left, its next run removes; the rest, whoever runs the registry";
    /// Hard links that have another owner or mode than was asked for.
    KeptOwner => Warning, "linked blobs that keep their owner and mode, which they share with the source", "--link copy gives them their own";
    /// A version marker that newer skopeo refuses.
    OddVersion => Warning, "version marker that is missing or that newer skopeo refuses", "write the folder again with bundle or skopeo";
    /// A link file of the registry that does not hold a digest.
    InvalidLink => Error, "invalid link", "push the image again, or remove the link";
    /// Another layout below a tree of image folders, which was not read.
    UnreadLayout => Error, "another layout inside this tree, not read", "name it as a source of its own";
    /// A package that is not as it was written.
    DamagedPackage => Error, "damaged or altered package", "copy the package again from where it came from";
    /// A package of a format that this program does not know.
    UnknownPackage => Error, "package of another format", "use the version of bundle that wrote it, or a newer one";
    /// A volume of a package that is not there.
    MissingVolume => Error, "missing volume", "copy it beside the others";
    /// A volume of a package that is not as it was written.
    DamagedVolume => Error, "damaged volume", "copy this volume again from where it came from";
    /// Content that a package relies on, and the site does not have.
    MissingBase => Error, "wrong base: content that the package relies on is not there", "apply the packages before this one, or one that was made against this site's inventory";
    /// An OCI layout that cannot be read as one.
    InvalidLayout => Error, "invalid OCI layout", "write it again with the program that wrote it";
    /// A tar that is no archive of images, or not all of one.
    InvalidArchive => Error, "no whole archive of images", "save the images again, or unpack it and name what was in it";
    /// Images whose archive has neither their manifests nor their layers as a registry has them.
    NewDigests => Warning, "image whose digests its archive cannot give back: it gets new ones", "references by digest will not find it; take it from a registry or an OCI archive, or --accept-new-digests";
    /// What an OCI layout lists beside images.
    ForeignEntry => Warning, "entry of a list of images that is no image, left out", "keep the source if it is needed";
    /// Images that have a tag, or not even that, and no repository.
    BareTag => Warning, "images without a repository, called after the place where they lie", "--repository NAME names it";
    /// An image folder that a copy began and did not finish.
    IncompleteImage => Warning, "incomplete image folder, left out", "copy the image again if it is wanted";
    /// A folder of an image below another image's folder.
    NestedImage => Error, "an image inside another image's folder, not read", "move it out";
    /// An index that lists manifests which are not here.
    SparseIndex => Warning, "platforms that are listed but not here", "copy with `skopeo copy --all` to have them all";
    /// A list that stays as it is although a person left some of its platforms out.
    PlatformsLeftOut => Warning, "platforms that are listed but were not wanted: left out, and the list is kept with its digest", "--index rewrite makes a list of what is there";
    /// An image for none of the wanted platforms.
    NoPlatform => Error, "image for none of the wanted platforms", "--exclude it, or name one of its platforms";
    /// An image for some of the wanted platforms.
    LacksPlatform => Warning, "image that has not all of the wanted platforms", "it serves the others";
    /// A list of which one image should be taken, and there are more.
    SeveralImages => Error, "list of several images, of which one alone can have the name", "--platform OS/ARCHITECTURE chooses one, --index rewrite keeps several";
    /// An image that cannot be part of a list.
    CannotJoin => Error, "image that cannot become part of a list", "convert it from a tree of its own, under another name";
    /// Images that have a tag, or not even that, and that nobody gave a repository.
    NoRepository => Error, "images without a repository", "--repository NAME names it";
    /// A layer that is to be fetched from URLs and is not here.
    ForeignLayer => Warning, "foreign layer that is not here", "its image needs the layer's URLs at the site";
    /// Signature files, for which registry storage has no place.
    SignaturesLeftOut => Warning, "signatures that the target cannot hold, left out", "keep the source if they are needed";
    /// A folder named after a digest that holds another one, as skopeo writes one platform of a list.
    OtherDigest => Warning, "folder named after another digest than its content", "the image is found under the digest of its content; copy with --all to have the whole list";
    /// An image folder without a tag.
    NoTag => Warning, "image without a tag, taken as `latest`", "rename the folder to <repository>:<tag>";
    /// A registry host that the target's names cannot carry.
    HostDropped => Warning, "registry host with a port, which storage cannot hold; left out of the name", "images are found without it";
    /// A tag's folder without its link.
    EmptyTag => Warning, "tag without a link, left out", "push the tag again if it is wanted";
    /// A blob that nothing needs and that is not sound.
    SpoiledOrphan => Warning, "unsound blob that no image needs", "it can be removed: `bundle prune --untagged` does that";
}

/// Puts findings in order, each thing said once: what a graver finding tells as well is left out.
#[must_use]
pub fn settle(mut findings: Vec<Finding>) -> Vec<Finding> {
    // Paths are compared as bytes: comparing them part by part takes most of the time of a long list.
    let order = |it: &Finding| (it.severity, it.kind);
    findings.sort_by(|a, b| {
        let files = a.file.as_os_str().cmp(b.file.as_os_str());
        order(a).cmp(&order(b)).then(files).then_with(|| a.cmp(b))
    });
    findings.dedup_by(|later, first| {
        let is_same = first.kind == later.kind
            && first.digest == later.digest
            && first.file.as_os_str() == later.file.as_os_str();
        if is_same {
            first.images.append(&mut later.images);
        }
        is_same
    });
    let lost: HashSet<Digest> =
        findings.iter().filter(|finding| finding.is_error()).filter_map(|finding| finding.digest).collect();
    let mut told: HashMap<OsString, usize> = HashMap::new();
    for finding in &findings {
        *told.entry(finding.file.as_os_str().to_owned()).or_default() += 1;
    }
    findings.retain(|finding| match finding.kind {
        Kind::DanglingLink => finding.digest.is_none_or(|digest| !lost.contains(&digest)),
        Kind::OrphanBlob | Kind::StrayFile => told.get(finding.file.as_os_str()) == Some(&1),
        _ => true,
    });
    findings
}

/// What to say of a file that holds other content than its name claims.
#[must_use]
pub fn corrupt(path: &Path, digest: Digest, found: Digest) -> Finding {
    Finding::at(Kind::CorruptBlob, path).of(digest).expected(digest).found(found)
}

/// What to say of a file that cannot be read: it is none, or the system refuses.
#[must_use]
pub fn unreadable(path: &Path, error: &io::Error) -> Finding {
    match disk::what_is_no_file(error) {
        Some(what) => Finding::at(Kind::NotAFile, path).found(what),
        None => Finding::at(Kind::Unreadable, path).found(error),
    }
}

impl Finding {
    /// Starts a finding with its kind's own severity, about one file.
    #[must_use]
    pub fn at(kind: Kind, file: impl Into<PathBuf>) -> Self {
        Self {
            severity: kind.severity(),
            kind,
            file: file.into(),
            digest: None,
            expected: None,
            found: None,
            images: BTreeSet::new(),
            healed: false,
        }
    }

    /// The same, about content.
    #[must_use]
    pub fn of(self, digest: Digest) -> Self {
        Self { digest: Some(digest), ..self }
    }

    /// The same, with what had to be there.
    #[must_use]
    pub fn expected(self, expected: impl ToString) -> Self {
        Self { expected: Some(expected.to_string()), ..self }
    }

    /// The same, with what is there.
    #[must_use]
    pub fn found(self, found: impl ToString) -> Self {
        Self { found: Some(found.to_string()), ..self }
    }

    /// The same, for one more image.
    #[must_use]
    pub fn breaks(mut self, image: &Reference) -> Self {
        self.images.insert(image.clone());
        self
    }

    /// The same, where other content took its place.
    #[must_use]
    pub fn healed(self) -> Self {
        Self { severity: Severity::Warning, healed: true, ..self }
    }

    /// Whether it costs an image.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}
