//! Which images a person wants: those of a list, and those that match patterns on `repository:tag`.

mod list;

use anyhow::{Context, Result, bail};
use glob::Pattern;

use list::Line;

use crate::catalog::{Catalog, Image};
use crate::finding::Finding;
use crate::reference::Reference;
use crate::text::plain;

/// A choice among the images of a catalog.
#[derive(Debug, Default)]
pub struct Selection {
    listed: Option<Vec<Line>>,
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Selection {
    /// Reads a list of images and patterns; without a list and without `include`, all images are wanted.
    ///
    /// # Errors
    /// When a line is no reference, or a pattern is none.
    pub fn parse(list: Option<&str>, include: &[String], exclude: &[String]) -> Result<Self> {
        let parse = |patterns: &[String]| -> Result<Vec<Pattern>> {
            let parsed = patterns
                .iter()
                .map(|text| Pattern::new(text).with_context(|| format!("{text:?} is not a pattern")));
            parsed.collect()
        };
        Ok(Self {
            listed: list.map(list::parse).transpose()?,
            include: parse(include)?,
            exclude: parse(exclude)?,
        })
    }

    /// Makes sure that every line of the list and every `include` pattern brings an image, be it a broken one.
    ///
    /// # Errors
    /// When one brings none: it was meant to.
    pub fn check<'c>(
        &self,
        catalogs: impl IntoIterator<Item = &'c Catalog>,
        findings: &[Finding],
    ) -> Result<()> {
        let sound = catalogs.into_iter().flat_map(|catalog| &catalog.images);
        let sound: Vec<_> = sound.map(|(reference, image)| (reference.clone(), Some(image))).collect();
        let broken = findings.iter().flat_map(|finding| &finding.images);
        let broken = broken.flat_map(|image| [image.clone(), image.without_host()]);
        let known: Vec<_> = sound.into_iter().chain(broken.map(|reference| (reference, None))).collect();
        let lines = self.listed.iter().flatten();
        let missing =
            lines.filter(|line| !known.iter().any(|(reference, image)| line.matches(reference, *image)));
        let missing = missing.map(|line| {
            // The same image of another registry is not the one that is meant, but worth a word.
            let elsewhere = line.clone().whatever_host();
            let other = known.iter().find(|(reference, image)| elsewhere.matches(reference, *image));
            let other = other.map(|(reference, _)| format!(" (but there is {reference})"));
            format!("\n  {}{}", plain(&line.text), other.unwrap_or_default())
        });
        let missing: Vec<_> = missing.collect();
        if !missing.is_empty() {
            bail!("of the listed images, these are not there:{}", missing.concat());
        }
        let names: Vec<_> = known.iter().flat_map(|(reference, _)| spellings(reference)).collect();
        let idle = |pattern: &&Pattern| !names.iter().any(|name| pattern.matches(name));
        let idle: Vec<_> = self.include.iter().filter(idle).map(Pattern::as_str).collect();
        if !idle.is_empty() {
            bail!(
                "--include matches no image: {}\n  hint: patterns match <repository>:<tag>",
                idle.join(", ")
            );
        }
        Ok(())
    }

    /// Leaves the chosen images only, and those that are about them.
    #[must_use]
    pub fn choose(&self, catalog: Catalog) -> Catalog {
        if self.is_all() {
            return catalog;
        }
        let wanted = catalog.images.iter().filter(|(reference, image)| self.wants(reference, Some(image)));
        let wanted = wanted.map(|(reference, _)| reference.clone()).collect();
        let wanted = catalog.with_referrers(wanted, |reference| self.excludes(reference));
        catalog.select(&wanted)
    }

    /// Whether nothing was chosen, so that all images are wanted.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.listed.is_none() && self.include.is_empty() && self.exclude.is_empty()
    }

    /// Whether an `exclude` pattern names it.
    #[must_use]
    pub fn excludes(&self, reference: &Reference) -> bool {
        matches(&self.exclude, reference)
    }

    /// Whether an image is named as one without a tag: by a line with its digest, or by an `include` pattern that
    /// speaks of digests.
    #[must_use]
    pub fn names_digest(&self, reference: &Reference, image: &Image) -> bool {
        let is_listed = self.listed.iter().flatten().any(|line| line.matches(reference, Some(image)));
        let mut patterns = self.include.iter().filter(|pattern| pattern.as_str().contains('@'));
        is_listed || patterns.any(|pattern| pattern.matches(&reference.to_string()))
    }

    /// Whether a finding is about a chosen image, or about none in particular.
    #[must_use]
    pub fn concerns(&self, finding: &Finding) -> bool {
        // A finding names an image as its source does; whether its host stays is not known to it.
        let wants = |image: &Reference| self.wants(image, None) || self.wants(&image.without_host(), None);
        finding.images.is_empty() || finding.images.iter().any(wants)
    }

    /// Whether an image is wanted; of one that could not be read, only the name is known.
    #[must_use]
    pub fn wants(&self, reference: &Reference, image: Option<&Image>) -> bool {
        let is_listed = |lines: &Vec<Line>| lines.iter().any(|line| line.matches(reference, image));
        if !self.listed.as_ref().is_none_or(is_listed) {
            return false;
        }
        (self.include.is_empty() || matches(&self.include, reference)) && !self.excludes(reference)
    }
}

/// Whether one of the patterns names an image.
fn matches(patterns: &[Pattern], reference: &Reference) -> bool {
    if patterns.is_empty() {
        return false;
    }
    let names = spellings(reference);
    patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)))
}

/// How patterns may spell a name: without its host, and with it.
fn spellings(reference: &Reference) -> Vec<String> {
    let whole = reference.to_string();
    if reference.host.is_none() { vec![whole] } else { vec![reference.without_host().to_string(), whole] }
}
