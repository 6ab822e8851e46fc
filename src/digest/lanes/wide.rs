//! SHA-256 in registers that are wide enough for a word of each content.
//!
//! Plain arrays, of which the compiler makes whatever registers the caller has.

use super::{BLOCK_BYTES, CONSTANTS, LANES, State, Words};

/// With AVX-512 in registers of 256 bits, which can rotate.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512vl")]
pub(super) fn avx512(state: &mut State, contents: &[&[u8]; LANES], blocks: usize) {
    update(state, contents, blocks);
}

/// With AVX2.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
pub(super) fn avx2(state: &mut State, contents: &[&[u8]; LANES], blocks: usize) {
    update(state, contents, blocks);
}

/// Computes something of each lane's words; the compiler makes registers of the lanes.
macro_rules! of_each {
    ($($word:ident),+ => $result:expr) => {{
        let mut results = [0_u32; LANES];
        for lane in 0..LANES {
            $(let $word = $word.0[lane];)+
            results[lane] = $result;
        }
        Words(results)
    }};
}

/// Takes in the next so many blocks. It becomes part of its callers, and so uses the registers that they have.
#[inline(always)]
pub(super) fn update(state: &mut State, contents: &[&[u8]; LANES], blocks: usize) {
    for block in 0..blocks {
        let mut schedule = [Words([0; LANES]); 16];
        for (lane, content) in contents.iter().enumerate() {
            let block = &content[block * BLOCK_BYTES..][..BLOCK_BYTES];
            for (words, bytes) in schedule.iter_mut().zip(block.as_chunks().0) {
                words.0[lane] = u32::from_be_bytes(*bytes);
            }
        }
        let [mut a, mut b, mut c, mut d, mut e, mut f, mut g, mut h] = *state;
        for (number, constants) in CONSTANTS.as_chunks::<16>().0.iter().enumerate() {
            for step in 0..16 {
                if number > 0 {
                    let [w0, w1] = [0, 1].map(|ahead| schedule[(step + ahead) % 16]);
                    let [w9, w14] = [9, 14].map(|ahead| schedule[(step + ahead) % 16]);
                    schedule[step] = of_each!(w0, w1, w9, w14 => {
                        let sigma0 = w1.rotate_right(7) ^ w1.rotate_right(18) ^ (w1 >> 3);
                        let sigma1 = w14.rotate_right(17) ^ w14.rotate_right(19) ^ (w14 >> 10);
                        w0.wrapping_add(sigma0).wrapping_add(w9).wrapping_add(sigma1)
                    });
                }
                let (word, constant) = (schedule[step], constants[step]);
                let first = of_each!(e, f, g, h, word => {
                    let sum = e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25);
                    let choice = (e & f) ^ (!e & g);
                    h.wrapping_add(sum).wrapping_add(choice).wrapping_add(constant).wrapping_add(word)
                });
                let second = of_each!(a, b, c => {
                    let sum = a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22);
                    let majority = (a & b) ^ (a & c) ^ (b & c);
                    sum.wrapping_add(majority)
                });
                (h, g, f) = (g, f, e);
                e = of_each!(d, first => d.wrapping_add(first));
                (d, c, b) = (c, b, a);
                a = of_each!(first, second => first.wrapping_add(second));
            }
        }
        for (words, new) in state.iter_mut().zip([a, b, c, d, e, f, g, h]) {
            let old = *words;
            *words = of_each!(old, new => old.wrapping_add(new));
        }
    }
}
