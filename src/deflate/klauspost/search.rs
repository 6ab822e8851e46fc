//! What the searches for matches have in common: hashes of what lies ahead, and what they find in the history.

pub(crate) use crate::deflate::go::symbols::FARTHEST;
use crate::deflate::go::tokens::Tokens;

/// How many bytes at the end of a block are not searched.
pub(crate) const MARGIN: u32 = 11;

/// A way to look for matches.
pub(crate) trait Search: Send {
    /// Finds the tokens of a block, which is the history from `begin` on; none if there is no match in it.
    ///
    /// A place of the history is known by its index plus `base`, now and later. Tables that say nothing say 0,
    /// which is out of reach: `base` is more than [`FARTHEST`].
    fn search(&mut self, history: &[u8], base: u32, begin: u32, tokens: &mut Tokens);

    /// Moves all places down, those that become negative to 0.
    fn rebase(&mut self, by: u32);
}

/// The hash of 4 bytes, in 15 bits.
#[inline]
pub(crate) fn hash4(bytes: u64) -> usize {
    ((bytes as u32).wrapping_mul(2_654_435_761) >> 17) as usize
}

/// The hash of 5 bytes, in 15 bits.
#[inline]
pub(crate) fn hash5(bytes: u64) -> usize {
    ((bytes << 24).wrapping_mul(889_523_592_379) >> 49) as usize
}

/// The hash of 7 bytes, in 15 bits.
#[inline]
pub(crate) fn hash7(bytes: u64) -> usize {
    ((bytes << 8).wrapping_mul(58_295_818_150_454_627) >> 49) as usize
}

/// Four bytes of the history.
#[inline]
pub(crate) fn load32(history: &[u8], at: u32) -> u32 {
    let at = at as usize;
    let mut bytes = [0; 4];
    bytes.copy_from_slice(&history[at..at + 4]);
    u32::from_le_bytes(bytes)
}

/// Eight bytes of the history.
#[inline]
pub(crate) fn load64(history: &[u8], at: u32) -> u64 {
    let at = at as usize;
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&history[at..at + 8]);
    u64::from_le_bytes(bytes)
}

/// Notes a place in front of the one that was noted last; returns the two that were there.
#[inline]
pub(crate) fn push(places: &mut [u32; 2], place: u32) -> [u32; 2] {
    let before = *places;
    *places = [place, before[0]];
    before
}

/// How many bytes from two places of the history on are the same, at most so many.
#[inline]
pub(crate) fn match_length(history: &[u8], late: u32, early: u32, most: u32) -> u32 {
    let late = &history[late as usize..];
    let late = &late[..late.len().min(most as usize)];
    let early = &history[early as usize..][..late.len()];
    let mut length = 0;
    let (late_words, late_rest) = late.as_chunks::<8>();
    let (early_words, early_rest) = early.as_chunks::<8>();
    for (late, early) in late_words.iter().zip(early_words) {
        let difference = u64::from_le_bytes(*late) ^ u64::from_le_bytes(*early);
        if difference != 0 {
            return length + (difference.trailing_zeros() >> 3);
        }
        length += 8;
    }
    length + late_rest.iter().zip(early_rest).take_while(|(late, early)| late == early).count() as u32
}

/// Goes back from a match as long as what lies before is the same: by how many bytes.
#[inline]
pub(crate) fn match_back(history: &[u8], late: u32, early: u32, most: u32) -> u32 {
    let most = most.min(early) as usize;
    let late = history[..late as usize].iter().rev().take(most);
    let early = history[..early as usize].iter().rev();
    late.zip(early).take_while(|(late, early)| late == early).count() as u32
}
