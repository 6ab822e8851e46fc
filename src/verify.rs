//! Which of the files that claim to hold a digest keep their word.
//!
//! What lies at the destination already is checked in any case; of the source's copies only as many as it takes
//! to find a sound one. Each inode is read once for each digest it claims.

mod claim;
mod judge;

pub use claim::{Claim, Claims, Sizes};
pub use judge::Hashed;

use crate::catalog::Files;
use crate::digest::Digest;
use crate::disk::File;
use crate::finding::Finding;
use crate::hash::OnBytes;
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
    let (mut of, hashed) = judge::verify(claims, depth, on_bytes);
    of.sort_unstable_by_key(|verdict| verdict.digest);
    Verdicts { of, hashed }
}

/// As [`verify`], of claims that may be about the same content; verdicts come in the claims' order.
#[must_use]
pub fn verify_each(claims: &[Claim], depth: Depth, on_bytes: OnBytes) -> Vec<Verdict> {
    judge::verify(claims, depth, on_bytes).0
}

/// Takes every file that has the right size for what it claims to hold, so that work on it can begin while
/// [`Verdicts::hash`] finds out.
#[must_use]
pub fn presume(claims: &Claims, depth: Depth) -> Verdicts {
    Verdicts { of: judge::presume(claims, depth), hashed: Tally::default() }
}

impl Verdicts {
    /// Hashes every file that was presumed to hold what it claims, but for those that are hashed on the way.
    #[must_use]
    pub fn hash(&self, on_bytes: OnBytes) -> Hashed {
        judge::hash(&self.of, on_bytes)
    }

    /// Takes in what hashing showed; for a file that does not keep its word, others of the same claim are looked at.
    ///
    /// The claims have to be those that the verdicts were [presumed](presume) on.
    pub fn correct(&mut self, claims: &Claims, found: Hashed, on_bytes: OnBytes) {
        self.hashed += judge::correct(claims, &mut self.of, found, on_bytes);
    }
}
