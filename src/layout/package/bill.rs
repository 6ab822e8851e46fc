//! The bill of materials, `bundle.json`: what a package carries, and what it relies on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::delta::document::MAX_RATIO;
use crate::delta::library::MAX_BASES;
use crate::digest::Digest;
use crate::layout::graph::{self, Content, Edges, NamedImage};
use crate::reference::Identifier;
use crate::tally::Tally;

/// The format that this program writes, and the only one that it reads.
pub const SCHEMA: &str = "bundle.package/1";
/// How the names of all formats of packages begin.
pub(super) const SCHEMAS: &str = "bundle.package/";

/// What has to unpack a package that has deltas: to plain tar they are files like others.
const UNPACKER: &str = "bundle apply";

/// The most links that the images of a package may stand on where nothing says how long it is: one of 50,000
/// images has a tenth.
pub(super) const MOST_PLACES: u64 = 4 << 20;
/// The most steps from images to what they stand on: few bytes can describe more than any machine can count.
const MOST_STEPS: u64 = 64 << 20;

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bill {
    /// Which format the package has: [`SCHEMA`].
    pub schema: String,
    /// How it lies: as a tar, or as a folder.
    pub form: Form,
    /// The program that wrote it.
    pub created_by: String,
    /// What a person called it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What a person noted on it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What has to unpack it, where plain tar is not enough.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unpacked_by: Option<String>,
    /// How much it is.
    pub totals: Totals,
    /// The images that are there once it is applied.
    pub images: Vec<NamedImage>,
    /// The manifests that they need.
    pub manifests: Vec<Edges>,
    /// The content that it carries, manifests included, in its order.
    pub carries: Vec<Carried>,
    /// The content that is made at the site, from deltas that it carries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restores: Vec<Restored>,
    /// The content that has to be at the site before.
    pub relies_on: Vec<Content>,
}

/// How a package lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Form {
    /// As a tar, in one file or in volumes.
    Tar,
    /// As a folder with the tar's files.
    Folder,
}

/// How much a package carries and relies on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Images.
    pub images: u64,
    /// What it carries.
    pub carries: Tally,
    /// What is made at the site.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub restores: Tally,
    /// What it is made from.
    #[serde(default, skip_serializing_if = "Tally::is_empty")]
    pub deltas: Tally,
    /// What has to be there.
    pub relies_on: Tally,
}

/// Content that a package carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Where it begins in the package's tar, counted from the first byte; a package that is a folder has it in
    /// a file of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// Content that a site makes from a delta and from what it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Restored {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// The delta.
    pub delta: Carried,
    /// What the delta takes from, in its order: content that is relied on, carried, or restored itself.
    pub bases: Vec<Digest>,
    /// How long the bases are without their compression, in bytes: the site puts that aside meanwhile.
    pub aside: u64,
}

/// Whether what the images stand on takes no more places than these, each repository with its own.
fn fits(catalog: &Catalog, most_places: u64) -> bool {
    let (mut places, mut steps) = (0, 0);
    let mut repository = None;
    let mut known = HashSet::new();
    for (name, image) in &catalog.images {
        if repository.replace(&name.repository) != Some(&name.repository) {
            known.clear();
        }
        let closure = catalog.closure(image.digest);
        let needed = closure.manifests.iter().map(|(digest, _)| digest).chain(closure.blobs.keys());
        for digest in needed {
            steps += 1;
            places += u64::from(known.insert(*digest));
        }
        if places > most_places || steps > MOST_STEPS {
            return false;
        }
    }
    true
}

