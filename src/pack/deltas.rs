//! Content that is shipped as deltas: from what every site has, from other content of the package, or from nothing
//! but itself, where it is stored better than its gzip stream was.
//!
//! A delta is made, and held to its blob's digest, before anything is written. What cannot be one, or is not
//! smaller, is shipped whole, and the reason is counted.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use serde::Serialize;

use crate::delta::library::Library;
use crate::delta::make::{Made, Making, Why, make};
use crate::digest::{Algorithm, Digest, Hasher};
use crate::disk::{File, Scratch};
use crate::hash::OnBytes;
use crate::layout::package::{Carried, Restored};
use crate::text::shown;
use crate::work::{self, Budget};

/// How much memory may be taken by what is known of the bases and by deltas that are made at the same time, in
/// bytes.
const MEMORY: u64 = 400 << 20;
/// From this level on zstd remembers much more.
const HARD: i32 = 16;

/// Which deltas are wanted; each at one of zstd's levels.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Wish {
    /// From what the sites have.
    pub from_bases: Option<i32>,
    /// From other content of the package, or from nothing.
    pub recompressed: Option<i32>,
}

/// What became of the wish.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub struct Layers {
    /// How many layers the package has, whole or as deltas.
    pub layers: u64,
    /// How many are deltas.
    pub deltas: u64,
    /// How many are whole, and why.
    pub whole: BTreeMap<Why, u64>,
}

/// Deltas that were made.
#[derive(Debug)]
pub struct Deltas {
    /// What they restore, in the order of its digests; their offsets are not known yet.
    pub restores: Vec<Restored>,
    /// What became of every layer.
    pub layers: Layers,
    shelf: Option<Shelf>,
}

/// The deltas themselves, one behind the other in a file without a name.
#[derive(Debug)]
struct Shelf {
    bytes: Scratch,
    /// Where each begins, and how long it is.
    places: HashMap<Digest, (u64, u64)>,
}

/// What deltas are made of and for.
pub struct Order<'a> {
    /// The layers that would be shipped whole, each with a file that has it.
    pub layers: Vec<(Digest, File)>,
    /// The layers that every site has, each with a file that has it.
    pub bases: Vec<(Digest, File)>,
    /// Which deltas are wanted.
    pub wish: Wish,
    /// Where large things are put aside.
    pub folder: &'a Path,
}

impl Deltas {
    /// No deltas.
    #[must_use]
    pub fn none() -> Self {
        Self { restores: Vec::new(), layers: Layers::default(), shelf: None }
    }

    /// Makes as many deltas as are worth it.
    ///
    /// # Errors
    /// When a layer cannot be read, or nothing can be put aside.
    pub fn make(order: Order, on_bytes: OnBytes) -> Result<Self> {
        let Order { layers, bases, wish, folder } = order;
        let cannot = || format!("cannot put anything aside in {}", shown(folder));
        let shelf = Shelf { bytes: Scratch::new(folder).with_context(cannot)?, places: HashMap::new() };
        let maker = Maker { shelf: Mutex::new(shelf), folder, on_bytes };
        let mut results = BTreeMap::new();
        let mut left = layers;
        if let Some(level) = wish.from_bases {
            let library = Library::read(bases, on_bytes);
            let making = Making { library: &library, folder, level, stands_alone: false };
            results.extend(maker.make(&left, making)?);
            left.retain(|(digest, _)| results.get(digest).is_some_and(Result::is_err));
        }
        if let Some(level) = wish.recompressed {
            let library = Library::read(left.clone(), on_bytes);
            let alone = library.standing_alone();
            let library = library.of_these(|digest| alone.contains(digest));
            let (first, others) =
                left.into_iter().partition::<Vec<_>, _>(|(digest, _)| alone.contains(digest));
            let nothing = Library::default();
            for (layers, library) in [(first, &nothing), (others, &library)] {
                let making = Making { library, folder, level, stands_alone: true };
                results.extend(maker.make(&layers, making)?);
            }
        }
        let mut made = Self { shelf: None, ..Self::none() };
        made.layers.layers = results.len() as u64;
        for result in results.into_values() {
            match result {
                Ok(restored) => {
                    made.layers.deltas += 1;
                    made.restores.push(restored);
                }
                Err(why) => *made.layers.whole.entry(why).or_default() += 1,
            }
        }
        made.shelf = Some(maker.shelf.into_inner().unwrap_or_else(PoisonError::into_inner));
        Ok(made)
    }

