//! Finds how the bytes of one file come from those of another: long stretches that are alike, not only equal.
//!
//! The search is that of bsdiff (Colin Percival, "Naive differences of executable code", 2003): an equal stretch
//! grows in both directions as long as most of its bytes are equal, so that a function whose addresses moved is
//! one stretch with a few differences. Where bsdiff sorts all suffixes, this looks up hashes of short pieces,
//! which finds nearly the same at a fraction of the time.

use super::script::equal_bytes;

/// How many places of the base are remembered at most; four bytes each.
const MOST_PLACES: usize = 1 << 23;

/// The bits of an entry that are a place: no base is longer than these can say.
const PLACE: u32 = (1 << 26) - 1;

/// An equal stretch has to be so much longer than what the current alignment already matches (bsdiff's rule).
const ADVANTAGE: usize = 8;

/// A stretch of the target that comes from the base, or is new.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// So many bytes are like those of the base at an offset.
    Like {
        /// Where in the base.
        offset: usize,
        /// How many bytes.
        length: usize,
    },
    /// So many bytes are new.
    New {
        /// How many bytes.
        length: usize,
    },
}

/// Cuts `target` into stretches, in their order.
pub fn stretches(base: &[u8], target: &[u8], mut on_stretch: impl FnMut(Stretch)) {
    let places = Places::of(base);
    let mut scan = 0;
    let mut length = 0;
    let mut place = 0;
    // Where the last stretch ended in the target, and what it is aligned to in the base.
    let (mut done, mut from) = (0usize, 0usize);
    while scan < target.len() {
        let mut old_score = 0;
        scan += length;
        let mut scored = scan;
        while scan < target.len() {
            (place, length) = places.longest(target, scan);
            let aligned = |at: usize| (at + from).checked_sub(done).and_then(|at| base.get(at));
            while scored < (scan + length).min(target.len()) {
                old_score += usize::from(aligned(scored) == Some(&target[scored]));
                scored += 1;
            }
            if (length == old_score && length != 0) || length > old_score + ADVANTAGE {
                break;
            }
            // What goes on as it is needs no look at every byte of it.
            let ahead = (scan + from).checked_sub(done).and_then(|at| base.get(at..)).unwrap_or_default();
            let equal = equal_bytes(&ahead[..ahead.len().min(1 << 16)], &target[scan..]);
            old_score -= equal.min(scored - scan).min(old_score);
            scan += equal.max(1);
            if scored < scan {
                (scored, old_score) = (scan, 0);
            }
        }
        if length == old_score && scan != target.len() {
            continue;
        }
        let mut forward = forward(&base[from.min(base.len())..], &target[done..scan]);
        let mut backward = 0;
        if scan < target.len() {
            backward = self::backward(&base[..place], &target[done..scan]);
        }
        let overlap = (forward + backward).saturating_sub(scan - done);
        if overlap > 0 {
            let kept = share(
                base,
                target,
                (from + forward - overlap, done + forward - overlap),
                (place - backward, scan - backward),
                overlap,
            );
            forward = forward - overlap + kept;
            backward -= kept;
        }
        if forward > 0 {
            on_stretch(Stretch::Like { offset: from, length: forward });
        }
        let new = scan - backward - (done + forward);
        if new > 0 {
            on_stretch(Stretch::New { length: new });
        }
        done = scan - backward;
        from = place - backward;
    }
}

/// How far the beginnings are alike: the length at which the most bytes are equal, less the others.
fn forward(base: &[u8], target: &[u8]) -> usize {
    best(base.iter().zip(target).map(|(a, b)| a == b))
}

/// How far the ends are alike.
fn backward(base: &[u8], target: &[u8]) -> usize {
    best(base.iter().rev().zip(target.iter().rev()).map(|(a, b)| a == b))
}

fn best(equal: impl Iterator<Item = bool>) -> usize {
    let (mut score, mut best, mut length) = (0isize, 0isize, 0);
    for (at, is_equal) in equal.enumerate() {
        score += if is_equal { 1 } else { -1 };
        if score > best {
            (best, length) = (score, at + 1);
        }
        // So far behind it does not come back, or not worth the walk.
        if score < best - 4096 {
            break;
        }
    }
    length
}

/// How much of an overlap belongs to the first of two stretches.
fn share(base: &[u8], target: &[u8], first: (usize, usize), second: (usize, usize), overlap: usize) -> usize {
    let (mut score, mut best, mut kept) = (0isize, 0isize, 0);
    for at in 0..overlap {
        let byte = target[first.1 + at];
        score += isize::from(base.get(first.0 + at) == Some(&byte));
        score -= isize::from(base.get(second.0 + at) == Some(&byte));
        if score > best {
            (best, kept) = (score, at + 1);
        }
    }
    kept
}

