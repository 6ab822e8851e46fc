//! Inputs of every kind that deflate treats differently.

use std::fs;
use std::path::Path;

use crate::random;

/// An input, with a name for messages.
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) plain: Vec<u8>,
}

/// All of them.
pub(crate) fn inputs() -> Vec<Input> {
    let mut inputs = Vec::new();
    let mut add = |name: &str, plain: Vec<u8>| inputs.push(Input { name: name.to_owned(), plain });
    let (noise, text) = (random::bytes(1, 300_000), text());
    let program = fs::read(std::env::current_exe().unwrap()).unwrap();
    // Its beginning is mostly tables of numbers, its middle code.
    let program = [&program[..200_000], &program[program.len() / 4..][..1 << 20]].concat();

    add("nothing", Vec::new());
    add("one byte", vec![b'a']);
    add("two bytes", b"ab".to_vec());
    add("three bytes, equal", b"aaa".to_vec());
    add("four bytes, equal", b"aaaa".to_vec());
    add("a short text", text[..300].to_vec());
    add("zeros", vec![0; 300_000]);
    add("noise", noise.clone());
    add("noise, one byte more than a stored block holds", noise[..65_536].to_vec());
    add("noise of few kinds", noise.iter().map(|byte| byte & 7).collect());
    add("noise of two kinds", noise.iter().map(|byte| byte & 1).collect());
    add("noise, here and there again", nearly_noise(noise.clone()));
    add("text", text.clone());
    add("a shell", fs::read("/bin/bash").unwrap()[..600_000].to_vec());
    add("a program", program.clone());
    add("an archive of small files", archive());
    add("mostly zeros", sparse(400_000));
    add("kinds of any rarity", of_any_rarity(200_000));
    add("repetitions", repetitive(200_000));
    for period in
        [1, 2, 3, 7, 257, 258, 259, 4095, 4096, 4097, 32_505, 32_506, 32_507, 32_767, 32_768, 32_769]
    {
        add(&format!("period {period}"), noise.iter().take(period).cycle().take(100_000).copied().collect());
    }
    for edge in [32 << 10, 64 << 10, 96 << 10, 128 << 10, 256 << 10, 1 << 20] {
        for length in [edge - 1, edge, edge + 1] {
            add(&format!("{length} bytes of a program"), program[..length].to_vec());
        }
    }
    add("text, noise, zeros, a program", [&text[..100_000], &noise[..], &[0; 50_000], &program].concat());
    inputs
}

/// The project's own text.
fn text() -> Vec<u8> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> =
        fs::read_dir(root.join("src")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    let around = ["README.md", "Cargo.lock", "docs/package.md", "README.md"].map(|file| root.join(file));
    let text: Vec<u8> = around.iter().chain(&files).flat_map(|file| fs::read(file).unwrap()).collect();
    assert!(text.len() > 100_000);
    text
}

/// A tar archive of the project's own sources.
fn archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    archive.mode(tar::HeaderMode::Deterministic);
    archive.append_dir_all("src", Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).unwrap();
    archive.into_inner().unwrap()
}

/// Noise in which something comes again here and there, never long.
fn nearly_noise(mut noise: Vec<u8>) -> Vec<u8> {
    let places: Vec<usize> = random::bytes(2, 9000).chunks_exact(3).map(place).collect();
    for pair in places.chunks_exact(2) {
        let [from, to] = [pair[0], pair[1]].map(|place| place % (noise.len() - 9));
        noise.copy_within(from..from + 3 + from % 7, to);
    }
    noise
}

/// Zeros, and a few bytes between them.
fn sparse(length: usize) -> Vec<u8> {
    let mut plain = vec![0; length];
    for bytes in random::bytes(3, length / 100).chunks_exact(4) {
        plain[place(bytes) % length] = bytes[3];
    }
    plain
}

/// Bytes of which each is half as frequent as the one before: the longest codes there are.
fn of_any_rarity(length: usize) -> Vec<u8> {
    random::bytes(4, length * 3).chunks_exact(3).map(|bytes| place(bytes).leading_zeros() as u8).collect()
}

/// Words that come again and again, near and far.
pub(crate) fn repetitive(length: usize) -> Vec<u8> {
    repetitions(5, length)
}

/// The same with other words, in another order.
fn repetitions(seed: u64, length: usize) -> Vec<u8> {
    let words = random::bytes(seed, 5000);
    let places = random::bytes(seed + 1, 2 * length);
    let places = places.chunks_exact(3).map(place);
    let words = places.flat_map(|place| words[place % 4980..].iter().take(2 + place % 11));
    words.take(length).copied().collect()
}

/// A number of 24 bits.
fn place(bytes: &[u8]) -> usize {
    usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])
}

/// Some of everything, but nothing of the project's own, nor of the system's; and two inputs of which klauspost's
/// release 1.18.1 makes something else than later ones, on one level each.
pub(crate) fn the_same_everywhere() -> [Vec<u8>; 3] {
    let noise = random::bytes(1, 300_000);
    let few_kinds: Vec<u8> = noise.iter().map(|byte| byte & 7).collect();
    let (sparse, rarity) = (sparse(300_000), of_any_rarity(300_000));
    let all =
        [few_kinds, repetitive(600_000), sparse, vec![7; 200_000], rarity, nearly_noise(noise)].concat();
    [all, repetitions(374, 200_000), repetitions(2184, 200_000)]
}
