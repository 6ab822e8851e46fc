//! What runs took, and how contenders take turns.

use std::fmt;

use anyhow::Result;

/// One run of a contender.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ran {
    /// From its start to its end.
    pub(crate) seconds: f64,
    /// User and system time of all its threads and children.
    pub(crate) cpu_seconds: f64,
    /// User time of these alone.
    pub(crate) user_seconds: f64,
    /// The largest resident memory that it, or one of its children, had.
    pub(crate) peak_bytes: u64,
    /// What was read for it from the disk, not from the page cache.
    pub(crate) read_bytes: u64,
}

/// All runs of a contender; prints as the median, and how far they spread.
#[derive(Debug, Clone)]
pub(crate) struct Runs(pub(crate) Vec<Ran>);

impl Runs {
    /// The middle of the times in seconds; of an even number, the mean of the two in the middle.
    pub(crate) fn median(&self) -> f64 {
        self.middle(|run| run.seconds)
    }

    /// The middle of any quantity of the runs.
    pub(crate) fn middle(&self, quantity: impl Fn(&Ran) -> f64) -> f64 {
        let mut sorted: Vec<_> = self.0.iter().map(quantity).collect();
        sorted.sort_by(f64::total_cmp);
        let at = |place: usize| sorted.get(place).copied().unwrap_or(f64::NAN);
        f64::midpoint(at(sorted.len().saturating_sub(1) / 2), at(sorted.len() / 2))
    }

    /// What these runs would have taken for that many times the work.
    pub(crate) fn times(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|run| Ran { seconds: run.seconds * factor, ..*run }).collect())
    }
}

impl fmt::Display for Runs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = || self.0.iter().map(|run| run.seconds);
        let (fastest, slowest) = (times().fold(f64::INFINITY, f64::min), times().fold(0.0, f64::max));
        f.write_str(&milliseconds(self.median()))?;
        if self.0.len() > 1 {
            write!(f, " ({}–{})", milliseconds(fastest), milliseconds(slowest))?;
        }
        Ok(())
    }
}

/// Seconds as milliseconds, with as many digits as say something.
pub(crate) fn milliseconds(seconds: f64) -> String {
    let milliseconds = seconds * 1e3;
    let decimals = if milliseconds < 10.0 { 2 } else { usize::from(milliseconds < 100.0) };
    format!("{milliseconds:.decimals$}")
}

/// What does a piece of work once, in a fresh place, and says what it took.
pub(crate) type Contender<'a> = Box<dyn FnMut() -> Result<Ran> + 'a>;

/// Lets all contenders work, `rounds` times each; every round begins with another one of them.
pub(crate) fn take_turns<const N: usize>(
    rounds: usize,
    mut contenders: [Contender<'_>; N],
) -> Result<[Runs; N]> {
    let mut runs = [const { Runs(Vec::new()) }; N];
    for round in 0..rounds {
        for turn in 0..N {
            let place = (round + turn) % N;
            runs[place].0.push(contenders[place]()?);
        }
    }
    Ok(runs)
}
