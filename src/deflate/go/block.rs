//! Writes blocks as Go up to 1.26 does: each with codes of its own, with the fixed ones, or stored.

use super::bits::{Bits, stored};
use super::code::{Code, FIXED_LITERALS, FIXED_OFFSETS, bit_length, generate};
use super::frequencies::{histogram, used};
use super::header::Header;
use super::symbols::{END, LITERALS, OFFSETS, STORED};
use super::tokens::{Tokens, write, write_literals};

/// What is written of a stream.
pub(super) struct Writer {
    bits: Bits,
    literals: [Code; LITERALS],
    offsets: [Code; OFFSETS],
    header: Header,
}

impl Writer {
    /// Begins a stream.
    pub(super) fn new() -> Self {
        let (literals, offsets) = ([Code::default(); LITERALS], [Code::default(); OFFSETS]);
        Self { bits: Bits::default(), literals, offsets, header: Header::new() }
    }

    /// Writes a stored block.
    pub(super) fn write_stored(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        stored(plain, &mut self.bits, out);
    }

    /// Ends the stream with an empty, final stored block.
    pub(super) fn end(&mut self, out: &mut Vec<u8>) {
        self.bits.put(1, 3, out);
        self.bits.align(out);
        out.extend_from_slice(&[0, 0, 0xff, 0xff]);
    }

    /// Writes a block in the shortest way; it can be stored only if its input is known.
    pub(super) fn write_shortest(&mut self, tokens: &Tokens, plain: Option<&[u8]>, out: &mut Vec<u8>) {
        let (own, fixed) = self.generate(tokens);
        let shortest = own.min(fixed) + tokens.extra_bits();
        if let Some(plain) = plain.filter(|plain| plain.len() <= STORED && stored_bits(plain) < shortest) {
            return self.write_stored(plain, out);
        }
        if own < fixed {
            return self.write_own(tokens, out);
        }
        self.bits.put(2, 3, out);
        write(tokens.all(), &FIXED_LITERALS, &FIXED_OFFSETS, &mut self.bits, out);
        self.bits.code(FIXED_LITERALS[END], out);
    }

    /// Writes a block with codes of its own, unless it is hardly shorter than stored.
    pub(super) fn write_tokens(&mut self, tokens: &Tokens, plain: &[u8], out: &mut Vec<u8>) {
        let (own, _) = self.generate(tokens);
        match stored_bits(plain) < own + (own >> 4) {
            true => self.write_stored(plain, out),
            false => self.write_own(tokens, out),
        }
    }

    /// Writes a block of literals with codes of its own, unless it is hardly shorter than stored.
    pub(super) fn write_literals(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        let mut frequencies = [0; LITERALS];
        frequencies[..=END].copy_from_slice(&histogram(plain));
        frequencies[END] = 1;
        generate(&frequencies, 15, &mut self.literals);
        // One code of offsets has to be there; it is counted as if it were written once.
        self.header.generate(&self.literals[..=END], &[Code::new(0, 1)]);
        let own = self.header.bit_length() + bit_length(&frequencies, &self.literals) + 1;
        if stored_bits(plain) < own + (own >> 4) {
            return self.write_stored(plain, out);
        }
        self.header.write(&mut self.bits, out);
        write_literals(plain, &self.literals, &mut self.bits, out);
        self.bits.code(self.literals[END], out);
    }

    /// Makes the codes of a block: how many bits it takes with them, and with the fixed ones, apart from those that
    /// follow the codes of matches.
    fn generate(&mut self, tokens: &Tokens) -> (usize, usize) {
        let mut literals = tokens.literal_frequencies();
        let mut offsets = tokens.offset_frequencies();
        literals[END] = 1;
        if used(&offsets) == 0 {
            // There has to be one code at least.
            offsets[0] = 1;
        }
        generate(&literals, 15, &mut self.literals);
        generate(&offsets, 15, &mut self.offsets);
        self.header.generate(&self.literals[..used(&literals)], &self.offsets[..used(&offsets)]);
        let own = bit_length(&literals, &self.literals) + bit_length(&offsets, &self.offsets);
        let fixed = bit_length(&literals, &FIXED_LITERALS) + bit_length(&offsets, &FIXED_OFFSETS);
        (self.header.bit_length() + own, 3 + fixed)
    }

    fn write_own(&mut self, tokens: &Tokens, out: &mut Vec<u8>) {
        self.header.write(&mut self.bits, out);
        write(tokens.all(), &self.literals, &self.offsets, &mut self.bits, out);
        self.bits.code(self.literals[END], out);
    }
}

/// How many bits a stored block takes.
fn stored_bits(plain: &[u8]) -> usize {
    (plain.len() + 5) * 8
}
