//! Several trees as one, and several images that have one name.

use std::collections::{BTreeMap, HashSet};

use super::{Catalog, Image};
use crate::finding::{Finding, Kind};
use crate::reference::Reference;
use crate::text::shown;

/// Makes one image of several different ones that have one name, given all content, or says why that cannot be.
pub type Resolve<'a> = &'a mut dyn FnMut(&mut Catalog, &Reference, &[Image]) -> Result<Image, Box<Finding>>;

/// Refuses all of them.
///
/// # Errors
/// Always.
pub fn refuse(name: &Reference, images: &[Image]) -> Result<Image, Box<Finding>> {
    let [first, .., last] = images else { unreachable!("one image alone is no conflict") };
    let finding = Finding::at(Kind::NameConflict, &last.origin)
        .expected(format_args!("{} of {}", first.digest, shown(&first.origin)))
        .found(last.digest)
        .breaks(name);
    Err(Box::new(finding))
}

/// Gives each image its name; two different images under one name are refused, both of them.
pub fn gather(
    named: impl IntoIterator<Item = (Reference, Image)>,
) -> (BTreeMap<Reference, Image>, Vec<Finding>) {
    gather_with(named, refuse)
}

/// Gives each image its name; of different images under one name `resolve` makes one.
pub fn gather_with(
    named: impl IntoIterator<Item = (Reference, Image)>,
    mut resolve: impl FnMut(&Reference, &[Image]) -> Result<Image, Box<Finding>>,
) -> (BTreeMap<Reference, Image>, Vec<Finding>) {
    let mut images: BTreeMap<Reference, Image> = BTreeMap::new();
    let mut conflicts: BTreeMap<Reference, Vec<Image>> = BTreeMap::new();
    for (reference, image) in named {
        match images.get_mut(&reference) {
            None => drop(images.insert(reference, image)),
            Some(first) if first.digest == image.digest => {
                first.history.extend(image.history);
                first.history.sort_unstable();
                first.history.dedup();
            }
            Some(_) => {
                let others = conflicts.entry(reference).or_default();
                if others.iter().all(|other| other.digest != image.digest) {
                    others.push(image);
                }
            }
        }
    }
    let mut findings = Vec::new();
    for (reference, others) in conflicts {
        let several: Vec<Image> = images.remove(&reference).into_iter().chain(others).collect();
        match resolve(&reference, &several) {
            Ok(image) => drop(images.insert(reference, image)),
            Err(finding) => findings.push(*finding),
        }
    }
    // Made anew it takes half the memory: nodes that were filled one by one are half empty.
    (images.into_iter().collect(), findings)
}

impl Catalog {
    /// Everything that several trees hold; what becomes of different images under one name, `resolve` says, which
    /// gets the content of all of them.
    pub fn join(catalogs: impl IntoIterator<Item = Self>, resolve: Resolve) -> (Self, Vec<Finding>) {
        let mut catalogs = catalogs.into_iter();
        let mut joined = catalogs.next().unwrap_or_default();
        let mut named: Vec<_> = std::mem::take(&mut joined.images).into_iter().collect();
        for catalog in catalogs {
            named.extend(catalog.images);
            joined.manifests.extend(catalog.manifests);
            for (digest, blob) in catalog.blobs {
                let files = &mut joined.blobs.entry(digest).or_default().files;
                // A tree that is named twice has each file once.
                let known: HashSet<_> = files.iter().map(|file| (file.path(), file.inode())).collect();
                files.extend(blob.files.into_iter().filter(|it| !known.contains(&(it.path(), it.inode()))));
            }
            for (repository, grants) in catalog.grants {
                joined.grants.entry(repository).or_default().extend(grants);
            }
            joined.orphans.extend(catalog.orphans);
            joined.inline.extend(catalog.inline);
            joined.elsewhere.extend(catalog.elsewhere);
            joined.left_out.extend(catalog.left_out);
            joined.platforms.extend(catalog.platforms);
        }
        // What one lacks, another may have.
        joined.elsewhere.retain(|digest, _| !joined.blobs.contains_key(digest));
        let (images, conflicts) = gather_with(named, |name, images| resolve(&mut joined, name, images));
        joined.images = images;
        (joined, conflicts)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Past;
    use super::*;
    use crate::digest::{Algorithm, Digest};

    fn digest(text: &str) -> Digest {
        Digest::of(Algorithm::Sha256, text.as_bytes())
    }

    #[test]
    fn different_images_under_one_name_are_refused() {
        let image = |content: &str, origin: &str| Image {
            digest: digest(content),
            history: Past::new(),
            origin: origin.into(),
        };
        let name = |text: &str| Reference {
            host: None,
            repository: text.parse().unwrap(),
            identifier: crate::reference::Identifier::Tag("1".parse().unwrap()),
        };
        let (images, findings) = gather([
            (name("a"), image("x", "one")),
            (name("a"), image("y", "two")),
            (name("b"), image("x", "three")),
            (name("b"), image("x", "four")),
        ]);
        assert_eq!(images.keys().map(ToString::to_string).collect::<Vec<_>>(), ["b:1"]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].kind, Kind::NameConflict);
    }
}
