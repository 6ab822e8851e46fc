//! How verdicts come about: files are presumed to hold what they claim, all of them are hashed at once, and only where
//! one does not, the others that raise the same claim are looked at.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;

use super::{Claim, Depth, Verdict};
use crate::catalog::Files;
use crate::digest::Digest;
use crate::disk::{File, Inode};
use crate::finding::{self, Finding, Kind};
use crate::hash::{Found, OnBytes, digest_of, digests_of};
use crate::tally::Tally;

/// What came of hashing files that were presumed to hold what they claim.
#[derive(Debug, Default)]
pub struct Hashed {
    tally: Tally,
    faulty: Vec<Faulty>,
}

/// A file that does not hold what it claims, by the number of its verdict.
#[derive(Debug)]
struct Faulty {
    number: usize,
    inode: Inode,
    why: Box<Finding>,
}

/// Why a file does not hold what it has to; nearly always it does.
type Fault = Option<Box<Finding>>;

impl Hashed {
    /// Whether every file holds what it claims.
    #[must_use]
    pub fn is_as_presumed(&self) -> bool {
        self.faulty.is_empty()
    }

    /// What was hashed.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }
}

/// Looks at the files of all claims; verdicts come in the claims' order.
pub(super) fn verify(claims: &[Claim], depth: Depth, on_bytes: OnBytes) -> (Vec<Verdict>, Tally) {
    let mut verdicts = presume(claims, depth);
    let mut tally = Tally::default();
    if depth == Depth::Bytes {
        let found = hash(&verdicts, on_bytes);
        tally = correct(claims, &mut verdicts, found, on_bytes);
    }
    (verdicts, tally)
}

/// What is so if every file of the right size holds what it claims.
pub(super) fn presume(claims: &[Claim], depth: Depth) -> Vec<Verdict> {
    claims.par_iter().map(|claim| judge(claim, depth, |file| check_size(claim, file))).collect()
}

/// Hashes what was presumed: all at once takes less time than one claim after the other.
pub(super) fn hash(verdicts: &[Verdict], on_bytes: OnBytes) -> Hashed {
    let mut asked: Vec<(u32, &File)> = Vec::new();
    for (number, verdict) in verdicts.iter().enumerate().filter(|(_, verdict)| !verdict.are_unread) {
        let mut inodes = HashSet::new();
        asked.extend(
            verdict.files.iter().filter(|file| inodes.insert(file.inode())).map(|file| (number as u32, file)),
        );
    }
    let digest_of = |number: u32| verdicts[number as usize].digest;
    let hashed = Mutex::<Hashed>::default();
    digests_of(
        &asked,
        |(number, file)| (*file, digest_of(*number).algorithm()),
        on_bytes,
        |index, found| {
            let (number, file) = asked[index];
            let mut hashed = hashed.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(why) = compare(digest_of(number), file, found, &mut hashed.tally) {
                hashed.faulty.push(Faulty { number: number as usize, inode: file.inode(), why });
            }
        },
    );
    hashed.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// Judges anew what has a file that does not hold what it claims; tells what was hashed for it, and before.
pub(super) fn correct(claims: &[Claim], verdicts: &mut [Verdict], found: Hashed, on_bytes: OnBytes) -> Tally {
    let Hashed { mut tally, mut faulty } = found;
    faulty.sort_unstable_by_key(|faulty| faulty.number);
    let judge_anew = |faulty: &[Faulty]| {
        let number = faulty[0].number;
        let mut known: HashMap<Inode, Fault> =
            verdicts[number].files.iter().map(|file| (file.inode(), None)).collect();
        known.extend(faulty.iter().map(|faulty| (faulty.inode, Some(faulty.why.clone()))));
        let (claim, mut tally) = (&claims[number], Tally::default());
        let verdict = judge(claim, Depth::Bytes, |file| {
            let check = || check(claim, file, on_bytes, &mut tally);
            known.entry(file.inode()).or_insert_with(check).clone()
        });
        (number, verdict, tally)
    };
    let anew: Vec<_> = faulty.par_chunk_by(|a, b| a.number == b.number).map(judge_anew).collect();
    for (number, verdict, hashed) in anew {
        verdicts[number] = verdict;
        tally += hashed;
    }
    tally
}

/// Looks at one file of a claim after the other, as far as it takes.
fn judge(claim: &Claim, depth: Depth, mut look: impl FnMut(&File) -> Fault) -> Verdict {
    let mut verdict = Verdict { digest: claim.digest, files: Files::new(), are_unread: false, faults: None };
    let mut faults = Vec::new();
    for file in &claim.placed {
        match look(file) {
            None => verdict.files.push(file.clone()),
            Some(fault) => faults.push(Finding { file: file.path(), ..*fault }),
        }
    }
    // Of the source's files one is enough, but for those that are hashed while they are copied.
    let are_unread = claim.is_copied && depth == Depth::Bytes;
    let sources = if verdict.files.is_empty() { &claim.sources[..] } else { &[] };
    for file in sources {
        match if are_unread { check_size(claim, file) } else { look(file) } {
            Some(fault) => faults.push(Finding { file: file.path(), ..*fault }),
            None => {
                verdict.files.push(file.clone());
                verdict.are_unread = are_unread;
                if !are_unread {
                    break;
                }
            }
        }
    }
    verdict.faults = (!faults.is_empty()).then(|| Box::new(faults));
    verdict
}

fn check(claim: &Claim, file: &File, on_bytes: OnBytes, tally: &mut Tally) -> Fault {
    check_size(claim, file)
        .or_else(|| compare(claim.digest, file, digest_of(file, claim.digest.algorithm(), on_bytes), tally))
}

/// Counts what was hashed, and says what is wrong with it.
fn compare(digest: Digest, file: &File, found: Found, tally: &mut Tally) -> Fault {
    match found {
        Err(error) => Some(Box::new(finding::unreadable(&file.path(), &error).of(digest))),
        Ok((found, length)) => {
            tally.add(length);
            (found != digest).then(|| Box::new(finding::corrupt(&file.path(), digest, found)))
        }
    }
}

fn check_size(claim: &Claim, file: &File) -> Fault {
    if claim.sizes.is_empty() || claim.sizes.contains(&file.size) {
        return None;
    }
    let sizes: Vec<_> = claim.sizes.iter().map(|size| format!("{size} bytes")).collect();
    let finding = Finding::at(Kind::WrongSize, file.path()).of(claim.digest);
    Some(Box::new(finding.expected(sizes.join(" or ")).found(format_args!("{} bytes", file.size))))
}
