//! Which images a person wants: patterns on `repository:tag`.

use anyhow::{Context, Result, bail};
use glob::Pattern;

use crate::catalog::Catalog;
use crate::finding::Finding;
use crate::reference::Reference;

/// A choice among the images of a catalog.
#[derive(Debug, Default)]
pub struct Selection {
    include: Vec<Pattern>,
    exclude: Vec<Pattern>,
}

impl Selection {
    /// Reads the patterns; no `include` means all images.
    ///
    /// # Errors
    /// When one of them is no pattern.
    pub fn parse(include: &[String], exclude: &[String]) -> Result<Self> {
        let parse = |patterns: &[String]| -> Result<Vec<Pattern>> {
            let parsed = patterns
                .iter()
                .map(|text| Pattern::new(text).with_context(|| format!("{text:?} is not a pattern")));
            parsed.collect()
        };
        Ok(Self { include: parse(include)?, exclude: parse(exclude)? })
    }

    /// Makes sure that every `include` pattern brings an image, be it a broken one.
    ///
    /// # Errors
    /// When one matches none: it was meant to.
    pub fn check<'c>(
        &self,
        catalogs: impl IntoIterator<Item = &'c Catalog>,
        findings: &[Finding],
    ) -> Result<()> {
        let sound = catalogs.into_iter().flat_map(|catalog| catalog.images.keys()).map(ToString::to_string);
        let broken = findings.iter().flat_map(|finding| &finding.images);
        let broken = broken.flat_map(|image| [image.to_string(), image.without_host().to_string()]);
        let names: Vec<_> = sound.chain(broken).collect();
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

    /// Leaves the chosen images only, and the untagged ones that are about them.
    #[must_use]
    pub fn choose(&self, catalog: Catalog) -> Catalog {
        if self.include.is_empty() && self.exclude.is_empty() {
            return catalog;
        }
        let wanted = catalog.images.keys().filter(|reference| self.wants(reference)).cloned().collect();
        let wanted = catalog.with_referrers(wanted);
        catalog.select(&wanted)
    }

    /// Whether a finding is about a chosen image, or about none in particular.
    #[must_use]
    pub fn concerns(&self, finding: &Finding) -> bool {
        // A finding names an image as its source does; whether its host stays is not known to it.
        let wants = |image: &Reference| self.wants(image) || self.wants(&image.without_host());
        finding.images.is_empty() || finding.images.iter().any(wants)
    }

    fn wants(&self, reference: &Reference) -> bool {
        let name = reference.to_string();
        let matches = |patterns: &[Pattern]| patterns.iter().any(|pattern| pattern.matches(&name));
        (self.include.is_empty() || matches(&self.include)) && !matches(&self.exclude)
    }
}
