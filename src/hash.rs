//! The digests of files, of any length, in constant memory.

mod lanes;

use std::io;

use crate::digest::{Algorithm, Digest, Hasher, Kernel};
use crate::disk::{Content, File, Reading, fetching};
use crate::work::Queue;

/// Is told how many more bytes were hashed.
pub type OnBytes<'a> = &'a (dyn Fn(u64) + Sync);

/// A digest and how many bytes it was made of, or why a file cannot be read, or that it is no regular file.
pub type Found = io::Result<(Digest, u64)>;

/// Hashes a file; returns its digest and how many bytes it had.
///
/// # Errors
/// When it cannot be read, or is no regular file.
pub fn digest_of(file: &File, algorithm: Algorithm, on_bytes: OnBytes) -> Found {
    digest(file.open(Reading::Alone)?, algorithm, on_bytes)
}

fn digest(content: Content, algorithm: Algorithm, on_bytes: OnBytes) -> Found {
    let mut hasher = Hasher::new(algorithm);
    let length = content.stream(|piece| {
        hasher.update(piece);
        on_bytes(piece.len() as u64);
        Ok(())
    })?;
    Ok((hasher.finish(), length))
}

/// Hashes the files of some items on the threads of the current pool, the largest first, and tells what came of each, by
/// its item's index.
///
/// Where that is faster, each thread hashes several files side by side: all but those that would take longer so than
/// all the others together.
pub fn digests_of<'f, T: Sync>(
    items: &[T],
    file_of: impl Fn(&T) -> (&'f File, Algorithm) + Sync,
    on_bytes: OnBytes,
    found: impl Fn(usize, Found) + Sync,
) {
    // What cannot be hashed side by side is taken before all that can be.
    let can_join = |algorithm| algorithm == Algorithm::Sha256;
    let queue = Queue::largest_first(items, |item| match file_of(item) {
        (file, algorithm) if can_join(algorithm) => file.size,
        _ => u64::MAX,
    });
    let file = |index: usize| file_of(&items[index]);
    let kernel = Kernel::here();
    let alone_count = kernel.map_or(items.len(), |kernel| {
        let sizes: Vec<u64> = queue.order().map(|index| file(index).0.size).collect();
        let others = queue.order().take_while(|index| !can_join(file(*index).1)).count();
        others + lanes::alone(&sizes[others..], rayon::current_num_threads(), kernel.gain())
    });
    fetching(queue.order().map(|index| file(index).0), rayon::current_num_threads(), |on_read| {
        let on_bytes: OnBytes = &|bytes| {
            on_read(bytes);
            on_bytes(bytes);
        };
        let alone = |index: usize| {
            let (file, algorithm) = file(index);
            found(index, file.open(Reading::Fetched).and_then(|it| digest(it, algorithm, on_bytes)));
        };
        rayon::broadcast(|_| {
            while let Some((number, index)) = queue.take() {
                match kernel.filter(|_| number >= alone_count) {
                    None => alone(index),
                    Some(kernel) => {
                        let mut next = Some(index);
                        let take = || {
                            let index = next.take().or_else(|| queue.take().map(|(_, index)| index))?;
                            Some((index, file(index).0))
                        };
                        if lanes::hash(kernel, take, on_bytes, &found).is_err() {
                            alone(index); // which says why, of each file
                        }
                    }
                }
            }
        });
    });
}
