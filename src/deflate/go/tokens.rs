//! What a block consists of: bytes, and matches with what came before.

use super::bits::{Bits, put_all};
use super::code::Code;
use super::symbols::{
    FIRST_LENGTH, LENGTH_BASE, LENGTH_CODE, LENGTH_EXTRA, LITERALS, LONGEST, OFFSET_BASE, OFFSET_EXTRA,
    OFFSETS, SHORTEST, STORED, offset_code,
};

/// A literal, or a match: its length, the code of its offset, and its offset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Token(u32);

impl Token {
    const MATCH: u32 = 1 << 31;

    /// The literal, if it is one.
    #[inline]
    pub(crate) fn literal(self) -> Option<u8> {
        (self.0 & Self::MATCH == 0).then_some(self.0 as u8)
    }

    /// The length, of 0.
    #[inline]
    pub(crate) fn length(self) -> u8 {
        (self.0 >> 20) as u8
    }

    /// The code of the offset.
    #[inline]
    pub(crate) fn offset_code(self) -> usize {
        (self.0 >> 15 & 31) as usize
    }

    /// The offset, of 0.
    #[inline]
    pub(crate) fn offset(self) -> u32 {
        self.0 & 0x7fff
    }
}

/// The tokens of a block, and how often each symbol comes.
pub(crate) struct Tokens {
    /// As many as there may be, of which the first `count` are there.
    tokens: Box<[Token]>,
    count: usize,
    literals: [u32; 256],
    lengths: [u32; 32],
    offsets: [u32; 32],
}

impl Tokens {
    /// No tokens.
    pub(crate) fn new() -> Self {
        let tokens = vec![Token(0); STORED + 1].into_boxed_slice();
        Self { tokens, count: 0, literals: [0; 256], lengths: [0; 32], offsets: [0; 32] }
    }

    /// Forgets all tokens.
    pub(crate) fn clear(&mut self) {
        self.count = 0;
        (self.literals, self.lengths, self.offsets) = ([0; 256], [0; 32], [0; 32]);
    }

    /// The tokens.
    pub(crate) fn all(&self) -> &[Token] {
        &self.tokens[..self.count]
    }

    /// How often each literal and each code of lengths comes.
    pub(crate) fn literal_frequencies(&self) -> [u32; LITERALS] {
        let mut frequencies = [0; LITERALS];
        frequencies[..256].copy_from_slice(&self.literals);
        frequencies[FIRST_LENGTH..].copy_from_slice(&self.lengths[..LITERALS - FIRST_LENGTH]);
        frequencies
    }

    /// How often each code of offsets comes.
    pub(crate) fn offset_frequencies(&self) -> [u32; OFFSETS] {
        let mut frequencies = [0; OFFSETS];
        frequencies.copy_from_slice(&self.offsets[..OFFSETS]);
        frequencies
    }

    /// Adds literals.
    #[inline]
    pub(crate) fn add_literals(&mut self, bytes: &[u8]) {
        let end = self.count + bytes.len();
        for (token, byte) in self.tokens[self.count..end].iter_mut().zip(bytes) {
            *token = Token(u32::from(*byte));
            self.literals[usize::from(*byte)] += 1;
        }
        self.count = end;
    }

    /// Adds a literal.
    #[inline]
    pub(crate) fn add_literal(&mut self, byte: u8) {
        self.tokens[self.count] = Token(u32::from(byte));
        self.literals[usize::from(byte)] += 1;
        self.count += 1;
    }

    /// Adds a match of any length, in parts.
    #[inline]
    pub(crate) fn add_match(&mut self, mut length: u32, distance: u32) {
        let offset = distance.wrapping_sub(1) & 0x7fff;
        let code = offset_code(offset);
        while length > 0 {
            let part = match length {
                ..=LONGEST => length,
                // Enough has to be left for one more match.
                _ if length <= LONGEST + SHORTEST => LONGEST - SHORTEST,
                _ => LONGEST,
            };
            length -= part;
            let part = part.wrapping_sub(SHORTEST) & 0xff;
            self.lengths[usize::from(LENGTH_CODE[part as usize] & 31)] += 1;
            self.offsets[(code & 31) as usize] += 1;
            self.tokens[self.count] = Token(Token::MATCH | part << 20 | code << 15 | offset);
            self.count += 1;
        }
    }

    /// Adds what is left of a block behind its last match, if there is any match.
    pub(crate) fn add_rest(&mut self, bytes: &[u8]) {
        if self.count > 0 {
            self.add_literals(bytes);
        }
    }

    /// How many bits follow the codes of matches.
    pub(crate) fn extra_bits(&self) -> usize {
        let lengths = LENGTH_EXTRA.iter().zip(&self.lengths);
        let offsets = OFFSET_EXTRA.iter().zip(&self.offsets);
        lengths.chain(offsets).map(|(extra, count)| usize::from(*extra) * *count as usize).sum()
    }
}

/// Writes tokens with codes that name all of them.
pub(crate) fn write(
    tokens: &[Token],
    literals: &[Code; LITERALS],
    offsets: &[Code; OFFSETS],
    bits: &mut Bits,
    out: &mut Vec<u8>,
) {
    let mut lengths = [Code::default(); 256];
    for (length, code) in lengths.iter_mut().enumerate() {
        let number = usize::from(LENGTH_CODE[length]);
        let extra = length as u32 - u32::from(LENGTH_BASE[number]);
        *code = literals[FIRST_LENGTH + number].with(extra, u32::from(LENGTH_EXTRA[number]));
    }
    let mut bytes = [Code::default(); 256];
    bytes.copy_from_slice(&literals[..256]);
    let mut places = [(Code::default(), 0, 0); 32];
    for (number, place) in places[..OFFSETS].iter_mut().enumerate() {
        *place = (offsets[number], u32::from(OFFSET_BASE[number]), u32::from(OFFSET_EXTRA[number]));
    }
    put_all(tokens, bits, out, |token, bits| match token.literal() {
        Some(byte) => {
            let code = bytes[usize::from(byte)];
            bits.add(code.bits(), code.length());
        }
        None => {
            let length = lengths[usize::from(token.length())];
            bits.add(length.bits(), length.length());
            let (code, base, extra) = places[token.offset_code()];
            bits.add(code.bits(), code.length());
            bits.add(u64::from(token.offset() - base), extra);
        }
    });
}

/// Writes literals with codes that name all of them.
pub(crate) fn write_literals(plain: &[u8], codes: &[Code; LITERALS], bits: &mut Bits, out: &mut Vec<u8>) {
    let put = |pair: [u8; 2], bits: &mut Bits| {
        for byte in pair {
            let code = codes[usize::from(byte)];
            bits.add(code.bits(), code.length());
        }
    };
    let (pairs, rest) = plain.as_chunks::<2>();
    put_all(pairs, bits, out, put);
    rest.iter().for_each(|byte| bits.code(codes[usize::from(*byte)], out));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_matches_are_split_so_that_no_part_is_too_short() {
        for (length, parts) in [
            (4, &[4][..]),
            (258, &[258]),
            (259, &[255, 4]),
            (260, &[255, 5]),
            (261, &[255, 6]),
            (262, &[258, 4]),
            (516, &[258, 258]),
            (517, &[258, 255, 4]),
        ] {
            let mut tokens = Tokens::new();
            tokens.add_match(length, 1);
            let lengths: Vec<u32> = tokens.all().iter().map(|token| u32::from(token.length()) + 3).collect();
            assert_eq!(lengths, parts);
        }
    }
}
