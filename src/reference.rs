//! How images are named: host, repository, tag or digest, by the registry's own grammar.
//!
//! Every value here was checked when it was made, so it can be shown, compared and become part of a path
//! without another look. The grammar is that of the distribution project's `reference` package.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::digest::Digest;

/// Names one image: `[host/]repository:tag` or `[host/]repository@digest`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Reference {
    /// The registry it came from, where the source says so.
    pub host: Option<Host>,
    /// The path of the repository inside its registry.
    pub repository: Repository,
    /// Which of the repository's images.
    pub identifier: Identifier,
}

/// Tells the images of one repository apart.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Identifier {
    /// A name that may move to another image.
    Tag(Tag),
    /// The image's own digest: it has no tag.
    Digest(Digest),
}

impl Reference {
    /// Whether a tag names it, rather than only its digest.
    #[must_use]
    pub fn is_tagged(&self) -> bool {
        matches!(self.identifier, Identifier::Tag(_))
    }

    /// The same image without its host.
    #[must_use]
    pub fn without_host(&self) -> Self {
        Self { host: None, ..self.clone() }
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(host) = &self.host {
            write!(f, "{host}/")?;
        }
        match &self.identifier {
            Identifier::Tag(tag) => write!(f, "{}:{tag}", self.repository),
            Identifier::Digest(digest) => write!(f, "{}@{digest}", self.repository),
        }
    }
}

impl FromStr for Reference {
    type Err = String;

