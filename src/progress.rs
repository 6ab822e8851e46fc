//! Progress on a terminal: what is being done, how far, how long still. Silent elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report;

const BYTES: &str =
    "{msg:10} {bar:30} {decimal_bytes} of {decimal_total_bytes}, {decimal_bytes_per_sec}, {eta} left";
const BLOBS: &str = "{msg:10} {bar:30} {human_pos} of {human_len} blobs, {eta} left";

/// Shows bars, or keeps quiet.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    is_quiet: bool,
}

impl Progress {
    /// Bars on standard error if that is a terminal and nobody asked for quiet.
    #[must_use]
    pub fn new(is_quiet: bool) -> Self {
        Self { is_quiet }
    }

    /// A bar that counts bytes up to `total`; it goes away when it is dropped.
    #[must_use]
    pub fn bytes(self, doing: &'static str, total: u64) -> Bar {
        self.bar(doing, total, BYTES)
    }

    /// A bar that counts blobs up to `total`; it goes away when it is dropped.
    #[must_use]
    pub fn blobs(self, doing: &'static str, total: u64) -> Bar {
        self.bar(doing, total, BLOBS)
    }

    fn bar(self, doing: &'static str, total: u64, template: &str) -> Bar {
        let target = if self.is_quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = ProgressBar::with_draw_target(Some(total), target).with_style(style).with_message(doing);
        Bar { bar }
    }

    /// Says a sentence on standard error, unless nobody wants to hear.
    pub fn say(self, sentence: impl FnOnce() -> String) {
        if !self.is_quiet {
            report::say(&(sentence() + "\n"));
        }
    }
}

/// One running bar.
pub struct Bar {
    bar: ProgressBar,
}

impl Bar {
    /// Moves on.
    pub fn add(&self, count: u64) {
        self.bar.inc(count);
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
