//! Whatever the bytes of a delta are, reading it ends, in bounded memory, in an error or in a blob that is what the
//! delta's header says.

#![no_main]

use std::io::{self, Cursor, Write};
use std::sync::LazyLock;

use bundle::delta::document::Document;
use bundle::delta::library::MAX_BASES;
use bundle::delta::{plain, restore};
use bundle::disk::Scratch;
use libfuzzer_sys::fuzz_target;

/// Longer blobs take longer, and show nothing more.
const MOST_BYTES: u64 = 1 << 20;

/// Shorter than a delta may say: what is read behind their end is an error, too.
static BASES: LazyLock<Vec<Scratch>> = LazyLock::new(|| {
    let base = |_| {
        let mut base = Scratch::new(&std::env::temp_dir()).unwrap();
        base.write_all(&[7; 4096]).unwrap();
        base
    };
    (0..MAX_BASES).map(base).collect()
});

fuzz_target!(|bytes: &[u8]| {
    let bytes = bytes.to_vec();
    let Ok(document) = Document::open(&bytes) else { return };
    let header = &document.header;
    if header.plain_size > MOST_BYTES {
        return;
    }
    assert!(document.memory() <= 64 << 20);
    let mut made = Vec::new();
    let restored = restore::blob(&document, &BASES[..header.bases.len()], |piece| {
        made.extend_from_slice(piece);
        Ok(())
    });
    assert!(made.len() as u64 <= header.blob.size);
    let Ok(length) = restored else { return };
    assert_eq!(length, made.len() as u64);
    let uncompressed = match header.gzip {
        None => length,
        Some(_) => {
            let (_, mut plain) = plain::of(Cursor::new(made)).unwrap();
            io::copy(&mut plain, &mut io::sink()).unwrap()
        }
    };
    assert_eq!(uncompressed, header.plain_size);
});
