//! Writes blocks: with codes of their own, with those of the block before, or stored.

use super::Revision;
use super::estimate::estimated_bits;
use crate::deflate::go::bits::{Bits, stored};
use crate::deflate::go::code::{Code, FIXED_LITERALS, FIXED_OFFSETS, bit_length, generate};
use crate::deflate::go::frequencies::{histogram, used};
use crate::deflate::go::header::Header;
use crate::deflate::go::symbols::{END, LITERALS, OFFSETS};
use crate::deflate::go::tokens::{Tokens, write, write_literals};

/// With fewer tokens than this the fixed codes are considered.
const FEW: usize = 250;

/// New codes have to save more than their 128th part: about what the estimate of their length leaves out.
const PENALTY: u32 = 7;

/// What the header of a block of literals is taken for, in bits.
const GUESSED_HEADER: usize = 70 * 8;

/// The codes of literals, lengths and the end of a block.
type LiteralCodes = [Code; LITERALS];

/// What is written of a stream, and what the next block may go on with.
pub(super) struct Writer {
    revision: Revision,
    bits: Bits,
    literals: LiteralCodes,
    offsets: [Code; OFFSETS],
    header: Header,
    /// The length of the header of a block that has not been ended, so that the next one may go on with its codes;
    /// 0 if there is none.
    open: usize,
    /// Whether the open block has codes for literals only.
    has_literals_only: bool,
}

impl Writer {
    /// Begins a stream, at a byte boundary.
    pub(super) fn new(revision: Revision) -> Self {
        Self {
            revision,
            bits: Bits::default(),
            literals: [Code::default(); LITERALS],
            offsets: [Code::default(); OFFSETS],
            header: Header::new(),
            open: 0,
            has_literals_only: false,
        }
    }

    /// Ends the open block.
    fn end_block(&mut self, out: &mut Vec<u8>) {
        if self.open > 0 {
            self.bits.code(self.literals[END], out);
            self.open = 0;
        }
    }

    /// Writes a stored block; an empty one is a mark that ends at a byte boundary.
    pub(super) fn write_stored(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.end_block(out);
        stored(plain, &mut self.bits, out);
    }