    /// Reads a name without a host, as this program writes it: only the part behind the last `:` or `@` is no
    /// part of the repository.
    fn from_str(text: &str) -> Result<Self, String> {
        let (repository, identifier) = match (text.rsplit_once('@'), text.rsplit_once(':')) {
            (Some((repository, digest)), _) => {
                (repository, Identifier::Digest(digest.parse().map_err(|error| format!("{error}"))?))
            }
            (None, Some((repository, tag))) => {
                (repository, Identifier::Tag(tag.parse().map_err(|error| format!("{error}"))?))
            }
            (None, None) => return Err(format!("{text:?} has neither a tag nor a digest")),
        };
        let repository = repository.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { host: None, repository, identifier })
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer)
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A name as people and programs spell it: `[host[:port]/]repository[:tag][@digest]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spelled {
    /// The registry; docker's own is `docker.io`, however it is spelled.
    pub host: Option<Host>,
    /// The path of the repository inside its registry.
    pub repository: Repository,
    /// The tag, if there is one.
    pub tag: Option<Tag>,
    /// The digest, if there is one.
    pub digest: Option<Digest>,
}

impl Spelled {
    /// The image that it names: by its tag, else by its digest, else `latest`.
    #[must_use]
    pub fn reference(self) -> Reference {
        let identifier = match (self.tag, self.digest) {
            (Some(tag), _) => Identifier::Tag(tag),
            (None, Some(digest)) => Identifier::Digest(digest),
            (None, None) => Identifier::Tag(Tag::latest()),
        };
        Reference { host: self.host, repository: self.repository, identifier }
    }
}

impl FromStr for Spelled {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse().map_err(|error| format!("{error}"))?)),
            None => (text, None),
        };
        // A colon in front of a slash belongs to a host's port.
        let (name, tag) = match rest.rsplit_once(':') {
            Some((name, tag)) if !tag.contains('/') => {
                (name, Some(tag.parse().map_err(|error| format!("{error}"))?))
            }
            _ => (rest, None),
        };
        let (host, path) = match name.split_once('/') {
            Some(("index.docker.io" | "registry-1.docker.io", path)) => (Some("docker.io"), path),
            Some((host, path)) if looks_like_host(host) => (Some(host), path),
            _ => (None, name),
        };
        let host = host.map(str::parse).transpose().map_err(|error| format!("{error}"))?;
        let repository = path.parse().map_err(|error| format!("{error}"))?;
        Ok(Self { host, repository, tag, digest })
    }
}

/// Text that does not fit the grammar of what it had to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidName {
    what: &'static str,
    text: String,
    rule: &'static str,
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a valid {}: {}", self.text, self.what, self.rule)
    }
}

impl std::error::Error for InvalidName {}

/// Declares a checked name: a string that only its grammar can make.
macro_rules! checked_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $valid:path) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The checked text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                if $valid(text) {
                    return Ok(Self(text.into()));
                }
                Err(InvalidName { what: $what, text: text.to_owned(), rule: $rule })
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

checked_name!(
    /// A registry's host, such as `docker.io`, `localhost` or `10.0.0.7:5000`.
    Host,
    "registry host",
    "letters, digits, dots, dashes and an optional :port, or [IPv6]:port",
    is_host
);
checked_name!(
    /// A repository's path, such as `library/alpine`; at most 255 bytes, which every registry accepts.
    Repository,
    "repository name",
    "lower-case letters and digits, separated by '.', '_', '__' or dashes, in parts separated by '/', at most 255 bytes",
    is_repository
);
checked_name!(
    /// A tag, such as `3.19`; at most 128 characters.
    Tag,
    "tag",
    "letters, digits, '_', '.' and '-', not beginning with '.' or '-', at most 128 characters",
    is_tag
);

impl Repository {
    /// What a repository is called that nothing names.
    #[must_use]
    pub fn unnamed() -> Self {
        Self("unnamed".into())
    }
}

impl Tag {
    /// The tag of a name that has none.
    #[must_use]
    pub fn latest() -> Self {
        Self("latest".into())
    }
}

/// Whether the first of several path parts names a registry and not a repository: the rule by which docker
/// and skopeo read `quay.io/x/y` and `x/y` (containers/image, docker/reference/normalize.go).
#[must_use]
pub fn looks_like_host(first_part: &str) -> bool {
    first_part.contains(['.', ':']) || first_part == "localhost"
}

fn is_host(text: &str) -> bool {
    let is_port = |port: &str| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if let Some((address, rest)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_address =
            !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b':');
        return is_address && (rest.is_empty() || rest.strip_prefix(':').is_some_and(is_port));
    }
    let (name, port) = text.split_once(':').map_or((text, None), |(name, port)| (name, Some(port)));
    let is_label = |label: &str| {
        label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    name.split('.').all(is_label) && port.is_none_or(is_port)
}

fn is_repository(text: &str) -> bool {
    text.len() <= 255 && text.split('/').all(is_component)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn is_component(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    let (Some(&first), Some(&last)) = (bytes.first(), bytes.last()) else { return false };
    is_word(first)
        && is_word(last)
        && bytes
            .split(|&byte| is_word(byte))
            .filter(|separator| !separator.is_empty())
            .all(|separator| matches!(separator, b"." | b"_" | b"__") || separator.iter().all(|&b| b == b'-'))
}

/// `[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}`
fn is_tag(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 128
        && text.bytes().next().is_some_and(is_word)
        && text.bytes().all(|byte| is_word(byte) || byte == b'.' || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repositories_follow_the_grammar() {
        for good in ["a", "library/alpine", "a__b", "a--b", "a---b", "a.b_c-d/e0", "current", "docker.io/x"] {
            assert!(good.parse::<Repository>().is_ok(), "{good:?} was refused");
        }
        let long = "a/".repeat(127) + "aa";
        for bad in
            ["", "A", "a___b", "a..b", "a.-b", "-a", "a-", "a/", "/a", "a//b", "a:1", "..", "ä", "_a", &long]
        {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn tags_follow_the_grammar() {
        for good in ["1", "_x", "3.19", "current", "v1.0-rc.1_B", "sha256-ab.sig", &"t".repeat(128)] {
            assert!(good.parse::<Tag>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", ".1", "-1", "a b", "a/b", "a:b", "é", "..", &"t".repeat(129)] {
            assert!(bad.parse::<Tag>().is_err(), "{bad:?} was accepted");
        }
    }

    #[test]
    fn hosts_follow_the_grammar() {
        for good in
            ["docker.io", "localhost", "localhost:5000", "10.0.0.7:5000", "[::1]:5000", "REG.example.com"]
        {
            assert!(good.parse::<Host>().is_ok(), "{good:?} was refused");
        }
        for bad in ["", "a:", "a:b", "-a.b", "a..b", "[x]:1", "[]:1", "a/b", "a b"] {
            assert!(bad.parse::<Host>().is_err(), "{bad:?} was accepted");
        }
        assert!(looks_like_host("localhost") && looks_like_host("a.b") && looks_like_host("a:1"));
        assert!(!looks_like_host("library"));
    }
}
