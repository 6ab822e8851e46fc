//! The encoders of Go, against Go.

use bundle::deflate::{Deflate, go};
use proptest::prelude::*;

use crate::golang::{Family, Golang, Request};
use crate::inputs::{Input, inputs, repetitive};
use crate::random;
use crate::stream::{assert_same, compressed};

/// Go's levels that are covered, as Go numbers them; -1 is the default.
const LEVELS: [i32; 2] = [-1, 1];

/// The encoder of a level of Go up to 1.26.
fn before_1_27(level: i32) -> Box<dyn Deflate> {
    if level == 1 { go::best_speed_before_1_27() } else { go::default_before_1_27() }
}

/// The encoder of a level of Go from 1.27 on.
fn since_1_27(level: i32) -> Box<dyn Deflate> {
    if level == 1 { go::best_speed_since_1_27() } else { go::default_since_1_27() }
}

fn is_written_again(mut golang: Golang, encoder: fn(i32) -> Box<dyn Deflate>) {
    for Input { name, plain } in inputs() {
        for level in LEVELS {
            let theirs = golang.compress(Request::whole(Family::Go, level), &plain);
            let ours = compressed(encoder(level), [&plain[..]]);
            assert_same(&name, level, &ours, &theirs);
        }
    }
}

#[test]
fn go_before_1_27_is_written_again() {
    is_written_again(Golang::before_1_27(), before_1_27);
}

#[test]
fn go_since_1_27_is_written_again() {
    is_written_again(Golang::since_1_27(), since_1_27);
}

/// Short streams, and those whose last block is short, are written in other ways.
#[test]
fn go_is_written_again_at_every_short_length() {
    let text = repetitive(70_000);
    let (mut old, mut new) = (Golang::before_1_27(), Golang::since_1_27());
    for length in (0..300).chain(65_535 - 2..65_535 + 150) {
        for level in LEVELS {
            let plain = &text[text.len() - length..];
            let request = Request::whole(Family::Go, level);
            let name = format!("{length} bytes");
            assert_same(
                &name,
                level,
                &compressed(before_1_27(level), [plain]),
                &old.compress(request, plain),
            );
            assert_same(&name, level, &compressed(since_1_27(level), [plain]), &new.compress(request, plain));
        }
    }
}

#[test]
fn pieces_leave_no_trace() {
    for Input { name, plain } in inputs().into_iter().filter(|input| input.plain.len() < 400_000) {
        for encoder in [before_1_27, since_1_27] {
            for level in LEVELS {
                let whole = compressed(encoder(level), [&plain[..]]);
                for piece in [1 + plain.len() / 2000, 65_535] {
                    assert_same(&name, level, &compressed(encoder(level), plain.chunks(piece)), &whole);
                }
            }
        }
    }
}

#[test]
fn go_agrees_with_itself_in_pieces_of_whole_tar_blocks() {
    let plain = repetitive(300_000);
    for mut golang in [Golang::before_1_27(), Golang::since_1_27()] {
        for level in LEVELS {
            let request = Request::whole(Family::Go, level);
            let whole = golang.compress(request, &plain);
            for pieces in [512, 10_240, 16_384, 32_768, 65_536, 131_072] {
                let theirs = golang.compress(Request { pieces, ..request }, &plain);
                assert_same(&format!("pieces of {pieces} bytes"), level, &theirs, &whole);
            }
        }
    }
}

/// Go up to 1.26 moves its window when it is given more input. A piece that ends just before the window does lets
/// it move one byte too early, and a match that is just within reach is not found.
#[test]
fn go_before_1_27_does_not_agree_with_itself_in_all_pieces() {
    let (from, to) = (32_600, (64 << 10) - 262);
    // Hardly any matches by chance: every byte is a step of its own.
    let mut plain: Vec<u8> = random::bytes(1, 70_000).iter().map(|byte| byte & 0x7f).collect();
    plain.copy_within(from..from + 20, to);
    let mut golang = Golang::before_1_27();
    let request = Request::whole(Family::Go, -1);
    let whole = golang.compress(request, &plain);
    assert!(whole != golang.compress(Request { pieces: 65_535, ..request }, &plain));
    assert_same("the window's end", -1, &compressed(before_1_27(-1), plain.chunks(65_535)), &whole);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inputs_that_nobody_thought_of(plains in proptest::collection::vec(random::structured(), 1..8)) {
        let (mut old, mut new) = (Golang::before_1_27(), Golang::since_1_27());
        for plain in &plains {
            for level in LEVELS {
                let request = Request::whole(Family::Go, level);
                prop_assert!(compressed(before_1_27(level), [&plain[..]]) == old.compress(request, plain));
                prop_assert!(compressed(since_1_27(level), [&plain[..]]) == new.compress(request, plain));
            }
        }
    }
}
