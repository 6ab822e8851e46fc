//! Deltas that are well written and lie.

use serde_json::{Value, json};

use super::writer::{Delta, frame_with_window, numbers};
use super::{Ground, expect_none};
use crate::support::sha256;

/// A lie: what it is, what has to be found, and how it is told.
type Lie = (&'static str, &'static str, fn(&mut Delta));

/// Has deltas of both layers refused.
fn expect_refused(lies: &[Lie]) {
    let ground = Ground::new();
    let mut complaints = Vec::new();
    for (what, words, tell) in lies {
        for layer in [0, 1] {
            let mut delta = ground.delta(layer);
            tell(&mut delta);
            complaints.extend(ground.refuse(&ground.with_delta(layer, &delta), what, words).err());
        }
    }
    assert_eq!(ground.harmless.get(), 0, "{complaints:?}");
    expect_none("deltas that lie", lies.len() * 2, complaints);
}

/// Adds to a number.
fn add(value: &mut Value, more: i64) {
    *value = value.as_u64().unwrap().wrapping_add_signed(more).into();
}

#[test]
fn sizes_have_to_be_right() {
    let lies: [Lie; 18] = [
        ("a byte more", "", |it| add(&mut it.header["plain_size"], 1)),
        ("a byte less", "", |it| add(&mut it.header["plain_size"], -1)),
        ("nothing", "", |it| it.header["plain_size"] = 0.into()),
        ("without end", "sizes that no blob has", |it| it.header["plain_size"] = u64::MAX.into()),
        ("a longer blob", "", |it| add(&mut it.header["blob"]["size"], 1)),
        ("another blob", "a delta of something else", |it| {
            it.header["blob"]["digest"] = sha256(b"another").into();
        }),
        ("a longer base", "a delta from bases of other lengths", |it| {
            add(&mut it.header["bases"][0]["size"], 1);
        }),
        ("a base that is longer uncompressed", "a base of another length", |it| {
            add(&mut it.header["bases"][0]["plain_size"], 1);
        }),
        ("a base that is shorter uncompressed", "a base of another length", |it| {
            add(&mut it.header["bases"][0]["plain_size"], -1);
        }),
        ("a base without end", "bases of an impossible size", |it| {
            it.header["bases"][0]["plain_size"] = (1_u64 << 60).into();
        }),
        ("a longer stream", "a stream that is shorter than it says", |it| {
            *it = it.clone().unmeasured();
            add(&mut it.header["streams"][0]["size"], 1);
        }),
        ("a shorter stream", "", |it| {
            *it = it.clone().unmeasured();
            add(&mut it.header["streams"][1]["size"], -1);
        }),
        ("a frame with more than its stream", "a stream that is longer than it says", |it| {
            it.streams[3].push(b'x');
            *it = it.clone().unmeasured();
            add(&mut it.header["streams"][3]["size"], -1);
        }),
        ("a stream without end", "more instructions than bytes", |it| {
            *it = it.clone().unmeasured();
            it.header["streams"][0]["size"] = u64::MAX.into();
        }),
        ("inserts without end", "more bytes than the blob has", |it| {
            *it = it.clone().unmeasured();
            it.header["streams"][3]["size"] = u64::MAX.into();
        }),
        ("a longer frame", "another length than its streams have", |it| {
            *it = it.clone().unmeasured();
            add(&mut it.header["streams"][2]["stored"], 1);
        }),
        ("a frame without end", "another length than its streams have", |it| {
            *it = it.clone().unmeasured();
            it.header["streams"][2]["stored"] = u64::MAX.into();
        }),
        ("frames in each other's place", "", |it| {
            *it = it.clone().unmeasured();
            add(&mut it.header["streams"][0]["stored"], 1);
            add(&mut it.header["streams"][1]["stored"], -1);
        }),
    ];
    expect_refused(&lies);
}

