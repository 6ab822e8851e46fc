//! Signed schema 1 manifests: what is named by the digest is the payload, not the file.
//!
//! A registry signs such a manifest anew on each request, so two pulls give two files with one digest. The
//! format is that of libtrust, `jsonsign.go`: each signature's protected header says how many bytes of the file
//! belong to the payload, and what the payload ends in.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::Kind;
use super::json;
use super::parse::Document;

/// One signature, as far as it says what was signed.
#[derive(Deserialize)]
pub(super) struct Signature {
    #[serde(default)]
    protected: String,
}

#[derive(Deserialize, PartialEq)]
struct Protected {
    #[serde(rename = "formatlength")]
    length: u64,
    #[serde(rename = "formattail")]
    tail: String,
}

/// The bytes that a manifest's digest names: the payload of a signed schema 1 manifest, of all others the
/// file as it is.
#[must_use]
pub fn payload(bytes: &[u8]) -> Cow<'_, [u8]> {
    // Only one in many is signed, and reading it all to find that out costs more than a look for the word.
    let is_signed = |window: &[u8]| window.eq_ignore_ascii_case(b"\"signatures\"");
    if !bytes.windows(12).any(is_signed) {
        return Cow::Borrowed(bytes);
    }
    match Document::read(bytes) {
        Ok(document) if document.kind() == Ok(Kind::Schema1) => {
            unwrap(bytes, &document.signatures.unwrap_or_default()).unwrap_or(Cow::Borrowed(bytes))
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// Takes the payload out of a signed manifest; one without signatures is its own payload.
///
/// # Errors
/// When the signatures do not say, or do not agree, what was signed.
pub(super) fn unwrap<'b>(bytes: &'b [u8], signatures: &[Signature]) -> Result<Cow<'b, [u8]>, Malformed> {
    let read = |signature: &Signature| -> Option<Protected> {
        let header = decode(&signature.protected)?;
        serde_json::from_value(json::parse(&header).ok()?).ok()
    };
    let Some((first, others)) = signatures.split_first() else { return Ok(Cow::Borrowed(bytes)) };
    let protected = read(first).ok_or(Malformed)?;
    if others.iter().any(|other| read(other).as_ref() != Some(&protected)) {
        return Err(Malformed);
    }
    let length = usize::try_from(protected.length).map_err(|_| Malformed)?;
    let mut payload = bytes.get(..length).ok_or(Malformed)?.to_vec();
    payload.extend(decode(&protected.tail).ok_or(Malformed)?);
    Ok(Cow::Owned(payload))
}

fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64_URL_SAFE_NO_PAD.decode(text.trim_end_matches('=')).ok()
}

/// Signatures that do not say what was signed.
#[derive(Debug)]
pub(super) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the signatures of a schema 1 manifest do not say, or do not agree, what was signed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(payload: &str, tail: &str, salt: &str) -> String {
        let head = payload.strip_suffix(tail).unwrap();
        let encode = |text: &str| BASE64_URL_SAFE_NO_PAD.encode(text);
        let protected =
            format!(r#"{{"formatLength":{},"formatTail":"{}","time":"{salt}"}}"#, head.len(), encode(tail));
        format!(r#"{head},"signatures":[{{"signature":"{salt}","protected":"{}"}}]}}"#, encode(&protected))
    }

    #[test]
    fn two_signings_have_one_payload() {
        let text = "{\"schemaVersion\":1,\"fsLayers\":[]\n}";
        for salt in ["one", "two"] {
            let file = signed(text, "\n}", salt);
            assert_ne!(file, text);
            assert_eq!(payload(file.as_bytes()), text.as_bytes());
        }
        assert_eq!(payload(text.as_bytes()), text.as_bytes());
    }

    #[test]
    fn what_is_not_signed_schema_1_is_itself() {
        for text in [r#"{"schemaVersion":2,"signatures":[{"protected":"x"}]}"#, r#""signatures""#, "{}"] {
            assert_eq!(payload(text.as_bytes()), text.as_bytes());
        }
        let malformed = [Signature { protected: "!".to_owned() }];
        assert!(unwrap(b"{}", &malformed).is_err());
    }
}