/// Where short pieces of the base lie.
struct Places<'b> {
    base: &'b [u8],
    piece: usize,
    /// Place plus one, by hash; 0 is nothing. Two places share a bucket: the first seen and the last. The highest
    /// bits are more of the hash, so that the base is not looked at in vain.
    table: Vec<[u32; 2]>,
    shift: u32,
}

impl<'b> Places<'b> {
    fn of(base: &'b [u8]) -> Self {
        let step = base.len().div_ceil(MOST_PLACES).max(1);
        let piece = if base.len() < 1 << 20 { 8 } else { 16.max(step * 4) };
        let count = (base.len() / step).next_power_of_two().clamp(1 << 8, MOST_PLACES / 2);
        let mut places = Self { base, piece, table: vec![[0; 2]; count], shift: 64 - count.trailing_zeros() };
        for at in (0..(base.len() + 1).saturating_sub(piece)).step_by(step) {
            let (number, tag) = places.hash(&base[at..at + piece]);
            let bucket = &mut places.table[number];
            let entry = tag | (at as u32 + 1);
            if bucket[0] == 0 { bucket[0] = entry } else { bucket[1] = entry }
        }
        places
    }

    /// The number of a piece's bucket, and the tag of its entry.
    fn hash(&self, piece: &[u8]) -> (usize, u32) {
        let mut hash = 0u64;
        for lane in piece.chunks_exact(8) {
            let lane = u64::from_le_bytes(lane.try_into().unwrap_or_default());
            hash = (hash ^ lane).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
        }
        let hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
        ((hash >> self.shift) as usize, (hash as u32) & !PLACE)
    }

    /// The longest equal stretch for the target at `scan`: its place and its length.
    fn longest(&self, target: &[u8], scan: usize) -> (usize, usize) {
        let Some(piece) = target.get(scan..scan + self.piece) else { return (0, 0) };
        let (number, tag) = self.hash(piece);
        let mut best = (0, 0);
        for entry in self.table[number] {
            if entry & !PLACE != tag {
                continue;
            }
            let Some(place) = ((entry & PLACE) as usize).checked_sub(1) else { continue };
            let length = equal_bytes(&self.base[place..], &target[scan..]);
            if length > best.1 && length >= self.piece {
                best = (place, length);
            }
        }
        best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Builds the target again, and counts the bytes that differ and those that are new.
    fn cost(base: &[u8], target: &[u8]) -> (usize, usize) {
        let (mut at, mut differing, mut new) = (0, 0, 0);
        stretches(base, target, |stretch| match stretch {
            Stretch::Like { offset, length } => {
                let pairs = base[offset..offset + length].iter().zip(&target[at..at + length]);
                differing += pairs.filter(|(a, b)| a != b).count();
                at += length;
            }
            Stretch::New { length } => {
                new += length;
                at += length;
            }
        });
        assert_eq!(at, target.len());
        (differing, new)
    }

    fn noise(length: usize, mut seed: u64) -> Vec<u8> {
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        std::iter::repeat_with(next).take(length).collect()
    }

    #[test]
    fn what_is_alike_is_found() {
        let base = noise(200_000, 1);
        assert_eq!(cost(&base, &base), (0, 0));
        assert_eq!(cost(&base, &[]), (0, 0));
        assert_eq!(cost(&[], &base), (0, base.len()));
        // A piece inserted, a piece removed, two halves swapped.
        let inserted = [&base[..70_000], b"some new bytes", &base[70_000..]].concat();
        assert!(cost(&base, &inserted).1 < 30);
        assert!(cost(&inserted, &base).1 < 30);
        let swapped = [&base[100_000..], &base[..100_000]].concat();
        assert!(cost(&base, &swapped).1 < 30);
        // A byte in a hundred changed: one stretch, no new bytes to speak of.
        let mut changed = base.clone();
        changed.iter_mut().step_by(100).for_each(|byte| *byte ^= 0x55);
        let (differing, new) = cost(&base, &changed);
        assert!(differing <= 2_000 && new < 300, "{differing} differ, {new} new");
    }

    #[test]
    fn short_and_odd_inputs() {
        for base in 0..40 {
            for target in 0..40 {
                cost(&noise(base, 7), &noise(target, 7));
                cost(&vec![0; base * 100], &vec![0; target * 100]);
                cost(&noise(base, 3).repeat(3), &noise(target, 3).repeat(5));
            }
        }
    }
}
