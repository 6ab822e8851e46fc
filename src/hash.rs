//! The digest of a file, of any length, in constant memory.

use std::io;

use crate::digest::{Algorithm, Digest, Hasher};
use crate::disk::File;

/// Is told how many more bytes were hashed.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Sync);

/// Hashes a file; returns its digest and how many bytes it had.
///
/// # Errors
/// When it cannot be read, or is no regular file.
pub fn digest_of(file: &File, algorithm: Algorithm, on_bytes: OnBytes) -> io::Result<(Digest, u64)> {
    let mut hasher = Hasher::new(algorithm);
    let length = file.stream(|piece| {
        hasher.update(piece);
        on_bytes(piece.len() as u64);
        Ok(())
    })?;
    Ok((hasher.finish(), length))
}
