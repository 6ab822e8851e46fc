//! Image folders made byte by byte, without any tool: of the kinds that no tool at hand writes, and broken ones.
//!
//! What is made here knows what it has to become: [`storage`], [`tree`] and [`layout::layout`] say, file by file,
//! what a registry and skopeo would find.

mod base64;
pub(crate) mod layout;
pub(crate) mod saved;
pub(crate) mod schema1;
mod standard;
mod storage;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

pub(crate) use base64::base64;
pub(crate) use standard::{artifact, docker, docker_layer, index, layer, oci, single};
pub(crate) use storage::storage;

use super::sha256;

/// The tree that these images make, each in the folder of its name: every file by relative path.
pub(crate) fn tree<'a>(images: impl IntoIterator<Item = &'a (String, Image)>) -> BTreeMap<String, Vec<u8>> {
    let files = |(name, image): &(String, Image)| {
        let files = image.files().into_iter();
        files.map(|(file, bytes)| (format!("{name}/{file}"), bytes)).collect::<Vec<_>>()
    };
    images.into_iter().flat_map(files).collect()
}

/// Writes files by relative path.
pub(crate) fn write(files: &BTreeMap<String, Vec<u8>>, root: &Path) {
    for (path, bytes) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
}

/// Content that is no manifest, and how manifests point at it.
#[derive(Debug, Clone)]
pub(crate) struct Blob {
    pub(crate) bytes: Vec<u8>,
    /// Its true digest, whatever the descriptor says.
    pub(crate) digest: String,
    pub(crate) descriptor: Value,
}

impl Blob {
    /// Names content by its sha256.
    pub(crate) fn new(media_type: &str, bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        let descriptor = json!({ "mediaType": media_type, "digest": digest, "size": bytes.len() });
        Self { bytes, digest, descriptor }
    }

    /// The same content, named by its sha512.
    pub(crate) fn by_sha512(self) -> Self {
        let digest = sha512(&self.bytes);
        Self { digest: digest.clone(), ..self.described("digest", digest) }
    }

    /// The same content, of which manifests say this as well, or instead.
    pub(crate) fn described(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.descriptor[key] = value.into();
        self
    }
}

/// An image with all that is here of it: what it stands on and may be missing is simply not in it.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// What a registry calls its manifest.
    pub(crate) media_type: String,
    /// Its `manifest.json`.
    pub(crate) manifest: Vec<u8>,
    /// What its digest is made of: the manifest itself, unless it is signed.
    pub(crate) payload: Vec<u8>,
    /// The hash function that names it, in front of the colon.
    pub(crate) algorithm: &'static str,
    pub(crate) blobs: Vec<Blob>,
    pub(crate) children: Vec<Self>,
    /// Further files of its folder.
    pub(crate) others: BTreeMap<String, Vec<u8>>,
    pub(crate) spelling: Spelling,
}

/// How files are named whose digest is not a sha256.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    /// `sha512-<hex>`, of which version 1.2 tells.
    Prefixed,
    /// `<hex>`, as in version 1.1.
    Plain,
}

impl Image {
    /// A manifest of exactly these bytes.
    pub(crate) fn verbatim(media_type: &str, manifest: impl Into<Vec<u8>>, blobs: &[Blob]) -> Self {
        let manifest = manifest.into();
        Self {
            media_type: media_type.to_owned(),
            payload: manifest.clone(),
            manifest,
            algorithm: "sha256",
            blobs: blobs.to_vec(),
            children: Vec::new(),
            others: BTreeMap::new(),
            spelling: Spelling::Prefixed,
        }
    }

    /// A manifest with this document, spaced as no tool would write it anew.
    pub(crate) fn of(media_type: &str, document: &Value, blobs: &[Blob]) -> Self {
        let spaced = serde_json::to_string_pretty(document).unwrap() + " \n\n";
        Self::verbatim(media_type, spaced, blobs)
    }

    /// The same image with another document, and thus another digest.
    pub(crate) fn edited(self, edit: impl FnOnce(&mut Value)) -> Self {
        let mut document = serde_json::from_slice(&self.manifest).unwrap();
        edit(&mut document);
        let Self { manifest, payload, .. } = Self::of(&self.media_type, &document, &[]);
        Self { manifest, payload, ..self }
    }

    /// The same image, of which the blob or child with this digest is not here.
    pub(crate) fn without(mut self, digest: &str) -> Self {
        self.blobs.retain(|blob| blob.digest != digest);
        self.children.retain(|child| child.digest() != digest);
        self.children = self.children.into_iter().map(|child| child.without(digest)).collect();
        self
    }

    /// The same image with one more file in its folder, or with another content of one.
    pub(crate) fn with_file(mut self, name: &str, bytes: impl Into<Vec<u8>>) -> Self {
        self.others.insert(name.to_owned(), bytes.into());
        self
    }

    /// What registry storage keeps of it: payloads and blobs, but no signatures and no spellings.
    pub(crate) fn kept(&self) -> Self {
        Self {
            manifest: self.payload.clone(),
            children: self.children.iter().map(Self::kept).collect(),
            others: BTreeMap::new(),
            spelling: Spelling::Prefixed,
            ..self.clone()
        }
    }

    pub(crate) fn digest(&self) -> String {
        match self.algorithm {
            "sha512" => sha512(&self.payload),
            _ => sha256(&self.payload),
        }
    }

    /// How an index points at it.
    pub(crate) fn descriptor(&self) -> Value {
        json!({ "mediaType": self.media_type, "digest": self.digest(), "size": self.payload.len() })
    }

    /// The image, its children, and theirs.
    pub(crate) fn all(&self) -> Vec<&Self> {
        [self].into_iter().chain(self.children.iter().flat_map(Self::all)).collect()
    }

    /// Its folder's files by name.
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.all();
        let children = all[1..].iter().map(|child| {
            (format!("{}.manifest.json", self.file_name(&child.digest())), child.manifest.clone())
        });
        let blobs = all.iter().flat_map(|image| &image.blobs);
        let blobs = blobs.map(|blob| (self.file_name(&blob.digest), blob.bytes.clone()));
        let mut files: BTreeMap<_, _> = children.chain(blobs).collect();
        let version = if files.keys().any(|name| name.starts_with("sha512-")) { "1.2" } else { "1.1" };
        files.insert("version".to_owned(), format!("Directory Transport Version: {version}\n").into());
        files.insert("manifest.json".to_owned(), self.manifest.clone());
        files.extend(self.others.clone());
        files
    }

    fn file_name(&self, digest: &str) -> String {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        match (algorithm, self.spelling) {
            ("sha256", _) | (_, Spelling::Plain) => hex.to_owned(),
            (_, Spelling::Prefixed) => format!("{algorithm}-{hex}"),
        }
    }
}

fn sha512(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hex: String = sha2::Sha512::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha512:{hex}")
}
