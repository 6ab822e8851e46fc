//! Huffman codes of limited length, as Go makes them, and all that took its encoder over.
//!
//! Lengths are found by package-merge (Larmore and Hirschberg, 1990), where a package is taken before a symbol of
//! the same weight. Codes are given out as RFC 1951, 3.2.2, says, and are kept with their first bit lowest.

/// The code of one symbol: its bits, and below them its length, which is 0 if the symbol has none.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(u32);

impl Code {
    /// A code, given highest bit first.
    pub(crate) const fn new(bits: u16, length: u32) -> Self {
        let reversed = if length == 0 { 0 } else { bits.reverse_bits() >> (16 - length) };
        Self((reversed as u32) << 8 | length)
    }

    /// Its bits, the first one lowest.
    #[inline]
    pub(crate) const fn bits(self) -> u64 {
        (self.0 >> 8) as u64
    }

    /// How many bits it has.
    #[inline]
    pub(crate) const fn length(self) -> u32 {
        self.0 & 0xff
    }

    /// This code, with bits that follow it.
    #[inline]
    pub(crate) const fn with(self, bits: u32, count: u32) -> Self {
        Self((self.0 | bits << (self.length() + 8)) + count)
    }
}

/// The longest code that deflate knows, in bits.
const LONGEST: usize = 15;

/// The most symbols that an alphabet has.
const SYMBOLS: usize = super::symbols::LITERALS;

/// Makes the codes for symbols of given frequencies; codes beyond those symbols stay what they are.
pub(crate) fn generate(frequencies: &[u32], longest: usize, codes: &mut [Code]) {
    let mut used = [(0, 0); SYMBOLS];
    let mut count = 0;
    for (symbol, &frequency) in frequencies.iter().enumerate() {
        match frequency {
            0 => codes[symbol] = Code::default(),
            _ => {
                used[count] = (frequency, symbol);
                count += 1;
            }
        }
    }
    let used = &mut used[..count];
    if count <= 2 {
        for (bits, (_, symbol)) in (0..).zip(used.iter()) {
            codes[*symbol] = Code::new(bits, 1);
        }
        return;
    }
    used.sort_unstable();
    let mut rest = used;
    let mut code = 0;
    for (length, symbols) in (1..).zip(symbols_by_length(rest, longest)) {
        code <<= 1;
        let (others, chunk) = rest.split_at_mut(rest.len() - symbols);
        // Codes of one length are given out in the order of the symbols.
        chunk.sort_unstable_by_key(|(_, symbol)| *symbol);
        for (_, symbol) in chunk {
            codes[*symbol] = Code::new(code, length);
            code += 1;
        }
        rest = others;
    }
}

/// How many of at least three symbols, rarest first, get codes of each length, from 1 on.
fn symbols_by_length(used: &[(u32, usize)], longest: usize) -> impl Iterator<Item = usize> + use<> {
    let count = used.len();
    let levels = longest.min(count - 1);
    let most = 2 * count - 2;
    // How many symbols are among the first items of each level. On the lowest level there is nothing but symbols;
    // on each other there are also the items of the level below, in packages of two.
    let mut symbols_among = [[0_u16; 2 * SYMBOLS]; LONGEST];
    let mut below = [0_u32; 2 * SYMBOLS];
    let mut items = 0;
    for among in &mut symbols_among[..levels] {
        let mut level = [0_u32; 2 * SYMBOLS];
        let (mut symbol, mut package) = (0, 0);
        let packages = items / 2;
        let mut end = 0;
        while end < most {
            let weight =
                if package < packages { below[2 * package] + below[2 * package + 1] } else { u32::MAX };
            if symbol < count && used[symbol].0 < weight {
                level[end] = used[symbol].0;
                symbol += 1;
            } else if package < packages {
                level[end] = weight;
                package += 1;
            } else {
                break;
            }
            end += 1;
            among[end] = symbol as u16;
        }
        (below, items) = (level, end);
    }
    // From the top: of each level so many items are needed; each package among them needs two of the level below.
    let mut counts = [0; LONGEST + 1];
    let mut needed = most;
    for (level, among) in symbols_among[..levels].iter().enumerate().rev() {
        let symbols = usize::from(among[needed]);
        counts[level + 1] = symbols;
        needed = 2 * (needed - symbols);
    }
    (1..=levels).rev().map(move |level| counts[level] - counts[level - 1])
}

/// How many bits symbols of given frequencies take with codes.
pub(crate) fn bit_length(frequencies: &[u32], codes: &[Code]) -> usize {
    let lengths = codes.iter().map(|code| code.length() as usize);
    frequencies.iter().zip(lengths).map(|(frequency, length)| *frequency as usize * length).sum()
}

/// The fixed codes of literals and lengths (RFC 1951, 3.2.6).
pub(crate) const FIXED_LITERALS: [Code; SYMBOLS] = {
    let mut codes = [Code(0); SYMBOLS];
    let mut symbol = 0;
    while symbol < SYMBOLS {
        codes[symbol] = match symbol as u16 {
            literal @ 0..144 => Code::new(0x30 + literal, 8),
            literal @ 144..256 => Code::new(0x190 + literal - 144, 9),
            length @ 256..280 => Code::new(length - 256, 7),
            length => Code::new(0xc0 + length - 280, 8),
        };
        symbol += 1;
    }
    codes
};

/// The fixed codes of offsets (RFC 1951, 3.2.6).
pub(crate) const FIXED_OFFSETS: [Code; super::symbols::OFFSETS] = {
    let mut codes = [Code(0); super::symbols::OFFSETS];
    let mut symbol = 0;
    while symbol < codes.len() {
        codes[symbol] = Code::new(symbol as u16, 5);
        symbol += 1;
    }
    codes
};

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(frequencies: &[u32], longest: usize) -> Vec<u32> {
        let mut codes = vec![Code::default(); frequencies.len()];
        generate(frequencies, longest, &mut codes);
        codes.iter().map(|code| code.length()).collect()
    }

    #[test]
    fn frequent_symbols_get_short_codes() {
        assert_eq!(lengths(&[], 15), [0; 0]);
        assert_eq!(lengths(&[0, 7], 15), [0, 1]);
        assert_eq!(lengths(&[9, 0, 7], 15), [1, 0, 1]);
        assert_eq!(lengths(&[1, 1, 2, 4, 8], 15), [4, 4, 3, 2, 1]);
        assert_eq!(lengths(&[1, 1, 2, 4, 8], 3), [3, 3, 3, 3, 1]);
        assert_eq!(lengths(&[5; 8], 15), [3; 8]);
    }

    #[test]
    fn codes_are_complete_and_never_too_long() {
        let halves: Vec<u32> = (0..SYMBOLS as u32).map(|symbol| 1 << (symbol % 17)).collect();
        for (frequencies, longest) in [(&halves[..], 15), (&halves[..19], 7)] {
            let lengths = lengths(frequencies, longest);
            assert!(lengths.iter().all(|length| (1..=longest as u32).contains(length)));
            assert_eq!(lengths.iter().map(|length| 1_u64 << (15 - length)).sum::<u64>(), 1 << 15);
        }
    }
}