#[test]
fn instructions_stay_within_what_there_is() {
    const MORE: &str = "instructions for more bytes than the blob has";
    const FEWER: &str = "instructions for fewer bytes than the blob has";
    let lies: [Lie; 16] = [
        ("an offset behind the base", "a stretch outside its base", |it| {
            it.streams[0] = numbers(&[200, 0, 1 << 40]);
        }),
        ("an offset before the base", "a stretch outside its base", |it| {
            it.streams[0] = numbers(&[200, 0, 1]);
        }),
        ("a stretch over the base's end", "a stretch outside its base", |it| {
            it.streams[0] = numbers(&[1 << 50, 0, 0]);
        }),
        ("an offset that wraps around", "a stretch outside its base", |it| {
            it.streams[0] = numbers(&[200, 0, u64::MAX]);
        }),
        ("bytes without end", "a stretch outside its base", |it| {
            it.streams[0] = numbers(&[u64::MAX - 1, 0, 0])
        }),
        ("inserted bytes without end", MORE, |it| it.streams[0] = numbers(&[0, u64::MAX])),
        ("sums that wrap around", MORE, |it| it.streams[0] = numbers(&[2, u64::MAX, 0])),
        ("more and more", "", |it| it.streams[0] = numbers(&[2_000, 0, 0, 2_000, 0, 1_999].repeat(9_000))),
        ("an instruction that does nothing", "an instruction that does nothing", |it| {
            it.streams[0] = numbers(&[0, 0]);
        }),
        ("no instruction", FEWER, |it| it.streams[0].clear()),
        ("one instruction more", MORE, |it| it.streams[0].extend(numbers(&[0, 1]))),
        ("half an instruction", "the end of its instructions within one", |it| it.streams[0].push(2)),
        ("a number of too many bits", "a number that is too large", |it| it.streams[0] = vec![0xff; 10]),
        ("a base that is none", "a base that is none", |it| it.streams[0] = numbers(&[3, 7, 0, 0])),
        ("a base without end", "a base that is none", |it| it.streams[0] = numbers(&[3, u64::MAX, 0, 0])),
        ("more inserts than are used", "", |it| it.streams[3].push(b'x')),
    ];
    expect_refused(&lies);
}

#[test]
fn streams_fit_one_another() {
    let lies: [Lie; 8] = [
        ("a run that has nothing", "a run that has nothing", |it| it.streams[1] = numbers(&[0, 0])),
        ("no runs", "fewer differences than its instructions need", |it| it.streams[1].clear()),
        ("a run that is too long", "more than the instructions use", |it| {
            it.streams[1] = numbers(&[u64::MAX, 0]);
        }),
        ("a list that is too long", "", |it| it.streams[1] = numbers(&[0, u64::MAX])),
        ("half a run", "fewer differences than its instructions need", |it| it.streams[1] = numbers(&[5])),
        ("a frame that looks back far", "", |it| {
            it.frames[3] = Some(frame_with_window(&it.streams[3], 27));
        }),
        ("a frame that looks back too far for its stream", "", |it| {
            it.frames[0] = Some(frame_with_window(&it.streams[0], 22));
        }),
        ("no frame", "", |it| it.frames[0] = Some(Vec::new())),
    ];
    expect_refused(&lies);
}

#[test]
fn a_header_says_what_is_known() {
    let lies: [Lie; 11] = [
        ("another version", "no delta, or one of another version", |it| it.magic[13] = b'2'),
        ("an unknown encoder", "which this program does not know", |it| {
            it.header["gzip"] = json!({ "header": "1f8b0800000000000003", "encoder": "gzip-6\u{1b}[2J" });
        }),
        ("no encoder", "which this program does not know", |it| {
            it.header["gzip"] = json!({ "header": "1f8b0800000000000003", "encoder": "" });
        }),
        ("another encoder", "", |it| {
            it.header["gzip"] = json!({ "header": "1f8b0800000000000003", "encoder": "gzip-1" });
        }),
        ("a gzip header that is no hexadecimal", "a gzip header that is no hexadecimal", |it| {
            it.header["gzip"] = json!({ "header": "1f8", "encoder": "gzip-6" });
        }),
        ("a gzip header that is none", "", |it| {
            it.header["gzip"] = json!({ "header": "00000000000000000000", "encoder": "gzip-6" });
        }),
        ("a field that nobody knows", "unknown field", |it| it.header["more"] = 1.into()),
        ("a field less", "missing field", |it| {
            it.header.as_object_mut().unwrap().remove("plain_size");
        }),
        ("a header without end", "a header that is too long", |it| {
            it.header["more"] = "x".repeat(300_000).into();
        }),
        ("too many bases", "", |it| {
            let base = it.header["bases"][0].clone();
            it.header["bases"] = vec![base; 5].into();
        }),
        ("no base", "", |it| it.header["bases"] = json!([])),
    ];
    expect_refused(&lies);
}
