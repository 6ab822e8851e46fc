//! Lists: which of their platforms are wanted, and what becomes of a list that loses some; several images that
//! become one list.
//!
//! A list's bytes are never changed under its digest: a list with other entries is a new one, and it is told from
//! which one it was made.

mod join;
mod platform;
mod rewrite;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use anyhow::Result;
use serde::Serialize;

pub use join::join;
pub use platform::Wanted;

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::finding::{Finding, Kind, Severity};
use crate::manifest::Platform;
use crate::platforms::platforms_of_manifests;
use crate::reference::Reference;

/// Which platforms are wanted, and what becomes of lists.
#[derive(Debug, Clone)]
pub struct Choice {
    /// The platforms; none for all.
    pub platforms: Vec<Wanted>,
    /// What becomes of lists.
    pub rule: Rule,
}

impl Choice {
    /// Whether everything stays as it is.
    #[must_use]
    pub fn is_all(&self) -> bool {
        self.platforms.is_empty() && self.rule == Rule::Keep
    }
}

/// What becomes of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// It stays as it is, with its digest; what is not wanted is left out behind it.
    Keep,
    /// A new list has what is wanted and here, and nothing else.
    Rewrite,
    /// The one image that is wanted takes its place.
    Unwrap,
}

/// An image that got another digest under its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Remade {
    /// Its name in its source.
    pub image: Reference,
    /// What it was made of.
    pub from: Vec<Digest>,
    /// What it is now.
    pub to: Digest,
}

/// What a choice did.
#[derive(Debug, Default)]
pub struct Chosen {
    /// The images that got another digest.
    pub remade: Vec<Remade>,
    /// The images that have none, or not all, of what is wanted.
    pub findings: Vec<Finding>,
}

/// Leaves the wanted platforms of the images.
///
/// # Errors
/// When a list that has to be rewritten cannot be read once more.
pub fn choose(catalog: &mut Catalog, choice: &Choice) -> Result<Chosen> {
    let mut chosen = Chosen::default();
    if choice.is_all() {
        return Ok(chosen);
    }
    // What is there for all images' sake is there for unwanted ones, too.
    let images: BTreeSet<Reference> = catalog.images.keys().cloned().collect();
    *catalog = std::mem::take(catalog).select(&images);
    let known = platforms_of_manifests(catalog);
    chosen.findings = leave_wanted(catalog, choice, &known);
    match choice.rule {
        Rule::Keep => {}
        Rule::Rewrite => chosen.remade = rewrite::rewrite(catalog)?,
        Rule::Unwrap => chosen.remade = unwrap(catalog, &mut chosen.findings),
    }
    Ok(chosen)
}

/// Takes the manifests of other platforms out of the catalog, and the images that have no wanted one.
fn leave_wanted(catalog: &mut Catalog, choice: &Choice, known: &HashMap<Digest, Platform>) -> Vec<Finding> {
    if choice.platforms.is_empty() {
        return Vec::new();
    }
    let is_unwanted = |digest: &Digest| {
        let platform = known.get(digest).filter(|platform| platform.is_known());
        platform.is_some_and(|platform| !choice.platforms.iter().any(|wanted| wanted.takes(platform)))
    };
    let mut unwanted: BTreeSet<Digest> = catalog
        .manifests
        .iter()
        .filter(|(digest, manifest)| !manifest.kind.is_index() && is_unwanted(digest))
        .map(|(digest, _)| *digest)
        .collect();
    // An attestation goes with what it attests.
    let listed = catalog.manifests.values().flat_map(|manifest| &manifest.manifests);
    let about: Vec<_> = listed.filter_map(|child| Some((child.digest, **child.about.as_ref()?))).collect();
    unwanted.extend(about.iter().filter(|(_, subject)| is_unwanted(subject)).map(|(digest, _)| *digest));

    let mut findings = Vec::new();
    let mut without = BTreeSet::new();
    for (reference, image) in &catalog.images {
        let manifests = catalog.closure(image.digest).manifests;
        let has: BTreeSet<&Platform> = manifests
            .iter()
            .filter_map(|(digest, _)| known.get(digest))
            .filter(|platform| platform.is_known())
            .collect();
        let lacking =
            choice.platforms.iter().filter(|wanted| !has.iter().any(|platform| wanted.takes(platform)));
        let lacking: Vec<String> = lacking.map(ToString::to_string).collect();
        // What says nowhere what it runs on, such as a chart or a signature, runs anywhere.
        if lacking.is_empty() || has.is_empty() {
            continue;
        }
        let is_without = lacking.len() == choice.platforms.len();
        let kind = if is_without { Kind::NoPlatform } else { Kind::LacksPlatform };
        let has = has.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let finding = Finding::at(kind, &image.origin).of(image.digest).expected(lacking.join(", "));
        let finding = finding.found(has).breaks(reference);
        // Nobody named an image that has no tag.
        let is_error = is_without && reference.is_tagged();
        let severity = if is_error { Severity::Error } else { Severity::Warning };
        findings.push(Finding { severity, ..finding });
        if is_without {
            without.insert(reference.clone());
        }
    }
    catalog.images.retain(|reference, _| !without.contains(reference));
    catalog.manifests.retain(|digest, _| !unwanted.contains(digest));
    catalog.left_out.extend(unwanted);
    findings
}

/// Puts the one image of each list into its place.
fn unwrap(catalog: &mut Catalog, findings: &mut Vec<Finding>) -> Vec<Remade> {
    let mut remade = Vec::new();
    let mut ambiguous = BTreeSet::new();
    let mut single: BTreeMap<Reference, Digest> = BTreeMap::new();
    for (reference, image) in &catalog.images {
        let is_list = catalog.manifests.get(&image.digest).is_some_and(|manifest| manifest.kind.is_index());
        if !is_list {
            continue;
        }
        let images = images_in(catalog, image.digest);
        match images.as_slice() {
            [] => {}
            [one] => drop(single.insert(reference.clone(), *one)),
            several => {
                let finding = Finding::at(Kind::SeveralImages, &image.origin).of(image.digest);
                findings.push(finding.expected("1 image").found(several.len()).breaks(reference));
                ambiguous.insert(reference.clone());
            }
        }
    }
    catalog.images.retain(|reference, _| !ambiguous.contains(reference));
    for (reference, image) in &mut catalog.images {
        if let Some(to) = single.get(reference) {
            remade.push(Remade { image: reference.clone(), from: vec![image.digest], to: *to });
            image.digest = *to;
        }
    }
    remade
}

/// The images of a list, to any depth, without what is only about them.
fn images_in(catalog: &Catalog, list: Digest) -> Vec<Digest> {
    let manifests = catalog.closure(list).manifests;
    let about: BTreeSet<Digest> = manifests
        .iter()
        .filter_map(|(digest, _)| catalog.manifests.get(digest))
        .flat_map(|manifest| &manifest.manifests)
        .filter(|child| child.about.is_some())
        .map(|child| child.digest)
        .collect();
    let is_image = |digest: &Digest| {
        !about.contains(digest) && catalog.manifests.get(digest).is_some_and(|it| !it.kind.is_index())
    };
    manifests.into_iter().map(|(digest, _)| digest).filter(is_image).collect()
}