    /// Reads a delta, piece by piece, and holds it to its name once more.
    ///
    /// # Errors
    /// When it cannot be read, is not what it was, or `piece` fails.
    pub fn read(&self, delta: &Digest, mut piece: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut failed = None;
        let read = self.stream(delta, |bytes| {
            piece(bytes).map_err(|error| {
                failed = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map(drop).context("cannot read a delta that was put aside")
    }

    /// As [`read`](Self::read); returns how many bytes there were.
    ///
    /// # Errors
    /// The same.
    pub fn stream(&self, delta: &Digest, mut piece: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<u64> {
        const PIECE_BYTES: usize = 256 << 10;
        let shelf = self.shelf.as_ref().ok_or(io::ErrorKind::NotFound)?;
        let &(begin, size) = shelf.places.get(delta).ok_or(io::ErrorKind::NotFound)?;
        let mut buffer = vec![0; PIECE_BYTES];
        let mut hasher = Hasher::new(delta.algorithm());
        let mut done = 0;
        while done < size {
            let count = (size - done).min(PIECE_BYTES as u64);
            let bytes = &mut buffer[..count as usize];
            shelf.bytes.read_exact_at(bytes, begin + done)?;
            hasher.update(bytes);
            piece(bytes)?;
            done += count;
        }
        if hasher.finish() != *delta {
            return Err(io::Error::other("the disk gives back something else than was written"));
        }
        Ok(size)
    }
}

/// Makes deltas, several at a time.
struct Maker<'a> {
    shelf: Mutex<Shelf>,
    folder: &'a Path,
    on_bytes: OnBytes<'a>,
}

impl Maker<'_> {
    fn make(
        &self,
        layers: &[(Digest, File)],
        making: Making,
    ) -> Result<Vec<(Digest, Result<Restored, Why>)>> {
        // Where nothing is left, they are made one at a time.
        let budget = Budget::new(MEMORY.saturating_sub(making.library.memory()).max(1));
        let one = |layer: &_| self.make_one(layer, making, &budget);
        let made = work::largest_first(layers, |(_, file)| file.size, one);
        layers.iter().zip(made).map(|((digest, _), made)| Ok((*digest, made?))).collect()
    }

    fn make_one(
        &self,
        (digest, file): &(Digest, File),
        making: Making,
        budget: &Budget,
    ) -> Result<Result<Restored, Why>> {
        let made = budget.with(memory(making.level), || make(*digest, file, making));
        (self.on_bytes)(file.size);
        let delta = match made.with_context(|| format!("cannot make a delta of {}", shown(&file.path())))? {
            Made::Whole(why) => return Ok(Err(why)),
            Made::Delta(delta) => delta,
        };
        let size = delta.bytes.len();
        let digest_of_delta = self.put(&delta.bytes)?;
        let bases = &delta.header.bases;
        Ok(Ok(Restored {
            digest: *digest,
            size: file.size,
            delta: Carried { digest: digest_of_delta, size, offset: None },
            bases: bases.iter().map(|base| base.digest).collect(),
            aside: bases.iter().map(|base| base.plain_size).sum(),
        }))
    }

    /// Puts a delta on the shelf.
    fn put(&self, delta: &Scratch) -> Result<Digest> {
        let mut shelf = self.shelf.lock().unwrap_or_else(PoisonError::into_inner);
        let begin = shelf.bytes.len();
        let mut hasher = Hasher::new(Algorithm::Sha256);
        let copied = delta.copy_to(&mut shelf.bytes, |bytes| hasher.update(bytes));
        copied.with_context(|| format!("cannot put anything aside in {}", shown(self.folder)))?;
        let digest = hasher.finish();
        if shelf.places.insert(digest, (begin, delta.len())).is_some() {
            bail!("two deltas are one: {digest}");
        }
        Ok(digest)
    }
}

/// What making a delta takes, in bytes, as measured: two windows of 32 MiB with a table of one, then zstd's own.
fn memory(level: i32) -> u64 {
    if level < HARD { 150 << 20 } else { 200 << 20 }
}
