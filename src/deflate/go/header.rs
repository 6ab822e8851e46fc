//! The header of a block with codes of its own (RFC 1951, 3.2.7).

use super::bits::Bits;
use super::code::{Code, bit_length, generate};
use super::symbols::{FIRST_LENGTH, LITERALS, OFFSETS};

/// The order in which the lengths of the codes of lengths are written.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// The lengths of a block's codes, in runs, and the codes of those.
pub(crate) struct Header {
    literals: usize,
    offsets: usize,
    /// Lengths and repetitions, and by how much these are longer than the least.
    runs: [(u8, u8); LITERALS + OFFSETS],
    run_count: usize,
    frequencies: [u32; 19],
    codes: [Code; 19],
}

impl Header {
    /// A header that is to be made yet.
    pub(crate) fn new() -> Self {
        let (runs, codes) = ([(0, 0); LITERALS + OFFSETS], [Code::default(); 19]);
        Self { literals: 0, offsets: 0, runs, run_count: 0, frequencies: [0; 19], codes }
    }

    /// Makes it for the codes of a block.
    pub(crate) fn generate(&mut self, literals: &[Code], offsets: &[Code]) {
        (self.literals, self.offsets) = (literals.len(), offsets.len());
        (self.run_count, self.frequencies) = (0, [0; 19]);
        let mut lengths = literals.iter().chain(offsets).map(|code| code.length() as u8).peekable();
        while let Some(length) = lengths.next() {
            let mut count = 1;
            while lengths.next_if_eq(&length).is_some() {
                count += 1;
            }
            self.run(length, count);
        }
        generate(&self.frequencies, 7, &mut self.codes);
    }

    /// Splits a run of one length into what can be written.
    fn run(&mut self, length: u8, mut count: usize) {
        if length == 0 {
            while count >= 11 {
                let part = count.min(138);
                self.add(18, part - 11);
                count -= part;
            }
            if count >= 3 {
                self.add(17, count - 3);
                count = 0;
            }
        } else {
            self.add(length, 0);
            count -= 1;
            while count >= 3 {
                let part = count.min(6);
                self.add(16, part - 3);
                count -= part;
            }
        }
        (0..count).for_each(|_| self.add(length, 0));
    }

    fn add(&mut self, symbol: u8, more: usize) {
        self.runs[self.run_count] = (symbol, more as u8);
        self.run_count += 1;
        self.frequencies[usize::from(symbol)] += 1;
    }

    /// How many lengths of the codes of lengths are written.
    fn written(&self) -> usize {
        let last = ORDER.iter().rposition(|symbol| self.frequencies[*symbol] > 0);
        last.map_or(0, |last| last + 1).max(4)
    }

    /// How many bits it takes.
    pub(crate) fn bit_length(&self) -> usize {
        let extra = |symbol: usize, count: usize| self.frequencies[symbol] as usize * count;
        let runs = bit_length(&self.frequencies, &self.codes) + extra(16, 2) + extra(17, 3) + extra(18, 7);
        3 + 5 + 5 + 4 + 3 * self.written() + runs
    }

    /// Writes it; the block is not the final one.
    pub(crate) fn write(&self, bits: &mut Bits, out: &mut Vec<u8>) {
        let written = self.written();
        bits.put(4, 3, out);
        bits.put((self.literals - FIRST_LENGTH) as u64, 5, out);
        bits.put(self.offsets as u64 - 1, 5, out);
        bits.put(written as u64 - 4, 4, out);
        for symbol in &ORDER[..written] {
            bits.put(u64::from(self.codes[*symbol].length()), 3, out);
        }
        for (symbol, more) in &self.runs[..self.run_count] {
            bits.code(self.codes[usize::from(*symbol)], out);
            let count = match symbol {
                16 => 2,
                17 => 3,
                18 => 7,
                _ => 0,
            };
            bits.put(u64::from(*more), count, out);
        }
    }
}
