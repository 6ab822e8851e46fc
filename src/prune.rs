//! Pruning: which images stay, what these need, what of the rest goes, in which order.
//!
//! Everything is decided before anything is removed, and pure but for [`remove`]. What stays is what a conversion
//! of the same images would write. When in doubt, things stay: what is too young to be known as garbage, and with
//! damaged images whatever they might still need.

mod doubt;
mod keep;
mod plan;
mod remove;

use std::collections::BTreeSet;

use serde::Serialize;

pub use keep::missed;
pub use plan::plan;
pub use remove::{Removal, remove};

use crate::layout::registry::{Holding, Part};
use crate::reference::Reference;
use crate::select::Selection;
use crate::tally::Tally;

/// What a person wants to keep.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Which images; all tags, if it chooses nothing.
    pub selection: &'a Selection,
    /// What of a tag stays.
    pub history: History,
    /// From when on something is too young to be removed, in nanoseconds since 1970.
    pub young_from_ns: Option<i64>,
}

/// What of a tag stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum History {
    /// What it points at.
    Current,
    /// All that it ever pointed at, as far as that is there.
    Whole,
}

/// What is to be done.
#[derive(Debug, Default)]
pub struct Plan {
    /// The images that stay.
    pub kept: BTreeSet<Reference>,
    /// The tags that go.
    pub tags: BTreeSet<Reference>,
    /// The images that go and that only a digest names.
    pub untagged: BTreeSet<Reference>,
    /// How much goes.
    pub gone: Amount,
    /// How much would go if it were older.
    pub young: Amount,
    /// How much would go if it were known what damaged images need.
    pub doubted: Amount,
    /// The repositories that go as a whole.
    pub repositories: u64,
    /// Bytes of the inodes that have no name any more.
    pub freed: u64,
    /// What to remove, in its order.
    pub removal: Removal,
}

/// How many things, by what they are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Tags.
    pub tags: u64,
    /// Links to manifests and blobs, and those of which the history of tags is made.
    pub links: u64,
    /// Uploads that did not come to their end.
    pub uploads: u64,
    /// Blobs and manifests.
    pub blobs: Tally,
}

impl Amount {
    fn add(&mut self, holding: &Holding) {
        match holding.part {
            Part::Tag(..) => self.tags += 1,
            Part::History(..) | Part::Revision(..) | Part::Layer(..) => self.links += 1,
            Part::Upload(_) => self.uploads += 1,
            Part::Blob(_) => holding.files.iter().for_each(|file| self.blobs.add(file.size)),
        }
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }
}
