//! Which images are broken, given what is known of the files; pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::finding::{Finding, Kind, Severity};
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
    let told: BTreeSet<Digest> = faults.iter().filter_map(|fault| fault.digest).collect();
    for (reference, image) in &catalog.images {
        let closure = catalog.closure(image.digest);
        for (digest, descriptor) in &closure.blobs {
            let finding = match size_of(digest) {
                Some(size) if size == descriptor.size => continue,
                Some(size) => Finding::at(Kind::WrongSize, &image.origin)
                    .expected(format_args!("{} bytes, says its manifest", descriptor.size))
                    .found(format_args!("{size} bytes")),
                None => Finding::at(Kind::MissingBlob, &image.origin).expected(digest),
            };
            damage.broken.insert(reference.clone());
            damage.unsound.extend(size_of(digest).is_none().then_some(*digest));
            // A fault of a file says it better than the lack of the blob.
            if !told.contains(digest) {
                missing.entry(*digest).or_insert(finding.of(*digest)).images.insert(reference.clone());
            }
        }
        // A listed manifest that is here, but of no use, is no platform that was left out.
        let spoiled = closure.absent.keys().filter(|digest| catalog.blobs.contains_key(digest));
        for digest in spoiled {
            damage.broken.insert(reference.clone());
            damage.unsound.insert(*digest);
        }
    }
    let loose = catalog.grants.values().flat_map(BTreeMap::values).chain(&catalog.orphans);
    damage.unsound.extend(loose.filter(|digest| !is_had(catalog, digest, size_of)));
    damage.findings = missing.into_values().collect();
    damage.findings.extend(attribute(catalog, faults, &damage.unsound));
    damage.findings.sort();
    damage.findings.dedup();
    damage
}

fn is_had(catalog: &Catalog, digest: &Digest, size_of: SizeOf) -> bool {
    catalog.manifests.contains_key(digest) || size_of(digest).is_some()
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
            Some(_) => fault.severity = Severity::Warning,
            None => fault = Finding { severity: Severity::Warning, kind: Kind::SpoiledOrphan, ..fault },
        }
        fault
    })
}
