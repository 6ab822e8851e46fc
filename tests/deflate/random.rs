//! Inputs that are made by chance.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

/// Bytes by chance, the same for each seed (xorshift64).
pub(crate) fn bytes(seed: u64, count: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(next).collect()
}

/// What a structured input is made of.
#[derive(Debug, Clone)]
enum Piece {
    /// Bytes by chance, of so many kinds.
    Noise { seed: u64, kinds: u8, count: usize },
    /// One byte, again and again.
    Run { byte: u8, count: usize },
    /// What came before, at any distance, perhaps overlapping itself.
    Again { distance: Index, count: usize },
}

fn piece() -> impl Strategy<Value = Piece> {
    let count = prop_oneof![8 => 0..40_usize, 4 => 0..2000_usize, 1 => 0..70_000_usize];
    prop_oneof![
        3 => (any::<u64>(), prop_oneof![Just(255), 1..=255_u8], count.clone())
            .prop_map(|(seed, kinds, count)| Piece::Noise { seed, kinds, count }),
        1 => (any::<u8>(), count.clone()).prop_map(|(byte, count)| Piece::Run { byte, count }),
        6 => (any::<Index>(), count).prop_map(|(distance, count)| Piece::Again { distance, count }),
    ]
}

/// Inputs of repetitions and noise.
pub(crate) fn structured() -> impl Strategy<Value = Vec<u8>> {
    vec(piece(), 0..60).prop_map(|pieces| {
        let mut input = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Noise { seed, kinds: 255, count } => input.extend(bytes(seed, count)),
                Piece::Noise { seed, kinds, count } => {
                    input.extend(bytes(seed, count).iter().map(|byte| byte % kinds));
                }
                Piece::Run { byte, count } => input.extend(std::iter::repeat_n(byte, count)),
                Piece::Again { .. } if input.is_empty() => {}
                Piece::Again { distance, count } => {
                    let distance = 1 + distance.index(input.len().min(33_000));
                    for _ in 0..count {
                        input.push(input[input.len() - distance]);
                    }
                }
            }
        }
        input
    })
}
