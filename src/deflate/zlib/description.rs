//! The description of a block's own codes (RFC 1951, 3.2.7): the lengths of all codes, runs of them shortened,
//! in a code that is described itself.

use super::bits::Bits;
use super::code::{Code, DISTANCES, LITERALS};

/// How many symbols describe lengths: the lengths from 0 to 15, and three kinds of repetitions.
const KINDS: usize = 19;
/// The last length again, three to six times.
const AGAIN: u8 = 16;
/// No code, three to ten times.
const NONE: u8 = 17;
/// No code, 11 to 138 times.
const NONE_LONG: u8 = 18;
/// The longest code of these symbols, in bits.
const MOST_BITS: u8 = 7;
/// In which order their lengths are written; those that come seldom are last and can be left out.
const ORDER: [usize; KINDS] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// How two codes are described.
pub(super) struct Description {
    /// The symbols, and how often what they repeat is repeated, less the least number.
    list: [(u8, u8); LITERALS + DISTANCES],
    count: usize,
    code: Code<KINDS>,
    counts: [u16; KINDS],
    /// How many lengths of the code itself are written.
    kinds: usize,
    literals: usize,
    distances: usize,
}

impl Description {
    pub(super) fn of(literals: &Code<LITERALS>, distances: &Code<DISTANCES>) -> Self {
        let mut list = [(0, 0); LITERALS + DISTANCES];
        let mut count = 0;
        let mut counts = [0; KINDS];
        let mut add = |symbol: u8, times: usize| {
            list[count] = (symbol, times as u8);
            count += 1;
            counts[usize::from(symbol)] += 1;
        };
        // No run goes on from one code into the other.
        run_lengths(&literals.lengths[..literals.described], &mut add);
        run_lengths(&distances.lengths[..distances.described], &mut add);
        let code = Code::fitting(&counts, MOST_BITS);
        let unused = ORDER.iter().rev().take_while(|kind| code.lengths[**kind] == 0).count();
        // The format wants four at least.
        let kinds = (KINDS - unused).max(4);
        Self {
            list,
            count,
            code,
            counts,
            kinds,
            literals: literals.described,
            distances: distances.described,
        }
    }

    /// How many bits it takes.
    pub(super) fn bits(&self) -> u64 {
        let extra = [AGAIN, NONE, NONE_LONG]
            .map(|symbol| u64::from(self.counts[usize::from(symbol)]) * u64::from(extra_bits(symbol)));
        5 + 5 + 4 + 3 * self.kinds as u64 + self.code.bits(&self.counts) + extra.iter().sum::<u64>()
    }

    pub(super) fn put(&self, bits: &mut Bits, out: &mut Vec<u8>) {
        bits.put((self.literals - 257) as u64, 5, out);
        bits.put((self.distances - 1) as u64, 5, out);
        bits.put((self.kinds - 4) as u64, 4, out);
        for kind in &ORDER[..self.kinds] {
            bits.put(u64::from(self.code.lengths[*kind]), 3, out);
        }
        for (symbol, times) in &self.list[..self.count] {
            let (code, length) =
                (self.code.codes[usize::from(*symbol)], self.code.lengths[usize::from(*symbol)]);
            bits.put(u64::from(code), u32::from(length), out);
            bits.put(u64::from(*times), extra_bits(*symbol), out);
        }
    }
}

/// How many bits tell the number of repetitions.
fn extra_bits(symbol: u8) -> u32 {
    match symbol {
        AGAIN => 2,
        NONE => 3,
        NONE_LONG => 7,
        _ => 0,
    }
}

/// Shortens runs of lengths, the way zlib does: always the longest repetition that fits, and what is left over
/// of a run, being too short to be repeated, length by length.
fn run_lengths(lengths: &[u8], add: &mut impl FnMut(u8, usize)) {
    for run in lengths.chunk_by(|one, next| one == next) {
        let length = run[0];
        let mut left = run.len();
        if length != 0 {
            // The first of them is written as it is: there is nothing yet to repeat.
            add(length, 0);
            left -= 1;
        }
        while left >= 3 {
            let (symbol, least, most) = match length {
                0 if left <= 10 => (NONE, 3, 10),
                0 => (NONE_LONG, 11, 138),
                _ => (AGAIN, 3, 6),
            };
            let times = left.min(most);
            add(symbol, times - least);
            left -= times;
        }
        for _ in 0..left {
            add(length, 0);
        }
    }
}
