//! The model: what images, manifests and blobs there are, without how they lie on disk, and its algebra.
//!
//! Maps are ordered, because order is part of the result. Each digest is held once, with every file that
//! claims to hold it; whether a file keeps its word is found out later, by hashing.

mod join;
mod referrers;
mod remarks;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use smallvec::SmallVec;

use crate::digest::{Algorithm, Digest};
pub use crate::disk::File;
use crate::manifest::{self, Descriptor, InvalidManifest, MAX_MANIFEST_BYTES, Manifest, Need, Platform};
use crate::reference::{Reference, Repository};
use crate::text::shown;
pub use join::{Resolve, gather, gather_with, refuse};
pub use referrers::is_made_of_digest;

/// Everything that a tree holds.
#[derive(Debug, Default)]
pub struct Catalog {
    /// The images by name. Each one's manifest is in `manifests`.
    pub images: BTreeMap<Reference, Image>,
    /// All manifests that were read and have the digest that names them.
    pub manifests: BTreeMap<Digest, Manifest>,
    /// All content, manifests too, with the files that claim to hold it.
    pub blobs: BTreeMap<Digest, Blob>,
    /// Which blobs a repository may serve, beyond what its images need: the name asked for, and the digest
    /// whose content answers (the same, but for a blob that was uploaded under another algorithm).
    pub grants: BTreeMap<Repository, BTreeMap<Digest, Digest>>,
    /// Blobs that no repository knows but that lie in the storage.
    pub orphans: BTreeSet<Digest>,
    /// Content that no file holds as it is: what descriptors carry themselves, payloads of signed manifests.
    pub inline: BTreeMap<Digest, Box<[u8]>>,
    /// Content that is not here, but at the site that a patch is for, with its size in bytes.
    pub elsewhere: BTreeMap<Digest, u64>,
    /// Manifests that a person left out of the lists that name them.
    pub left_out: BTreeSet<Digest>,
    /// What manifests run on, where neither a list nor a configuration that is here tells it.
    pub platforms: BTreeMap<Digest, Platform>,
}

/// Digests in their order, each once; nearly always one.
pub type Past = SmallVec<[Digest; 1]>;

/// What a name stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// The digest of its manifest.
    pub digest: Digest,
    /// The digests that the tag ever pointed at, where the layout remembers them.
    pub history: Past,
    /// The folder or link that named it, for messages.
    pub origin: PathBuf,
}

/// Files that hold the same; nearly always one or two.
pub type Files = SmallVec<[File; 2]>;

/// One digest's files.
#[derive(Debug, Clone, Default)]
pub struct Blob {
    /// Every file that claims to hold it, in the order of their paths.
    pub files: Files,
}

/// All that an image stands on.
#[derive(Debug, Default)]
pub struct Closure<'c> {
    /// Its manifests, children before parents, with their heights: an image without children has 0.
    pub manifests: Vec<(Digest, u32)>,
    /// Its blobs, each digest once, in the digests' order.
    pub blobs: BTreeMap<Digest, &'c Descriptor>,
    /// The manifests that it lists and the catalog does not have.
    pub absent: BTreeMap<Digest, &'c Descriptor>,
    /// The layers that are to be fetched from URLs and that the catalog does not have.
    pub foreign: BTreeMap<Digest, &'c Descriptor>,
}

