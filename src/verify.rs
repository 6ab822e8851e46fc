//! Which of the files that claim to hold a digest keep their word.
//!
//! What lies at the destination already is checked in any case; of the source's copies only as many as it takes
//! to find a sound one. Each inode is read once for each digest it claims.

mod claim;

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, OnceLock, PoisonError};

use rayon::prelude::*;

pub use claim::{Claim, Claims, Sizes};

use crate::catalog::Files;
use crate::digest::Digest;
use crate::disk::{File, Inode};
use crate::finding::{self, Finding, Kind};
use crate::hash::{Found, OnBytes, digest_of, digests_of};
use crate::tally::Tally;

/// What was found of each digest.
#[derive(Debug, Default)]
pub struct Verdicts {
    /// In the order of the digests.
    of: Vec<Verdict>,
    /// What was hashed of all files.
    pub hashed: Tally,
}

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every byte is hashed, now or while it is copied.
    Bytes,
    /// The size has to be right.
    Sizes,
}

/// What a look at a claim's files showed.
#[derive(Debug)]
pub struct Verdict {
    /// What they claim to hold.
    pub digest: Digest,
    /// Files that hold it; or else, source files that may hold it and were not read.
    files: Files,
    are_unread: bool,
    /// Files that do not, and why; of nearly every claim none.
    #[expect(clippy::box_collection, reason = "one word in each of a million verdicts, instead of three")]
    faults: Option<Box<Vec<Finding>>>,
}

impl Verdict {
    /// Files that hold it.
    #[must_use]
    pub fn sound(&self) -> &[File] {
        if self.are_unread { &[] } else { &self.files }
    }

    /// Source files that may hold it and were not read; none where a file is known to hold it.
    #[must_use]
    pub fn unread(&self) -> &[File] {
        if self.are_unread { &self.files } else { &[] }
    }

    /// Files that do not hold it, and why.
    #[must_use]
    pub fn faults(&self) -> &[Finding] {
        self.faults.as_ref().map(|faults| faults.as_slice()).unwrap_or_default()
    }

    /// How many bytes the destination can have; `None` where no file holds them.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.files.first().map(|file| file.size)
    }
}

impl Verdicts {
    /// What was found of a digest.
    #[must_use]
    pub fn get(&self, digest: &Digest) -> Option<&Verdict> {
        let found = self.of.binary_search_by(|verdict| verdict.digest.cmp(digest)).ok()?;
        Some(&self.of[found])
    }

    /// All of them, in the order of the digests.
    pub fn iter(&self) -> impl Iterator<Item = &Verdict> {
        self.of.iter()
    }

    /// Why files do not hold what they have to.
    pub fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.of.iter().flat_map(Verdict::faults)
    }

    /// How many bytes of some content the destination can have, as [`Verdict::size`].
    #[must_use]
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        self.get(digest)?.size()
    }
}

/// Looks at the files of all claims, each about another digest, the largest first.
#[must_use]
pub fn verify(claims: &[Claim], depth: Depth, on_bytes: OnBytes) -> Verdicts {
    let hashed = Mutex::default();
    let mut of = judge_all(claims, &Means { depth, on_bytes, hashed: &hashed });
    of.sort_unstable_by_key(|verdict| verdict.digest);
    Verdicts { of, hashed: hashed.into_inner().unwrap_or_else(PoisonError::into_inner) }
}

/// As [`verify`], of claims that may be about the same content; verdicts come in the claims' order.
pub fn verify_each(claims: &[Claim], depth: Depth, on_bytes: OnBytes) -> Vec<Verdict> {
    judge_all(claims, &Means { depth, on_bytes, hashed: &Mutex::default() })
}

/// How to look, and where to count.
struct Means<'a> {
    depth: Depth,
    on_bytes: OnBytes<'a>,
    hashed: &'a Mutex<Tally>,
}

/// Why a file does not hold what it has to; nearly always it does.
type Fault = Option<Box<Finding>>;

