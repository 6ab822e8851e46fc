//! Prefix codes of whole alphabets, and the numbers that deflate gives to lengths and distances (RFC 1951, 3.2).

use super::tree;

/// How many symbols stand for literals, the end of a block and lengths.
pub(in crate::deflate) const LITERALS: usize = 286;
/// How many symbols stand for distances.
pub(in crate::deflate) const DISTANCES: usize = 30;
/// The symbol that ends a block.
pub(in crate::deflate) const END: usize = 256;
/// The shortest match.
pub(in crate::deflate) const SHORTEST: usize = 3;
/// The longest match.
pub(in crate::deflate) const LONGEST: usize = 258;

/// The longest code of a literal, a length or a distance, in bits.
pub(super) const MOST_BITS: u8 = 15;

/// The symbol of each match length, as a distance from [`END`] + 1, less [`SHORTEST`] bytes.
pub(super) static LENGTH_SYMBOLS: [u8; 256] = length_symbols();

const fn length_symbols() -> [u8; 256] {
    let mut symbols = [0; 256];
    let mut length = 0;
    while length < 256 {
        symbols[length] = match length {
            0..8 => length as u8,
            // The longest match has a symbol of its own, without extra bits.
            255 => 28,
            _ => {
                let log = length.ilog2() as usize;
                ((log - 1) * 4 + (length >> (log - 2) & 3)) as u8
            }
        };
        length += 1;
    }
    symbols
}

/// How many extra bits follow the length symbol `END + 1 + symbol`.
pub(super) const fn length_extra(symbol: usize) -> u32 {
    match symbol {
        0..8 | 28 => 0,
        _ => symbol as u32 / 4 - 1,
    }
}

/// The symbol of a distance, less one.
#[inline]
pub(super) fn distance_symbol(distance: u32) -> usize {
    if distance < 4 {
        return distance as usize;
    }
    let log = distance.ilog2();
    (log * 2 + (distance >> (log - 1) & 1)) as usize
}

/// How many extra bits follow a distance symbol.
#[inline]
pub(super) const fn distance_extra(symbol: usize) -> u32 {
    match symbol {
        0..4 => 0,
        _ => symbol as u32 / 2 - 1,
    }
}

/// A prefix code for an alphabet of at most `N` symbols.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Code<const N: usize> {
    /// How long each symbol's code is; 0 where it has none.
    pub(super) lengths: [u8; N],
    /// Each symbol's code, as it is written: the first bit is the lowest.
    pub(super) codes: [u16; N],
    /// How many symbols are described: up to the last one that has a code.
    pub(super) described: usize,
}

impl<const N: usize> Code<N> {
    /// The best code for symbols that come so often, as zlib makes it.
    pub(super) fn fitting(counts: &[u16; N], most_bits: u8) -> Self {
        Self::of(tree::lengths(counts, most_bits))
    }

    /// The code with these lengths (RFC 1951, 3.2.2).
    pub(super) fn of(lengths: [u8; N]) -> Self {
        let mut next = [0_u16; 16];
        for length in lengths.iter().filter(|length| **length > 0) {
            next[usize::from(*length & 15)] += 1;
        }
        let mut first = 0;
        for count in &mut next {
            let of_this_length = *count;
            *count = first;
            first = (first + of_this_length) << 1;
        }
        let mut codes = [0; N];
        for (code, length) in codes.iter_mut().zip(lengths).filter(|(_, length)| *length > 0) {
            let next = &mut next[usize::from(length & 15)];
            *code = next.reverse_bits() >> (16 - length);
            *next += 1;
        }
        let described = N - lengths.iter().rev().take_while(|length| **length == 0).count();
        Self { lengths, codes, described }
    }

    /// How many bits so many symbols take, without extra bits.
    pub(super) fn bits(&self, counts: &[u16; N]) -> u64 {
        let each = self.lengths.iter().zip(counts);
        each.map(|(length, count)| u64::from(*length) * u64::from(*count)).sum()
    }
}

/// The code for literals and lengths of blocks that do not describe theirs (RFC 1951, 3.2.6).
pub(super) fn fixed_literals() -> Code<LITERALS> {
    let lengths = std::array::from_fn(|symbol| match symbol {
        0..144 => 8,
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    });
    // Two of its symbols are never used, but they have their place in the code.
    let Code::<288> { lengths, codes, .. } = Code::of(lengths);
    let (lengths, codes) = (std::array::from_fn(|n| lengths[n]), std::array::from_fn(|n| codes[n]));
    Code { lengths, codes, described: LITERALS }
}

/// The code for distances that goes with it.
pub(super) fn fixed_distances() -> Code<DISTANCES> {
    Code::of([5; DISTANCES])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_the_symbols_of_the_standard() {
        // RFC 1951, 3.2.5: the first length of each symbol.
        let first = [
            3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
            163, 195, 227, 258,
        ];
        for length in SHORTEST..=LONGEST {
            let symbol = first.partition_point(|first| *first <= length) - 1;
            assert_eq!(usize::from(LENGTH_SYMBOLS[length - SHORTEST]), symbol, "length {length}");
            if symbol < 27 {
                assert_eq!(first[symbol] + (1 << length_extra(symbol)), first[symbol + 1]);
            }
        }
        assert_eq!((length_extra(27), length_extra(28)), (5, 0));
    }

    #[test]
    fn distances_have_the_symbols_of_the_standard() {
        let mut first = 1;
        for symbol in 0..DISTANCES {
            let next = first + (1 << distance_extra(symbol));
            assert!((first..next).all(|distance| distance_symbol(distance - 1) == symbol));
            first = next;
        }
        assert_eq!(first, (32 << 10) + 1);
    }

    #[test]
    fn the_fixed_code_is_that_of_the_standard() {
        let code = fixed_literals();
        let written = |symbol: usize| code.codes[symbol].reverse_bits() >> (16 - code.lengths[symbol]);
        let firsts = [0, 144, 256, 280].map(written);
        assert_eq!(firsts, [0b0011_0000, 0b1_1001_0000, 0, 0b1100_0000]);
        assert_eq!(fixed_distances().codes[1], 0b1_0000);
    }
}
