//! Which of the files that claim to hold a digest keep their word.
//!
//! What lies at the destination already is checked in any case; of the source's copies only as many as it takes
//! to find a sound one. Each inode is read once for each digest it claims.

mod claim;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

pub use claim::{Claim, Claims, Sizes};

use crate::catalog::Files;
use crate::digest::Digest;
use crate::disk::{File, Inode};
use crate::finding::{self, Finding, Kind};
use crate::hash::{OnBytes, digest_of};
use crate::tally::Tally;
use crate::work;

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
    let means = Means { depth, on_bytes, hashed: &hashed };
    let mut of = work::largest_first(claims, Claim::size, |claim| judge(claim, &means));
    of.sort_unstable_by_key(|verdict| verdict.digest);
    Verdicts { of, hashed: hashed.into_inner().unwrap_or_else(PoisonError::into_inner) }
}

/// As [`verify`], of claims that may be about the same content; verdicts come in the claims' order.
pub fn verify_each(claims: &[Claim], depth: Depth, on_bytes: OnBytes) -> Vec<Verdict> {
    let means = Means { depth, on_bytes, hashed: &Mutex::default() };
    work::largest_first(claims, Claim::size, |claim| judge(claim, &means))
}

/// How to look, and where to count.
struct Means<'a> {
    depth: Depth,
    on_bytes: OnBytes<'a>,
    hashed: &'a Mutex<Tally>,
}

fn judge(claim: &Claim, means: &Means) -> Verdict {
    let mut verdict = Verdict { digest: claim.digest, files: Files::new(), are_unread: false, faults: None };
    let mut faults = Vec::new();
    let mut known: HashMap<Inode, Option<Finding>> = HashMap::new();
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
        let fault = known.entry(file.inode()).or_insert_with(|| check(claim, file, means).err());
        match fault {
            None => verdict.files.push(file.clone()),
            Some(fault) => faults.push(Finding { file: file.path(), ..fault.clone() }),
        }
    }
    verdict.faults = (!faults.is_empty()).then(|| Box::new(faults));
    verdict
}

fn check(claim: &Claim, file: &File, means: &Means) -> Result<(), Finding> {
    check_size(claim, file)?;
    if means.depth == Depth::Sizes {
        return Ok(());
    }
    let digest = claim.digest;
    let (found, length) = digest_of(file, digest.algorithm(), means.on_bytes)
        .map_err(|error| finding::unreadable(&file.path(), &error).of(digest))?;
    means.hashed.lock().unwrap_or_else(PoisonError::into_inner).add(length);
    if found == digest { Ok(()) } else { Err(finding::corrupt(&file.path(), digest, found)) }
}

fn check_size(claim: &Claim, file: &File) -> Result<(), Finding> {
    if claim.sizes.is_empty() || claim.sizes.contains(&file.size) {
        return Ok(());
    }
    let sizes: Vec<_> = claim.sizes.iter().map(|size| format!("{size} bytes")).collect();
    let finding = Finding::at(Kind::WrongSize, file.path()).of(claim.digest);
    Err(finding.expected(sizes.join(" or ")).found(format_args!("{} bytes", file.size)))
}
