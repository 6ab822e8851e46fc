//! SHA-256 of several contents side by side (FIPS 180-4, 6.2).
//!
//! One hash is a chain: each step waits for the one before, and most of the processor does nothing. Several at once
//! take hardly longer than one.

#[cfg(target_arch = "x86_64")]
mod sha;
mod wide;

use super::Digest;

/// How many contents are hashed side by side.
pub const LANES: usize = 8;
/// How many bytes are taken in at a time.
pub const BLOCK_BYTES: usize = 64;

/// What hashes side by side, on processors that are faster so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Instructions for SHA-256.
    #[cfg(target_arch = "x86_64")]
    Sha,
    /// Registers of AVX-512.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// Registers of AVX2.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever there is: right, and slow.
    #[cfg(any(test, not(target_arch = "x86_64")))]
    Any,
}

/// A word of each content.
#[derive(Debug, Clone, Copy)]
#[repr(align(32))]
struct Words([u32; LANES]);

/// The state of each hash, word by word.
type State = [Words; 8];

/// Hashes in progress, side by side.
#[derive(Debug)]
pub struct Lanes {
    kernel: Kernel,
    state: State,
}

impl Kernel {
    /// That of this processor, if hashing side by side is faster on it than one after the other.
    #[must_use]
    pub fn here() -> Option<Self> {
        Kind::fast().into_iter().find(|kind| kind.is_here()).map(Self)
    }

    /// How many times as much a second is hashed side by side as one after the other, about.
    #[must_use]
    pub fn gain(self) -> f64 {
        match self.0 {
            #[cfg(target_arch = "x86_64")]
            Kind::Sha => 1.75,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx512 => 4.0,
            #[cfg(target_arch = "x86_64")]
            Kind::Avx2 => 2.75,
            #[cfg(any(test, not(target_arch = "x86_64")))]
            Kind::Any => 0.25,
        }
    }
}

#[cfg(target_arch = "x86_64")]
impl Kind {
    /// Those that are faster than one hash after the other, the best first.
    fn fast() -> [Self; 3] {
        [Self::Sha, Self::Avx512, Self::Avx2]
    }

