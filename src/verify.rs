//! Which of the files that claim to hold a digest keep their word.
//!
//! What lies at the destination already is checked in any case; of the source's copies only as many as it takes
//! to find a sound one. Each inode is read once for each digest it claims.

use std::collections::{BTreeSet, HashMap};

use crate::digest::Digest;
use crate::disk::{File, Inode};
use crate::finding::{self, Finding, Kind};
use crate::hash::{OnBytes, digest_of};
use crate::tally::Tally;
use crate::work;

/// A digest that has to be at the destination, and the files that claim to hold it.
#[derive(Debug, Default)]
pub struct Claim {
    /// The sizes that manifests say it has, in bytes; usually one.
    pub sizes: BTreeSet<u64>,
    /// Files that lie where they have to be.
    pub placed: Vec<File>,
    /// Files of the source.
    pub sources: Vec<File>,
}

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Every byte is hashed.
    Bytes,
    /// Every byte, but those of sources that are to be copied are hashed while they are copied.
    BytesWhenCopied,
    /// The size has to be right.
    Sizes,
}

/// What a look at a claim's files showed.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Files that hold it.
    pub sound: Vec<File>,
    /// Source files that may hold it and were not read.
    pub unread: Vec<File>,
    /// Files that do not, and why.
    pub faults: Vec<Finding>,
    /// What was hashed.
    pub hashed: Tally,
}

impl Claim {
    /// How many bytes it has, as its manifests say.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.sizes.last().copied().unwrap_or_default()
    }
}

impl Verdict {
    /// How many bytes the destination can have; `None` where no file holds them.
    #[must_use]
    pub fn size(&self) -> Option<u64> {
        self.sound.first().or(self.unread.first()).map(|file| file.size)
    }
}

/// Looks at the files of all claims, the largest first.
#[must_use]
pub fn verify(claims: &[(Digest, Claim)], depth: Depth, on_bytes: OnBytes) -> HashMap<Digest, Verdict> {
    claims.iter().map(|(digest, _)| *digest).zip(verify_each(claims, depth, on_bytes)).collect()
}

/// As [`verify`], of claims that may be about the same content; verdicts come in the claims' order.
pub fn verify_each(claims: &[(Digest, Claim)], depth: Depth, on_bytes: OnBytes) -> Vec<Verdict> {
    work::largest_first(
        claims,
        |(_, claim)| claim.size(),
        |(digest, claim)| judge(*digest, claim, depth, on_bytes),
    )
}

fn judge(digest: Digest, claim: &Claim, depth: Depth, on_bytes: OnBytes) -> Verdict {
    let mut verdict = Verdict::default();
    let mut known: HashMap<Inode, Option<Finding>> = HashMap::new();
    let placed_depth = if depth == Depth::Sizes { Depth::Sizes } else { Depth::Bytes };
    let placed = claim.placed.iter().map(|file| (file, placed_depth, true));
    for (file, depth, is_placed) in placed.chain(claim.sources.iter().map(|file| (file, depth, false))) {
        if !is_placed && !verdict.sound.is_empty() {
            break;
        }
        if depth == Depth::BytesWhenCopied {
            match check_size(digest, claim, file) {
                Ok(()) => verdict.unread.push(file.clone()),
                Err(fault) => verdict.faults.push(fault),
            }
            continue;
        }
        let fault = known
            .entry(file.inode)
            .or_insert_with(|| check(digest, claim, file, depth, on_bytes, &mut verdict.hashed).err());
        match fault {
            None => verdict.sound.push(file.clone()),
            Some(fault) => verdict.faults.push(Finding { file: file.path.clone(), ..fault.clone() }),
        }
    }
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
        .map_err(|error| finding::unreadable(&file.path, &error).of(digest))?;
    hashed.add(length);
    if found == digest { Ok(()) } else { Err(finding::corrupt(&file.path, digest, found)) }
}

fn check_size(digest: Digest, claim: &Claim, file: &File) -> Result<(), Finding> {
    if claim.sizes.is_empty() || claim.sizes.contains(&file.size) {
        return Ok(());
    }
    let sizes: Vec<_> = claim.sizes.iter().map(|size| format!("{size} bytes")).collect();
    let finding = Finding::at(Kind::WrongSize, &file.path).of(digest);
    Err(finding.expected(sizes.join(" or ")).found(format_args!("{} bytes", file.size)))
}
