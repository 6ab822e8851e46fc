//! Docker schema 1: a manifest that carries its signatures in itself, and whose digest leaves them out.

use serde_json::json;

use super::base64::base64url;
use super::{Blob, Image};
use crate::support::sha256;

/// What a registry calls a manifest of schema 1, which it signs anew whenever it serves one.
pub(crate) const SCHEMA1: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";

/// The layer of all steps that change no file, as docker itself always wrote it.
pub(crate) const EMPTY_LAYER: [u8; 32] = [
    31, 139, 8, 0, 0, 9, 110, 136, 0, 255, 98, 24, 5, 163, 96, 20, 140, 88, 0, 8, 0, 0, 255, 255, 46, 175,
    181, 239, 0, 4, 0, 0,
];

/// A layer of schema 1: its content, and the step that made it.
pub(crate) type Step<'a> = (&'a str, &'a Blob);

/// An unsigned image: its steps, the newest first, as the manifest lists them.
pub(crate) fn unsigned(steps: &[Step]) -> Image {
    let layers: Vec<_> = steps.iter().map(|(_, blob)| json!({ "blobSum": blob.digest })).collect();
    let parents = steps.iter().skip(1).map(Some).chain([None]);
    let history = steps.iter().zip(parents).map(|((step, _), parent)| {
        let mut compatibility = json!({
            "id": id(step),
            "architecture": "amd64",
            "os": "linux",
            "created": "2015-01-01T00:00:00Z",
            "config": { "Image": format!("sha256:{}", id("a configuration that is nowhere")) },
            "container_config": { "Cmd": [step] },
        });
        if let Some((parent, _)) = parent {
            compatibility["parent"] = id(parent).into();
        }
        json!({ "v1Compatibility": compatibility.to_string() })
    });
    let document = json!({
        "schemaVersion": 1,
        "name": "team/app",
        "tag": "1",
        "architecture": "amd64",
        "fsLayers": layers,
        "history": history.collect::<Vec<_>>(),
    });
    let blobs: Vec<_> = steps.iter().map(|(_, blob)| (*blob).clone()).collect();
    Image::verbatim(SCHEMA1, serde_json::to_string_pretty(&document).unwrap(), &blobs)
}

/// The image as somebody signed it at that time: other bytes, the same digest.
///
/// The form is libtrust's: each signature says how many of the file's bytes belong to the payload, and what has
/// to follow them. It is not a good signature: no digest depends on that.
pub(crate) fn signed(image: &Image, time: &str) -> Image {
    const TAIL: &str = "\n}";
    let payload = std::str::from_utf8(&image.payload).unwrap();
    let body = payload.strip_suffix(TAIL).unwrap();
    let protected =
        json!({ "formatLength": body.len(), "formatTail": base64url(TAIL.as_bytes()), "time": time });
    let jwk = json!({ "crv": "P-256", "kty": "EC", "kid": "KEY", "x": "AA", "y": "AA" });
    let signatures = json!([{
        "header": { "jwk": jwk, "alg": "ES256" },
        "signature": base64url(time.as_bytes()),
        "protected": base64url(protected.to_string().as_bytes()),
    }]);
    let manifest = format!("{body},\n   \"signatures\": {signatures}{TAIL}");
    Image { manifest: manifest.into(), ..image.clone() }
}

/// The identifier of a step: 64 hex digits that are no digest of anything.
pub(crate) fn id(step: &str) -> String {
    sha256(format!("the step {step}").as_bytes()).split_off("sha256:".len())
}
