//! Level 1: the last place of each hash of 5 bytes; every second place is looked up, then ever fewer.

use super::search::{FARTHEST, MARGIN, Search, hash5, load32, load64, match_back, match_length};
use crate::deflate::go::tokens::Tokens;

/// How many hashes there are.
const HASHES: usize = 1 << 15;

/// The table.
pub(crate) struct Level1 {
    places: Box<[u32; HASHES]>,
}

impl Level1 {
    /// A table that says nothing.
    pub(crate) fn new() -> Self {
        Self { places: Box::new([0; HASHES]) }
    }
}

impl Search for Level1 {
    fn search(&mut self, history: &[u8], base: u32, begin: u32, tokens: &mut Tokens) {
        let places = &mut self.places;
        let last = history.len() as u32 - MARGIN;
        // What is not in a token yet begins here.
        let mut pending = begin;
        let mut at = begin;
        let mut bytes = load64(history, at);
        let reaches = |place: u32, at: u32, bytes: u64| {
            let distance = (base + at).wrapping_sub(place);
            distance < FARTHEST && load32(history, at - distance) == bytes as u32
        };
        'matches: loop {
            let mut next_at;
            let mut place = loop {
                let hash = hash5(bytes);
                next_at = at + 2 + ((at - pending) >> 5);
                if next_at > last {
                    break 'matches;
                }
                let place = std::mem::replace(&mut places[hash], base + at);
                let next = load64(history, next_at);
                let next_hash = hash5(next);
                if reaches(place, at, bytes) {
                    places[next_hash] = base + next_at;
                    break place;
                }
                // The next one right away, and then the one behind it.
                let place = std::mem::replace(&mut places[next_hash], base + next_at);
                (at, bytes) = (next_at, next);
                next_at += 1;
                if reaches(place, at, bytes) {
                    places[next_hash] = base + next_at;
                    break place;
                }
                (at, bytes) = (next_at, next >> 8);
            };
            loop {
                let early = at - (base + at - place);
                let length = 4 + match_length(history, at + 4, early + 4, u32::MAX);
                let back = match_back(history, at, early, at - pending);
                at -= back;
                let length = length + back;
                tokens.add_literals(&history[pending as usize..at as usize]);
                tokens.add_match(length, at - (early - back));
                at += length;
                pending = at;
                if next_at >= at {
                    at = next_at + 1;
                }
                if at >= last {
                    if at + length + 8 < history.len() as u32 {
                        places[hash5(load64(history, at))] = base + at;
                    }
                    break 'matches;
                }
                let before = load64(history, at - 2);
                places[hash5(before)] = base + at - 2;
                bytes = before >> 16;
                place = std::mem::replace(&mut places[hash5(bytes)], base + at);
                if !reaches_as_far_as_can_be(history, base, place, at, bytes) {
                    bytes >>= 8;
                    at += 1;
                    break;
                }
            }
        }
        tokens.add_rest(&history[pending as usize..]);
    }

    fn rebase(&mut self, by: u32) {
        self.places.iter_mut().for_each(|place| *place = place.saturating_sub(by));
    }
}

/// Behind a match, the next one may lie back one byte more than otherwise.
fn reaches_as_far_as_can_be(history: &[u8], base: u32, place: u32, at: u32, bytes: u64) -> bool {
    let distance = (base + at).wrapping_sub(place);
    distance <= FARTHEST && distance <= at && load32(history, at - distance) == bytes as u32
}
