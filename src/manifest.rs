//! Manifests: a parsed view of bytes that are never rewritten.
//!
//! [`parse`] is the one place that knows what a manifest points at. Only parsed references count; digests
//! that merely occur in annotations, histories or URLs are text.

mod json;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The largest manifest that registries and skopeo accept, in bytes.
pub const MAX_MANIFEST_BYTES: u64 = 4 << 20;

/// An edge: content that a manifest points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What the content is said to be.
    pub media_type: Box<str>,
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What it runs on, where an index says so.
    pub platform: Option<Platform>,
    /// Whether it may be missing here because it is fetched from URLs: a foreign layer.
    pub is_foreign: bool,
}

/// What an image runs on; prints as `linux/arm64/v8`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
pub struct Platform {
    /// The operating system.
    #[serde(default)]
    pub os: Box<str>,
    /// The processor.
    #[serde(default)]
    pub architecture: Box<str>,
    /// The processor's variant, often empty.
    #[serde(default)]
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

/// What a manifest is, whatever its bytes are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A single image: docker schema 2.
    DockerManifest,
    /// Several manifests under one name: a docker manifest list.
    DockerList,
    /// A single image or any other artifact: OCI.
    OciManifest,
    /// Several manifests under one name: an OCI index.
    OciIndex,
}

impl Kind {
    /// Whether it names other manifests.
    #[must_use]
    pub fn is_index(self) -> bool {
        matches!(self, Self::DockerList | Self::OciIndex)
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        Some(match media_type {
            "application/vnd.docker.distribution.manifest.v2+json" => Self::DockerManifest,
            "application/vnd.docker.distribution.manifest.list.v2+json" => Self::DockerList,
            "application/vnd.oci.image.manifest.v1+json" => Self::OciManifest,
            "application/vnd.oci.image.index.v1+json" => Self::OciIndex,
            _ => return None,
        })
    }
}

/// What one manifest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// What it is.
    pub kind: Kind,
    /// Its length in bytes.
    pub size: u64,
    /// The image's configuration, where it has one.
    pub config: Option<Descriptor>,
    /// Its layers; of an index, the entries that are no manifests (caches of `BuildKit`).
    pub layers: Vec<Descriptor>,
    /// The manifests that it lists.
    pub manifests: Vec<Descriptor>,
}

impl Manifest {
    /// All blobs that it needs: the configuration, then the layers in their order.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        self.config.iter().chain(&self.layers)
    }
}

/// Why bytes are not a manifest that can be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidManifest(String);

impl fmt::Display for InvalidManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidManifest {}

/// A manifest's document with Go's case-folded keys; every kind in one, as only the content tells them apart.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "schemaversion")]
    schema_version: Option<u64>,
    #[serde(rename = "mediatype")]
    media_type: Option<String>,
    config: Option<Edge>,
    layers: Option<Vec<Edge>>,
    manifests: Option<Vec<Edge>>,
    #[serde(rename = "fslayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
struct Edge {
    #[serde(rename = "mediatype", default)]
    media_type: String,
    digest: String,
    size: u64,
    platform: Option<Platform>,
    #[serde(default)]
    urls: Option<Vec<String>>,
}

impl Edge {
    fn describe(self) -> Result<Descriptor, InvalidManifest> {
        let digest = self.digest.parse().map_err(|error| InvalidManifest(format!("{error}")))?;
        if i64::try_from(self.size).is_err() {
            return Err(InvalidManifest(format!("{digest} has the impossible size {}", self.size)));
        }
        // The two families whose layers registries do not insist on (distribution,
        // schema2manifesthandler.go and ocimanifesthandler.go).
        let may_be_foreign =
            self.media_type.contains(".foreign.") || self.media_type.contains(".nondistributable.");
        Ok(Descriptor {
            digest,
            size: self.size,
            platform: self.platform,
            is_foreign: may_be_foreign && self.urls.is_some_and(|urls| !urls.is_empty()),
            media_type: self.media_type.into(),
        })
    }
}

