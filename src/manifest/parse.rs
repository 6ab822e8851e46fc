//! From a manifest's bytes to what it says; the kind is found as containers/image and distribution find it.

use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use super::signed::{self, Signature};
use super::{Descriptor, Kind, Manifest, Need, PLAIN_LAYER, Platform, json};
use crate::digest::Digest;

/// Why bytes are not a manifest that can be carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidManifest(String);

impl fmt::Display for InvalidManifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidManifest {}

fn invalid(why: impl fmt::Display) -> InvalidManifest {
    InvalidManifest(why.to_string())
}

const DOCKER_CONFIG: &str = "application/vnd.docker.container.image.v1+json";

/// A manifest's document with Go's case-folded keys; every kind in one, as only the content tells them apart.
#[derive(Deserialize)]
pub(super) struct Document {
    #[serde(rename = "schemaversion")]
    schema_version: Option<u64>,
    #[serde(rename = "mediatype")]
    media_type: Option<String>,
    config: Option<Edge>,
    layers: Option<Vec<Edge>>,
    manifests: Option<Vec<Edge>>,
    subject: Option<Subject>,
    #[serde(rename = "fslayers")]
    fs_layers: Option<Vec<FsLayer>>,
    history: Option<Vec<Step>>,
    pub(super) signatures: Option<Vec<Signature>>,
}

/// What points at content. Go takes `null` for text as no text.
#[derive(Deserialize)]
struct Edge {
    #[serde(rename = "mediatype")]
    media_type: Option<String>,
    digest: String,
    size: u64,
    platform: Option<Platform>,
    urls: Option<Vec<Option<String>>>,
    data: Option<String>,
    annotations: Option<Annotations>,
}

/// How `BuildKit` tells in a list what an attestation attests (moby/buildkit, `docs/attestations`).
#[derive(Deserialize)]
struct Annotations {
    #[serde(rename = "vnd.docker.reference.digest")]
    about: Option<String>,
}

#[derive(Deserialize)]
struct Subject {
    digest: String,
}

/// A layer of schema 1, newest first.
#[derive(Deserialize)]
struct FsLayer {
    #[serde(rename = "blobsum")]
    digest: String,
}

/// The step of an image's history that a schema 1 layer stands for.
#[derive(Deserialize)]
struct Step {
    #[serde(rename = "v1compatibility", default)]
    v1: String,
}

/// Reads a manifest of any kind.
///
/// # Errors
/// When the bytes are no JSON, of a kind that cannot be carried, or at odds with their kind; the message
/// says what is wrong with them.
pub fn parse(bytes: &[u8]) -> Result<Manifest, InvalidManifest> {
    let document = Document::read(bytes)?;
    let kind = document.kind()?;
    document.check(kind)?;
    let subject = document.subject.map(|subject| digest(&subject.digest)).transpose()?;
    let config = document.config.map(Edge::describe).transpose()?;
    let mut layers = describe(document.layers)?;
    let mut manifests = Vec::new();
    for listed in document.manifests.unwrap_or_default() {
        let media_type = listed.media_type.as_deref().unwrap_or_default();
        // A docker list can hold nothing but manifests; an OCI index says of each entry what it is.
        let is_manifest =
            kind == Kind::DockerList || media_type.is_empty() || Kind::of_media_type(media_type).is_some();
        let listed = listed.describe()?;
        if is_manifest { manifests.push(listed) } else { layers.push(listed) }
    }
    let mut size = bytes.len() as u64;
    if kind == Kind::Schema1 {
        let signatures = document.signatures.unwrap_or_default();
        size = signed::unwrap(bytes, &signatures).map_err(invalid)?.len() as u64;
        layers = fs_layers(&document.fs_layers.unwrap_or_default(), &document.history.unwrap_or_default())?;
    }
    Ok(Manifest { kind, size, config, layers, manifests, subject })
}

fn describe(edges: Option<Vec<Edge>>) -> Result<Vec<Descriptor>, InvalidManifest> {
    let edges = edges.unwrap_or_default();
    // In a list of their own: in the place of what was read they would keep its room.
    let mut described = Vec::with_capacity(edges.len());
    for edge in edges {
        described.push(edge.describe()?);
    }
    Ok(described)
}

fn digest(text: &str) -> Result<Digest, InvalidManifest> {
    text.parse().map_err(invalid)
}

impl Document {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, InvalidManifest> {
        let value = json::parse(bytes).map_err(|error| invalid(format_args!("not JSON: {error}")))?;
        if value.is_array() {
            return Err(invalid(
                "a JSON array: this is an unpacked `docker save` archive, not an image folder",
            ));
        }
        serde_json::from_value(value).map_err(|error| invalid(format_args!("not a manifest: {error}")))
    }

