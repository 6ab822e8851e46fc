//! Writes deltas that are as they should be, for a fuzzer to begin with, into the folder that is named.

use std::path::PathBuf;
use std::{env, fs};

use bundle::deflate::encoder::ENCODERS;
use bundle::delta::document::{self, BaseContent, Content, Gzip, Header, Stream};
use bundle::delta::script::{At, ScriptWriter};
use bundle::digest::{Algorithm, Digest};

/// What every base is at the fuzz target.
const BASE: [u8; 4096] = [7; 4096];

fn main() {
    let folder = PathBuf::from(env::args().nth(1).expect("the folder"));
    fs::create_dir_all(&folder).unwrap();
    let encoders = ENCODERS.iter().map(|encoder| Some(encoder.id)).chain([None]);
    for (number, encoder) in encoders.enumerate() {
        // Those with no base, with one, and with several; short ones, and ones of many pieces.
        let (bases, length) = (number % 4, [1, 40, 400][number % 3]);
        let delta = delta(encoder, bases, length);
        fs::write(folder.join(encoder.unwrap_or("none")), delta).unwrap();
    }
}

/// A delta of a blob that takes from so many bases, so many times.
fn delta(encoder: Option<&str>, bases: usize, times: usize) -> Vec<u8> {
    let mut script = ScriptWriter::new(bases, [const { Vec::new() }; 4]);
    let mut plain_size = 0;
    for time in 0..times {
        let new: Vec<u8> = (0..time % 50).map(|at| (at * at * 31 + time) as u8).collect();
        script.insert(&new).unwrap();
        plain_size += new.len();
        if bases > 0 {
            let (offset, length) = (time * 61 % 3000, time * 7 % 900);
            let mut like = BASE[offset..offset + length].to_vec();
            like.iter_mut().step_by(time % 90 + 10).for_each(|byte| *byte ^= 5);
            let at = At { base: time % bases, offset: offset as u64 };
            script.add(at, &BASE[offset..offset + length], &like).unwrap();
            plain_size += length;
        }
    }
    script.insert(b"the end").unwrap();
    plain_size += 7;
    let streams = script.finish().unwrap();
    let compressed = streams.each_ref().map(|stream| zstd::encode_all(stream.as_slice(), 1).unwrap());
    let digest = Digest::of(Algorithm::Sha256, b"");
    let described = BaseContent { digest, size: BASE.len() as u64, plain_size: BASE.len() as u64 };
    let mut sizes = streams.iter().zip(&compressed).map(|(stream, frame)| Stream {
        stored: frame.len() as u64,
        size: stream.len() as u64,
    });
    // A gzip stream may be longer than what it holds, but for a bare blob.
    let size = if encoder.is_some() { plain_size + 1000 } else { plain_size };
    let header = Header {
        blob: Content { digest, size: size as u64 },
        plain_size: plain_size as u64,
        gzip: encoder.map(|encoder| Gzip {
            header: "1f8b0800000000000003".to_owned(),
            encoder: encoder.to_owned(),
        }),
        bases: vec![described; bases],
        streams: [(); 4].map(|()| sizes.next().unwrap()),
    };
    let mut readers = compressed.each_ref().map(|frame| frame.as_slice());
    let [a, b, c, d] = &mut readers;
    let mut bytes = Vec::new();
    document::write(&header, [a, b, c, d], &mut bytes).unwrap();
    bytes
}
