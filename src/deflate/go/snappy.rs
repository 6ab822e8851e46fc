//! Best speed of Go up to 1.26, after Snappy: the last place of each hash of 4 bytes.

use super::block::Writer;
use super::history::History;
use super::symbols::FARTHEST;
use super::tokens::Tokens;
use crate::deflate::Deflate;
use crate::deflate::klauspost::search::{load32, load64, match_length};

/// How many bits a hash has.
const HASH_BITS: u32 = 14;

/// How many bytes at the end of a block are not searched.
const MARGIN: u32 = 15;

/// How long a match is at most, apart from its first 4 bytes.
const LIMIT: u32 = 254;

/// A stream.
pub(super) struct Stream {
    places: Box<[u32; 1 << HASH_BITS]>,
    history: History,
    tokens: Tokens,
    writer: Writer,
}

impl Stream {
    /// Begins a stream.
    pub(super) fn new() -> Self {
        let places = Box::new([0; 1 << HASH_BITS]);
        Self { places, history: History::new(), tokens: Tokens::new(), writer: Writer::new() }
    }

    /// Compresses the block.
    fn compress(&mut self, out: &mut Vec<u8>) {
        let plain = self.history.block();
        match plain.len() {
            0 => return,
            1..=16 => self.writer.write_stored(plain, out),
            17..=127 => self.writer.write_literals(plain, out),
            length => {
                search(&mut self.places, &self.history, &mut self.tokens);
                // If matches did not save a sixteenth they are given up.
                match self.tokens.all().len() > length - (length >> 4) {
                    true => self.writer.write_literals(plain, out),
                    false => self.writer.write_tokens(&self.tokens, plain, out),
                }
                self.tokens.clear();
            }
        }
        if let Some(by) = self.history.next_block() {
            self.places.iter_mut().for_each(|place| *place = place.saturating_sub(by));
        }
    }
}

impl Deflate for Stream {
    fn write(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        while !plain.is_empty() {
            if self.history.is_full() {
                self.compress(out);
            }
            plain = self.history.take(plain);
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.compress(out);
        self.writer.end(out);
    }
}

fn hash(bytes: u64) -> usize {
    ((bytes as u32).wrapping_mul(0x1e35_a7bd) >> (32 - HASH_BITS)) as usize
}

/// Finds the tokens of a block.
fn search(places: &mut [u32; 1 << HASH_BITS], history: &History, tokens: &mut Tokens) {
    let (base, bytes) = (history.base(), history.bytes());
    let last = bytes.len() as u32 - MARGIN;
    // What is not in a token yet begins here.
    let mut pending = history.begin();
    let mut at = pending;
    let mut ahead = load64(bytes, at);
    let distance_of_match = |place: u32, at: u32, ahead: u64| {
        let distance = (base + at).wrapping_sub(place);
        (distance <= FARTHEST && load32(bytes, at - distance) == ahead as u32).then_some(distance)
    };
    'matches: loop {
        // Without a match, ever more bytes are skipped.
        let mut skip = 32;
        let mut next_at = at;
        let mut distance = loop {
            at = next_at;
            next_at = at + (skip >> 5);
            skip += skip >> 5;
            if next_at > last {
                break 'matches;
            }
            let place = std::mem::replace(&mut places[hash(ahead)], base + at);
            if let Some(distance) = distance_of_match(place, at, ahead) {
                break distance;
            }
            ahead = load64(bytes, next_at);
        };
        tokens.add_literals(&bytes[pending as usize..at as usize]);
        loop {
            let length = 4 + match_length(bytes, at + 4, at + 4 - distance, LIMIT);
            tokens.add_match(length, distance);
            at += length;
            pending = at;
            if at >= last {
                break 'matches;
            }
            let before = load64(bytes, at - 1);
            places[hash(before)] = base + at - 1;
            ahead = before >> 8;
            let place = std::mem::replace(&mut places[hash(ahead)], base + at);
            match distance_of_match(place, at, ahead) {
                Some(next) => distance = next,
                None => break,
            }
        }
        ahead >>= 8;
        at += 1;
    }
    tokens.add_literals(&bytes[pending as usize..]);
}
