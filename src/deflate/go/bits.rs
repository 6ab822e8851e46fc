//! Bits that become bytes.

use super::code::Code;

/// The bits that are not a whole byte yet, the first one lowest.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Bits {
    pending: u64,
    count: u32,
}

impl Bits {
    /// Appends at most 48 bits.
    #[inline]
    pub(crate) fn put(&mut self, bits: u64, count: u32, out: &mut Vec<u8>) {
        self.add(bits, count);
        let (bytes, whole) = self.take();
        out.extend_from_slice(&bytes[..whole]);
    }

    /// Appends a code.
    pub(crate) fn code(&mut self, code: Code, out: &mut Vec<u8>) {
        self.put(code.bits(), code.length(), out);
    }

    /// Fills the last byte up with zeros.
    pub(crate) fn align(&mut self, out: &mut Vec<u8>) {
        self.put(0, self.count.wrapping_neg() & 7, out);
    }

    /// Appends bits to those that are pending; there is room for 56 of them after [`Self::take`].
    #[inline]
    pub(crate) fn add(&mut self, bits: u64, count: u32) {
        self.pending |= bits << (self.count & 63);
        self.count += count;
    }

    /// Takes out the whole bytes: they, and how many they are.
    #[inline]
    pub(crate) fn take(&mut self) -> ([u8; 8], usize) {
        let bytes = self.pending.to_le_bytes();
        let whole = self.count >> 3;
        self.pending >>= (whole << 3) & 63;
        self.count &= 7;
        (bytes, whole as usize)
    }
}

/// Appends a stored block, whose header may lie within a byte.
pub(crate) fn stored(plain: &[u8], bits: &mut Bits, out: &mut Vec<u8>) {
    // No final block, of kind 0.
    bits.put(0, 3, out);
    bits.align(out);
    let length = plain.len() as u16;
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&(!length).to_le_bytes());
    out.extend_from_slice(plain);
}

/// Appends what `each` makes of each item, which is at most 56 bits.
#[inline]
pub(crate) fn put_all<T: Copy>(
    items: &[T],
    bits: &mut Bits,
    out: &mut Vec<u8>,
    mut each: impl FnMut(T, &mut Bits),
) {
    const ITEMS: usize = 1024;
    let mut buffer = [0; ITEMS * 7 + 8];
    let mut local = *bits;
    for items in items.chunks(ITEMS) {
        let mut end = 0;
        for item in items {
            each(*item, &mut local);
            let (bytes, whole) = local.take();
            buffer[end..end + 8].copy_from_slice(&bytes);
            end += whole;
        }
        out.extend_from_slice(&buffer[..end]);
    }
    *bits = local;
}
