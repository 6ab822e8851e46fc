//! The default level, which is 6, of Go up to 1.26: chains of all places of each hash of 4 bytes; a match is taken
//! if the next byte does not begin a longer one.

use super::block::Writer;
use super::symbols::{FARTHEST, LONGEST};
use super::tokens::Tokens;
use crate::deflate::Deflate;
use crate::deflate::klauspost::search::{load32, match_length};

/// How far back matches lie.
const WINDOW: usize = FARTHEST as usize;

/// How many bits a hash has.
const HASH_BITS: u32 = 17;

/// The shortest match.
const SHORTEST: usize = 4;

/// How much has to be known of what lies ahead, unless there is no more.
const AHEAD: usize = SHORTEST + LONGEST as usize;

/// After a match of this length no longer one is looked for.
const LAZY: usize = 16;

/// A match of this length is good enough.
const NICE: u32 = 128;

/// How many places of a chain are looked at.
const CHAIN: usize = 128;

/// How far matches of [`SHORTEST`] bytes may lie back.
const NEAR: u32 = 4096;

/// How many tokens make a block.
const BLOCK: usize = 1 << 14;

/// How far places go before they are moved down.
const LAST: u32 = 1 << 30;

/// A match: its length, and how far back it lies.
type Match = (usize, u32);

/// No match.
const NONE: Match = (SHORTEST - 1, 0);

/// A stream.
pub(super) struct Stream {
    window: Box<[u8; 2 * WINDOW]>,
    /// How much is in the window, and how much of that has been looked at.
    end: usize,
    at: usize,
    /// Where in the window the block begins, if it does so there.
    block: Option<usize>,
    /// What makes an index in the window a place that stays the same when the window moves. Place 0 is none.
    base: u32,
    /// The last place of each hash, and the place before each place.
    heads: Box<[u32; 1 << HASH_BITS]>,
    before: Box<[u32; WINDOW]>,
    /// Whether the last byte that was looked at is not in a token yet, and the match that begins with it.
    is_pending: bool,
    pending: Match,
    tokens: Tokens,
    writer: Writer,
}

impl Stream {
    /// Begins a stream.
    pub(super) fn new() -> Self {
        Self {
            window: Box::new([0; 2 * WINDOW]),
            end: 0,
            at: 0,
            block: Some(0),
            base: 1,
            heads: Box::new([0; 1 << HASH_BITS]),
            before: Box::new([0; WINDOW]),
            is_pending: false,
            pending: NONE,
            tokens: Tokens::new(),
            writer: Writer::new(),
        }
    }

    /// Looks at what lies ahead, all of it if there is no more.
    fn compress(&mut self, ends: bool, out: &mut Vec<u8>) {
        // The last bytes have no hash.
        let hashed = self.end.saturating_sub(SHORTEST - 1);
        loop {
            let ahead = self.end - self.at;
            if ahead < AHEAD && (!ends || ahead == 0) {
                return;
            }
            let head = if self.at < hashed { self.note(self.at) } else { 0 };
            let (length, distance) = std::mem::replace(&mut self.pending, NONE);
            if length < LAZY && ahead > length {
                self.pending = self.longest(head, ahead.min(LONGEST as usize) as u32);
            }
            if length >= SHORTEST && self.pending.0 <= length {
                self.tokens.add_match(length as u32, distance);
                let behind = self.at + length - 1;
                for at in self.at + 1..behind.min(hashed) {
                    self.note(at);
                }
                self.at = behind;
                (self.is_pending, self.pending) = (false, NONE);
                self.end_full_block(out);
            } else {
                if self.is_pending {
                    self.tokens.add_literal(self.window[self.at - 1]);
                    self.end_full_block(out);
                }
                self.at += 1;
                self.is_pending = true;
            }
        }
    }

    /// Puts a place at the head of the chain of its hash: the one that was there.
    #[inline]
    fn note(&mut self, at: usize) -> u32 {
        let bytes = load32(&self.window[..], at as u32).swap_bytes();
        let hash = bytes.wrapping_mul(0x1e35_a7bd) >> (32 - HASH_BITS);
        let head = std::mem::replace(&mut self.heads[hash as usize], self.base + at as u32);
        self.before[at % WINDOW] = head;
        head
    }

    /// The longest match that begins here, of at most so many bytes, among the places of a chain.
    #[inline]
    fn longest(&self, head: u32, most: u32) -> Match {
        let (here, base, before) = (self.at as u32, self.base, &self.before);
        let window = &self.window[..self.at + most as usize];
        let nice = NICE.min(most);
        let (mut length, mut distance) = (SHORTEST as u32 - 1, 0);
        let mut place = head;
        // A longer match has these bytes too, the last one of which is new.
        let mut last = load32(window, here);
        for _ in 0..CHAIN {
            let back = base + here - place;
            // What has left the window is out of reach.
            if back > here.min(FARTHEST) {
                break;
            }
            let early = here - back;
            if load32(window, early + length - 3) == last {
                let longer = match_length(window, here, early, most);
                if longer > length && (longer > SHORTEST as u32 || back <= NEAR) {
                    (length, distance) = (longer, back);
                    if longer >= nice {
                        break;
                    }
                    last = load32(window, here + length - 3);
                }
            }
            if back == FARTHEST {
                break;
            }
            place = before[early as usize % WINDOW];
        }
        (length as usize, distance)
    }

    fn end_full_block(&mut self, out: &mut Vec<u8>) {
        if self.tokens.all().len() == BLOCK {
            self.end_block(out);
        }
    }

    /// Writes the block, which ends here.
    fn end_block(&mut self, out: &mut Vec<u8>) {
        let plain = self.block.map(|begin| &self.window[begin..self.at]);
        self.writer.write_shortest(&self.tokens, plain, out);
        self.tokens.clear();
        self.block = Some(self.at);
    }

    /// Forgets the first half of the window.
    fn move_window(&mut self) {
        self.window.copy_within(WINDOW.., 0);
        self.at -= WINDOW;
        self.end -= WINDOW;
        self.block = self.block.and_then(|begin| begin.checked_sub(WINDOW));
        self.base += FARTHEST;
        if self.base > LAST {
            let by = self.base - 1;
            self.base = 1;
            let places = self.heads.iter_mut().chain(self.before.iter_mut());
            places.for_each(|place| *place = place.saturating_sub(by));
        }
    }
}

impl Deflate for Stream {
    fn write(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        while !plain.is_empty() {
            if self.end == self.window.len() {
                self.compress(false, out);
                self.move_window();
            }
            let room = &mut self.window[self.end..];
            let (taken, rest) = plain.split_at(room.len().min(plain.len()));
            room[..taken.len()].copy_from_slice(taken);
            self.end += taken.len();
            plain = rest;
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.compress(true, out);
        if self.is_pending {
            self.tokens.add_literal(self.window[self.at - 1]);
        }
        if !self.tokens.all().is_empty() {
            self.end_block(out);
        }
        self.writer.end(out);
    }
}