    /// Ends the stream with an empty block of fixed codes.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.end_block(out);
        self.bits.put(3, 3, out);
        self.bits.code(FIXED_LITERALS[END], out);
        self.bits.align(out);
    }

    /// Writes a block of literals and matches; there is one match at least.
    ///
    /// `ends` is whether no other block can go on with its codes.
    pub(super) fn write_tokens(&mut self, tokens: &Tokens, plain: &[u8], ends: bool, out: &mut Vec<u8>) {
        if self.open > 0 && (self.has_literals_only || !self.can_reuse(tokens)) {
            self.end_block(out);
            self.has_literals_only = false;
        }
        let mut literals = tokens.literal_frequencies();
        let offsets = tokens.offset_frequencies();
        literals[END] = u32::from(ends || self.revision == Revision::V1_18_2);
        // There are matches: there is a code of lengths, and one of offsets.
        let (literal_count, offset_count) = match !ends && self.revision == Revision::V1_15_10 {
            true => (LITERALS, OFFSETS),
            false => (used(&literals), used(&offsets)),
        };
        let extra = tokens.extra_bits();
        let stored = stored_bits(plain);
        let few = tokens.all().len() + usize::from(ends) < FEW;
        let fixed = |literals: &[u32]| {
            3 + bit_length(literals, &FIXED_LITERALS) + bit_length(&offsets, &FIXED_OFFSETS) + extra
        };

        if self.open > 0 {
            let renewed = self.open + estimated_bits(tokens, ends);
            let renewed = renewed + self.literals[END].length() as usize + (renewed >> PENALTY);
            let reused = bit_length(&literals, &self.literals) + bit_length(&offsets, &self.offsets) + extra;
            if renewed < reused {
                self.end_block(out);
            }
            let size = renewed.min(reused);
            if few && fixed(&literals) + 7 < size {
                return match stored <= size {
                    true => self.write_stored(plain, out),
                    false => self.write_fixed(tokens, out),
                };
            }
            if stored <= size {
                return self.write_stored(plain, out);
            }
        }
        if self.open == 0 {
            literals[END] = 1;
            generate(&literals, 15, &mut self.literals);
            generate(&offsets, 15, &mut self.offsets);
            self.header.generate(&self.literals[..literal_count], &self.offsets[..offset_count]);
            let header = self.header.bit_length();
            let own = bit_length(&literals, &self.literals) + bit_length(&offsets, &self.offsets);
            let size = header + own + extra;
            let fixed = fixed(&literals);
            if few && fixed <= size {
                return match stored <= fixed {
                    true => self.write_stored(plain, out),
                    false => self.write_fixed(tokens, out),
                };
            }
            if stored <= size {
                return self.write_stored(plain, out);
            }
            self.header.write(&mut self.bits, out);
            self.open = header;
            self.has_literals_only = false;
        }
        write(tokens.all(), &self.literals, &self.offsets, &mut self.bits, out);
        if ends {
            self.end_block(out);
        }
    }

    /// Whether the codes of the open block name all that there is.
    fn can_reuse(&self, tokens: &Tokens) -> bool {
        let named = |frequencies: &[u32], codes: &[Code]| {
            frequencies.iter().zip(codes).all(|(frequency, code)| *frequency == 0 || code.length() > 0)
        };
        named(&tokens.offset_frequencies(), &self.offsets)
            && named(&tokens.literal_frequencies(), &self.literals)
    }

    /// Writes a whole block of fixed codes.
    fn write_fixed(&mut self, tokens: &Tokens, out: &mut Vec<u8>) {
        self.end_block(out);
        self.bits.put(2, 3, out);
        write(tokens.all(), &FIXED_LITERALS, &FIXED_OFFSETS, &mut self.bits, out);
        self.bits.code(FIXED_LITERALS[END], out);
    }

    /// Writes a block of literals alone.
    ///
    /// `ends` is whether no other block can go on with its codes.
    pub(super) fn write_literals(&mut self, plain: &[u8], ends: bool, out: &mut Vec<u8>) {
        let mut frequencies = histogram(plain);
        if plain.len() > 1024 && is_even(&frequencies, plain.len()) {
            return self.write_stored(plain, out);
        }
        frequencies[END] = 1;
        let mut literals = self.literals;
        generate(&frequencies, 15, &mut literals);
        let own = bit_length(&frequencies, &literals);
        let header = if self.open > 0 { self.open } else { GUESSED_HEADER };
        let renewed = own + header + ((own + header) >> PENALTY);
        if stored_bits(plain) <= renewed {
            return self.write_stored(plain, out);
        }
        if self.open > 0 {
            let bytes = frequencies[..256].iter().zip(&self.literals);
            let is_named = bytes.clone().all(|(frequency, code)| *frequency == 0 || code.length() > 0);
            if !is_named || renewed < bit_length(&frequencies[..256], &self.literals) {
                self.end_block(out);
            }
        }
        if self.open == 0 {
            self.literals = literals;
            // One code of offsets has to be there.
            self.header.generate(&self.literals[..=END], &[Code::new(0, 1)]);
            self.header.write(&mut self.bits, out);
            self.has_literals_only = true;
            self.open = self.header.bit_length();
        }
        write_literals(plain, &self.literals, &mut self.bits, out);
        if ends {
            self.end_block(out);
            self.has_literals_only = false;
        }
    }
}

/// How many bits a stored block takes.
fn stored_bits(plain: &[u8]) -> usize {
    (plain.len() + 5) * 8
}

/// Whether all bytes come about as often as others, so that there is nothing to win.
fn is_even(frequencies: &[u32], length: usize) -> bool {
    let average = length as f64 / 256.0;
    let mut sum = 0.0;
    for frequency in &frequencies[..256] {
        let difference = f64::from(*frequency) - average;
        sum += difference * difference;
    }
    sum < (2 * length) as f64
}