    /// Whether this processor has what it takes.
    fn is_here(self) -> bool {
        match self {
            Self::Sha => is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1"),
            Self::Avx512 => is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512vl"),
            Self::Avx2 => is_x86_feature_detected!("avx2"),
            #[cfg(test)]
            Self::Any => true,
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
impl Kind {
    /// Those that are faster than one hash after the other.
    fn fast() -> [Self; 0] {
        []
    }

    /// Whether this processor has what it takes.
    fn is_here(self) -> bool {
        true
    }
}

impl Lanes {
    /// Lanes that are not in use.
    #[must_use]
    pub fn new(kernel: Kernel) -> Self {
        Self { kernel, state: [Words([0; LANES]); 8] }
    }

    /// Starts a hash with no bytes seen.
    pub fn begin(&mut self, lane: usize) {
        self.state.iter_mut().zip(BEGINNING).for_each(|(words, word)| words.0[lane] = word);
    }

    /// Takes in the next so many blocks of each content; a lane that is not in use may be given anything.
    pub fn update(&mut self, contents: &[&[u8]; LANES], blocks: usize) {
        let state = &mut self.state;
        match self.kernel.0 {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the only way to instructions that not every processor has")]
            // SAFETY: a `Kernel` of this kind is made only after `is_here` has seen that this processor has these
            // instructions. Nothing else is unsafe about the function: it has no pointers and asks nothing of what it
            // is given, which are slices of this process's own memory and never of a file.
            Kind::Sha => unsafe { sha::update(state, contents, blocks) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the only way to instructions that not every processor has")]
            // SAFETY: as above.
            Kind::Avx512 => unsafe { wide::avx512(state, contents, blocks) },
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "the only way to instructions that not every processor has")]
            // SAFETY: as above.
            Kind::Avx2 => unsafe { wide::avx2(state, contents, blocks) },
            #[cfg(any(test, not(target_arch = "x86_64")))]
            Kind::Any => wide::update(state, contents, blocks),
        }
    }

    /// The digest of everything that a lane took in, its [`pad`] the last.
    #[must_use]
    pub fn digest(&self, lane: usize) -> Digest {
        let mut bytes = [0; 32];
        for (place, words) in bytes.chunks_exact_mut(4).zip(&self.state) {
            place.copy_from_slice(&words.0[lane].to_be_bytes());
        }
        Digest::sha256(bytes)
    }
}

/// Appends what has to come behind a content of `length` bytes to its last `count`, which begin `buffer` and are no
/// whole block; returns how many bytes of the buffer are whole blocks then, at most two.
pub fn pad(buffer: &mut [u8], count: usize, length: u64) -> usize {
    let blocks = if count + 1 + size_of::<u64>() <= BLOCK_BYTES { 1 } else { 2 };
    let end = blocks * BLOCK_BYTES;
    buffer[count..end].fill(0);
    buffer[count] = 0x80;
    buffer[end - size_of::<u64>()..end].copy_from_slice(&(length * 8).to_be_bytes());
    end
}

/// The state before the first block (FIPS 180-4, 5.3.3).
const BEGINNING: [u32; 8] =
    [0x6a09_e667, 0xbb67_ae85, 0x3c6e_f372, 0xa54f_f53a, 0x510e_527f, 0x9b05_688c, 0x1f83_d9ab, 0x5be0_cd19];

/// What the steps add (FIPS 180-4, 4.2.2).
#[rustfmt::skip]
const CONSTANTS: [u32; 64] = [
    0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5, 0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5,
    0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3, 0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174,
    0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc, 0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da,
    0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7, 0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967,
    0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13, 0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85,
    0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3, 0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070,
    0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5, 0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3,
    0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208, 0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2,
];

#[cfg(test)]
mod tests {
    use super::super::Algorithm;
    use super::*;

    /// Hashes contents as they come, each into whichever lane is free, and compares with the library.
    fn compare(kernel: Kernel) {
        let contents: Vec<Vec<u8>> = (0..300_u32)
            .map(|length| (0..length).map(|byte| (byte.wrapping_mul(31) ^ length) as u8).collect())
            .collect();
        let mut lanes = Lanes::new(kernel);
        for (round, eight) in contents.chunks(LANES).enumerate() {
            let padded: Vec<Vec<u8>> = eight
                .iter()
                .map(|content| {
                    let whole = content.len() / BLOCK_BYTES * BLOCK_BYTES;
                    let mut end = [0; 2 * BLOCK_BYTES];
                    end[..content.len() - whole].copy_from_slice(&content[whole..]);
                    let length = pad(&mut end, content.len() - whole, content.len() as u64);
                    [&content[..whole], &end[..length]].concat()
                })
                .collect();
            // Each content begins when those before it have a block already, and ends when it does.
            (0..LANES).for_each(|lane| lanes.begin(lane));
            let idle = [0; BLOCK_BYTES];
            for step in 0..LANES + 6 {
                let block_of = |lane: usize| {
                    let at = step.checked_sub(lane)? * BLOCK_BYTES;
                    padded.get(lane)?.get(at..at + BLOCK_BYTES)
                };
                let blocks = std::array::from_fn(|lane| block_of(lane).unwrap_or(&idle));
                for lane in (0..LANES).filter(|lane| step == *lane) {
                    lanes.begin(lane);
                }
                lanes.update(&blocks, 1);
                for (lane, content) in eight.iter().enumerate() {
                    if step
                        .checked_sub(lane)
                        .is_some_and(|done| (done + 1) * BLOCK_BYTES == padded[lane].len())
                    {
                        let expected = Digest::of(Algorithm::Sha256, content);
                        assert_eq!(lanes.digest(lane), expected, "round {round}, {} bytes", content.len());
                    }
                }
            }
        }
    }

    #[test]
    fn contents_side_by_side_have_the_digests_that_each_has_alone() {
        compare(Kernel(Kind::Any));
        Kind::fast().into_iter().filter(|kind| kind.is_here()).for_each(|kind| compare(Kernel(kind)));
    }
}