impl Bill {
    /// Lists the images of a catalog and all content that they need; what `is_at_site` is relied on.
    #[must_use]
    pub fn of(catalog: &Catalog, form: Form, is_at_site: &dyn Fn(&Digest, u64) -> bool) -> Self {
        let mut bill = Self {
            schema: SCHEMA.to_owned(),
            form,
            created_by: concat!("bundle ", env!("CARGO_PKG_VERSION")).to_owned(),
            name: None,
            labels: BTreeMap::new(),
            unpacked_by: None,
            totals: Totals { images: catalog.images.len() as u64, ..Totals::default() },
            images: graph::images(catalog),
            manifests: graph::manifests(catalog),
            carries: Vec::new(),
            restores: Vec::new(),
            relies_on: Vec::new(),
        };
        for (digest, size) in catalog.contents() {
            if is_at_site(&digest, size) {
                bill.totals.relies_on.add(size);
                bill.relies_on.push(Content { digest, size });
            } else {
                bill.totals.carries.add(size);
                bill.carries.push(Carried { digest, size, offset: None });
            }
        }
        bill
    }

    /// Ships content as deltas; what they take from is relied on, unless the package has it.
    pub fn ship_as_deltas(&mut self, restores: Vec<Restored>, sizes: &BTreeMap<Digest, u64>) {
        if restores.is_empty() {
            return;
        }
        self.unpacked_by = Some(UNPACKER.to_owned());
        let restored: BTreeSet<Digest> = restores.iter().map(|it| it.digest).collect();
        self.carries.retain(|it| !restored.contains(&it.digest));
        let packed: BTreeSet<Digest> =
            self.carries.iter().map(|it| it.digest).chain(restored.iter().copied()).collect();
        let bases: BTreeSet<Digest> = restores.iter().flat_map(|it| it.bases.iter().copied()).collect();
        let relied: BTreeMap<Digest, u64> = self
            .relies_on
            .iter()
            .map(|it| (it.digest, it.size))
            .chain(bases.difference(&packed).map(|digest| (*digest, sizes[digest])))
            .collect();
        self.relies_on = relied.into_iter().map(|(digest, size)| Content { digest, size }).collect();
        self.restores = restores;
        self.totals = self.counted();
    }

    /// Says of nothing where in a tar it begins.
    pub fn forget_offsets(&mut self) {
        let deltas = self.restores.iter_mut().map(|restored| &mut restored.delta);
        self.carries.iter_mut().chain(deltas).for_each(|carried| carried.offset = None);
    }

    /// The content that deltas take from and no image needs.
    pub fn bases_alone(&self, catalog: &Catalog) -> BTreeSet<Digest> {
        let needed = catalog.contents();
        let bases = self.restores.iter().flat_map(|it| &it.bases);
        bases.filter(|digest| !needed.contains_key(digest)).copied().collect()
    }

    /// The content that is restored, in rounds: each takes from what was there before, and from earlier rounds.
    ///
    /// # Errors
    /// When some of it takes from itself; the message says so.
    pub fn rounds(&self) -> Result<Vec<Vec<&Restored>>, String> {
        let mut left: Vec<&Restored> = self.restores.iter().collect();
        let mut missing: BTreeSet<Digest> = left.iter().map(|it| it.digest).collect();
        let mut rounds = Vec::new();
        while !left.is_empty() {
            let (now, later): (Vec<_>, Vec<_>) =
                left.into_iter().partition(|it| it.bases.iter().all(|base| !missing.contains(base)));
            if now.is_empty() {
                return Err(format!("deltas that need one another, such as that of {}", later[0].digest));
            }
            missing.retain(|digest| now.iter().all(|it| it.digest != *digest));
            rounds.push(now);
            left = later;
        }
        Ok(rounds)
    }

    fn counted(&self) -> Totals {
        let tally = |sizes: &mut dyn Iterator<Item = u64>| {
            let mut tally = Tally::default();
            sizes.for_each(|size| tally.add(size));
            tally
        };
        Totals {
            images: self.images.len() as u64,
            carries: tally(&mut self.carries.iter().map(|it| it.size)),
            restores: tally(&mut self.restores.iter().map(|it| it.size)),
            deltas: tally(&mut self.restores.iter().map(|it| it.delta.size)),
            relies_on: tally(&mut self.relies_on.iter().map(|it| it.size)),
        }
    }

