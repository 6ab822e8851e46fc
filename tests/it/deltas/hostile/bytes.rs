//! Deltas that are damaged in any of their bytes, or cut off.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ground, Outcome};
use crate::support::sweep::spread;

/// The parts of a delta, each with where it begins.
fn parts(bytes: &[u8], streams: &serde_json::Value) -> Vec<(&'static str, usize, usize)> {
    let length = u32::from_le_bytes(bytes[16..20].try_into().unwrap()) as usize;
    let mut parts = vec![("magic", 0, 16), ("length", 16, 20), ("header", 20, 20 + length)];
    let mut at = 20 + length;
    for (name, stream) in ["control", "runs", "differences", "inserts"].into_iter().zip(0..) {
        let end = at + streams[stream]["stored"].as_u64().unwrap() as usize;
        parts.push((name, at, end));
        at = end;
    }
    assert_eq!(at, bytes.len());
    parts
}

#[test]
fn a_delta_with_a_flipped_bit_restores_nothing_else() {
    const FROM_EACH: usize = 12;
    let ground = Ground::new();
    let (mut counts, mut number) = (BTreeMap::new(), 0);
    for layer in [0, 1] {
        let good = ground.package.contents[&ground.package.bill.restores[layer].delta.digest].clone();
        for (part, begin, end) in parts(&good, &ground.delta(layer).header["streams"]) {
            for offset in spread(&(begin..end).collect::<Vec<_>>(), FROM_EACH) {
                let mut bytes = good.clone();
                bytes[offset] ^= 1 << (number % 8);
                number += 1;
                let path = ground.write(&ground.with(layer, bytes));
                for passes_by in [false, true] {
                    let count: &mut [usize; 2] = counts.entry(part).or_default();
                    match ground.apply(&path, passes_by) {
                        Outcome::Refused { kind, images, .. } => {
                            assert_eq!((kind.as_str(), images), ("damaged-package", 1), "{part} {offset}");
                            count[0] += 1;
                        }
                        // Some bits of a zstd frame mean nothing, and some encoders make the same bytes.
                        Outcome::Harmless => count[1] += 1,
                    }
                }
            }
        }
    }
    println!("flipped bits: {number}, refused and harmless: {counts:?}");
    assert!(number >= 100 && counts.len() == 7);
    assert!(counts.values().all(|[refused, _]| *refused >= 10), "{counts:?}");
    assert!(ground.harmless.get() * 10 < ground.refused.get(), "{counts:?}");
}

#[test]
fn a_delta_that_is_cut_off_restores_nothing() {
    let ground = Ground::new();
    let mut cuts = 0;
    for layer in [0, 1] {
        let good = ground.package.contents[&ground.package.bill.restores[layer].delta.digest].clone();
        let parts = parts(&good, &ground.delta(layer).header["streams"]);
        let mut lengths: BTreeSet<usize> =
            parts.iter().flat_map(|(_, begin, end)| [*begin, begin + 1, end - 1]).collect();
        lengths.extend(spread(&(0..good.len()).collect::<Vec<_>>(), 6));
        for length in lengths {
            let path = ground.write(&ground.with(layer, good[..length].to_vec()));
            for passes_by in [false, true] {
                let outcome = ground.apply(&path, passes_by);
                assert!(
                    matches!(outcome, Outcome::Refused { kind, .. } if kind == "damaged-package"),
                    "{length}"
                );
            }
            cuts += 1;
        }
        // Nor one with something behind it.
        for more in [&b"x"[..], &[0; 600]] {
            let package = ground.with(layer, [&good, more].concat());
            ground.refuse(&package, "more behind it", "another length than its streams have").unwrap();
        }
    }
    println!("deltas cut off: {cuts}, all refused");
    assert!(cuts >= 40);
}
