//! Level 5: the last place of each hash of 4 bytes, and the last two of each hash of 7.

use super::search::{FARTHEST, MARGIN, Search, hash4, hash7, load32, load64, match_back, match_length, push};
use crate::deflate::go::tokens::Tokens;

/// How many hashes there are.
const HASHES: usize = 1 << 15;

/// How long a match is before it is looked at as a whole.
const LIMIT: u32 = 254;

/// The tables.
pub(super) struct Level5 {
    short: Box<[u32; HASHES]>,
    long: Box<[[u32; 2]; HASHES]>,
}

impl Level5 {
    /// Tables that say nothing.
    pub(super) fn new() -> Self {
        Self { short: Box::new([0; HASHES]), long: Box::new([[0; 2]; HASHES]) }
    }
}

impl Search for Level5 {
    fn search(&mut self, history: &[u8], base: u32, begin: u32, tokens: &mut Tokens) {
        let Self { short, long } = self;
        let last = history.len() as u32 - MARGIN;
        // What is not in a token yet begins here.
        let mut pending = begin;
        let mut at = begin;
        let mut bytes = load64(history, at);
        'matches: loop {
            let mut next_at = at;
            // Where a match begins, and its length if that is known.
            let (mut early, mut length) = loop {
                at = next_at;
                next_at = at + 1 + ((at - pending) >> 6);
                if next_at > last {
                    break 'matches;
                }
                let here = base + at;
                let short_place = std::mem::replace(&mut short[hash4(bytes)], here);
                let long_places = push(&mut long[hash7(bytes)], here);
                let next = load64(history, next_at);
                let (next_short, next_long) = (hash4(next), hash7(next));
                let there = base + next_at;

                let reaches = |place: u32| {
                    let distance = here.wrapping_sub(place);
                    distance < FARTHEST && load32(history, at - distance) == bytes as u32
                };
                if here.wrapping_sub(long_places[0]) < FARTHEST {
                    let [first, second] = long_places;
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
                    let early = at - (here - short_place);
                    let length = 4 + match_length(history, at + 4, early + 4, LIMIT);
                    short[next_short] = there;
                    let next_places = push(&mut long[next_long], there);
                    // One of the next 7 bytes, if it is longer.
                    if there.wrapping_sub(next_places[0]) < FARTHEST {
                        let better = next_places.into_iter().find_map(|place| {
                            let distance = there.wrapping_sub(place);
                            if distance >= FARTHEST || load32(history, next_at - distance) != next as u32 {
                                return None;
                            }
                            let early = next_at - distance;
                            let next_length = 4 + match_length(history, next_at + 4, early + 4, LIMIT);
                            (next_length > length).then_some((early, next_length))
                        });
                        if let Some(better) = better {
                            at = next_at;
                            break better;
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
            if length < 30 && end < last {
                let place = long[hash7(load64(history, end))][0];
                let distance = (base + end).wrapping_sub(place);
                if 0 < distance && distance < FARTHEST && distance <= at + 2 {
                    let other = at + 2 - distance;
                    let other_length = match_length(history, at + 2, other, u32::MAX);
                    if other_length > length {
                        (at, early, length) = (at + 2, other, other_length);
                    }
                }
            }
            let back = match_back(history, at, early, at - pending);
            at -= back;
            length += back;
            tokens.add_literals(&history[pending as usize..at as usize]);
            tokens.add_match(length, at - (early - back));
            at += length;
            pending = at;
            if next_at >= at {
                at = next_at + 1;
            }
            if at >= last {
                break;
            }
            index(short, long, history, base, at + 1 - length..at - 1);
            let before = load64(history, at - 1);
            short[hash4(before)] = base + at - 1;
            push(&mut long[hash7(before)], base + at - 1);
            bytes = before >> 8;
        }
        tokens.add_rest(&history[pending as usize..]);
    }

    fn rebase(&mut self, by: u32) {
        let places = self.short.iter_mut().chain(self.long.as_flattened_mut());
        places.for_each(|place| *place = place.saturating_sub(by));
    }
}

/// Notes about every third place.
fn index(
    short: &mut [u32; HASHES],
    long: &mut [[u32; 2]; HASHES],
    history: &[u8],
    base: u32,
    places: std::ops::Range<u32>,
) {
    if places.is_empty() {
        return;
    }
    let bytes = load64(history, places.start);
    let place = base + places.start;
    short[hash4(bytes)] = place;
    push(&mut long[hash7(bytes)], place);
    push(&mut long[hash7(bytes >> 8)], place + 1);
    short[hash4(bytes >> 16)] = place + 2;
    for at in (places.start + 4..places.end).step_by(3) {
        let bytes = load64(history, at);
        push(&mut long[hash7(bytes)], base + at);
        short[hash4(bytes >> 8)] = base + at + 1;
    }
}
