//! The symbols of RFC 1951, 3.2.5, as Go counts them: lengths from 3 on, offsets from 1 on, both as of 0.

/// How many literals, lengths and the end of a block there are.
pub(crate) const LITERALS: usize = 286;

/// How many codes of offsets there are.
pub(crate) const OFFSETS: usize = 30;

/// The symbol that ends a block.
pub(crate) const END: usize = 256;

/// The symbol of the first code of lengths.
pub(crate) const FIRST_LENGTH: usize = 257;

/// The shortest length that deflate knows.
pub(crate) const SHORTEST: u32 = 3;

/// The longest length that deflate knows.
pub(crate) const LONGEST: u32 = 258;

/// How far an offset reaches.
pub(crate) const FARTHEST: u32 = 1 << 15;

/// The most that a stored block holds.
pub(crate) const STORED: usize = 65_535;

/// How many bits follow each code of lengths.
pub(crate) const LENGTH_EXTRA: [u8; 29] = {
    let mut extra = [0; 29];
    let mut code = 8;
    while code < 28 {
        extra[code] = (code / 4 - 1) as u8;
        code += 1;
    }
    extra
};

/// The least length of each code.
pub(crate) const LENGTH_BASE: [u8; 29] = {
    let mut base = [0; 29];
    let mut code = 1;
    while code < 28 {
        base[code] = base[code - 1] + (1 << LENGTH_EXTRA[code - 1]);
        code += 1;
    }
    base[28] = 255;
    base
};

/// The code of each length.
pub(crate) const LENGTH_CODE: [u8; 256] = {
    let mut codes = [28; 256];
    let mut length = 0;
    let mut code = 0;
    while length < 255 {
        if code < 27 && length >= LENGTH_BASE[code + 1] as usize {
            code += 1;
        }
        codes[length] = code as u8;
        length += 1;
    }
    codes
};

/// How many bits follow each code of offsets.
pub(crate) const OFFSET_EXTRA: [u8; 32] = {
    let mut extra = [0; 32];
    let mut code = 2;
    while code < OFFSETS {
        extra[code] = (code / 2 - 1) as u8;
        code += 1;
    }
    extra
};

/// The least offset of each code.
pub(crate) const OFFSET_BASE: [u16; 32] = {
    let mut base = [0; 32];
    let mut code = 1;
    while code < OFFSETS {
        base[code] = base[code - 1] + (1 << OFFSET_EXTRA[code - 1]);
        code += 1;
    }
    base
};

/// The code of each offset below 256; those beyond have the code of their 128th part, and 14 more.
const OFFSET_CODE: [u8; 256] = {
    let mut codes = [0; 256];
    let mut offset = 0;
    let mut code = 0;
    while offset < 256 {
        if offset >= OFFSET_BASE[code + 1] as usize {
            code += 1;
        }
        codes[offset] = code as u8;
        offset += 1;
    }
    codes
};

/// The code of an offset.
#[inline]
pub(crate) fn offset_code(offset: u32) -> u32 {
    match offset < 256 {
        true => u32::from(OFFSET_CODE[(offset & 0xff) as usize]),
        false => u32::from(OFFSET_CODE[(offset >> 7 & 0xff) as usize]) + 14,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_the_standard() {
        assert_eq!(LENGTH_BASE[8..12], [8, 10, 12, 14]);
        assert_eq!(LENGTH_BASE[27..], [224, 255]);
        assert_eq!((LENGTH_EXTRA[27], LENGTH_EXTRA[28]), (5, 0));
        assert_eq!((LENGTH_CODE[254], LENGTH_CODE[255]), (27, 28));
        assert_eq!(OFFSET_BASE[27..30], [12_288, 16_384, 24_576]);
        for offset in 0..FARTHEST {
            let code = offset_code(offset) as usize;
            let base = u32::from(OFFSET_BASE[code]);
            assert!((base..base + (1 << OFFSET_EXTRA[code])).contains(&offset));
        }
        for (length, code) in LENGTH_CODE.into_iter().enumerate().take(255) {
            let code = usize::from(code);
            let base = usize::from(LENGTH_BASE[code]);
            assert!((base..base + (1 << LENGTH_EXTRA[code])).contains(&length));
        }
    }
}
