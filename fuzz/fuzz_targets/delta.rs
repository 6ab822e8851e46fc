//! Whatever the bytes of a delta are, reading it ends, in bounded memory, in a blob or an error.

#![no_main]

use std::io::Write;

use bundle::delta::document::Document;
use bundle::delta::restore;
use bundle::disk::Scratch;
use libfuzzer_sys::fuzz_target;

/// Longer blobs take longer, and show nothing more.
const MOST_BYTES: u64 = 1 << 20;

fuzz_target!(|bytes: &[u8]| {
    let bytes = bytes.to_vec();
    let Ok(document) = Document::open(&bytes) else { return };
    if document.header.plain_size > MOST_BYTES {
        return;
    }
    // Shorter than the delta may say: what is read behind its end is an error, too.
    let bases = document.header.bases.iter().map(|_| {
        let mut base = Scratch::new(&std::env::temp_dir()).unwrap();
        base.write_all(&[7; 4096]).unwrap();
        base
    });
    let bases: Vec<_> = bases.collect();
    let mut made = 0;
    let restored = restore::blob(&document, &bases, |piece| {
        made += piece.len() as u64;
        Ok(())
    });
    assert!(made <= document.header.blob.size);
    assert!(restored.is_ok_and(|length| length == made) || made <= document.header.blob.size);
});