    /// Makes sure that it describes what its images need, all of it and nothing else, in so many places at most.
    ///
    /// # Errors
    /// When it contradicts itself; the message says how.
    pub fn check(&self, origin: &Path, most_places: u64) -> Result<(), String> {
        // Offsets are sums of sizes, and a tar cannot be that long.
        let deltas = self.restores.iter().flat_map(|it| [it.delta.size, it.aside]);
        let sum = self.contents().map(|(_, size)| size).chain(deltas).fold(0, u64::saturating_add);
        if sum > u64::MAX / 4 {
            return Err("content of an impossible size".to_owned());
        }
        if self.counted() != self.totals {
            return Err("other totals than its content has".to_owned());
        }
        if self.unpacked_by.as_deref() != (!self.restores.is_empty()).then_some(UNPACKER) {
            return Err("another way to unpack it than its content needs".to_owned());
        }
        let catalog = self.catalog(origin)?;
        for (name, image) in &catalog.images {
            if let Identifier::Digest(named) = name.identifier
                && named != image.digest
            {
                return Err(format!("{name} is {}", image.digest));
            }
        }
        if !fits(&catalog, most_places) {
            return Err("more links than it has room for".to_owned());
        }
        self.check_deltas()?;
        let bases = self.bases_alone(&catalog);
        let is_of_images = |(digest, _): &(Digest, u64)| !bases.contains(digest);
        let listed: BTreeMap<Digest, u64> = self.contents().filter(is_of_images).collect();
        if catalog.contents() != listed {
            return Err("content that no image needs".to_owned());
        }
        if self.carries.iter().any(|it| bases.contains(&it.digest)) {
            return Err("content that only deltas need".to_owned());
        }
        Ok(())
    }

    /// Makes sure that its deltas are content of their own, and take from what will be there.
    fn check_deltas(&self) -> Result<(), String> {
        self.rounds()?;
        let known: BTreeMap<Digest, u64> = self.contents().collect();
        let manifests: BTreeSet<Digest> = self.manifests.iter().map(|it| it.digest).collect();
        let mut deltas = BTreeSet::new();
        for Restored { digest, delta, bases, aside, .. } in &self.restores {
            if known.contains_key(&delta.digest) || !deltas.insert(delta.digest) {
                return Err(format!("{} is there twice", delta.digest));
            }
            // What a manifest says has to be known before anything is restored.
            if manifests.contains(digest) {
                return Err(format!("a delta of the manifest {digest}"));
            }
            if bases.len() > MAX_BASES {
                return Err(format!("a delta of {digest} from too many bases"));
            }
            if let Some(base) = bases.iter().find(|base| !known.contains_key(base)) {
                return Err(format!("{digest} is made from {base}, of which nothing is said"));
            }
            let most = bases.iter().map(|base| known[base].saturating_mul(MAX_RATIO));
            if *aside > most.fold(0, u64::saturating_add) {
                return Err(format!("{digest} is made from bases of an impossible size"));
            }
        }
        Ok(())
    }

    /// All content that it has or needs, with its sizes.
    fn contents(&self) -> impl Iterator<Item = (Digest, u64)> {
        let carries = self.carries.iter().map(|it| (it.digest, it.size));
        let restores = self.restores.iter().map(|it| (it.digest, it.size));
        carries.chain(restores).chain(self.relies_on.iter().map(|it| (it.digest, it.size)))
    }

    /// The catalog that it describes, without any file.
    ///
    /// # Errors
    /// When it contradicts itself; the message says how.
    pub fn catalog(&self, origin: &Path) -> Result<Catalog, String> {
        let mut sizes = BTreeMap::new();
        for (digest, size) in self.contents() {
            if sizes.insert(digest, size).is_some() {
                return Err(format!("{digest} is there twice"));
            }
        }
        graph::catalog(&self.images, &self.manifests, &sizes, origin)
    }
}
