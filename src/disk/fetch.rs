//! Fetching: what will be read is brought from the disk into memory by threads of their own, a little ahead.
//!
//! So the disk never waits for whoever hashes, nor the other way round. Nothing is copied: what is spliced from a file
//! into nothing comes by the system's own reading ahead, in large pages, for a third of the processor time that
//! `posix_fadvise` takes for it. What is in memory already is passed over, at the cost of a call for some MiB.
//! Fetching decides nothing: where it fails, whoever reads waits for the disk, and says what is wrong.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSliceMut};
use std::ops::{ControlFlow, Range};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::io::{Errno, ReadWriteFlags, preadv2};
use rustix::pipe::{PipeFlags, SpliceFlags, fcntl_setpipe_size, pipe_with, splice};

use super::File;
use super::content::advise;
use super::read::open;
use super::window::WINDOW_BYTES;

/// How many threads fetch for each that reads: they wait for the disk, which is the faster the more it is asked for.
const FOR_A_READER: usize = 2;
/// How many threads fetch at most; no disk needs more.
const MOST_THREADS: usize = 16;
/// How far ahead of the readers each thread may be, in bytes.
const FAR: u64 = 16 << 20;
/// How much is looked at and fetched at a time, in bytes: a disk that has to move its head stays there for a while.
const STEP: u64 = 4 << 20;
/// How much lies in a pipe, in bytes; what is asked for in one piece comes from the disk in one piece.
const PIPE_BYTES: usize = 1 << 20;

/// Does the reading of files, which come in the order in which they will be read, on so many threads, while they are
/// fetched; `read` says, by the function that it gets, how many more bytes it has read.
pub fn fetching<'f, R>(
    files: impl Iterator<Item = &'f File>,
    readers: usize,
    read: impl FnOnce(&(dyn Fn(u64) + Sync)) -> R,
) -> R {
    // What fits into a window is read with one call as soon as it is opened.
    let worth_it: Vec<&File> = files.filter(|file| file.size > WINDOW_BYTES as u64).collect();
    let threads = worth_it.len().min(FOR_A_READER * readers).min(MOST_THREADS);
    let course = Course { files: worth_it, next: AtomicUsize::new(0), pace: Pace::new(threads as u64 * FAR) };
    thread::scope(|scope| {
        for _ in 0..threads {
            let fetcher = thread::Builder::new().name("fetch".to_owned());
            if fetcher.spawn_scoped(scope, || course.run()).is_err() {
                break; // those that there are do it
            }
        }
        let _end = End(&course.pace);
        read(&|bytes| course.pace.read(bytes))
    })
}

/// What is fetched, and how much of it was.
struct Course<'f> {
    files: Vec<&'f File>,
    next: AtomicUsize,
    pace: Pace,
}

impl Course<'_> {
    fn run(&self) {
        let Ok(nothing) = Nothing::open() else { return };
        while let Some(file) = self.files.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            for (path, range) in runs(file) {
                if let Ok(opened) = open(&path)
                    && self.fetch(&opened, range, &nothing).is_break()
                {
                    return;
                }
            }
        }
    }

    /// Fetches a part of a file; breaks when nothing is read any more.
    fn fetch(&self, file: &fs::File, range: Range<u64>, nothing: &Nothing) -> ControlFlow<()> {
        let mut memory = Memory::Holds;
        for from in range.clone().step_by(STEP as usize) {
            let until = range.end.min(from + STEP);
            self.pace.wait_to_fetch(until - from)?;
            // The system reads on behind what it was made to fetch, unless that is passed over.
            if memory != Memory::Lacks {
                memory = Memory::of(file, from);
            }
            let fetched = match memory {
                Memory::Holds => Ok(()),
                Memory::Lacks => nothing.take(file, from..until),
                // The file system may have no pages to keep what is spliced: then it would be read twice.
                Memory::Hidden => advise(file, from..until),
            };
            if fetched.is_err() {
                break;
            }
        }
        ControlFlow::Continue(())
    }
}

/// The files, and the bytes in each, that some content consists of.
fn runs(file: &File) -> Vec<(PathBuf, Range<u64>)> {
    match &file.within {
        None => vec![(file.path(), 0..file.size)],
        Some(extent) => extent.runs(file.size),
    }
}

/// Whether content is in memory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Memory {
    /// It is, where it was looked at.
    Holds,
    /// It is not.
    Lacks,
    /// The file system does not tell.
    Hidden,
}

impl Memory {
    fn of(file: &fs::File, at: u64) -> Self {
        match preadv2(file, &mut [IoSliceMut::new(&mut [0])], at, ReadWriteFlags::NOWAIT) {
            Ok(_) => Self::Holds,
            Err(Errno::AGAIN) => Self::Lacks,
            Err(_) => Self::Hidden,
        }
    }
}

/// Where what is fetched goes: through a pipe into the null device, which both take pages without looking at them.
struct Nothing {
    ends: (OwnedFd, OwnedFd),
    device: fs::File,
}

