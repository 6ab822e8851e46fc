//! Looks for the longest match: zlib's `longest_match`.

use super::code::{LONGEST, SHORTEST};
use super::level::Level;
use super::window::{REACH, SIZE, Window, chunk};

/// How many bytes are compared to find out how long a match is: the longest match, in steps of eight.
const COMPARED: usize = LONGEST.next_multiple_of(8);

/// A string that came before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) length: usize,
    pub(super) distance: usize,
}

/// How far ahead comparisons go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::deflate) enum Horizon {
    /// To the end of the input.
    Input,
    /// Past it, over whatever is there in the window: of matches that reach the end, the one is taken that
    /// goes on for longest behind it.
    Window,
}

/// The longest match for the string at `place`, if there is one of more than `length` bytes; of several, the
/// nearest. `head` is the nearest string with the same hash, and not out of reach.
#[inline]
pub(super) fn longest(
    window: &Window,
    level: &Level,
    horizon: Horizon,
    place: usize,
    head: usize,
    length: usize,
) -> Option<Match> {
    let ahead = window.end - place;
    let (most, nice) = match horizon {
        Horizon::Input => (LONGEST.min(ahead), level.nice.min(ahead)),
        Horizon::Window => (LONGEST, level.nice),
    };
    // Something longer than what is left cannot be found.
    if length >= most {
        return None;
    }
    // All places in the window are less than 2^16.
    let limit = place.saturating_sub(REACH) as u16;
    let mut from = head as u16;
    let mut chain = if length >= level.good { level.chain / 4 } else { level.chain };
    let here = window.at(place);
    let mut found = None;
    let mut best = length;
    let mut probe = Probe::new(window, place, best);
    loop {
        if probe.may_be_longer(from) {
            let length = common(here, window.at(usize::from(from))).min(most);
            if length > best {
                found = Some(Match { length: length.min(ahead), distance: place - usize::from(from) });
                if length >= nice {
                    break;
                }
                best = length;
                probe = Probe::new(window, place, best);
            }
        }
        from = window.before(from);
        chain -= 1;
        if from <= limit || chain == 0 {
            break;
        }
    }
    found
}

/// Tells with one comparison that a match is not longer than the best one: by the last four bytes of what would
/// be longer.
struct Probe<'a> {
    /// The window from where, seen from a match, those bytes begin.
    bytes: &'a [u8; SIZE + 4],
    expected: u32,
    /// Which bits count: there may be three bytes only.
    mask: u32,
}

impl<'a> Probe<'a> {
    #[inline]
    fn new(window: &'a Window, place: usize, best: usize) -> Self {
        let (begin, mask) = if best < SHORTEST { (0, 0x00ff_ffff) } else { (best - SHORTEST, u32::MAX) };
        Self { bytes: window.shifted(begin), expected: u32::from_le_bytes(*window.at(place + begin)), mask }
    }

    #[inline]
    fn may_be_longer(&self, place: u16) -> bool {
        let there = u32::from_le_bytes(*chunk(&self.bytes[usize::from(place)..]));
        (there ^ self.expected) & self.mask == 0
    }
}

/// How many bytes are equal, up to all.
#[inline]
fn common(one: &[u8; COMPARED], other: &[u8; COMPARED]) -> usize {
    let (one, other) = (one.as_chunks().0, other.as_chunks().0);
    for (step, (one, other)) in one.iter().zip(other).enumerate() {
        let differ = u64::from_le_bytes(*one) ^ u64::from_le_bytes(*other);
        if differ != 0 {
            return step * 8 + (differ.trailing_zeros() / 8) as usize;
        }
    }
    COMPARED
}
