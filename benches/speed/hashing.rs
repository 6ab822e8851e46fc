//! The bare hash loop: what nobody who verifies with these cores can do without.

use std::fs::File;
use std::hint::black_box;
use std::io::Read as _;
use std::path::Path;
use std::thread;
use std::time::Instant;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::runs::{Ran, Runs};

/// How much is hashed in one pass.
const PASS_BYTES: usize = 64 << 20;
/// How many passes there are to one figure.
const PASSES: usize = 3;
/// How much of a file is read at once: it stays in a core's own cache.
const WINDOW_BYTES: usize = 256 << 10;

/// Bytes to hash, in memory.
pub(crate) struct Hashing(Vec<u8>);

impl Hashing {
    /// Fills the memory that is hashed.
    pub(crate) fn prepare() -> Self {
        // What the bytes are makes no difference, only that each page is there.
        Self((0..PASS_BYTES).map(|place| (place % 251) as u8).collect())
    }

    /// Hashes on one thread; the time is the median of one pass.
    pub(crate) fn on_one(&self) -> Result<Ran> {
        let passes = (0..PASSES).map(|_| {
            let start = Instant::now();
            self.pass();
            Ran { seconds: start.elapsed().as_secs_f64(), ..Ran::default() }
        });
        Ok(Ran { seconds: Runs(passes.collect()).median(), ..Ran::default() })
    }

    /// Hashes on that many threads at once; the time is that of one pass of one thread.
    pub(crate) fn on_all(&self, cores: usize) -> Result<Ran> {
        let start = Instant::now();
        thread::scope(|scope| {
            for _ in 0..cores {
                scope.spawn(|| (0..PASSES).for_each(|_| self.pass()));
            }
        });
        Ok(Ran { seconds: start.elapsed().as_secs_f64() / PASSES as f64, ..Ran::default() })
    }

    fn pass(&self) {
        black_box(Sha256::digest(black_box(&self.0)));
    }
}

/// Reads a file and hashes it, one thread doing both in turn.
pub(crate) fn of_file(path: &Path) -> Result<Ran> {
    let cannot = || path.display().to_string();
    let (mut window, mut hasher) = (vec![0; WINDOW_BYTES], Sha256::new());
    let start = Instant::now();
    let mut file = File::open(path).with_context(cannot)?;
    loop {
        match file.read(&mut window).with_context(cannot)? {
            0 => break,
            count => hasher.update(&window[..count]),
        }
    }
    black_box(hasher.finalize());
    Ok(Ran { seconds: start.elapsed().as_secs_f64(), ..Ran::default() })
}

/// How long that many cores take for that many bytes, if one pass took each of them this long.
pub(crate) fn floor(pass: &Runs, bytes: u64, cores: usize) -> Runs {
    pass.times(bytes as f64 / PASS_BYTES as f64 / cores as f64)
}

/// How many MB a second one core hashes, if a pass took it this long.
pub(crate) fn megabytes_a_second(pass: &Runs) -> f64 {
    PASS_BYTES as f64 / 1e6 / pass.median()
}
