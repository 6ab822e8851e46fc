//! The encoders of the zlib family, against the real programs: zlib itself (through Python), GNU gzip and pigz.
//! What they write has to be what the programs write, to the byte, on every level.

use bundle::deflate::{gnu, pigz, zlib};
use proptest::prelude::*;

use crate::inputs::{Input, inputs, repetitive};
use crate::program::{program, run};
use crate::stream::{assert_same, compressed, stream};
use crate::{judge, random};

/// The levels that an input is compressed on: all; a long one on the default level and one more.
fn levels(number: usize, plain: &[u8]) -> Vec<u8> {
    match plain.len() {
        0..80_000 => (1..=9).collect(),
        _ => vec![6, [1, 9, 2, 3, 4, 5, 7, 8][number % 8]],
    }
}

#[test]
fn zlib_is_written_again_on_every_level() {
    for (number, Input { name, plain }) in inputs().into_iter().enumerate() {
        let levels = levels(number, &plain);
        for (level, theirs) in levels.iter().zip(judge::zlib(&levels, &plain, plain.len())) {
            let ours = compressed(zlib::encoder(*level).unwrap(), [&plain[..]]);
            assert_same(&name, level, &ours, &theirs);
        }
    }
}

#[test]
fn gnu_gzip_is_written_again_on_every_level() {
    for (number, Input { name, plain }) in inputs().into_iter().enumerate() {
        for level in levels(number, &plain) {
            let file = judge::gzip(level, &plain);
            let ours = compressed(gnu::encoder(level).unwrap(), [&plain[..]]);
            assert_same(&name, level, &ours, stream(&file));
        }
    }
}

#[test]
fn pigz_is_written_again_on_every_level() {
    for (number, Input { name, plain }) in inputs().into_iter().enumerate() {
        for level in levels(number, &plain) {
            let file = judge::pigz(level, &plain);
            let ours = compressed(pigz::encoder(level).unwrap(), [&plain[..]]);
            assert_same(&name, level, &ours, stream(&file));
        }
    }
}

/// GNU gzip compares beyond the end of its input, and stops looking for matches when that comes to lie close
/// to the end of its window.
#[test]
fn gnu_gzip_is_written_again_where_the_input_ends_with_the_window() {
    let all = repetitive(200_000);
    for end in [40, 1000, 32_600, 65_274, 65_400, 65_535, 65_536, 65_600, 98_043, 98_200, 98_304, 131_200] {
        for length in end - 15..end + 15 {
            // The end is what came before, from near and from far.
            let tail = (length / 3).min(23);
            let from = length / 7;
            let plain =
                [&all[..length - 2 * tail], &all[from..from + tail], &all[from..from + tail]].concat();
            let level = 1 + (length % 9) as u8;
            let file = judge::gzip(level, &plain);
            let ours = compressed(gnu::encoder(level).unwrap(), [&plain[..]]);
            assert_same(&format!("{length} bytes"), level, &ours, stream(&file));
        }
    }
}

#[test]
fn pieces_leave_no_trace() {
    let sizes = |length: usize| [1 + length / 2000, 512, 65_535, 131_072];
    for (number, Input { name, plain }) in inputs().into_iter().enumerate() {
        let (level, piece) = ([1, 6][number % 2], sizes(plain.len())[number % 4]);
        for family in [zlib::encoder, gnu::encoder, pigz::encoder] {
            let whole = compressed(family(level).unwrap(), [&plain[..]]);
            let ours = compressed(family(level).unwrap(), plain.chunks(piece));
            assert_same(&format!("{name}, in pieces of {piece}"), level, &ours, &whole);
        }
    }
}

#[test]
fn zlib_agrees_with_itself_in_pieces_of_whole_tar_blocks() {
    let plain = repetitive(300_000);
    let whole = judge::zlib(&[1, 6], &plain, plain.len());
    for piece in [512, 10_240, 16_384, 65_536, 131_072] {
        assert!(judge::zlib(&[1, 6], &plain, piece) == whole, "pieces of {piece} bytes");
    }
}

/// zlib moves its window when it asks for more input. A piece that ends just before the window does lets it
/// move one byte too early, and a match that is just within reach is not found. Encoders write what zlib writes
/// when all input is there at once.
#[test]
fn zlib_does_not_agree_with_itself_in_all_pieces() {
    let (from, to) = (32 << 10, (64 << 10) - 262);
    // What comes again has a hash that nothing between has.
    let mut plain: Vec<u8> = random::bytes(1, 70_000).iter().map(|byte| byte & 0b1_1110).collect();
    for begin in [from, to] {
        (0..20).for_each(|n| plain[begin + n] = 2 * n as u8 + 1);
    }
    let [whole, pieces] = [plain.len(), 65_535].map(|piece| judge::zlib(&[6], &plain, piece).remove(0));
    assert!(whole != pieces);
    assert_same("pieces", 6, &compressed(zlib::encoder(6).unwrap(), plain.chunks(65_535)), &whole);
}

#[test]
fn other_levels_are_not_covered() {
    for family in [zlib::encoder, gnu::encoder, pigz::encoder] {
        let covered: Vec<u8> = (0..=255).filter(|level| family(*level).is_some()).collect();
        assert_eq!(covered, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }
}

/// Other programs have taken these names: zlib-ng calls itself zlib, and writes other streams.
#[test]
fn the_judges_are_the_real_programs() {
    let first_line =
        |name, arguments: &[&str]| run(&program(name), arguments).lines().next().map(str::to_owned);
    assert!(first_line("gzip", &["--version"]).unwrap().starts_with("gzip 1."));
    assert!(first_line("pigz", &["--version"]).unwrap().starts_with("pigz 2."));
    let version = first_line("python3", &["-c", "import zlib; print(zlib.ZLIB_RUNTIME_VERSION)"]).unwrap();
    assert!(version.starts_with("1.") && !version.contains("ng"), "zlib {version}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inputs_that_nobody_thought_of(plain in random::structured(), level in 1..=9_u8) {
        let zlib = compressed(zlib::encoder(level).unwrap(), [&plain[..]]);
        assert_same("zlib", level, &zlib, &judge::zlib(&[level], &plain, plain.len())[0]);
        let gzip = compressed(gnu::encoder(level).unwrap(), [&plain[..]]);
        assert_same("GNU gzip", level, &gzip, stream(&judge::gzip(level, &plain)));
        let pigz = compressed(pigz::encoder(level).unwrap(), [&plain[..]]);
        assert_same("pigz", level, &pigz, stream(&judge::pigz(level, &plain)));
    }
}
