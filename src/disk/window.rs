//! The window that file contents pass through.
//!
//! Files are read, never mapped. Reading a mapped page of a file that was truncated meanwhile, or whose disk
//! fails, raises SIGBUS and ends the process; `read` returns a short count or an error that becomes a finding.
//! Hashing a cached file costs the same either way, because the hash is far slower than the copy. What is
//! mapped is anonymous memory: one page-aligned window a thread, given back to the system with the thread.

use std::cell::RefCell;
use std::io;

use memmap2::MmapMut;

/// Large enough that a system call a window costs nothing, small enough to stay in the processor's cache.
pub(super) const WINDOW_BYTES: usize = 256 << 10;

thread_local! {
    static WINDOW: RefCell<Option<MmapMut>> = const { RefCell::new(None) };
}

/// Lends this thread's window to `work`.
///
/// # Errors
/// When the system has no memory for a window, or `work` fails.
pub fn with_window<T>(work: impl FnOnce(&mut [u8]) -> io::Result<T>) -> io::Result<T> {
    WINDOW.with_borrow_mut(|window| match window {
        Some(window) => work(window),
        None => work(window.insert(MmapMut::map_anon(WINDOW_BYTES)?)),
    })
}
