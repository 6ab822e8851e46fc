//! From a folder's path to the image's name: the rule by which `skopeo sync --src dir` reads its own trees.
//!
//! Only the last part carries the tag or digest; the first is a host if it looks like one. `host:5000/x:1` is
//! therefore an image of the registry `host:5000`, whereas the shell's `${path%%:*}` makes it one called `host`.

use std::path::{Component, Path};

use crate::reference::{Identifier, Reference, Tag, looks_like_host};

/// What a path said.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) reference: Reference,
    /// Whether the path had no tag, and the name is skopeo's `latest`.
    pub(super) is_implied: bool,
}

/// Reads the path of an image folder, relative to the tree's root.
///
/// # Errors
/// The message says which part is not what it has to be.
pub(super) fn read(path: &Path) -> Result<Named, String> {
    let mut parts = Vec::new();
    for component in path.components() {
        let Component::Normal(part) = component else { return Err("not a path below the tree".to_owned()) };
        parts.push(part.to_str().ok_or("not UTF-8")?);
    }
    let last = parts.pop().ok_or("the tree's own folder has no name")?;
    let (last, identifier) = split_identifier(last)?;
    let host = match parts.first() {
        Some(first) if looks_like_host(first) => {
            Some(parts.remove(0).parse().map_err(|error| format!("{error}"))?)
        }
        _ => None,
    };
    parts.push(last);
    let repository = parts.join("/").parse().map_err(|error| format!("{error}"))?;
    let is_implied = identifier.is_none();
    let identifier = match identifier {
        Some(identifier) => identifier,
        None => Identifier::Tag(Tag::latest()),
    };
    Ok(Named { reference: Reference { host, repository, identifier }, is_implied })
}

fn split_identifier(last: &str) -> Result<(&str, Option<Identifier>), String> {
    if let Some((name, digest)) = last.rsplit_once('@') {
        let digest = digest.parse().map_err(|error| format!("{error}"))?;
        return Ok((name, Some(Identifier::Digest(digest))));
    }
    if let Some((name, tag)) = last.rsplit_once(':') {
        let tag = tag.parse().map_err(|error| format!("{error}"))?;
        return Ok((name, Some(Identifier::Tag(tag))));
    }
    Ok((last, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn names_follow_from_paths() {
        for (path, name) in [
            ("alpine:3.19", "alpine:3.19"),
            ("org/team/app:1.2", "org/team/app:1.2"),
            ("127.0.0.1:5281/ns/sub/deep:v1.0", "127.0.0.1:5281/ns/sub/deep:v1.0"),
            ("localhost/x:1", "localhost/x:1"),
            ("docker.io/library/x:1", "docker.io/library/x:1"),
            ("x.y:1", "x.y:1"),
            ("notag", "notag:latest"),
            (&format!("ns/multi@sha256:{HEX}"), &format!("ns/multi@sha256:{HEX}")),
        ] {
            assert_eq!(read(Path::new(path)).unwrap().reference.to_string(), name);
        }
        assert!(read(Path::new("ns/notag")).unwrap().is_implied);
        assert!(read(Path::new("localhost/x:1")).unwrap().reference.host.is_some());
        assert!(read(Path::new("local/x:1")).unwrap().reference.host.is_none());
    }

    #[test]
    fn other_paths_are_no_names() {
        let suffixed = format!("x@sha256:{HEX}-x");
        for path in [
            "",
            "..",
            "../x:1",
            "/x:1",
            "A:1",
            "a b:1",
            "x:",
            ":1",
            "x:a b",
            "x@sha256:1",
            &suffixed,
            "a/b:1/c:1",
        ] {
            assert!(read(Path::new(path)).is_err(), "{path:?} was read");
        }
    }
}