    pub(super) fn kind(&self) -> Result<Kind, InvalidManifest> {
        let said = self.media_type.as_deref().and_then(Kind::of_media_type);
        // Of schema 1 its version alone tells, whatever it calls itself.
        if let Some(kind) = said.filter(|kind| *kind != Kind::Schema1) {
            return Ok(kind);
        }
        match self.schema_version {
            Some(2) => Ok(match &self.config {
                Some(config) if config.media_type.as_deref() == Some(DOCKER_CONFIG) => Kind::DockerManifest,
                None if self.manifests.is_some() => Kind::OciIndex,
                _ => Kind::OciManifest,
            }),
            Some(1) => Ok(Kind::Schema1),
            Some(version) => Err(invalid(format_args!("unknown schemaVersion {version}"))),
            None => Err(match &self.media_type {
                Some(media_type) => invalid(format_args!("unknown media type {media_type:?}")),
                None => invalid("neither schemaVersion nor mediaType"),
            }),
        }
    }

    /// The rules by which registry and skopeo reject a document that could be read as two kinds at once.
    fn check(&self, kind: Kind) -> Result<(), InvalidManifest> {
        let has_image = self.config.is_some()
            || self.layers.is_some()
            || self.fs_layers.is_some()
            || self.history.is_some();
        match kind {
            Kind::DockerList | Kind::OciIndex if has_image => {
                Err(invalid("an index with the config or layers of an image"))
            }
            Kind::DockerManifest | Kind::OciManifest | Kind::Schema1 if self.manifests.is_some() => {
                Err(invalid("an image with the manifests of an index"))
            }
            Kind::DockerManifest | Kind::OciManifest if self.config.is_none() => {
                Err(invalid("an image without config"))
            }
            Kind::Schema1 if self.config.is_some() || self.layers.is_some() => {
                Err(invalid("a schema 1 image with the config or layers of schema 2"))
            }
            Kind::Schema1 if self.fs_layers.as_ref().is_none_or(Vec::is_empty) => {
                Err(invalid("a schema 1 image without layers"))
            }
            _ => Ok(()),
        }
    }
}

impl Edge {
    fn describe(self) -> Result<Descriptor, InvalidManifest> {
        let digest = digest(&self.digest)?;
        if i64::try_from(self.size).is_err() {
            return Err(invalid(format_args!("{digest} has the impossible size {}", self.size)));
        }
        // The two families whose layers registries do not insist on (distribution,
        // schema2manifesthandler.go and ocimanifesthandler.go).
        let media_type = self.media_type.unwrap_or_default();
        let may_be_foreign = media_type.contains(".foreign.") || media_type.contains(".nondistributable.");
        let has_urls = self.urls.is_some_and(|urls| !urls.is_empty());
        let data = self.data.and_then(|data| BASE64_STANDARD.decode(data).ok());
        let is_true =
            |data: &Vec<u8>| data.len() as u64 == self.size && Digest::of(digest.algorithm(), data) == digest;
        Ok(Descriptor {
            digest,
            size: Some(self.size),
            platform: self.platform.map(Box::new),
            about: self.annotations.and_then(|it| it.about?.parse().ok()).map(Box::new),
            need: if may_be_foreign && has_urls { Need::Foreign } else { Need::Required },
            data: data.filter(is_true).map(Box::new),
            is_plain_layer: media_type == PLAIN_LAYER,
        })
    }
}

/// The layers of schema 1. One whose step has the same id as the next is a repetition that skopeo drops
/// (containers/image, manifest/docker_schema1.go).
fn fs_layers(layers: &[FsLayer], history: &[Step]) -> Result<Vec<Descriptor>, InvalidManifest> {
    #[derive(Deserialize)]
    struct V1 {
        id: String,
    }
    let ids: Vec<Option<String>> =
        history.iter().map(|step| Some(serde_json::from_str::<V1>(&step.v1).ok()?.id)).collect();
    let described = layers.iter().enumerate().map(|(number, layer)| {
        let is_repeated = match ids.get(number..number + 2) {
            Some([Some(id), Some(next)]) => id == next,
            _ => false,
        };
        Ok(Descriptor {
            is_plain_layer: false,
            digest: digest(&layer.digest)?,
            size: None,
            platform: None,
            need: if is_repeated { Need::Repeated } else { Need::Required },
            about: None,
            data: None,
        })
    });
    described.collect()
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
        let needs: Vec<_> = parse(text.as_bytes()).unwrap().layers.iter().map(|layer| layer.need).collect();
        assert_eq!(needs, [Need::Foreign, Need::Required, Need::Required]);
    }

    #[test]
    fn refuses_what_cannot_be_carried() {
        let config = edge("c", "");
        for (text, why) in [
            ("", "not JSON"),
            ("[]", "docker save"),
            ("{}", "neither"),
            (r#"{"schemaVersion":1,"fsLayers":[]}"#, "without layers"),
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
