//! What a file looks like: a few numbers that files with much content in common share, wherever it lies.

/// How many numbers make a sketch.
const NUMBERS: usize = 8;

/// Below this many bytes a file is not worth a sketch: it costs next to nothing as it is.
pub const MIN_BYTES: u64 = 2 << 10;

/// One place in so many begins a piece, on average, in bytes.
const PIECE_BITS: u32 = 9;

/// The smallest hashes of a file's pieces (Broder, "On the resemblance and containment of documents", 1997);
/// where a piece begins and ends depends on its bytes alone.
///
/// Half of each hash is kept: there are millions of them, and one that two files have by chance does no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sketch {
    numbers: Box<[u32]>,
}

/// Sketches a file while it is read.
#[derive(Debug, Default)]
pub struct Sketcher {
    rolling: u64,
    piece: u64,
    /// The smallest hashes up to now, in their order.
    smallest: Vec<u64>,
}

impl Sketcher {
    /// Takes in more of the file.
    pub fn update(&mut self, bytes: &[u8]) {
        let (mut hash, mut content) = (self.rolling, self.piece);
        for &byte in bytes {
            let mixed = (u64::from(byte) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            // Bytes that are 64 back have left the hash.
            hash = (hash << 1).wrapping_add(mixed);
            content = (content ^ mixed).wrapping_mul(0x0000_0100_0000_01b3);
            if hash >> (64 - PIECE_BITS) == 0 {
                self.add(content.wrapping_mul(0xd6e8_feb8_6659_fd93) ^ (content >> 31));
                content = 0;
            }
        }
        (self.rolling, self.piece) = (hash, content);
    }

    fn add(&mut self, number: u64) {
        if self.smallest.len() == NUMBERS && self.smallest.last().is_some_and(|last| number >= *last) {
            return;
        }
        if let Err(place) = self.smallest.binary_search(&number) {
            self.smallest.insert(place, number);
            self.smallest.truncate(NUMBERS);
        }
    }

    /// The sketch of what was taken in.
    #[must_use]
    pub fn finish(self) -> Sketch {
        // The upper halves of the smallest hashes are small, all of them.
        Sketch { numbers: self.smallest.iter().map(|number| *number as u32).collect() }
    }
}

impl Sketch {
    /// Its numbers.
    #[must_use]
    pub fn numbers(&self) -> &[u32] {
        &self.numbers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch(bytes: &[u8]) -> Sketch {
        let mut sketcher = Sketcher::default();
        bytes.chunks(1000).for_each(|piece| sketcher.update(piece));
        sketcher.finish()
    }

    #[test]
    fn files_with_much_in_common_share_numbers() {
        let mut seed = 1u64;
        let next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as u8
        };
        let bytes: Vec<u8> = std::iter::repeat_with(next).take(200_000).collect();
        let shifted = [b"something in front", &bytes[..150_000], b"in between", &bytes[150_000..]].concat();
        let (a, b) = (sketch(&bytes), sketch(&shifted));
        assert!(a.numbers().iter().filter(|number| b.numbers().contains(number)).count() >= 6);
        let (a, b) = (sketch(&bytes[..100_000]), sketch(&bytes[100_000..]));
        assert!(!a.numbers().iter().any(|number| b.numbers().contains(number)));
    }
}
