//! Lists of images, as releases keep them: one a line, in any spelling that docker understands.
//!
//! `alpine:3.19`, `library/alpine:3.19` and `docker.io/library/alpine:3.19` are one image; without a tag it is
//! `latest`; a digest may stand in place of the tag, or behind it.

use anyhow::{Context, Result, bail};

use crate::catalog::Image;
use crate::digest::Digest;
use crate::reference::{Host, Identifier, Reference, Repository, Spelled, Tag};

/// One line of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// As it is written.
    pub(super) text: String,
    /// The registry, where the line says one.
    host: Option<Host>,
    /// The repository's names: with the host in front, and without.
    repositories: Vec<Repository>,
    tag: Option<Tag>,
    digest: Option<Digest>,
}

/// Reads a list; empty lines, and what follows a `#`, are left out.
///
/// # Errors
/// When a line is no reference; the message has its number.
pub(super) fn parse(text: &str) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = match line.split_once('#') {
            // A `#` inside a word is no comment, nor is it a reference: that is told.
            Some((before, _)) if before.is_empty() || before.ends_with(char::is_whitespace) => before,
            _ => line,
        };
        let line = line.trim();
        if !line.is_empty() {
            lines.push(Line::parse(line).with_context(|| format!("line {} of the list", number + 1))?);
        }
    }
    if lines.is_empty() {
        bail!("the list of images is empty");
    }
    Ok(lines)
}

impl Line {
    fn parse(text: &str) -> Result<Self> {
        let Spelled { host, repository, tag, digest } = text.parse().map_err(anyhow::Error::msg)?;
        let tag = if digest.is_none() { Some(tag.unwrap_or_else(Tag::latest)) } else { tag };
        let path = repository.as_str();
        let is_docker = host.as_ref().is_none_or(|host| host.as_str() == "docker.io");
        let other = match path.strip_prefix("library/") {
            _ if !is_docker => None,
            Some(short) => short.parse().ok(),
            None if !path.contains('/') => format!("library/{path}").parse().ok(),
            None => None,
        };
        // Where hosts were kept as the first part of the repository.
        let with_host = host.as_ref().and_then(|host| format!("{host}/{path}").parse().ok());
        let repositories = [other, with_host].into_iter().flatten().chain([repository]).collect();
        Ok(Self { text: text.to_owned(), host, repositories, tag, digest })
    }

    /// The same image of whatever registry.
    pub(super) fn whatever_host(self) -> Self {
        Self { host: None, ..self }
    }

    /// Whether it means this image.
    pub(super) fn matches(&self, reference: &Reference, image: Option<&Image>) -> bool {
        if !self.repositories.contains(&reference.repository) {
            return false;
        }
        // Where either does not say where it is from, any place will do.
        if let (Some(host), Some(of_image)) = (&self.host, &reference.host)
            && host != of_image
        {
            return false;
        }
        let has_tag = match (&self.tag, &reference.identifier) {
            (Some(tag), Identifier::Tag(of_image)) => tag == of_image,
            (Some(_), Identifier::Digest(_)) => false,
            (None, _) => true,
        };
        let has_digest = match (self.digest, image) {
            (Some(digest), Some(image)) => digest == image.digest,
            // Of a broken image the digest may not be known: it is not out of sight for that.
            (Some(_), None) | (None, _) => true,
        };
        has_tag && has_digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn matches(line: &str, reference: &str) -> bool {
        let lines = parse(line).unwrap();
        lines.iter().any(|line| line.matches(&reference.parse().unwrap(), None))
    }

    #[test]
    fn a_line_means_an_image_in_every_spelling() {
        for (line, reference) in [
            ("alpine:3.19", "alpine:3.19"),
            ("alpine:3.19", "library/alpine:3.19"),
            ("library/alpine:3.19", "alpine:3.19"),
            ("docker.io/library/alpine:3.19", "alpine:3.19"),
            ("docker.io/alpine:3.19", "library/alpine:3.19"),
            ("  alpine  # the base", "alpine:latest"),
            ("# nothing\n\nquay.io/a/b:1\n", "a/b:1"),
            ("quay.io/a/b:1", "quay.io/a/b:1"),
            ("localhost:5000/a/b:1", "a/b:1"),
            (&format!("a/b@{DIGEST}"), &format!("a/b@{DIGEST}")),
            (&format!("a/b:1@{DIGEST}"), "a/b:1"),
        ] {
            assert!(matches(line, reference), "{line} does not mean {reference}");
        }
        for (line, reference) in [
            ("alpine:3.19", "alpine:3.20"),
            ("alpine:3.19", "mirror/alpine:3.19"),
            ("quay.io/alpine:3.19", "library/alpine:3.19"),
            ("a/b:1", "library/a/b:1"),
            ("a/b", "a/b:1"),
        ] {
            assert!(!matches(line, reference), "{line} means {reference}");
        }
        for wrong in ["", "# only\n", "A:1", "a b:1", "a:1#x", "a@sha256:1", "../x:1"] {
            assert!(parse(wrong).is_err(), "{wrong:?} was read");
        }
    }
}