impl Nothing {
    fn open() -> io::Result<Self> {
        let ends = pipe_with(PipeFlags::CLOEXEC)?;
        let _ = fcntl_setpipe_size(&ends.1, PIPE_BYTES); // where that is too much, it takes more calls
        Ok(Self { ends, device: OpenOptions::new().write(true).open("/dev/null")? })
    }

    fn take(&self, file: &fs::File, range: Range<u64>) -> io::Result<()> {
        let (from, into) = &self.ends;
        let mut at = range.start;
        while at < range.end {
            let most = (range.end - at).min(PIPE_BYTES as u64) as usize;
            // What a failure left in the pipe must not make anybody wait for room.
            let flags = SpliceFlags::MOVE | SpliceFlags::NONBLOCK;
            let mut left = splice(file, Some(&mut at), into, None, most, flags)?;
            if left == 0 {
                break; // the file is shorter by now
            }
            while left > 0 {
                left -= splice(from, None, &self.device, None, left, SpliceFlags::MOVE)?;
            }
        }
        Ok(())
    }
}

/// Keeps those that fetch a bounded way ahead of those that read: memory would have to give up what it cannot hold.
struct Pace {
    far: u64,
    fetched: AtomicU64,
    read: AtomicU64,
    is_over: AtomicBool,
    turn: Mutex<()>,
    moved: Condvar,
}

impl Pace {
    fn new(far: u64) -> Self {
        Self {
            far,
            fetched: AtomicU64::new(0),
            read: AtomicU64::new(0),
            is_over: AtomicBool::new(false),
            turn: Mutex::default(),
            moved: Condvar::new(),
        }
    }

    /// Waits until so many more bytes are not too far ahead; breaks when nothing is read any more.
    fn wait_to_fetch(&self, bytes: u64) -> ControlFlow<()> {
        let fetched = self.fetched.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let must_wait = || fetched > self.read.load(Ordering::Relaxed) + self.far;
        if must_wait() {
            let is_too_early = |_: &mut ()| must_wait() && !self.is_over();
            drop(self.moved.wait_while(self.turn(), is_too_early));
        }
        if self.is_over() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Counts what was read; those that wait are told of every step.
    fn read(&self, bytes: u64) {
        let before = self.read.fetch_add(bytes, Ordering::Relaxed);
        if before / STEP != (before + bytes) / STEP {
            self.tell();
        }
    }

    fn tell(&self) {
        // Who has looked and is about to wait must not miss it.
        drop(self.turn());
        self.moved.notify_all();
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the fetching when the reading ends, however it does.
struct End<'p>(&'p Pace);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.is_over.store(true, Ordering::Relaxed);
        self.0.tell();
    }
}

#[cfg(test)]
mod tests {
    use std::env;
    use std::sync::mpsc;
    use std::time::Duration;

    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    use tempfile::TempDir;

    use super::*;
    use crate::disk::{Look, look};

    const PAGE: usize = 4096;

    /// A file that is on the disk, and not in memory.
    fn cold(folder: &TempDir, size: u64) -> (fs::File, File) {
        let path = folder.path().join("cold");
        fs::write(&path, vec![7; size as usize]).unwrap();
        let written = open(&path).unwrap();
        written.sync_all().unwrap();
        posix_fadvise(&written, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED).unwrap();
        let Ok(Look::File(file)) = look(&path) else { panic!("no file") };
        (written, file)
    }

    #[test]
    fn what_is_on_the_disk_is_in_memory_after_it_was_fetched() {
        // Other folders may be memory.
        let folder = TempDir::new_in(env::current_exe().unwrap().parent().unwrap()).unwrap();
        let (opened, file) = cold(&folder, 2 * STEP + STEP / 2 + 17);
        let is_told = "its file system has to tell what is in memory, as ext4, xfs and btrfs do";
        assert!(Memory::of(&opened, STEP) == Memory::Lacks, "{}: {is_told}", folder.path().display());

        Course { files: vec![&file], next: AtomicUsize::new(0), pace: Pace::new(u64::MAX / 2) }.run();
        for at in (0..file.size).step_by(PAGE) {
            assert!(Memory::of(&opened, at) == Memory::Holds, "byte {at} of {}", file.size);
        }
    }

    #[test]
    fn who_fetches_stays_a_bounded_way_ahead_and_ends_with_the_reading() {
        let pace = &Pace::new(2 * STEP);
        let (went_on, steps) = mpsc::channel();
        thread::scope(|scope| {
            let end = End(pace);
            scope.spawn(move || {
                while pace.wait_to_fetch(STEP).is_continue() {
                    went_on.send(()).unwrap();
                }
            });
            let goes_on = || steps.recv_timeout(Duration::from_secs(60)).is_ok();
            let waits = || steps.recv_timeout(Duration::from_millis(20)).is_err();
            assert!(goes_on() && goes_on() && waits(), "two steps ahead of nothing");
            pace.read(STEP - 1);
            assert!(waits(), "no step for less than one");
            pace.read(1);
            assert!(goes_on() && waits(), "one step for one");
            drop(end);
        });
    }
}
