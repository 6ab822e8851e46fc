//! The bill of materials, `bundle.json`: what a package carries, and what it relies on.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::layout::graph::{self, Content, Edges, NamedImage};
use crate::reference::Identifier;
use crate::tally::Tally;

/// The format that this program writes, and the only one that it reads.
pub const SCHEMA: &str = "bundle.package/1";
/// How the names of all formats of packages begin.
pub(super) const SCHEMAS: &str = "bundle.package/";

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
    /// How much it is.
    pub totals: Totals,
    /// The images that are there once it is applied.
    pub images: Vec<NamedImage>,
    /// The manifests that they need.
    pub manifests: Vec<Edges>,
    /// The content that it carries, manifests included, in its order.
    pub carries: Vec<Carried>,
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
            totals: Totals { images: catalog.images.len() as u64, ..Totals::default() },
            images: graph::images(catalog),
            manifests: graph::manifests(catalog),
            carries: Vec::new(),
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

    /// Makes sure that it describes what its images need, all of it and nothing else, in so many places at most.
    ///
    /// # Errors
    /// When it contradicts itself; the message says how.
    pub fn check(&self, origin: &Path, most_places: u64) -> Result<(), String> {
        let carries = self.carries.iter().map(|it| (it.digest, it.size));
        let relies_on = self.relies_on.iter().map(|it| (it.digest, it.size));
        let sizes = carries.clone().chain(relies_on.clone()).map(|(_, size)| size);
        // Offsets are sums of sizes, and a tar cannot be that long.
        let sum = sizes.fold(0, u64::saturating_add);
        if sum > u64::MAX / 4 {
            return Err("content of an impossible size".to_owned());
        }
        let tally = |contents: &mut dyn Iterator<Item = (Digest, u64)>| {
            let mut tally = Tally::default();
            contents.for_each(|(_, size)| tally.add(size));
            tally
        };
        let totals = Totals {
            images: self.images.len() as u64,
            carries: tally(&mut carries.clone()),
            relies_on: tally(&mut relies_on.clone()),
        };
        if totals != self.totals {
            return Err("other totals than its content has".to_owned());
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
        let listed: BTreeMap<Digest, u64> = carries.chain(relies_on).collect();
        if catalog.contents() != listed {
            return Err("content that no image needs".to_owned());
        }
        Ok(())
    }

    /// The catalog that it describes, without any file.
    ///
    /// # Errors
    /// When it contradicts itself; the message says how.
    pub fn catalog(&self, origin: &Path) -> Result<Catalog, String> {
        let mut sizes = BTreeMap::new();
        let carried = self.carries.iter().map(|it| (it.digest, it.size));
        for (digest, size) in carried.chain(self.relies_on.iter().map(|it| (it.digest, it.size))) {
            if sizes.insert(digest, size).is_some() {
                return Err(format!("{digest} is there twice"));
            }
        }
        graph::catalog(&self.images, &self.manifests, &sizes, origin)
    }
}
