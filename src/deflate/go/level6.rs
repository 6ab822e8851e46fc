//! Level 6 of Go since 1.27: the last place of each hash of 4 bytes, and the last two of each hash of 7; the
//! distance of the match before is tried again, and more places are noted than on level 5.

use super::tokens::Tokens;
use crate::deflate::klauspost::search::{
    FARTHEST, MARGIN, Search, hash4, hash7, load32, load64, match_back, match_length, push,
};

/// How many hashes there are.
const HASHES: usize = 1 << 15;

/// How long a match is before it is looked at as a whole.
const LIMIT: u32 = 254;

/// The tables.
pub(super) struct Level6 {
    short: Box<[u32; HASHES]>,
    long: Box<[[u32; 2]; HASHES]>,
}

impl Level6 {
    /// Tables that say nothing.
    pub(super) fn new() -> Self {
        Self { short: Box::new([0; HASHES]), long: Box::new([[0; 2]; HASHES]) }
    }
}

impl Search for Level6 {
    fn search(&mut self, history: &[u8], base: u32, begin: u32, tokens: &mut Tokens) {
        let Self { short, long } = self;
        let last = history.len() as u32 - MARGIN;
        // What is not in a token yet begins here.
        let mut pending = begin;
        let mut at = begin;
        let mut bytes = load64(history, at);
        // The distance of the match before.
        let mut again = 1;
        'matches: loop {
            let mut next_at = at;
            // Where a match begins, and its length if that is known.
            let (mut early, mut length) = loop {
                at = next_at;
                next_at = at + 1 + ((at - pending) >> 7);
                if next_at > last {
                    break 'matches;
                }
                let here = base + at;
                let short_place = std::mem::replace(&mut short[hash4(bytes)], here);
                let [first, second] = push(&mut long[hash7(bytes)], here);
                let next = load64(history, next_at);
                let (next_short, next_long) = (hash4(next), hash7(next));
                let there = base + next_at;

                let reaches = |place: u32| {
                    let distance = here.wrapping_sub(place);
                    distance < FARTHEST && load32(history, at - distance) == bytes as u32
                };
                if here.wrapping_sub(first) < FARTHEST {
                    if reaches(first) {
                        short[next_short] = there;
                        push(&mut long[next_long], there);
                        let early = at - (here - first);
                        if reaches(second) {
                            let other = at - (here - second);
                            let length = 4 + match_length(history, at + 4, early + 4, LIMIT);
                            let other_length = 4 + match_length(history, at + 4, other + 4, LIMIT);
                            break if other_length > length {
                                (other, other_length)
                            } else {
                                (early, length)
                            };
                        }
                        break (early, 0);
                    }
                    if reaches(second) {
                        short[next_short] = there;
                        push(&mut long[next_long], there);
                        break (at - (here - second), 0);
                    }
                }
                if reaches(short_place) {
                    let mut early = at - (here - short_place);
                    let mut length = 4 + match_length(history, at + 4, early + 4, LIMIT);
                    short[next_short] = there;
                    let next_places = push(&mut long[next_long], there);
                    // The next byte may go on with the match before.
                    let other = at + 1 - again;
                    if load32(history, other) == (bytes >> 8) as u32 {
                        let other_length = 4 + match_length(history, at + 5, other + 4, LIMIT);
                        if other_length > length {
                            at += 1;
                            break (other, other_length);
                        }
                    }
                    // One of the next 7 bytes, if it is longer.
                    if there.wrapping_sub(next_places[0]) < FARTHEST {
                        for place in next_places {
                            let distance = there.wrapping_sub(place);
                            if distance >= FARTHEST || load32(history, next_at - distance) != next as u32 {
                                continue;
                            }
                            let other = next_at - distance;
                            let other_length = 4 + match_length(history, next_at + 4, other + 4, LIMIT);
                            if other_length > length {
                                (at, early, length) = (next_at, other, other_length);
                            }
                        }
                    }
                    break (early, length);
                }
                bytes = next;
            };
            if length == 0 {
                length = 4 + match_length(history, at + 4, early + 4, u32::MAX);
            } else if length == LIMIT + 4 {
                length += match_length(history, at + length, early + length, u32::MAX);
            }
            // What comes at the end of the match may be the end of a longer one that begins up to 2 bytes later.
            let end = at + length;
            if end < last {
                let places = long[hash7(load64(history, end))];
                let later = at + 2;
                if is_near(base, end, places[0]) {
                    for place in places {
                        // If the first place gave a longer match, the second is taken for the end of that one.
                        let end = later - 2 + length;
                        let distance = (base + end).wrapping_sub(place);
                        if 0 < distance && distance < FARTHEST && distance <= later {
                            let other = later - distance;
                            let other_length = match_length(history, later, other, u32::MAX);
                            if other_length > length {
                                (at, early, length) = (later, other, other_length);
                            }
                        }
                    }
                }
            }
            let back = match_back(history, at, early, at - pending);
            at -= back;
            length += back;
            tokens.add_literals(&history[pending as usize..at as usize]);
            again = at - (early - back);
            tokens.add_match(length, again);
            at += length;
            pending = at;
            if next_at >= at {
                at = next_at + 1;
            }
            if at >= last {
                for at in (next_at + 1..history.len() as u32 - 8).step_by(2) {
                    let bytes = load64(history, at);
                    short[hash4(bytes)] = base + at;
                    push(&mut long[hash7(bytes)], base + at);
                }
                break;
            }
            for at in (next_at + 1..at - 1).step_by(2) {
                let bytes = load64(history, at);
                short[hash4(bytes)] = base + at;
                push(&mut long[hash7(bytes)], base + at);
                push(&mut long[hash7(bytes >> 8)], base + at + 1);
            }
            bytes = load64(history, at);
        }
        tokens.add_rest(&history[pending as usize..]);
    }

    fn rebase(&mut self, by: u32) {
        let places = self.short.iter_mut().chain(self.long.as_flattened_mut());
        places.for_each(|place| *place = place.saturating_sub(by));
    }
}

/// Whether a place is not too far behind another, or is before it.
fn is_near(base: u32, at: u32, place: u32) -> bool {
    let distance = (base + at).wrapping_sub(place) as i32;
    distance < FARTHEST as i32
}
