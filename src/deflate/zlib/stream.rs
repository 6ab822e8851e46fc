//! Compresses a stream: zlib's `deflate`, as it goes when all input is there at once.

use super::block::Writer;
use super::code::SHORTEST;
use super::level::{Level, Strategy};
use super::search::{Horizon, Match, longest};
use super::symbols::{Limit, Symbols};
use super::window::{AHEAD, MOVES_AT, REACH, WINDOW, Window};

/// Matches of three bytes from farther away cost more than they save.
const TOO_FAR: usize = 4096;

/// What the programs of the family do differently.
#[derive(Debug, Clone, Copy)]
pub(in crate::deflate) struct Manner {
    /// When a block has grown long enough.
    pub(in crate::deflate) limit: Limit,
    /// How far ahead comparisons go.
    pub(in crate::deflate) horizon: Horizon,
}

/// What is known of the last place, where the slow strategy has not decided yet.
#[derive(Clone, Copy, Default)]
struct Pending {
    /// Whether there is such a place.
    is_there: bool,
    /// The match that begins there.
    found: Option<Match>,
}

/// A stream.
pub(in crate::deflate) struct Stream {
    level: Level,
    manner: Manner,
    window: Window,
    /// How far it has come in the window.
    place: usize,
    /// Where the block begins: before the window, if negative.
    block: isize,
    /// How far strings were entered into the window's chains.
    entered: usize,
    pending: Pending,
    symbols: Symbols,
    pub(in crate::deflate) writer: Writer,
}

impl Stream {
    pub(in crate::deflate) fn new(level: Level, manner: Manner) -> Self {
        Self {
            level,
            manner,
            window: Window::new(),
            place: 0,
            block: 0,
            entered: 0,
            pending: Pending::default(),
            symbols: Symbols::new(manner.limit),
            writer: Writer::new(),
        }
    }

    /// Lets the stream refer to what comes before it, of which it is not a part; at most [`WINDOW`] bytes.
    pub(in crate::deflate) fn prime(&mut self, before: &[u8]) {
        self.window.fill(before);
        self.place = self.window.end;
        self.block = self.place as isize;
    }

    /// Takes in more of the stream.
    pub(in crate::deflate) fn take(&mut self, mut plain: &[u8], out: &mut Vec<u8>) {
        while !plain.is_empty() {
            let taken = self.window.fill(plain);
            plain = &plain[taken..];
            self.go((self.window.end + 1).saturating_sub(AHEAD), out);
            if self.window.is_full() {
                self.advance();
            }
        }
    }

    /// Compresses what is left, and ends the block: the stream's last one, if `is_last`.
    pub(in crate::deflate) fn end(&mut self, is_last: bool, out: &mut Vec<u8>) {
        match self.manner.horizon {
            Horizon::Input => {
                self.go(self.window.end.min(MOVES_AT), out);
                if self.place >= MOVES_AT {
                    self.advance();
                }
            }
            Horizon::Window => {
                if self.place >= MOVES_AT {
                    self.advance();
                }
                self.window.clear_behind();
            }
        }
        self.go(self.window.end, out);
        if self.pending.is_there {
            self.symbols.push_literal(self.window.byte(self.place - 1));
            self.pending = Pending::default();
        }
        if is_last || !self.symbols.list.is_empty() {
            self.flush(is_last, out);
        }
    }

    /// Moves the window on.
    fn advance(&mut self) {
        self.window.advance();
        self.place -= WINDOW;
        self.block -= WINDOW as isize;
        self.entered = self.entered.saturating_sub(WINDOW);
    }

    /// Ends a block.
    fn flush(&mut self, is_last: bool, out: &mut Vec<u8>) {
        let plain = usize::try_from(self.block).ok().map(|block| self.window.bytes(block, self.place));
        self.writer.write(&self.symbols, plain, is_last, out);
        self.symbols.clear();
        self.block = self.place as isize;
    }

    /// Whether the block has grown long enough.
    #[inline]
    fn is_full(&self) -> bool {
        self.symbols.is_full((self.place as isize - self.block) as usize)
    }

    /// Goes on to the place `stop`, or a bit further.
    fn go(&mut self, stop: usize, out: &mut Vec<u8>) {
        // What the stream was primed with, as far as its strings are complete.
        while self.entered < self.place && self.entered + SHORTEST <= self.window.end {
            self.window.enter(self.entered);
            self.entered += 1;
        }
        match self.level.strategy {
            Strategy::Fast => self.go_fast(stop, out),
            Strategy::Slow => self.go_slow(stop, out),
        }
        self.entered = self.place;
    }

    fn go_fast(&mut self, stop: usize, out: &mut Vec<u8>) {
        while self.place < stop {
            match self.search(SHORTEST - 1) {
                Some(Match { length, distance }) => {
                    self.symbols.push_match(length, distance);
                    let is_full = self.is_full();
                    if length <= self.level.lazy {
                        self.enter_inside(self.place + 1, self.place + length);
                    }
                    self.place += length;
                    if is_full {
                        self.flush(false, out);
                    }
                }
                None => {
                    self.symbols.push_literal(self.window.byte(self.place));
                    let is_full = self.is_full();
                    self.place += 1;
                    if is_full {
                        self.flush(false, out);
                    }
                }
            }
        }
    }

    fn go_slow(&mut self, stop: usize, out: &mut Vec<u8>) {
        while self.place < stop {
            let last = self.pending.found;
            let found = self.search(last.map_or(SHORTEST - 1, |last| last.length));
            let found = found.filter(|found| found.length > SHORTEST || found.distance <= TOO_FAR);
            if let (Some(last), None) = (last, found) {
                // It begins at the place before this one.
                self.symbols.push_match(last.length, last.distance);
                let is_full = self.is_full();
                let next = self.place + last.length - 1;
                self.enter_inside(self.place + 1, next);
                self.place = next;
                self.pending = Pending::default();
                if is_full {
                    self.flush(false, out);
                }
                continue;
            }
            if self.pending.is_there {
                self.symbols.push_literal(self.window.byte(self.place - 1));
                if self.is_full() {
                    self.flush(false, out);
                }
            }
            self.pending = Pending { is_there: true, found };
            self.place += 1;
        }
    }

    /// Enters the string at this place, and looks for a match of more than `length` bytes.
    #[inline]
    fn search(&mut self, length: usize) -> Option<Match> {
        let (place, ahead) = (self.place, self.window.end - self.place);
        if ahead < SHORTEST {
            return None;
        }
        let head = self.window.enter(place);
        let is_within_reach = head != 0 && place - head <= REACH;
        // The slow strategy is content with a match of this length; the fast one has none at hand.
        if !is_within_reach || length >= self.level.lazy || place > MOVES_AT {
            return None;
        }
        let found = longest(&self.window, &self.level, self.manner.horizon, place, head, length);
        found.filter(|found| found.length > length)
    }

    /// Enters the strings at the places of a match, as far as they are complete.
    #[inline]
    fn enter_inside(&mut self, from: usize, to: usize) {
        for place in from..to.min(self.window.end - (SHORTEST - 1)) {
            self.window.enter(place);
        }
    }
}
