//! What damaged images might still need: where something cannot be read, what it needs is not known, and stays.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use crate::catalog::{Catalog, is_made_of_digest};
use crate::digest::Digest;
use crate::finding::{Finding, Kind};
use crate::layout::registry::{Holdings, Part, REPOSITORIES};
use crate::reference::{Identifier, Reference, Repository};

/// Where something is not known.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    /// Repositories of which all links stay, with what they lead to.
    pub(super) repositories: BTreeSet<Repository>,
    /// What their links name, and what is known to be damaged.
    pub(super) content: HashSet<Digest>,
    /// Whether some repository is not known at all, so that any content may be needed.
    pub(super) is_everywhere: bool,
}

impl Doubt {
    pub(super) fn is_none(&self) -> bool {
        self.repositories.is_empty() && !self.is_everywhere
    }
}

/// Finds it out, given what was found to be wrong below `root` and the images that are to stay.
pub(super) fn doubt(
    catalog: &Catalog,
    findings: &[Finding],
    holdings: &Holdings,
    kept: &BTreeSet<Reference>,
    root: &Path,
) -> Doubt {
    let mut doubt = Doubt::default();
    let keeping: HashSet<&Repository> = kept.iter().map(|name| &name.repository).collect();
    if !findings.iter().any(Finding::is_error) {
        return doubt;
    }
    for finding in findings.iter().filter(|finding| finding.is_error()) {
        let path = finding.file.strip_prefix(root).unwrap_or(&finding.file);
        let is_hidden = matches!(finding.kind, Kind::Unreadable | Kind::NotAFile | Kind::InvalidName);
        let is_unclear =
            is_hidden || matches!(finding.kind, Kind::InvalidLink | Kind::OtherLink | Kind::TagWithoutLink);
        doubt.is_everywhere |= is_hidden && finding.digest.is_none();
        // Of a repository of which nothing stays, only what is out of sight may be wanted all the same.
        let repository = repository_of(path).filter(|name| is_hidden || keeping.contains(name));
        doubt.repositories.extend(repository.filter(|_| is_unclear));
    }
    let mut revisions: HashMap<&Repository, HashSet<Digest>> = HashMap::new();
    for holding in &holdings.holdings {
        if let Part::Revision(repository, digest) = &holding.part {
            // What is there and is no manifest that can be read may be about an image that stays.
            let is_unread = catalog.blobs.contains_key(digest) && !catalog.manifests.contains_key(digest);
            if is_unread && keeping.contains(repository) {
                doubt.repositories.insert(repository.clone());
            }
            revisions.entry(repository).or_default().insert(*digest);
        }
    }
    for reference in kept {
        let repository = &reference.repository;
        let is_lost = |digest: &Digest| {
            let is_linked = revisions.get(repository).is_some_and(|known| known.contains(digest));
            is_linked || catalog.blobs.contains_key(digest)
        };
        let is_whole = catalog
            .images
            .get(reference)
            .is_some_and(|image| !catalog.closure(image.digest).absent.keys().any(is_lost));
        if !is_whole {
            doubt.repositories.insert(repository.clone());
        }
    }
    let damaged = findings.iter().filter(|finding| finding.is_error()).filter_map(|finding| finding.digest);
    let linked = holdings.holdings.iter().filter_map(|holding| match &holding.part {
        Part::Revision(name, digest) | Part::Layer(name, digest) | Part::History(name, _, digest) => {
            doubt.repositories.contains(name).then_some(*digest)
        }
        _ => None,
    });
    doubt.content = if doubt.is_none() { HashSet::new() } else { damaged.chain(linked).collect() };
    doubt
}

/// The images of repositories in doubt that may be about what cannot be read, or needed by it: those without a
/// tag, and those with a tag that is made of a digest.
pub(super) fn images_in_doubt<'c>(
    catalog: &'c Catalog,
    doubt: &'c Doubt,
) -> impl Iterator<Item = &'c Reference> {
    catalog.images.keys().filter(|name| match &name.identifier {
        Identifier::Tag(tag) if !is_made_of_digest(tag) => false,
        _ => doubt.repositories.contains(&name.repository),
    })
}

/// The repository in whose folder a path lies.
fn repository_of(path: &Path) -> Option<Repository> {
    let inside = path.strip_prefix(REPOSITORIES).ok()?.to_str()?;
    let parts: Vec<&str> = inside.split('/').take_while(|part| !part.starts_with('_')).collect();
    parts.join("/").parse().ok()
}