fn judge_all(claims: &[Claim], means: &Means) -> Vec<Verdict> {
    // Nearly always that is all that has to be hashed, and all at once takes less time than one claim after the other.
    let mut asked: Vec<(u32, &File)> = Vec::new();
    if means.depth == Depth::Bytes {
        for (number, claim) in claims.iter().enumerate() {
            asked.extend(surely_hashed(claim).map(|file| (number as u32, file)));
        }
    }
    let faults = hash_all(claims, &asked, means);
    let judge = |(number, claim): (usize, &Claim)| {
        let first = asked.partition_point(|(of, _)| (*of as usize) < number);
        let of_claim = asked[first..].iter().zip(&faults[first..]);
        let of_claim = of_claim.take_while(|((of, _), _)| *of as usize == number);
        let known = of_claim.filter_map(|((_, file), fault)| Some((file.inode(), fault.get()?.clone())));
        judge(claim, known.collect(), means)
    };
    claims.par_iter().enumerate().map(judge).collect()
}

/// The files of a claim that are hashed whatever comes of the others.
fn surely_hashed<'c>(claim: &'c Claim) -> impl Iterator<Item = &'c File> {
    let first = claim.sources.first().filter(|_| claim.placed.is_empty() && !claim.is_copied);
    let mut inodes = HashSet::new();
    let is_new = move |file: &&File| inodes.insert(file.inode());
    claim.placed.iter().filter(is_new).chain(first).filter(|file| check_size(claim, file).is_ok())
}

/// Hashes files, each of the claim with its number; tells of each what is wrong with it.
fn hash_all<'c>(claims: &[Claim], asked: &[(u32, &'c File)], means: &Means) -> Vec<OnceLock<Fault>> {
    let faults: Vec<OnceLock<Fault>> = asked.iter().map(|_| OnceLock::new()).collect();
    let digest_of = |number: u32| claims[number as usize].digest;
    let file_of = |(number, file): &(u32, &'c File)| (*file, digest_of(*number).algorithm());
    digests_of(asked, file_of, means.on_bytes, |index, found| {
        let (number, file) = asked[index];
        drop(faults[index].set(means.compare(digest_of(number), file, found)));
    });
    faults
}

fn judge(claim: &Claim, mut known: HashMap<Inode, Fault>, means: &Means) -> Verdict {
    let mut verdict = Verdict { digest: claim.digest, files: Files::new(), are_unread: false, faults: None };
    let mut faults = Vec::new();
    let placed = claim.placed.iter().map(|file| (file, true));
    for (file, is_placed) in placed.chain(claim.sources.iter().map(|file| (file, false))) {
        if !is_placed && !verdict.sound().is_empty() {
            break;
        }
        if !is_placed && claim.is_copied && means.depth == Depth::Bytes {
            match check_size(claim, file) {
                Ok(()) => {
                    verdict.are_unread = true;
                    verdict.files.push(file.clone());
                }
                Err(fault) => faults.push(fault),
            }
            continue;
        }
        match known.entry(file.inode()).or_insert_with(|| check(claim, file, means)) {
            None => verdict.files.push(file.clone()),
            Some(fault) => faults.push(Finding { file: file.path(), ..(**fault).clone() }),
        }
    }
    verdict.faults = (!faults.is_empty()).then(|| Box::new(faults));
    verdict
}

fn check(claim: &Claim, file: &File, means: &Means) -> Fault {
    if let Err(fault) = check_size(claim, file) {
        return Some(Box::new(fault));
    }
    if means.depth == Depth::Sizes {
        return None;
    }
    means.compare(claim.digest, file, digest_of(file, claim.digest.algorithm(), means.on_bytes))
}

impl Means<'_> {
    /// Counts what was hashed, and says what is wrong with it.
    fn compare(&self, digest: Digest, file: &File, found: Found) -> Fault {
        let fault = match found {
            Err(error) => finding::unreadable(&file.path(), &error).of(digest),
            Ok((found, length)) => {
                self.hashed.lock().unwrap_or_else(PoisonError::into_inner).add(length);
                if found == digest {
                    return None;
                }
                finding::corrupt(&file.path(), digest, found)
            }
        };
        Some(Box::new(fault))
    }
}

fn check_size(claim: &Claim, file: &File) -> Result<(), Finding> {
    if claim.sizes.is_empty() || claim.sizes.contains(&file.size) {
        return Ok(());
    }
    let sizes: Vec<_> = claim.sizes.iter().map(|size| format!("{size} bytes")).collect();
    let finding = Finding::at(Kind::WrongSize, file.path()).of(claim.digest);
    Err(finding.expected(sizes.join(" or ")).found(format_args!("{} bytes", file.size)))
}
