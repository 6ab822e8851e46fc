//! What a site has to take from: the members of all its layers, and which of them a new layer is like.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::members::{Member, NAMELESS, members};
use super::plain;
use crate::digest::Digest;
use crate::disk::File;
use crate::work;

/// How many layers a delta takes from at most: each has to be uncompressed where it is applied.
pub const MAX_BASES: usize = 4;

/// How many members with one key are looked at.
const MOST_ALIKE: usize = 32;

/// A blob that a site has.
#[derive(Debug, Clone)]
pub struct Base {
    /// Its name.
    pub digest: Digest,
    /// A file that has it.
    pub file: File,
    /// Its members.
    pub members: Vec<Member>,
}

/// All that a site has.
#[derive(Debug, Default)]
pub struct Library {
    /// The blobs, in the order of their digests.
    pub bases: Vec<Base>,
    /// Keys of members, sorted, each with the member that has it.
    by_hash: Vec<(u64, Place)>,
    by_path: Vec<(u64, Place)>,
    by_stem: Vec<(u64, Place)>,
    by_look: Vec<(u64, Place)>,
}

/// A member of a base, both by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The base.
    pub base: u32,
    /// The member.
    pub member: u32,
}

/// What a new layer takes from where.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Pairing {
    /// The bases that it takes from, by their number in the library.
    pub bases: Vec<u32>,
    /// For each of its members: the member that its headers come from, and the one that its content comes from.
    pub pairs: Vec<Pair>,
}

/// What a member comes from.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The member with like headers.
    pub header: Option<Place>,
    /// The member with like content.
    pub content: Option<Place>,
}

impl Library {
    /// Reads what a site has. What cannot be read, or uncompressed, is left out: a delta needs none of it.
    #[must_use]
    pub fn read(blobs: Vec<(Digest, File)>, on_bytes: &(dyn Fn(u64) + Sync)) -> Self {
        let read = |(_, file): &(Digest, File)| {
            let members = members(|| Ok(plain::open(file)?.1));
            on_bytes(file.size);
            members.unwrap_or_default()
        };
        let members = work::largest_first(&blobs, |(_, file)| file.size, read);
        let bases = blobs.into_iter().zip(members);
        let bases = bases.filter(|(_, members)| !members.is_empty());
        Self::of(bases.map(|((digest, file), members)| Base { digest, file, members }).collect())
    }

    fn of(bases: Vec<Base>) -> Self {
        let mut library = Self { bases, ..Self::default() };
        for (base, Base { members, .. }) in library.bases.iter().enumerate() {
            for (number, member) in members.iter().enumerate() {
                let place = Place { base: base as u32, member: number as u32 };
                let is_named = member.path != NAMELESS;
                if is_named {
                    library.by_path.push((member.path, place));
                    library.by_stem.push((member.stem, place));
                }
                // All archives end alike.
                if member.size > 0 && (is_named || !member.sketch.numbers().is_empty()) {
                    library.by_hash.push((member.hash, place));
                }
                library.by_look.extend(member.sketch.numbers().iter().map(|number| (*number, place)));
            }
        }
        library.by_hash.sort_unstable();
        library.by_path.sort_unstable();
        library.by_stem.sort_unstable();
        library.by_look.sort_unstable();
        library
    }

    /// A member.
    #[must_use]
    pub fn member(&self, place: Place) -> &Member {
        &self.bases[place.base as usize].members[place.member as usize]
    }

    /// The part of it that has these blobs.
    #[must_use]
    pub fn of_these(self, is_one: impl Fn(&Digest) -> bool) -> Self {
        Self::of(self.bases.into_iter().filter(|base| is_one(&base.digest)).collect())
    }

    /// Divides its blobs into those that stand alone and those that are like one of them, by at least half.
    #[must_use]
    pub fn standing_alone(&self) -> BTreeSet<Digest> {
        // A large layer has the most to give to others.
        let length = |base: &Base| base.members.last().map_or(0, Member::end);
        let mut order: Vec<u32> = (0..self.bases.len() as u32).collect();
        order.sort_by_key(|number| (Reverse(length(&self.bases[*number as usize])), *number));
        let mut alone = BTreeSet::new();
        for number in order {
            let base = &self.bases[number as usize];
            let spared = self.best(&base.members, &|other| alone.contains(&other));
            if spared < length(base) / 2 {
                alone.insert(number);
            }
        }
        alone.into_iter().map(|number| self.bases[number as usize].digest).collect()
    }

    /// How many bytes of a layer the one base spares that spares the most.
    fn best(&self, members: &[Member], may: &dyn Fn(u32) -> bool) -> u64 {
        let mut gains: BTreeMap<u32, u64> = BTreeMap::new();
        for member in members {
            let mut best: BTreeMap<u32, u64> = BTreeMap::new();
            for (place, worth) in self.candidates(member).into_iter().filter(|(place, _)| may(place.base)) {
                let best = best.entry(place.base).or_default();
                *best = (*best).max(worth);
            }
            for (base, worth) in best {
                *gains.entry(base).or_default() += worth;
            }
        }
        gains.into_values().max().unwrap_or_default()
    }

