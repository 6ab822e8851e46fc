//! Deltas written by other means than the program under test, whatever they say.

use std::io::Write as _;

use serde_json::{Value, json};

/// A delta in its parts.
#[derive(Debug, Clone)]
pub(super) struct Delta {
    pub(super) magic: Vec<u8>,
    /// Its header, in the order of its fields.
    pub(super) header: Value,
    /// The instructions, not compressed: control, runs, differences, inserts.
    pub(super) streams: [Vec<u8>; 4],
    /// The zstd frames, where they are not just the streams.
    pub(super) frames: [Option<Vec<u8>>; 4],
    /// Whether the header tells the true lengths of all streams.
    pub(super) is_measured: bool,
}

impl Delta {
    /// Takes one apart.
    pub(super) fn read(bytes: &[u8]) -> Self {
        let (magic, rest) = bytes.split_at(16);
        let (length, rest) = rest.split_first_chunk().unwrap();
        let (json, mut rest) = rest.split_at(u32::from_le_bytes(*length) as usize);
        let header: Value = serde_json::from_slice(json).unwrap();
        let frames = [0, 1, 2, 3].map(|number| {
            let stored = header["streams"][number]["stored"].as_u64().unwrap() as usize;
            let (frame, behind) = rest.split_at(stored);
            rest = behind;
            frame.to_vec()
        });
        assert!(rest.is_empty());
        let streams = frames.each_ref().map(|frame| zstd::decode_all(frame.as_slice()).unwrap());
        let magic = magic.to_vec();
        Self { magic, header, streams, frames: [const { None }; 4], is_measured: true }
    }

    /// Puts it together.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let frames = [0, 1, 2, 3].map(|number| {
            let stream = self.streams[number].as_slice();
            self.frames[number].clone().unwrap_or_else(|| zstd::encode_all(stream, 3).unwrap())
        });
        let mut header = self.header.clone();
        if self.is_measured {
            let streams = self.streams.iter().zip(&frames);
            let streams =
                streams.map(|(stream, frame)| json!({ "stored": frame.len(), "size": stream.len() }));
            header["streams"] = streams.collect();
        }
        let json = header.to_string();
        let length = (json.len() as u32).to_le_bytes();
        [&self.magic, &length[..], json.as_bytes(), &frames.concat()].concat()
    }

    /// The same, whose header tells of its streams what it is made to tell.
    pub(super) fn unmeasured(mut self) -> Self {
        self.header = Self::read(&self.bytes()).header;
        Self { is_measured: false, ..self }
    }
}

/// A number in seven bits a byte.
pub(super) fn number(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}

/// Several of them.
pub(super) fn numbers(all: &[u64]) -> Vec<u8> {
    all.iter().flat_map(|it| number(*it)).collect()
}

/// A zstd frame that says that one has to look back so far, as a power of two.
pub(super) fn frame_with_window(stream: &[u8], bits: u32) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_contentsize(false).unwrap();
    encoder.window_log(bits).unwrap();
    encoder.write_all(stream).unwrap();
    encoder.finish().unwrap()
}
