//! Which of the files that claim to hold a digest keep their word.
//!
//! What lies at the destination already is checked in any case; of the source's copies only as many as it takes
//! to find a sound one. Each inode is read once for each digest it claims.

use std::borrow::Cow;
use std::collections::HashMap;

use smallvec::SmallVec;

use crate::catalog::Files;
use crate::digest::Digest;
use crate::disk::{File, Inode};
use crate::finding::{self, Finding, Kind};
use crate::hash::{OnBytes, digest_of};
use crate::tally::Tally;
use crate::work;

/// A digest that has to be at the destination, and the files that claim to hold it.
#[derive(Debug, Default)]
pub struct Claim<'c> {
    /// The sizes that manifests say it has, in bytes; usually one.
    pub sizes: Sizes,
    /// Files that lie where they have to be.
    pub placed: Files,
    /// Files of the source.
    pub sources: Cow<'c, [File]>,
    /// Whether the source's files are to be copied: then they are hashed while they are.
    pub is_copied: bool,
}

/// Claims, each about another digest, in the order of the digests.
pub type Claims<'c> = Vec<(Digest, Claim<'c>)>;

/// Claims about these digests, of which nothing is known yet.
#[must_use]
pub fn claims<'c>(mut digests: Vec<Digest>) -> Claims<'c> {
    digests.sort_unstable();
    digests.dedup();
    let mut claims = Vec::with_capacity(digests.len());
    claims.extend(digests.into_iter().map(|digest| (digest, Claim::default())));
    claims
}

/// The claim about a digest.
pub fn claim_of<'a, 'c>(claims: &'a mut Claims<'c>, digest: &Digest) -> Option<&'a mut Claim<'c>> {
    let found = claims.binary_search_by(|(known, _)| known.cmp(digest)).ok()?;
    Some(&mut claims[found].1)
}

/// Sizes in bytes, each once.
pub type Sizes = SmallVec<[u64; 2]>;

/// What was found of each digest.
#[derive(Debug, Default)]
pub struct Verdicts(Vec<(Digest, Verdict)>);

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every byte is hashed, now or while it is copied.
    Bytes,
    /// The size has to be right.
    Sizes,
}

/// What a look at a claim's files showed.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Files that hold it; or else, source files that may hold it and were not read.
    files: Files,
    are_unread: bool,
    /// Files that do not, and why.
    pub faults: Box<[Finding]>,
    /// What was hashed.
    pub hashed: Tally,
}

impl Claim<'_> {
    /// Takes in a size that a manifest says.
    pub fn says(&mut self, size: Option<u64>) {
        if let Some(size) = size.filter(|size| !self.sizes.contains(size)) {
            self.sizes.push(size);
            self.sizes.sort_unstable();
        }
    }

    /// How many bytes it has, as its manifests say.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.sizes.last().copied().unwrap_or_default()
    }
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
        let found = self.0.binary_search_by(|(known, _)| known.cmp(digest)).ok()?;
        Some(&self.0[found].1)
    }

    /// All of them, in the order of the digests.
    pub fn iter(&self) -> impl Iterator<Item = (&Digest, &Verdict)> {
        self.0.iter().map(|(digest, verdict)| (digest, verdict))
    }

    /// Why files do not hold what they have to.
    pub fn faults(&self) -> impl Iterator<Item = &Finding> {
        self.0.iter().flat_map(|(_, verdict)| &verdict.faults)
    }

    /// How many bytes of some content the destination can have, as [`Verdict::size`].
    #[must_use]
    pub fn size(&self, digest: &Digest) -> Option<u64> {
        self.get(digest)?.size()
    }

    /// What was hashed of all files.
    #[must_use]
    pub fn hashed(&self) -> Tally {
        let mut hashed = Tally::default();
        self.0.iter().for_each(|(_, verdict)| hashed += verdict.hashed);
        hashed
    }
}

/// Looks at the files of all claims, each about another digest, the largest first.
#[must_use]
pub fn verify(claims: &[(Digest, Claim)], depth: Depth, on_bytes: OnBytes) -> Verdicts {
    let look = |(digest, claim): &(Digest, Claim)| (*digest, judge(*digest, claim, depth, on_bytes));
    let mut verdicts = work::largest_first(claims, |(_, claim)| claim.size(), look);
    verdicts.sort_unstable_by_key(|(digest, _)| *digest);
    Verdicts(verdicts)
}

/// As [`verify`], of claims that may be about the same content; verdicts come in the claims' order.
pub fn verify_each(claims: &[(Digest, Claim)], depth: Depth, on_bytes: OnBytes) -> Vec<Verdict> {
    let look = |(digest, claim): &(Digest, Claim)| judge(*digest, claim, depth, on_bytes);
    work::largest_first(claims, |(_, claim)| claim.size(), look)
}

fn judge(digest: Digest, claim: &Claim, depth: Depth, on_bytes: OnBytes) -> Verdict {
    let mut verdict = Verdict::default();
    let mut faults = Vec::new();
    let mut known: HashMap<Inode, Option<Finding>> = HashMap::new();
    let placed = claim.placed.iter().map(|file| (file, true));
    for (file, is_placed) in placed.chain(claim.sources.iter().map(|file| (file, false))) {
        if !is_placed && !verdict.sound().is_empty() {
            break;
        }
        if !is_placed && claim.is_copied && depth == Depth::Bytes {
            match check_size(digest, claim, file) {
                Ok(()) => {
                    verdict.are_unread = true;
                    verdict.files.push(file.clone());
                }
                Err(fault) => faults.push(fault),
            }
            continue;
        }
        let fault = known
            .entry(file.inode)
            .or_insert_with(|| check(digest, claim, file, depth, on_bytes, &mut verdict.hashed).err());
        match fault {
            None => verdict.files.push(file.clone()),
            Some(fault) => faults.push(Finding { file: file.path(), ..fault.clone() }),
        }
    }
    verdict.faults = faults.into();
    verdict
}

fn check(
    digest: Digest,
    claim: &Claim,
    file: &File,
    depth: Depth,
    on_bytes: OnBytes,
    hashed: &mut Tally,
) -> Result<(), Finding> {
    check_size(digest, claim, file)?;
    if depth == Depth::Sizes {
        return Ok(());
    }
    let (found, length) = digest_of(file, digest.algorithm(), on_bytes)
        .map_err(|error| finding::unreadable(&file.path(), &error).of(digest))?;
    hashed.add(length);
    if found == digest { Ok(()) } else { Err(finding::corrupt(&file.path(), digest, found)) }
}

fn check_size(digest: Digest, claim: &Claim, file: &File) -> Result<(), Finding> {
    if claim.sizes.is_empty() || claim.sizes.contains(&file.size) {
        return Ok(());
    }
    let sizes: Vec<_> = claim.sizes.iter().map(|size| format!("{size} bytes")).collect();
    let finding = Finding::at(Kind::WrongSize, file.path()).of(digest);
    Err(finding.expected(sizes.join(" or ")).found(format_args!("{} bytes", file.size)))
}