    /// Decides what a new layer takes from where; `None` when there is nothing worth it.
    #[must_use]
    pub fn pair(&self, members: &[Member]) -> Option<Pairing> {
        let candidates: Vec<Vec<(Place, u64)>> =
            members.iter().map(|member| self.candidates(member)).collect();
        let bases = choose(&candidates)?;
        let pairs = members.iter().zip(candidates).map(|(member, candidates)| {
            let there = |place: &Place| bases.contains(&place.base);
            let header = candidates
                .iter()
                .map(|(place, _)| *place)
                .filter(|place| there(place) && self.member(*place).path == member.path)
                .max_by_key(|place| (self.member(*place).size == member.size, Reverse(*place)));
            let content = candidates
                .iter()
                .filter(|(place, worth)| there(place) && *worth > 0 && self.member(*place).size > 0)
                .max_by_key(|(place, worth)| {
                    let is_here = self.member(*place).path == member.path;
                    (*worth, is_here, Reverse(*place))
                });
            Pair { header, content: content.map(|(place, _)| *place).filter(|_| member.size > 0) }
        });
        Some(Pairing { pairs: pairs.collect(), bases })
    }

    /// The members that one may come from, with how many of its bytes they may spare.
    fn candidates(&self, member: &Member) -> Vec<(Place, u64)> {
        let mut worth: BTreeMap<Place, u64> = BTreeMap::new();
        let mut raise = |place: Place, bytes: u64| {
            let worth = worth.entry(place).or_default();
            *worth = bytes.max(*worth);
        };
        if member.size > 0 {
            for place in with_key(&self.by_hash, &member.hash) {
                raise(place, if self.member(place).size == member.size { member.size } else { 0 });
            }
        }
        let mut alike: HashMap<Place, u64> = HashMap::new();
        for number in member.sketch.numbers() {
            with_key(&self.by_look, number).for_each(|place| *alike.entry(place).or_default() += 1);
        }
        let numbers = member.sketch.numbers().len().max(1) as u64;
        for (place, shared) in alike {
            raise(place, member.size * shared * 7 / numbers / 8);
        }
        // A name tells less than content, and a file of another size is less likely to be the same one.
        for (keys, tenths) in [(&self.by_path, 4), (&self.by_stem, 2)] {
            let key = if tenths == 4 { member.path } else { member.stem };
            for place in with_key(keys, &key) {
                let there = self.member(place).size;
                raise(place, member.size.min(there) * tenths / 10);
            }
        }
        worth.into_iter().collect()
    }
}

fn with_key<'k, K: Ord>(keys: &'k [(K, Place)], key: &K) -> impl Iterator<Item = Place> + 'k {
    let begin = keys.partition_point(|(other, _)| other < key);
    let end = keys[begin..].partition_point(|(other, _)| other <= key);
    keys[begin..begin + end.min(MOST_ALIKE)].iter().map(|(_, place)| *place)
}

/// Takes the base that spares the most, then the one that spares the most of the rest, and so on.
fn choose(candidates: &[Vec<(Place, u64)>]) -> Option<Vec<u32>> {
    /// What the headers of a member with the same name spare, in bytes.
    const HEADER: u64 = 100;
    /// What a further base has to spare to be worth uncompressing, in bytes.
    const WORTH: u64 = 32 << 10;
    let mut covered = vec![0; candidates.len()];
    let mut chosen: Vec<u32> = Vec::new();
    while chosen.len() < MAX_BASES {
        let mut gains: BTreeMap<u32, u64> = BTreeMap::new();
        for (member, covered) in candidates.iter().zip(&covered) {
            let mut best: BTreeMap<u32, u64> = BTreeMap::new();
            for (place, worth) in member {
                let best = best.entry(place.base).or_default();
                *best = (*best).max(worth + HEADER);
            }
            for (base, worth) in best {
                *gains.entry(base).or_default() += worth.saturating_sub(*covered);
            }
        }
        let best = gains.into_iter().max_by_key(|(base, gain)| (*gain, Reverse(*base)));
        let least = if chosen.is_empty() { 1 } else { WORTH };
        let Some((base, _)) = best.filter(|(_, gain)| *gain >= least) else { break };
        for (member, covered) in candidates.iter().zip(&mut covered) {
            let of_base = member.iter().filter(|(place, _)| place.base == base);
            *covered = of_base.map(|(_, worth)| worth + HEADER).fold(*covered, u64::max);
        }
        chosen.push(base);
    }
    if chosen.is_empty() { None } else { Some(chosen) }
}
