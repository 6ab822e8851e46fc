//! Writes blocks, each in the shortest of three forms (RFC 1951, 3.2.3): as it is, with the fixed codes, or
//! with codes of its own.

use super::bits::Bits;
use super::code::{
    Code, DISTANCES, END, LENGTH_SYMBOLS, LITERALS, MOST_BITS, distance_extra, distance_symbol,
    fixed_distances, fixed_literals, length_extra,
};
use super::description::Description;
use super::symbols::Symbols;

/// How many bits the form of a block takes, and whether it is the last one.
const KIND_BITS: u32 = 3;
/// What tells the forms apart, above the bit of the last block.
const STORED: u64 = 0;
const FIXED: u64 = 1 << 1;
const DESCRIBED: u64 = 2 << 1;

/// Writes blocks.
pub(in crate::deflate) struct Writer {
    pub(in crate::deflate) bits: Bits,
    fixed: (Code<LITERALS>, Code<DISTANCES>),
    /// The code of each match length with its extra bits, and how many bits that are.
    lengths: [(u32, u32); 256],
}

impl Writer {
    pub(super) fn new() -> Self {
        let fixed = (fixed_literals(), fixed_distances());
        Self { bits: Bits::default(), fixed, lengths: [(0, 0); 256] }
    }

    /// Writes a block that stands for `plain`; `None` if that is not at hand any more.
    pub(super) fn write(
        &mut self,
        symbols: &Symbols,
        plain: Option<&[u8]>,
        is_last: bool,
        out: &mut Vec<u8>,
    ) {
        let literals = Code::fitting(&symbols.literals, MOST_BITS);
        let distances = Code::fitting(&symbols.distances, MOST_BITS);
        let description = Description::of(&literals, &distances);

        let extra = extra_bits(symbols);
        let size = |literals: &Code<LITERALS>, distances: &Code<DISTANCES>| {
            literals.bits(&symbols.literals) + distances.bits(&symbols.distances) + extra
        };
        let in_bytes = |bits: u64| (bits + u64::from(KIND_BITS)).div_ceil(8);
        let described_size = in_bytes(description.bits() + size(&literals, &distances));
        let fixed_size = in_bytes(size(&self.fixed.0, &self.fixed.1));
        let last = u64::from(is_last);
        match plain {
            // Two lengths come before what is stored; a block of 65536 bytes and more is never stored.
            Some(plain) if plain.len() as u64 + 4 <= described_size.min(fixed_size) => {
                self.store(plain, is_last, out);
            }
            _ if fixed_size <= described_size => {
                self.bits.put(FIXED | last, KIND_BITS, out);
                let (literals, distances) = self.fixed.clone();
                self.put(symbols, &literals, &distances, out);
            }
            _ => {
                self.bits.put(DESCRIBED | last, KIND_BITS, out);
                description.put(&mut self.bits, out);
                self.put(symbols, &literals, &distances, out);
            }
        }
        if is_last {
            self.bits.align(out);
        }
    }

    /// Writes a block without compression.
    pub(in crate::deflate) fn store(&mut self, plain: &[u8], is_last: bool, out: &mut Vec<u8>) {
        self.bits.put(STORED | u64::from(is_last), KIND_BITS, out);
        self.bits.align(out);
        let length = plain.len() as u16;
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&(!length).to_le_bytes());
        out.extend_from_slice(plain);
    }

    /// Goes on to the next byte with blocks that stand for nothing, the way pigz does: an odd number of bits
    /// left over takes a stored block, an even one as many blocks of 10 bits, with the fixed codes, as it takes.
    pub(in crate::deflate) fn end_on_a_byte(&mut self, out: &mut Vec<u8>) {
        if self.bits.settle(out) % 2 == 1 {
            self.store(&[], false, out);
        }
        while self.bits.settle(out) > 0 {
            self.put_empty(out);
        }
    }

    /// Writes a block with the fixed codes that stands for nothing.
    fn put_empty(&mut self, out: &mut Vec<u8>) {
        self.bits.put(FIXED, KIND_BITS, out);
        let literals = &self.fixed.0;
        self.bits.put(u64::from(literals.codes[END]), u32::from(literals.lengths[END]), out);
    }

    fn put(
        &mut self,
        symbols: &Symbols,
        literals: &Code<LITERALS>,
        distances: &Code<DISTANCES>,
        out: &mut Vec<u8>,
    ) {
        let code_of =
            |symbol: usize| (u32::from(literals.codes[symbol]), u32::from(literals.lengths[symbol]));
        let mut first = 0;
        for length in 0..self.lengths.len() {
            let symbol = usize::from(LENGTH_SYMBOLS[length]);
            if length == 0 || LENGTH_SYMBOLS[length - 1] != LENGTH_SYMBOLS[length] {
                first = length;
            }
            let (code, bits) = code_of(END + 1 + symbol);
            let extra = (length - first) as u32;
            self.lengths[length] = (code | extra << bits, bits + length_extra(symbol));
        }
        for symbol in &symbols.list {
            let (distance, low) = (symbol >> 16, (symbol & 0xff) as usize);
            if distance == 0 {
                let (code, bits) = code_of(low);
                self.bits.put(u64::from(code), bits, out);
                continue;
            }
            let (code, bits) = self.lengths[low];
            let distance = distance - 1;
            let symbol = distance_symbol(distance) % DISTANCES;
            let extra_bits = distance_extra(symbol);
            let extra = u64::from(distance) & ((1 << extra_bits) - 1);
            let of_distance = u32::from(distances.lengths[symbol]);
            let value =
                u64::from(code) | u64::from(distances.codes[symbol]) << bits | extra << (bits + of_distance);
            self.bits.put(value, bits + of_distance + extra_bits, out);
        }
        let (code, bits) = code_of(END);
        self.bits.put(u64::from(code), bits, out);
    }
}

/// How many bits follow the codes of lengths and distances, in all.
fn extra_bits(symbols: &Symbols) -> u64 {
    let lengths = symbols.literals[END + 1..].iter().enumerate();
    let lengths = lengths.map(|(symbol, count)| u64::from(*count) * u64::from(length_extra(symbol)));
    let distances = symbols.distances.iter().enumerate();
    let distances = distances.map(|(symbol, count)| u64::from(*count) * u64::from(distance_extra(symbol)));
    lengths.chain(distances).sum()
}
