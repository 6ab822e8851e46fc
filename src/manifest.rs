//! Manifests: a parsed view of bytes that are never rewritten.
//!
//! [`parse`] is the one place that knows what a manifest points at. Only parsed references count; digests
//! that merely occur in annotations, histories or URLs are text.

mod json;
mod parse;
mod signed;

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use parse::{InvalidManifest, parse, platform_of_config};
pub use signed::payload;

use crate::digest::Digest;

/// The largest manifest that registries and skopeo accept, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// The media type of layers that are not compressed (OCI image specification, `layer.md`).
pub const PLAIN_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// An edge: content that a manifest points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes, where the manifest says it: docker schema 1 does not.
    pub size: Option<u64>,
    /// What it runs on, where an index says so.
    pub platform: Option<Box<Platform>>,
    /// Whether an image can do without it.
    pub need: Need,
    /// Whether it is said to be a layer that is not compressed.
    pub is_plain_layer: bool,
    /// Which other entry of its list it is about: an attestation of `BuildKit`'s.
    pub about: Option<Box<Digest>>,
    /// The content itself, where the manifest carries it and it is what the digest says.
    pub data: Option<Box<Vec<u8>>>,
}

/// Whether an image can do without some content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// It cannot.
    Required,
    /// It is fetched from URLs where it is missing: a foreign layer.
    Foreign,
    /// It stands in a schema 1 manifest for a step that is repeated by the next one; skopeo leaves it out.
    Repeated,
}

/// What an image runs on; prints as `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct Platform {
    /// The operating system.
    #[serde(default, deserialize_with = "json::text")]
    pub os: Box<str>,
    /// The processor.
    #[serde(default, deserialize_with = "json::text")]
    pub architecture: Box<str>,
    /// The processor's variant, often empty.
    #[serde(default, deserialize_with = "json::text")]
    pub variant: Box<str>,
}

impl Platform {
    /// Whether it names a platform at all: attestations are listed as `unknown/unknown`.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let is_known = |part: &str| !part.is_empty() && part != "unknown";
        is_known(&self.os) && is_known(&self.architecture)
    }
}

impl Platform {
    /// The platform of a descriptor, as documents have it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut platform = json!({ "architecture": self.architecture, "os": self.os });
        if !self.variant.is_empty() {
            platform["variant"] = json!(self.variant);
        }
        platform
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if !self.variant.is_empty() {
            write!(f, "/{}", self.variant)?;
        }
        Ok(())
    }
}

impl Serialize for Platform {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Platform {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let mut parts = text.splitn(3, '/').map(Into::into);
        let mut part = || -> Box<str> { parts.next().unwrap_or_default() };
        Ok(Self { os: part(), architecture: part(), variant: part() })
    }
}

/// What a manifest is, whatever its bytes are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A single image: docker schema 2.
    DockerManifest,
    /// Several manifests under one name: a docker manifest list.
    DockerList,
    /// A single image or any other artifact: OCI.
    OciManifest,
    /// Several manifests under one name: an OCI index.
    OciIndex,
    /// A single image: docker schema 1, signed or not.
    Schema1,
}

impl Kind {
    /// The media type that says so. Of schema 1 it is that of the content that its digest names, without signatures.
    #[must_use]
    pub fn media_type(self) -> &'static str {
        match self {
            Self::DockerManifest => "application/vnd.docker.distribution.manifest.v2+json",
            Self::DockerList => "application/vnd.docker.distribution.manifest.list.v2+json",
            Self::OciManifest => "application/vnd.oci.image.manifest.v1+json",
            Self::OciIndex => "application/vnd.oci.image.index.v1+json",
            Self::Schema1 => "application/vnd.docker.distribution.manifest.v1+json",
        }
    }

    /// What content of a media type is, if it is a manifest.
    #[must_use]
    pub fn of_media_type(media_type: &str) -> Option<Self> {
        const ALL: [Kind; 4] = [Kind::DockerManifest, Kind::DockerList, Kind::OciManifest, Kind::OciIndex];
        // Schema 1 has several, for it may be signed.
        let is_schema1 = media_type.starts_with("application/vnd.docker.distribution.manifest.v1+");
        let kind = ALL.into_iter().find(|kind| kind.media_type() == media_type);
        kind.or(is_schema1.then_some(Self::Schema1))
    }

    /// Whether it names other manifests.
    #[must_use]
    pub fn is_index(self) -> bool {
        matches!(self, Self::DockerList | Self::OciIndex)
    }
}

/// What one manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: Kind,
    /// The length in bytes of what its digest names.
    pub size: u64,
    /// The image's configuration, where it has one.
    pub config: Option<Descriptor>,
    /// Its layers; of an index, the entries that are no manifests (caches of `BuildKit`).
    pub layers: Vec<Descriptor>,
    /// The manifests that it lists.
    pub manifests: Vec<Descriptor>,
    /// The manifest that it is about: it refers to that one, but does not need it.
    pub subject: Option<Digest>,
}

impl Manifest {
    /// All blobs that it needs: the configuration, then the layers in their order.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }
}
