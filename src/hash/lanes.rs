//! Files that one thread hashes side by side.

use std::array;
use std::io::{self, Read as _};
use std::ops::Range;

use super::{Found, OnBytes};
use crate::digest::{BLOCK_BYTES, Kernel, LANES, Lanes, pad};
use crate::disk::{Content, File, Reading, with_window};

/// How many of the files, the largest first, are better hashed alone, so that all are done as soon as can be.
///
/// Side by side, `gain` times as much is hashed a second, but each file alone takes longer: one that is large beside
/// all others would still be at it when everything else is done.
pub(super) fn alone(sizes: &[u64], threads: usize, gain: f64) -> usize {
    let (threads, longer) = (threads as f64, LANES as f64 / gain);
    let mut all: f64 = sizes.iter().map(|size| *size as f64).sum();
    let largest = sizes.first().map_or(0.0, |size| *size as f64);
    let (mut alone, mut best, mut best_time) = (0.0, 0, f64::INFINITY);
    // The time is counted in bytes that one thread hashes one after the other.
    for count in 0..=sizes.len() {
        let next = sizes.get(count).map_or(0.0, |size| *size as f64);
        let longest = (next * longer).max(if count > 0 { largest } else { 0.0 });
        let time = longest.max((alone + (all / gain).max(next * longer)) / threads);
        if time < best_time {
            (best, best_time) = (count, time);
        }
        alone += next;
        all -= next;
    }
    best
}

/// Hashes files of which `take` tells the next and its index, as many side by side as there are lanes, until there are
/// none.
///
/// # Errors
/// When the system has no memory for a window; then nothing was taken.
pub(super) fn hash<'f>(
    kernel: Kernel,
    mut take: impl FnMut() -> Option<(usize, &'f File)>,
    on_bytes: OnBytes,
    found: &impl Fn(usize, Found),
) -> io::Result<()> {
    with_window(|window| {
        let mut hashes = Lanes::new(kernel);
        let size = window.len() / LANES;
        let mut lanes: Vec<Lane> = window.chunks_exact_mut(size).map(Lane::new).collect();
        loop {
            for (number, lane) in lanes.iter_mut().enumerate() {
                while lane.blocks() == 0 {
                    match &mut lane.open {
                        Some(open) if open.is_padded => {
                            found(open.index, Ok((hashes.digest(number), open.length)));
                            lane.open = None;
                        }
                        Some(_) => {
                            if let Err((index, error)) = lane.fill(on_bytes) {
                                found(index, Err(error));
                            }
                        }
                        None => {
                            let Some((index, file)) = take() else { break };
                            match file.open(Reading::Fetched) {
                                Ok(content) => lane.begin(index, content),
                                Err(error) => found(index, Err(error)),
                            }
                            hashes.begin(number);
                        }
                    }
                }
            }
            let Some(fewest) = lanes.iter().map(Lane::blocks).filter(|blocks| *blocks > 0).min() else {
                return Ok(());
            };
            // A lane that is idle hashes what another one does, and nobody asks for it.
            let busy = lanes.iter().find(|lane| lane.blocks() > 0).map(Lane::unhashed).unwrap_or_default();
            let contents = array::from_fn(|number| match lanes[number].blocks() {
                0 => busy,
                _ => lanes[number].unhashed(),
            });
            hashes.update(&contents, fewest);
            lanes.iter_mut().for_each(|lane| lane.pass(fewest));
        }
    })
}

/// What is hashed beside others.
struct Lane<'w> {
    /// The file; none while the lane is idle.
    open: Option<Open>,
    buffer: &'w mut [u8],
    /// Where in the buffer lies what was read and not yet hashed.
    unhashed: Range<usize>,
}

/// A file that is being hashed.
struct Open {
    index: usize,
    content: Content,
    /// How many bytes were read.
    length: u64,
    /// Whether that was all, and what has to come behind it is in the buffer.
    is_padded: bool,
}

impl<'w> Lane<'w> {
    fn new(buffer: &'w mut [u8]) -> Self {
        Self { open: None, buffer, unhashed: 0..0 }
    }

    fn begin(&mut self, index: usize, content: Content) {
        self.open = Some(Open { index, content, length: 0, is_padded: false });
        self.unhashed = 0..0;
    }

    fn unhashed(&self) -> &[u8] {
        &self.buffer[self.unhashed.clone()]
    }

    /// How many whole blocks there are to hash.
    fn blocks(&self) -> usize {
        self.unhashed.len() / BLOCK_BYTES
    }

    /// Leaves so many blocks behind, which are hashed.
    fn pass(&mut self, blocks: usize) {
        if self.blocks() > 0 {
            self.unhashed.start += blocks * BLOCK_BYTES;
        }
    }

    /// Reads on behind what is left, which is no whole block. What cannot be read is given up.
    fn fill(&mut self, on_bytes: OnBytes) -> Result<(), (usize, io::Error)> {
        let Some(open) = &mut self.open else { return Ok(()) };
        let left = self.unhashed.len();
        self.buffer.copy_within(self.unhashed.clone(), 0);
        let end = match open.content.read(&mut self.buffer[left..]) {
            Ok(0) => {
                open.is_padded = true;
                pad(self.buffer, left, open.length)
            }
            Ok(count) => {
                open.length += count as u64;
                on_bytes(count as u64);
                left + count
            }
            Err(error) => {
                let index = open.index;
                (self.open, self.unhashed) = (None, 0..0);
                return Err((index, error));
            }
        };
        self.unhashed = 0..end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_outlasts_all_others_is_hashed_alone() {
        for (sizes, expected) in [
            (&[][..], 0),
            // Two threads hash one each, or two each, one after the other; from then on it is faster side by side.
            (&[1 << 20; 1], 1),
            (&[1 << 20; 2], 2),
            (&[1 << 20; 3], 3),
            (&[1 << 20; 4], 0),
            (&[1 << 20; 400], 0),
            (&[&[1 << 30][..], &[1 << 20; 200]].concat(), 1),
            (&[&[1 << 30; 2][..], &[1 << 20; 200]].concat(), 2),
            (&[&[1 << 24][..], &[1 << 20; 200]].concat(), 0),
        ] {
            assert_eq!(
                alone(sizes, 2, 4.0),
                expected,
                "{} files, {:?} the largest",
                sizes.len(),
                sizes.first()
            );
        }
    }
}
