//! Bits on their way into bytes, the lowest first (RFC 1951, 3.1.1).

/// What does not fill a byte yet, between two blocks.
#[derive(Default)]
pub(in crate::deflate) struct Bits {
    held: u64,
    /// How many bits are held: always less than 64.
    count: u32,
}

impl Bits {
    /// Appends the lowest `count` bits of `value`, which has no others; at most 56.
    #[inline]
    pub(in crate::deflate) fn put(&mut self, value: u64, count: u32, out: &mut Vec<u8>) {
        debug_assert!(count <= 56 && value >> count == 0, "{count} bits of {value:#x}");
        self.held |= value << self.count;
        self.count += count;
        // Eight bytes at once cost what one costs.
        if self.count >= 64 {
            out.extend_from_slice(&self.held.to_le_bytes());
            self.count -= 64;
            // What did not fit; `count` is more than what is left over, and less than 64.
            self.held = value >> (count - self.count);
        }
    }

    /// Writes all bytes that are complete, and returns how many bits are left behind them.
    pub(in crate::deflate) fn settle(&mut self, out: &mut Vec<u8>) -> u32 {
        while self.count >= 8 {
            out.push(self.held.to_le_bytes()[0]);
            self.held >>= 8;
            self.count -= 8;
        }
        self.count
    }

    /// Fills up the last byte with zeros.
    pub(in crate::deflate) fn align(&mut self, out: &mut Vec<u8>) {
        if self.settle(out) > 0 {
            out.push(self.held.to_le_bytes()[0]);
        }
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_out_in_the_order_they_went_in() {
        let mut bits = Bits::default();
        let mut out = Vec::new();
        let pieces: Vec<(u64, u32)> = (0..400_u32).map(|n| (u64::from(n), n % 48 + 9)).collect();
        for (value, count) in &pieces {
            bits.put(*value, *count, &mut out);
        }
        bits.align(&mut out);
        let mut place = 0;
        for (value, count) in pieces {
            let read = (0..count).fold(0_u64, |read, n| {
                let at = place + n as usize;
                read | u64::from(out[at / 8] >> (at % 8) & 1) << n
            });
            assert_eq!(read, value);
            place += count as usize;
        }
        assert_eq!(place.div_ceil(8), out.len());
    }
}
