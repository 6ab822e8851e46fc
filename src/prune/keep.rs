//! Which images stay: those that were asked for, and what is about them.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use anyhow::{Result, bail};

use super::{History, Wanted};
use crate::catalog::{Catalog, Image, Past};
use crate::digest::Digest;
use crate::finding::{Finding, Kind};
use crate::layout::registry::{Holding, Holdings, Part};
use crate::reference::{Identifier, Reference, Repository, Tag};

pub(super) fn tagged(repository: &Repository, tag: &Tag) -> Reference {
    Reference { host: None, repository: repository.clone(), identifier: Identifier::Tag(tag.clone()) }
}

pub(super) fn untagged(repository: &Repository, digest: Digest) -> Reference {
    Reference { host: None, repository: repository.clone(), identifier: Identifier::Digest(digest) }
}

/// Makes an image of every manifest that a repository may serve, be it the child of a list or that of a tag: a
/// person may name it, it may be about an image that stays, and it loses no claim to that with its tag.
pub(super) fn name_all(catalog: &mut Catalog, holdings: &Holdings) {
    for Holding { part, path, .. } in &holdings.holdings {
        let Part::Revision(repository, digest) = part else { continue };
        if catalog.manifests.contains_key(digest) {
            let image = || Image { digest: *digest, history: Past::new(), origin: path.clone() };
            catalog.images.entry(untagged(repository, *digest)).or_insert_with(image);
        }
    }
}

/// Tags and revisions of which the scan said nothing, good or bad: it saw less than there is.
#[must_use]
pub fn missed(catalog: &Catalog, findings: &[Finding], holdings: &Holdings, root: &Path) -> Vec<Finding> {
    let told: HashSet<&Reference> = findings.iter().flat_map(|finding| &finding.images).collect();
    let lost: HashSet<Digest> = findings.iter().filter_map(|finding| finding.digest).collect();
    let missed = holdings.holdings.iter().filter(|holding| match &holding.part {
        Part::Tag(repository, tag) => {
            let name = tagged(repository, tag);
            !holding.files.is_empty() && !catalog.images.contains_key(&name) && !told.contains(&name)
        }
        Part::Revision(_, digest) => !catalog.manifests.contains_key(digest) && !lost.contains(digest),
        _ => false,
    });
    let finding = |path: &Path| Finding::at(Kind::Unreadable, root.join(path)).found("it was not read");
    missed.map(|holding| finding(&holding.path)).collect()
}

/// The images that a person wants.
///
/// # Errors
/// When a line or a pattern brings none, or nothing at all would stay.
pub(super) fn wanted(
    catalog: &Catalog,
    findings: &[Finding],
    holdings: &Holdings,
    wanted: &Wanted,
) -> Result<BTreeSet<Reference>> {
    let selection = wanted.selection;
    // A pattern for tags happens to match the digests of untagged images as well: they are not meant.
    let named = catalog.images.iter().filter(|(reference, image)| {
        reference.is_tagged() || (!selection.is_all() && selection.names_digest(reference, image))
    });
    let named: BTreeMap<_, _> = named.map(|(reference, image)| (reference.clone(), image.clone())).collect();
    let named = Catalog { images: named, ..Catalog::default() };
    selection.check([&named], findings)?;
    let sound = named.images.iter().filter(|(reference, image)| selection.wants(reference, Some(image)));
    let mut kept: BTreeSet<Reference> = sound.map(|(reference, _)| reference.clone()).collect();
    let mut is_any = false;
    for holding in &holdings.holdings {
        // A tag without any file points at nothing, and never did.
        if let Part::Tag(repository, tag) = &holding.part
            && !holding.files.is_empty()
        {
            is_any = true;
            let name = tagged(repository, tag);
            if !catalog.images.contains_key(&name) && selection.wants(&name, None) {
                kept.insert(name);
            }
        }
    }
    if kept.is_empty() && is_any {
        bail!("no image would stay\n  hint: to be rid of all of them, remove the storage's folder");
    }
    Ok(kept)
}

/// What is too young to be removed, as an image: what it needs stays as well.
pub(super) fn young(holdings: &Holdings, young_from_ns: Option<i64>) -> BTreeSet<Reference> {
    let Some(young_from_ns) = young_from_ns else { return BTreeSet::new() };
    let young = holdings.holdings.iter().filter(|holding| holding.changed_ns > young_from_ns);
    let images = young.filter_map(|holding| match &holding.part {
        Part::Tag(repository, tag) => Some(tagged(repository, tag)),
        Part::Revision(repository, digest) => Some(untagged(repository, *digest)),
        _ => None,
    });
    images.collect()
}

/// These images with all that stays with them: referrers, what they were before where that is asked for, and the
/// referrers of that.
pub(super) fn with_followers(
    catalog: &Catalog,
    mut kept: BTreeSet<Reference>,
    wanted: &Wanted,
) -> BTreeSet<Reference> {
    let excludes = |reference: &Reference| wanted.selection.excludes(reference);
    loop {
        kept = catalog.with_referrers(kept, excludes);
        if wanted.history == History::Current {
            return kept;
        }
        let tagged = kept.iter().filter_map(|name| Some((name, catalog.images.get(name)?)));
        let past = tagged
            .flat_map(|(name, image)| image.history.iter().map(|digest| untagged(&name.repository, *digest)));
        let past: Vec<_> =
            past.filter(|name| catalog.images.contains_key(name) && !kept.contains(name)).collect();
        if past.is_empty() {
            return kept;
        }
        kept.extend(past);
    }
}
