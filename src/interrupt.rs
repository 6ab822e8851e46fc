//! Being interrupted: stop at once, and say that nothing is lost.
//!
//! What is at the destination is sound at every moment, so nothing has to be finished; only what lies in
//! staging is removed.

use std::io::{self, IsTerminal};
use std::process::exit;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::disk;
use crate::report;

static IS_INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// From now on, SIGINT and SIGTERM end the process with 130 and 143, as shells expect it.
///
/// # Errors
/// When the system takes no handler.
pub fn listen() -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let end = move || {
        let Some(signal) = signals.forever().next() else { return };
        IS_INTERRUPTED.store(true, Ordering::SeqCst);
        let was_writing = disk::abandon();
        // A progress bar leaves the cursor at its end.
        let line = if io::stderr().is_terminal() { "\n" } else { "" };
        let lost = if was_writing {
            "every image that has its name is complete\nhint: run the same command again, it does the rest"
        } else {
            "nothing was written"
        };
        report::say(&format!("{line}interrupted: {lost}\n"));
        exit(128 + signal);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(end).map(drop)
}

/// Waits for the end, if it is near: what fails because staging was removed is no failure.
pub fn give_way() {
    while IS_INTERRUPTED.load(Ordering::SeqCst) {
        thread::park();
    }
}
