//! Streams: how they are made, taken out of files, and compared.

use bundle::deflate::Deflate;

/// Compresses an input that comes in pieces.
pub(crate) fn compressed<'a>(
    mut encoder: Box<dyn Deflate>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<u8> {
    let mut out = Vec::new();
    pieces.into_iter().for_each(|piece| encoder.write(piece, &mut out));
    encoder.finish(&mut out);
    out
}

/// The deflate stream of a gzip file whose header has none of the optional parts.
pub(crate) fn stream(file: &[u8]) -> &[u8] {
    let (header, rest) = file.split_at(10);
    assert_eq!(header[..4], [0x1f, 0x8b, 8, 0], "a gzip header, without optional parts");
    &rest[..rest.len() - 8]
}

/// Fails where two streams part.
#[track_caller]
pub(crate) fn assert_same(name: &str, level: impl std::fmt::Display, ours: &[u8], theirs: &[u8]) {
    let place = ours.iter().zip(theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let (our_length, their_length) = (ours.len(), theirs.len());
    assert!(
        ours == theirs,
        "{name}, level {level}: {our_length} bytes instead of {their_length}, the same up to byte {place}"
    );
}
