//! Which images are broken, given what is known of the files; pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::finding::{self, Finding, Kind, Severity};
use crate::reference::Reference;

/// What the faults of a tree cost.
#[derive(Debug, Default)]
pub struct Damage {
    /// The images that cannot be had whole.
    pub broken: BTreeSet<Reference>,
    /// The content that no file holds.
    pub unsound: BTreeSet<Digest>,
    /// The faults, each with the images that it breaks.
    pub findings: Vec<Finding>,
}

impl Damage {
    /// Whether everything can be had.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.broken.is_empty() && self.unsound.is_empty()
    }
}

/// How much of some content can be had: its size in bytes, if at all.
pub type SizeOf<'a> = &'a dyn Fn(&Digest) -> Option<u64>;

/// Says which images the faults break.
///
/// `size_of` tells of each blob whether it can be had, from any file. A fault of one file is healed where
/// another file has the same content; it stays as a warning.
#[must_use]
pub fn assess(catalog: &Catalog, faults: Vec<Finding>, size_of: SizeOf) -> Damage {
    let mut damage = Damage::default();
    let mut missing: BTreeMap<Digest, Finding> = BTreeMap::new();
    let told: BTreeSet<Digest> =
        faults.iter().filter(|fault| fault.is_error()).filter_map(|fault| fault.digest).collect();
    let size_of = |digest: &Digest| {
        size_of(digest).or_else(|| catalog.inline.get(digest).map(|bytes| bytes.len() as u64))
    };
    for (reference, image) in &catalog.images {
        let closure = catalog.closure(image.digest);
        for digest in closure.blobs.keys() {
            if size_of(digest).is_some() {
                continue;
            }
            damage.broken.insert(reference.clone());
            damage.unsound.insert(*digest);
            // A fault of a file says it better than the lack of the blob.
            if !told.contains(digest) {
                let finding = Finding::at(Kind::MissingBlob, &image.origin).of(*digest).expected(digest);
                missing.entry(*digest).or_insert(finding).images.insert(reference.clone());
            }
        }
        // A listed manifest that is here, but of no use, is no platform that was left out.
        for digest in closure.absent.keys().filter(|digest| told.contains(digest)) {
            damage.broken.insert(reference.clone());
            damage.unsound.insert(*digest);
        }
    }
    let loose = catalog.grants.values().flat_map(BTreeMap::values).chain(&catalog.orphans);
    let is_had = |digest: &&Digest| catalog.manifests.contains_key(digest) || size_of(digest).is_some();
    damage.unsound.extend(loose.filter(|digest| !is_had(digest)));
    let lies = misdescribed(catalog, &size_of);
    damage.broken.extend(lies.iter().flat_map(|finding| finding.images.iter().cloned()));
    damage.findings = missing.into_values().chain(lies).collect();
    damage.findings.extend(attribute(catalog, faults, &damage.unsound));
    damage.findings.extend(catalog.remarks(&told));
    damage.findings = finding::settle(damage.findings);
    damage
}

/// Manifests that give what they point at another size than it has: clients refuse such content.
#[must_use]
pub fn misdescribed(catalog: &Catalog, size_of: SizeOf) -> Vec<Finding> {
    let mut lies: BTreeMap<(Digest, u64), Finding> = BTreeMap::new();
    for (reference, image) in &catalog.images {
        let manifests = catalog.closure(image.digest).manifests;
        let manifests = manifests.iter().filter_map(|(digest, _)| catalog.manifests.get(digest));
        for descriptor in manifests.flat_map(|manifest| manifest.blobs().chain(&manifest.manifests)) {
            let listed = catalog.manifests.get(&descriptor.digest).map(|manifest| manifest.size);
            let (Some(said), Some(size)) = (descriptor.size, listed.or_else(|| size_of(&descriptor.digest)))
            else {
                continue;
            };
            if said != size {
                let lie = lies.entry((descriptor.digest, said)).or_insert_with(|| {
                    Finding::at(Kind::WrongSize, &image.origin)
                        .of(descriptor.digest)
                        .expected(format_args!("{said} bytes, says its manifest"))
                        .found(format_args!("{size} bytes"))
                });
                lie.images.insert(reference.clone());
            }
        }
    }
    lies.into_values().collect()
}

/// Tells each fault which images it breaks, and how bad that makes it.
fn attribute<'c>(
    catalog: &'c Catalog,
    faults: Vec<Finding>,
    unsound: &'c BTreeSet<Digest>,
) -> impl Iterator<Item = Finding> + use<'c> {
    let users: HashMap<Digest, BTreeSet<&Reference>> =
        if faults.iter().any(|fault| fault.digest.is_some()) { catalog.users() } else { HashMap::new() };
    faults.into_iter().map(move |mut fault| {
        let Some(digest) = fault.digest.filter(|_| fault.is_error() && fault.images.is_empty()) else {
            return fault;
        };
        match users.get(&digest) {
            Some(users) if unsound.contains(&digest) => {
                fault.images.extend(users.iter().map(|&reference| reference.clone()));
            }
            Some(_) => fault = fault.healed(),
            None => fault = Finding { severity: Severity::Warning, kind: Kind::SpoiledOrphan, ..fault },
        }
        fault
    })
}