impl Catalog {
    /// Follows an image's manifests down to all that it stands on.
    ///
    /// Each digest is visited once, so lists that share children, however deep, stay cheap.
    #[must_use]
    pub fn closure(&self, root: Digest) -> Closure<'_> {
        let mut closure = Closure::default();
        // Nearly every image is a manifest that lists no others.
        if let Some(manifest) = self.manifests.get(&root).filter(|manifest| manifest.manifests.is_empty()) {
            closure.manifests.push((root, 0));
            self.add_blobs(manifest, &mut closure);
            return closure;
        }
        let mut heights: HashMap<Digest, u32> = HashMap::new();
        let mut entered: HashSet<Digest> = HashSet::new();
        let mut path = vec![root];
        while let Some(&digest) = path.last() {
            let Some(manifest) = self.manifests.get(&digest) else {
                path.pop();
                continue;
            };
            if entered.insert(digest) {
                for child in &manifest.manifests {
                    if !self.manifests.contains_key(&child.digest) {
                        closure.absent.insert(child.digest, child);
                    } else if !entered.contains(&child.digest) {
                        path.push(child.digest);
                    }
                }
                continue;
            }
            path.pop();
            if heights.contains_key(&digest) {
                continue;
            }
            let children = manifest.manifests.iter().filter_map(|child| heights.get(&child.digest));
            let height = children.max().map_or(0, |height| height + 1);
            heights.insert(digest, height);
            closure.manifests.push((digest, height));
            self.add_blobs(manifest, &mut closure);
        }
        closure
    }

    fn add_blobs<'c>(&self, manifest: &'c Manifest, closure: &mut Closure<'c>) {
        let is_here = |blob: &Descriptor| self.blobs.contains_key(&blob.digest);
        for blob in manifest.blobs() {
            match blob.need {
                Need::Foreign if !is_here(blob) => closure.foreign.insert(blob.digest, blob),
                Need::Repeated if !is_here(blob) => continue,
                _ => closure.blobs.insert(blob.digest, blob),
            };
        }
    }

    /// Which images stand on each digest.
    #[must_use]
    pub fn users(&self) -> HashMap<Digest, BTreeSet<&Reference>> {
        let mut users: HashMap<Digest, BTreeSet<&Reference>> = HashMap::new();
        for (reference, image) in &self.images {
            let closure = self.closure(image.digest);
            let manifests = closure.manifests.iter().map(|(digest, _)| digest);
            for digest in manifests.chain(closure.blobs.keys()).chain(closure.absent.keys()) {
                users.entry(*digest).or_default().insert(reference);
            }
        }
        users
    }

    /// Keeps the content that descriptors carry themselves, where no file holds it.
    pub fn keep_inline(&mut self) {
        for manifest in self.manifests.values_mut() {
            for blob in manifest.config.iter_mut().chain(&mut manifest.layers) {
                if let Some(data) = blob.data.take()
                    && !self.blobs.contains_key(&blob.digest)
                {
                    self.inline.insert(blob.digest, data.into_boxed_slice());
                }
            }
        }
    }

    /// The files that claim to hold some content.
    #[must_use]
    pub fn files_of(&self, digest: &Digest) -> &[File] {
        self.blobs.get(digest).map(|blob| blob.files.as_slice()).unwrap_or_default()
    }

    /// How long some content of an image is, in bytes: as its manifest says, or else as its file is.
    #[must_use]
    pub fn size_of(&self, blob: &Descriptor) -> u64 {
        let file = || Some(self.blobs.get(&blob.digest)?.files.first()?.size);
        blob.size.or_else(file).unwrap_or_default()
    }

    /// All content that an image needs, with its sizes in bytes.
    #[must_use]
    pub fn contents_of(&self, image: Digest) -> BTreeMap<Digest, u64> {
        let closure = self.closure(image);
        let manifests = closure.manifests.iter();
        let manifests = manifests.filter_map(|(digest, _)| Some((*digest, self.manifests.get(digest)?.size)));
        let blobs = closure.blobs.iter().map(|(digest, descriptor)| (*digest, self.size_of(descriptor)));
        manifests.chain(blobs).collect()
    }

    /// All content that the images need, with its sizes in bytes.
    #[must_use]
    pub fn contents(&self) -> BTreeMap<Digest, u64> {
        let mut contents = BTreeMap::new();
        let images: BTreeSet<Digest> = self.images.values().map(|image| image.digest).collect();
        for image in images {
            contents.extend(self.contents_of(image));
        }
        contents
    }

    /// Reads a manifest's bytes once more, from the first file that still holds them.
    ///
    /// # Errors
    /// When none can be read, or does.
    pub fn manifest_bytes(&self, digest: Digest) -> Result<Vec<u8>> {
        if let Some(payload) = self.inline.get(&digest) {
            return Ok(payload.to_vec());
        }
        let files = self.files_of(&digest);
        for file in files {
            let read = file.read_small(MAX_MANIFEST_BYTES);
            if let Some(bytes) = read.with_context(|| format!("cannot read {}", shown(&file.path())))?
                && Digest::of(digest.algorithm(), &bytes) == digest
            {
                return Ok(bytes);
            }
        }
        let changed = io::Error::other("it was changed while it was being read");
        Err(changed).with_context(|| match files.first() {
            Some(file) => format!("cannot read {}", shown(&file.path())),
            None => format!("cannot read the manifest {digest}"),
        })
    }

    /// Adds a manifest that no file holds; returns its digest.
    ///
    /// # Errors
    /// When it is none.
    pub fn add_made_up(&mut self, bytes: Vec<u8>) -> Result<Digest, InvalidManifest> {
        let manifest = manifest::parse(&bytes)?;
        let digest = Digest::of(Algorithm::Sha256, &bytes);
        self.manifests.insert(digest, manifest);
        self.inline.insert(digest, bytes.into_boxed_slice());
        Ok(digest)
    }

    /// Adds a file that claims to hold `digest`.
    pub fn add_file(&mut self, digest: Digest, file: File) {
        self.blobs.entry(digest).or_default().files.push(file);
    }

    /// Adds files that claim to hold digests, of which it has none yet.
    pub fn add_files(&mut self, mut files: Vec<(Digest, File)>) {
        files.sort_by_key(|(digest, _)| *digest);
        let alike = files.chunk_by(|(a, _), (b, _)| a == b);
        let blob = |alike: &[(Digest, File)]| {
            (alike[0].0, Blob { files: alike.iter().map(|(_, file)| file.clone()).collect() })
        };
        self.blobs = alike.map(blob).collect();
    }

    /// The images that a person chose, without what is there for the others' sake: history, grants and blobs
    /// that no image needs.
    #[must_use]
    pub fn select(mut self, wanted: &BTreeSet<Reference>) -> Self {
        self.images.retain(|reference, _| wanted.contains(reference));
        self.images.values_mut().for_each(|image| image.history.clear());
        self.grants.clear();
        self.orphans.clear();
        self
    }

    /// Leaves out the broken images and the unsound blobs.
    pub fn leave_out(&mut self, broken: &BTreeSet<Reference>, unsound: &BTreeSet<Digest>) {
        self.images.retain(|reference, _| !broken.contains(reference));
        self.orphans.retain(|digest| !unsound.contains(digest));
        for grants in self.grants.values_mut() {
            grants.retain(|_, target| !unsound.contains(target));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(text: &str) -> Digest {
        Digest::of(Algorithm::Sha256, text.as_bytes())
    }

    fn descriptor(name: &str) -> Descriptor {
        Descriptor {
            is_plain_layer: false,
            digest: digest(name),
            size: Some(1),
            platform: None,
            need: Need::Required,
            about: None,
            data: None,
        }
    }

    fn manifest(children: &[&str], layers: &[&str]) -> Manifest {
        Manifest {
            kind: crate::manifest::Kind::OciIndex,
            size: 1,
            config: None,
            layers: layers.iter().map(|name| descriptor(name)).collect(),
            manifests: children.iter().map(|name| descriptor(name)).collect(),
            subject: None,
        }
    }

    fn catalog(manifests: &[(&str, Manifest)]) -> Catalog {
        let manifests = manifests.iter().map(|(name, manifest)| (digest(name), manifest.clone())).collect();
        Catalog { manifests, ..Catalog::default() }
    }

    #[test]
    fn a_closure_lists_children_first_and_each_digest_once() {
        let catalog = catalog(&[
            ("root", manifest(&["inner", "leaf", "gone"], &[])),
            ("inner", manifest(&["leaf"], &["cache"])),
            ("leaf", manifest(&[], &["a", "b"])),
        ]);
        let closure = catalog.closure(digest("root"));
        assert_eq!(closure.manifests, [(digest("leaf"), 0), (digest("inner"), 1), (digest("root"), 2)]);
        assert_eq!(closure.blobs.len(), 3);
        assert_eq!(closure.absent.keys().collect::<Vec<_>>(), [&digest("gone")]);
    }

    #[test]
    fn lists_that_fan_out_stay_cheap_and_cycles_end() {
        let names: Vec<String> = (0..60).map(|level| format!("level {level}")).collect();
        let mut manifests = Vec::new();
        for pair in names.windows(2) {
            manifests.push((pair[0].as_str(), manifest(&[&pair[1], &pair[1], &pair[1]], &[])));
        }
        manifests.push((names[59].as_str(), manifest(&["level 0"], &["a"])));
        let catalog = catalog(&manifests);
        assert_eq!(catalog.closure(digest("level 0")).manifests.len(), 60);
    }
}