/// Reads a manifest of any kind; the kind is found as containers/image and distribution find it.
///
/// # Errors
/// When the bytes are no JSON, of a kind that cannot be carried, or at odds with their kind; the message
/// says what is wrong with them.
pub fn parse(bytes: &[u8]) -> Result<Manifest, InvalidManifest> {
    let value = json::parse(bytes).map_err(|error| InvalidManifest(format!("not JSON: {error}")))?;
    if value.is_array() {
        return Err(InvalidManifest(
            "a JSON array: this is an unpacked `docker save` archive, not an image folder".to_owned(),
        ));
    }
    let document: Document =
        serde_json::from_value(value).map_err(|error| InvalidManifest(format!("not a manifest: {error}")))?;
    let kind = document.kind()?;
    document.check(kind)?;
    let describe = |edges: Option<Vec<Edge>>| -> Result<Vec<Descriptor>, InvalidManifest> {
        edges.unwrap_or_default().into_iter().map(Edge::describe).collect()
    };
    let mut layers = describe(document.layers)?;
    let mut manifests = Vec::new();
    for listed in describe(document.manifests)? {
        // A docker list can hold nothing but manifests; an OCI index says of each entry what it is.
        let is_manifest = kind == Kind::DockerList
            || listed.media_type.is_empty()
            || Kind::of_media_type(&listed.media_type).is_some();
        if is_manifest { manifests.push(listed) } else { layers.push(listed) }
    }
    let config = document.config.map(Edge::describe).transpose()?;
    Ok(Manifest { kind, size: bytes.len() as u64, config, layers, manifests })
}

impl Document {
    fn kind(&self) -> Result<Kind, InvalidManifest> {
        if let Some(kind) = self.media_type.as_deref().and_then(Kind::of_media_type) {
            return Ok(kind);
        }
        match self.schema_version {
            Some(2) => Ok(match &self.config {
                Some(config) if config.media_type == "application/vnd.docker.container.image.v1+json" => {
                    Kind::DockerManifest
                }
                None if self.manifests.is_some() => Kind::OciIndex,
                _ => Kind::OciManifest,
            }),
            Some(1) => Err(InvalidManifest("docker schema 1: this version cannot carry it".to_owned())),
            Some(version) => Err(InvalidManifest(format!("unknown schemaVersion {version}"))),
            None => Err(InvalidManifest(match &self.media_type {
                Some(media_type) => format!("unknown media type {media_type:?}"),
                None => "neither schemaVersion nor mediaType".to_owned(),
            })),
        }
    }

    /// The rules by which registry and skopeo reject a document that could be read as two kinds at once.
    fn check(&self, kind: Kind) -> Result<(), InvalidManifest> {
        let has_image = self.config.is_some() || self.layers.is_some() || self.fs_layers.is_some();
        if kind.is_index() && has_image {
            return Err(InvalidManifest("an index with the config or layers of an image".to_owned()));
        }
        if !kind.is_index() && self.manifests.is_some() {
            return Err(InvalidManifest("an image with the manifests of an index".to_owned()));
        }
        if !kind.is_index() && self.config.is_none() {
            return Err(InvalidManifest("an image without config".to_owned()));
        }
        Ok(())
    }
}

