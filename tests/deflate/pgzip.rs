//! The encoders of pgzip and of klauspost/compress, against both.
//!
//! Debian has a release of klauspost/compress before 1.18. What later ones write is what Go 1.27 writes, which took
//! their code over: it does what pgzip does, block by block. That this is right, and what 1.18.1 writes, which
//! nothing else does, is known from sums of what the releases themselves wrote.

use bundle::deflate::klauspost;
use bundle::deflate::pgzip::{self, Block, Level, Revision};
use proptest::prelude::*;
use sha2::{Digest as _, Sha256};

use crate::golang::{Family, Golang, Request};
use crate::inputs::{self, Input, inputs, repetitive};
use crate::random;
use crate::stream::{assert_same, compressed};

/// The levels, and how they are numbered.
const LEVELS: [(Level, i32); 2] = [(Level::Default, 5), (Level::BestSpeed, 1)];

/// The blocks, and how much they hold.
const BLOCKS: [(Block, usize); 2] = [(Block::Mib1, 1 << 20), (Block::Kib256, 256 << 10)];

/// How much pgzip knows of the block before.
const TAIL: usize = 16 << 10;

/// What pgzip itself writes, with Debian's release of klauspost/compress.
fn pgzip(golang: &mut Golang, plain: &[u8], block: usize, level: i32) -> Vec<u8> {
    golang.compress(Request { pieces: block, ..Request::whole(Family::Pgzip, level) }, plain)
}

/// What pgzip would write with the flate of Go 1.27.
fn pgzip_of_go(golang: &mut Golang, plain: &[u8], block: usize, level: i32) -> Vec<u8> {
    let mut stream = Vec::new();
    for begin in (0..=plain.len()).step_by(block) {
        let before = &plain[begin.saturating_sub(TAIL)..begin];
        let request = Request { flushed: true, before, ..Request::whole(Family::Go, level) };
        stream.extend(golang.compress(request, &plain[begin..plain.len().min(begin + block)]));
    }
    stream.extend([3, 0]);
    stream
}

/// Checks all that is pgzip's on an input.
fn check(old: &mut Golang, new: &mut Golang, name: &str, plain: &[u8]) {
    for (block, size) in BLOCKS {
        for (level, number) in LEVELS {
            let ours = compressed(pgzip::encoder(Revision::V1_15_10, block, level), [plain]);
            assert_same(name, number, &ours, &pgzip(old, plain, size, number));
            let ours = compressed(pgzip::encoder(Revision::V1_18_2, block, level), [plain]);
            assert_same(name, number, &ours, &pgzip_of_go(new, plain, size, number));
        }
    }
}

#[test]
fn pgzip_is_written_again() {
    let (mut old, mut new) = (Golang::before_1_27(), Golang::since_1_27());
    for Input { name, plain } in inputs() {
        check(&mut old, &mut new, &name, &plain);
    }
}

#[test]
fn pgzip_is_written_again_where_the_input_ends_with_a_block() {
    let (mut old, mut new) = (Golang::before_1_27(), Golang::since_1_27());
    let plain = repetitive(2 << 20);
    for end in [0, 65_535, 256 << 10, 1 << 20] {
        for length in [end, end + 1, end + 32, end + 33, end + 127, end + 128] {
            check(&mut old, &mut new, &format!("{length} bytes"), &plain[plain.len() - length..]);
        }
    }
    for length in [(1 << 20) - 1, 2 << 20] {
        check(&mut old, &mut new, &format!("{length} bytes"), &plain[..length]);
    }
}

#[test]
fn flate_is_written_again() {
    let (mut old, mut new) = (Golang::before_1_27(), Golang::since_1_27());
    for Input { name, plain } in inputs() {
        for (level, number) in LEVELS {
            let ours = compressed(klauspost::encoder(Revision::V1_15_10, level), [&plain[..]]);
            let theirs = old.compress(Request::whole(Family::Klauspost, number), &plain);
            assert_same(&name, number, &ours, &theirs);
            let ours = compressed(klauspost::encoder(Revision::V1_18_2, level), [&plain[..]]);
            let theirs = new.compress(Request::whole(Family::Go, number), &plain);
            assert_same(&name, number, &ours, &theirs);
        }
    }
}

#[test]
fn pieces_leave_no_trace() {
    for Input { name, plain } in inputs().into_iter().filter(|input| input.plain.len() < 400_000) {
        for (level, number) in LEVELS {
            let encoder = || pgzip::encoder(Revision::V1_18_2, Block::Kib256, level);
            let whole = compressed(encoder(), [&plain[..]]);
            for piece in [1 + plain.len() / 2000, 65_535, 262_144] {
                assert_same(&name, number, &compressed(encoder(), plain.chunks(piece)), &whole);
            }
        }
    }
}

/// What the releases do with inputs that are the same everywhere: the sha256 of all streams behind each other, made
/// by pgzip with 1.15.12, 1.17.11 and 1.18.0 (which agree); with 1.18.1; and with 1.18.2 and 1.19.1.
#[test]
fn streams_are_those_of_the_releases() {
    let plains = inputs::the_same_everywhere();
    assert_eq!(sum(&plains.concat()), "47e835540856cf3792cc320ad21eb2eb113ad802f3ed4ce1c9c24e9f93c0d561");
    for (revision, expected) in [
        (Revision::V1_15_10, "cb17dd44921290d78d012055e58332f1f912f98dea168beadccfc6b997e85567"),
        (Revision::V1_18_1, "32fbb1e49fb99be35e82d1a817100c31792d2a4e96dfb76223e4fadde79a7b8c"),
        (Revision::V1_18_2, "4ed684f007ebc9953b7f377a951cd6edca4ec367ca38b5a007ead947dad81da5"),
    ] {
        let mut streams = Vec::new();
        for plain in &plains {
            for (block, _) in BLOCKS {
                for (level, _) in LEVELS {
                    streams.extend(compressed(pgzip::encoder(revision, block, level), [&plain[..]]));
                }
            }
        }
        assert_eq!(sum(&streams), expected, "{revision:?}");
    }
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 30, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inputs_that_nobody_thought_of(plains in proptest::collection::vec(random::structured(), 1..8)) {
        let (mut old, mut new) = (Golang::before_1_27(), Golang::since_1_27());
        for plain in &plains {
            check(&mut old, &mut new, "by chance", plain);
        }
        check(&mut old, &mut new, "all together", &plains.concat());
    }
}
