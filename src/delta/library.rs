//! What a site has to take from: the members of all its layers, and which of them a new layer is like.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::mem::size_of;
use std::sync::OnceLock;

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
    /// That it was hashed, and is what its name says.
    pub(super) was_sound: OnceLock<()>,
}

/// All that a site has.
#[derive(Debug, Default)]
pub struct Library {
    /// The blobs, in the order of their digests.
    pub bases: Vec<Base>,
    /// How many members there are up to each base's last.
    ends: Vec<u32>,
    by_hash: Index,
    by_path: Index,
    by_stem: Index,
    by_look: Index,
}

/// Keys of members, sorted, each with the number of the member that has it, counted through all bases.
///
/// A site has millions of members, so a key is 32 bits: it finds what may be alike, and proves nothing.
#[derive(Debug, Default)]
struct Index(Vec<(u32, u32)>);

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
        let base = |((digest, file), members)| Base { digest, file, members, was_sound: OnceLock::new() };
        Self::of(bases.map(base).collect())
    }

    fn of(bases: Vec<Base>) -> Self {
        let is_named = |member: &Member| member.path != NAMELESS;
        // All archives end alike.
        let has_content =
            |member: &Member| member.size > 0 && (is_named(member) || !member.sketch.numbers().is_empty());
        let keys = |keys: Keys| Index::of(&bases, keys);
        let by_hash = keys(&|it, add| {
            if has_content(it) {
                add(it.hash as u32)
            }
        });
        let by_path = keys(&|it, add| {
            if is_named(it) {
                add(it.path)
            }
        });
        let by_stem = keys(&|it, add| {
            if is_named(it) {
                add(it.stem)
            }
        });
        let by_look = keys(&|it, add| it.sketch.numbers().iter().for_each(|number| add(*number)));
        let counts = bases.iter().scan(0, |end, base| {
            *end += base.members.len() as u32;
            Some(*end)
        });
        Self { ends: counts.collect(), by_hash, by_path, by_stem, by_look, bases }
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn memory(&self) -> u64 {
        /// What the allocator takes for a sketch besides its numbers.
        const OF_SKETCH: usize = 16;
        let indexes = [&self.by_hash, &self.by_path, &self.by_stem, &self.by_look];
        let indexes = indexes.map(|Index(keys)| size_of_val(keys.as_slice()));
        let members = self.bases.iter().flat_map(|base| &base.members);
        let sketches = members.map(|member| match member.sketch.numbers() {
            [] => 0,
            numbers => size_of_val(numbers) + OF_SKETCH,
        });
        let members = self.ends.last().map_or(0, |end| *end as usize) * size_of::<Member>();
        (indexes.iter().sum::<usize>() + sketches.sum::<usize>() + members) as u64
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
            for place in self.with_key(&self.by_hash, member.hash as u32) {
                let there = self.member(place);
                if there.hash == member.hash {
                    raise(place, if there.size == member.size { member.size } else { 0 });
                }
            }
        }
        let mut alike: HashMap<Place, u64> = HashMap::new();
        for number in member.sketch.numbers() {
            self.with_key(&self.by_look, *number).for_each(|place| *alike.entry(place).or_default() += 1);
        }
        let numbers = member.sketch.numbers().len().max(1) as u64;
        for (place, shared) in alike {
            raise(place, member.size * shared * 7 / numbers / 8);
        }
        // A name tells less than content, and a file of another size is less likely to be the same one.
        for (keys, tenths) in [(&self.by_path, 4), (&self.by_stem, 2)] {
            let key = if tenths == 4 { member.path } else { member.stem };
            for place in self.with_key(keys, key) {
                let there = self.member(place).size;
                raise(place, member.size.min(there) * tenths / 10);
            }
        }
        worth.into_iter().collect()
    }

    /// The members with a key, in their order.
    fn with_key<'l>(&'l self, Index(keys): &'l Index, key: u32) -> impl Iterator<Item = Place> + 'l {
        let begin = keys.partition_point(|(other, _)| *other < key);
        let with_it = keys[begin..].iter().take_while(move |(other, _)| *other == key);
        with_it.map(|(_, number)| {
            let base = self.ends.partition_point(|end| end <= number);
            let before = base.checked_sub(1).map_or(0, |before| self.ends[before]);
            Place { base: base as u32, member: number - before }
        })
    }
}

/// Tells the keys of a member, one by one.
type Keys<'k> = &'k dyn Fn(&Member, &mut dyn FnMut(u32));

impl Index {
    /// All keys of all members; of members that share one, as many as are looked at.
    fn of(bases: &[Base], keys: Keys) -> Self {
        let members = || bases.iter().flat_map(|base| &base.members);
        let mut count = 0;
        members().for_each(|member| keys(member, &mut |_| count += 1));
        // No longer than it has to be: growing, it would be there twice.
        let mut all = Vec::with_capacity(count);
        members().zip(0..).for_each(|(member, number)| keys(member, &mut |key| all.push((key, number))));
        all.sort_unstable();
        let (mut last, mut alike) = (None, 0);
        all.retain(|(key, _)| {
            alike = if last == Some(*key) { alike + 1 } else { 1 };
            last = Some(*key);
            alike <= MOST_ALIKE
        });
        all.shrink_to_fit();
        Self(all)
    }
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

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::digest::Algorithm;
    use crate::disk::{self, Look};

    /// A blob of these files, and a file that has it.
    fn blob(folder: &Path, files: &[(&str, Vec<u8>)]) -> (Digest, File) {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, bytes.as_slice()).unwrap();
        }
        let bytes = tar.into_inner().unwrap();
        let mut file = tempfile::NamedTempFile::new_in(folder).unwrap();
        file.write_all(&bytes).unwrap();
        let (_, path) = file.keep().unwrap();
        let Look::File(file) = disk::look(&path).unwrap() else { panic!("no file") };
        (Digest::of(Algorithm::Sha256, &bytes), file)
    }

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn memory_is_counted() {
        assert_eq!(Library::default().memory(), 0);
        let folder = tempfile::tempdir().unwrap();
        let files: Vec<_> = (0..300).map(|number| (format!("{number}-x"), noise(8000, number))).collect();
        let files: Vec<_> = files.iter().map(|(path, bytes)| (path.as_str(), bytes.clone())).collect();
        let library = Library::read(vec![blob(folder.path(), &files)], &|_| {});
        let of_each = library.memory() / 301;
        assert!((150..220).contains(&of_each), "{of_each} bytes for a member");
    }
}
