//! SHA-256 with a processor's own instructions for it, of four contents at once.
//!
//! Each instruction waits for the one before it of the same hash, several times as long as it keeps the processor busy;
//! meanwhile it does those of the others.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_shuffle_epi32,
};

use super::{BLOCK_BYTES, CONSTANTS, LANES, State};

/// How many contents are hashed at once.
const AT_ONCE: usize = 4;

/// The state of one hash, as the instructions want it: named after its words, from the highest to the lowest.
#[derive(Clone, Copy)]
struct Hash {
    abef: __m128i,
    cdgh: __m128i,
}

/// Takes in the next so many blocks of each content.
#[target_feature(enable = "sha,sse4.1")]
pub(super) fn update(state: &mut State, contents: &[&[u8]; LANES], blocks: usize) {
    for (group, contents) in contents.as_chunks::<AT_ONCE>().0.iter().enumerate() {
        let mut hashes = [Hash { abef: _mm_setzero_si128(), cdgh: _mm_setzero_si128() }; AT_ONCE];
        for (number, hash) in hashes.iter_mut().enumerate() {
            *hash = Hash::of(state, group * AT_ONCE + number);
        }
        for block in 0..blocks {
            take_in(&mut hashes, contents, block * BLOCK_BYTES);
        }
        for (number, hash) in hashes.into_iter().enumerate() {
            hash.put(state, group * AT_ONCE + number);
        }
    }
}

/// Takes in one block of each content.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn take_in(hashes: &mut [Hash; AT_ONCE], contents: &[&[u8]; AT_ONCE], at: usize) {
    let mut schedules = [[_mm_setzero_si128(); 4]; AT_ONCE];
    for (schedule, content) in schedules.iter_mut().zip(contents) {
        let block = &content[at..][..BLOCK_BYTES];
        for (words, bytes) in schedule.iter_mut().zip(block.as_chunks().0) {
            *words = words_of(bytes);
        }
    }
    let before = *hashes;
    for (step, constants) in CONSTANTS.as_chunks::<4>().0.iter().enumerate() {
        let constants = four(*constants);
        for (hash, schedule) in hashes.iter_mut().zip(&mut schedules) {
            if step >= 4 {
                let [w0, w4, w8, w12] = [0, 1, 2, 3].map(|ahead| schedule[(step + ahead) % 4]);
                let sum = _mm_add_epi32(_mm_sha256msg1_epu32(w0, w4), _mm_alignr_epi8::<4>(w12, w8));
                schedule[step % 4] = _mm_sha256msg2_epu32(sum, w12);
            }
            let words = _mm_add_epi32(schedule[step % 4], constants);
            hash.cdgh = _mm_sha256rnds2_epu32(hash.cdgh, hash.abef, words);
            hash.abef = _mm_sha256rnds2_epu32(hash.abef, hash.cdgh, _mm_shuffle_epi32::<0b1110>(words));
        }
    }
    for (hash, before) in hashes.iter_mut().zip(before) {
        hash.abef = _mm_add_epi32(hash.abef, before.abef);
        hash.cdgh = _mm_add_epi32(hash.cdgh, before.cdgh);
    }
}

impl Hash {
    #[target_feature(enable = "sha,sse4.1")]
    fn of(state: &State, lane: usize) -> Self {
        let [a, b, c, d, e, f, g, h] = state.map(|words| words.0[lane]);
        Self { abef: four([f, e, b, a]), cdgh: four([h, g, d, c]) }
    }

    #[target_feature(enable = "sha,sse4.1")]
    fn put(self, state: &mut State, lane: usize) {
        let [f, e, b, a] = words_in(self.abef);
        let [h, g, d, c] = words_in(self.cdgh);
        state.iter_mut().zip([a, b, c, d, e, f, g, h]).for_each(|(words, word)| words.0[lane] = word);
    }
}

/// Four words of a content.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn words_of(bytes: &[u8; 16]) -> __m128i {
    let [low, high] = [0, 1].map(|half| i64::from_le_bytes(bytes.as_chunks().0[half]));
    // In each word, the highest byte comes first.
    let order = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    _mm_shuffle_epi8(_mm_set_epi64x(high, low), order)
}

/// A register of four words, the lowest first.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn four(words: [u32; 4]) -> __m128i {
    let [w0, w1, w2, w3] = words.map(u32::cast_signed);
    _mm_set_epi32(w3, w2, w1, w0)
}

/// The words in a register, the lowest first.
#[inline]
#[target_feature(enable = "sha,sse4.1")]
fn words_in(register: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32::<0>(register),
        _mm_extract_epi32::<1>(register),
        _mm_extract_epi32::<2>(register),
        _mm_extract_epi32::<3>(register),
    ]
    .map(i32::cast_unsigned)
}