/// Reads the platform out of an image's configuration; `None` where it does not say.
#[must_use]
pub fn platform_of_config(bytes: &[u8]) -> Option<Platform> {
    let platform: Platform = serde_json::from_value(json::parse(bytes).ok()?).ok()?;
    (!platform.os.is_empty() || !platform.architecture.is_empty()).then_some(platform)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn edge(media_type: &str, more: &str) -> String {
        format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{HEX}","size":3{more}}}"#)
    }

    #[test]
    fn finds_the_kind_as_the_real_programs_do() {
        let oci = edge("application/vnd.oci.image.config.v1+json", "");
        let docker = edge("application/vnd.docker.container.image.v1+json", "");
        let child = edge("application/vnd.oci.image.manifest.v1+json", "");
        for (text, kind) in [
            (format!(r#"{{"schemaVersion":2,"config":{oci},"layers":[]}}"#), Kind::OciManifest),
            (format!(r#"{{"schemaVersion":2,"config":{docker},"layers":[]}}"#), Kind::DockerManifest),
            (format!(r#"{{"schemaVersion":2,"manifests":[{child}]}}"#), Kind::OciIndex),
            (r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), Kind::OciIndex),
            (
                r#"{"mediaType":"application/vnd.docker.distribution.manifest.list.v2+json","manifests":[]}"#
                    .to_owned(),
                Kind::DockerList,
            ),
        ] {
            assert_eq!(parse(text.as_bytes()).map(|manifest| manifest.kind), Ok(kind), "{text}");
        }
    }

    #[test]
    fn sees_what_go_sees() {
        let config = edge("c", "");
        let layer = edge("l", "");
        let text =
            format!(r#"{{"SCHEMAVERSION":2,"Config":{config},"layers":[],"LAYERS":[{layer},{layer}]}}"#);
        let manifest = parse(text.as_bytes()).unwrap();
        assert_eq!(manifest.layers.len(), 2);
        assert_eq!(manifest.blobs().count(), 3);
    }

    #[test]
    fn entries_of_an_index_that_are_no_manifests_are_blobs() {
        let cache = edge("application/vnd.buildkit.cacheconfig.v0", "");
        let child = edge(
            "application/vnd.oci.image.manifest.v1+json",
            r#","platform":{"os":"linux","architecture":"arm64","variant":"v8"}"#,
        );
        let manifest =
            parse(format!(r#"{{"schemaVersion":2,"manifests":[{cache},{child}]}}"#).as_bytes()).unwrap();
        assert_eq!((manifest.layers.len(), manifest.manifests.len()), (1, 1));
        assert_eq!(manifest.manifests[0].platform.as_ref().unwrap().to_string(), "linux/arm64/v8");
    }

    #[test]
    fn only_a_foreign_layer_with_urls_may_be_missing() {
        let foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
        let urls = r#","urls":["https://example.com/layer"]"#;
        let config = edge("c", "");
        let layers =
            [edge(foreign, urls), edge(foreign, ""), edge("application/vnd.oci.image.layer.v1.tar", urls)];
        let text = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{}]}}"#, layers.join(","));
        let foreign: Vec<_> =
            parse(text.as_bytes()).unwrap().layers.iter().map(|layer| layer.is_foreign).collect();
        assert_eq!(foreign, [true, false, false]);
    }

    #[test]
    fn refuses_what_cannot_be_carried() {
        let config = edge("c", "");
        for (text, why) in [
            ("", "not JSON"),
            ("[]", "docker save"),
            ("{}", "neither"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "schema 1"),
            (r#"{"schemaVersion":7}"#, "unknown schemaVersion 7"),
            (r#"{"mediaType":"application/vnd.oci.artifact.manifest.v1+json"}"#, "unknown media type"),
            (r#"{"schemaVersion":2}"#, "without config"),
            (&format!(r#"{{"schemaVersion":2,"config":{config},"manifests":[]}}"#), "manifests of an index"),
            (
                &format!(r#"{{"mediaType":"application/vnd.oci.image.index.v1+json","config":{config}}}"#),
                "config or layers",
            ),
            (
                &format!(r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{HEX}","size":-1}}}}"#),
                "not a manifest",
            ),
            (
                &format!(r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{HEX}","size":1.5}}}}"#),
                "not a manifest",
            ),
            (&format!(r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{HEX}"}}}}"#), "size"),
            (
                &format!(
                    r#"{{"schemaVersion":2,"config":{{"digest":"sha256:{HEX}","size":18446744073709551615}}}}"#
                ),
                "impossible size",
            ),
            (r#"{"schemaVersion":2,"config":{"digest":"sha256:../x","size":1}}"#, "is not a sha256"),
        ] {
            let error = parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn reads_the_platform_of_a_configuration() {
        let platform = platform_of_config(br#"{"architecture":"amd64","os":"linux","config":{}}"#).unwrap();
        assert_eq!(platform.to_string(), "linux/amd64");
        assert!(platform_of_config(b"{}").is_none() && platform_of_config(b"x").is_none());
    }
}
