//! The input that matches are looked for in, and where in it each string of three bytes came last.

use super::code::SHORTEST;

/// How far a match may reach back, as far as the format goes; what zlib itself allows is [`REACH`].
pub(in crate::deflate) const WINDOW: usize = 32 << 10;
/// Two windows: the upper half becomes the lower one when the input has come to its end.
pub(super) const SIZE: usize = 2 * WINDOW;
/// A match, and the string that follows it: before the end of the input, no less lies ahead.
pub(super) const AHEAD: usize = super::code::LONGEST + SHORTEST + 1;
/// How far matches really reach back.
pub(super) const REACH: usize = WINDOW - AHEAD;
/// From here on, the window moves before there is more input.
pub(super) const MOVES_AT: usize = WINDOW + REACH;
/// What may be read behind the window, by comparisons of several bytes at once.
const BEHIND: usize = 512;

/// Makes an index one that the compiler knows to lie within the window.
const PLACES: usize = SIZE - 1;
const CHAIN_PLACES: usize = WINDOW - 1;
/// Strings are told apart by 15 bits.
const HASHES: usize = 1 << 15;

/// The input that matches are looked for in.
///
/// Place 0 stands for no place at all, so that no match ever begins there: that is zlib's way.
pub(super) struct Window {
    bytes: Box<[u8; SIZE + BEHIND]>,
    /// For each hash, the last place with such a string.
    heads: Box<[u16; HASHES]>,
    /// For each place, by its lowest bits, the one before with the same hash.
    before: Box<[u16; WINDOW]>,
    /// Where the input ends.
    pub(super) end: usize,
}

impl Window {
    pub(super) fn new() -> Self {
        Self { bytes: boxed(), heads: boxed(), before: boxed(), end: 0 }
    }

    /// Takes in as much of the input as there is room for, and returns how much that was.
    pub(super) fn fill(&mut self, plain: &[u8]) -> usize {
        let taken = plain.len().min(SIZE - self.end);
        self.bytes[self.end..self.end + taken].copy_from_slice(&plain[..taken]);
        self.end += taken;
        taken
    }

    /// Whether there is room for more.
    pub(super) fn is_full(&self) -> bool {
        self.end == SIZE
    }

    /// Moves the upper half into the lower one. Every place is [`WINDOW`] less afterwards; what lay in the
    /// lower half is forgotten.
    pub(super) fn advance(&mut self) {
        self.bytes.copy_within(WINDOW..SIZE, 0);
        self.end -= WINDOW;
        let places = self.heads.iter_mut().chain(self.before.iter_mut());
        places.for_each(|place| *place = place.saturating_sub(WINDOW as u16));
    }

    /// Zeroes the two bytes behind the end of the input.
    pub(super) fn clear_behind(&mut self) {
        self.bytes[self.end..self.end + 2].fill(0);
    }

    /// What lies between two places.
    pub(super) fn bytes(&self, from: usize, to: usize) -> &[u8] {
        &self.bytes[from..to]
    }

    /// The byte at a place.
    #[inline]
    pub(super) fn byte(&self, place: usize) -> u8 {
        self.bytes[place & PLACES]
    }

    /// Enters the string at a place, and returns the last place before with the same hash.
    #[inline]
    pub(super) fn enter(&mut self, place: usize) -> usize {
        let [first, second, third] = *self.at(place);
        let hash = usize::from(first) << 10 ^ usize::from(second) << 5 ^ usize::from(third);
        let head = &mut self.heads[hash % HASHES];
        let last = *head;
        *head = place as u16;
        self.before[place & CHAIN_PLACES] = last;
        usize::from(last)
    }

    /// The place before this one in its chain.
    #[inline]
    pub(super) fn before(&self, place: u16) -> u16 {
        self.before[usize::from(place) & CHAIN_PLACES]
    }

    /// `N` bytes, at most [`BEHIND`], that begin at a place.
    #[inline]
    pub(super) fn at<const N: usize>(&self, place: usize) -> &[u8; N] {
        chunk(&self.bytes[place & PLACES..])
    }

    /// The window as it is seen from so many bytes further on, at most 256.
    #[inline]
    pub(super) fn shifted(&self, by: usize) -> &[u8; SIZE + 4] {
        chunk(&self.bytes[by..])
    }
}

/// The first bytes of more; what is cut where it can be seen to be long enough costs no comparison.
#[inline]
pub(super) fn chunk<const N: usize>(bytes: &[u8]) -> &[u8; N] {
    match bytes.first_chunk() {
        Some(chunk) => chunk,
        None => unreachable!("there are {N} bytes behind every place"),
    }
}

/// A table of zeros, made where it stays.
fn boxed<T: Default + Copy, const N: usize>() -> Box<[T; N]> {
    match vec![T::default(); N].into_boxed_slice().try_into() {
        Ok(table) => table,
        Err(_) => unreachable!("the slice has N elements"),
    }
}
