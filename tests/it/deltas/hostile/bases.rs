//! Sites whose content is not what it says, where a delta takes from it: refused, and the file is named.

use std::fs;

use super::{Ground, Outcome};
use crate::support::compressor::Compressor;
use crate::support::sweep::spread;

/// Has the honest package refused for this file of the site.
fn refuse_for(ground: &Ground, digest: &str, bytes: &[u8]) {
    let data = ground.data(digest);
    let good = fs::read(&data).unwrap();
    assert_eq!(good.len(), bytes.len());
    fs::write(&data, bytes).unwrap();
    let path = ground.write(&ground.package);
    for passes_by in [false, true] {
        match ground.apply(&path, passes_by) {
            Outcome::Refused { kind, file, found, images } => {
                assert_eq!((kind.as_str(), &file), ("missing-base", &data), "{found}");
                assert!(found.contains("sha256:") && images == 1, "{found}");
            }
            Outcome::Harmless => panic!("a package was applied to a bad base"),
        }
    }
    fs::write(&data, good).unwrap();
}

#[test]
fn a_bad_base_is_named() {
    let ground = Ground::new();
    let mut flipped = 0;
    for restored in &ground.package.bill.restores {
        let [base] = &restored.bases[..] else { panic!("{:?}", restored.bases) };
        let good = fs::read(ground.data(base)).unwrap();
        // Behind what a gzip header may say without consequence, and before what ends every archive.
        for offset in spread(&(600..good.len() - 2000).collect::<Vec<_>>(), 10) {
            let mut bytes = good.clone();
            bytes[offset] ^= 0x40;
            refuse_for(&ground, base, &bytes);
            flipped += 1;
        }
    }
    println!("bases with a flipped bit: {flipped}, all named");
    assert_eq!(flipped, 20);
}

#[test]
fn a_base_that_explodes_is_named() {
    let ground = Ground::new();
    let base = &ground.package.bill.restores[0].bases[0];
    let length = fs::read(ground.data(base)).unwrap().len();
    // Far more than it has to be, and of zstd far more than a layer of this length can be.
    for (compressor, plain) in [(Compressor::Gzip(9), 900 * length), (Compressor::Zstd, 100 << 20)] {
        let mut bomb = compressor.compress(&vec![0; plain]);
        assert!(bomb.len() < length && plain > 2 << 20, "{compressor:?}: {} of {length} bytes", bomb.len());
        bomb.resize(length, 0);
        refuse_for(&ground, base, &bomb);
    }
}
