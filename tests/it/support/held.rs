//! Runs of `bundle` that are held before one of their system calls while the test does something.
//!
//! strace holds the call back and is ended when the run is to go on: from then on nobody watches it. The run is
//! started with `-D`, which makes it, and not strace, the test's child. Only its first thread is watched, which does
//! all the work with `-j 1`: another one that clears away after a signal makes the same calls, and is not to be held.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::bundle::Ended;
use super::program::program;
use super::strace::{HANGS, Line};

/// A run that is held; dropping it ends it.
pub(crate) struct Held {
    process: Child,
    /// What is printed goes to files, so that nobody has to read meanwhile.
    folder: TempDir,
}

impl Held {
    /// Starts a run and holds it before its call of this name and number; with a path, only calls that are about
    /// that file are counted.
    pub(crate) fn before(name: &str, number: usize, path: Option<&Path>, arguments: &[&OsStr]) -> Self {
        Self::line_before(name, number, path, Line { arguments, stdin: None })
    }

    /// The same, of a run that may have a file as standard input.
    pub(crate) fn line_before(name: &str, number: usize, path: Option<&Path>, line: Line) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let log = folder.path().join("log");
        let hold = format!("inject={name}:delay_enter={}s:when={number}", 2 * HANGS.as_secs());
        let mut command = Command::new(program("strace"));
        command.args(["-D", "-qqq", "-e", "signal=none", "-e", &format!("trace={name}"), "-e", &hold]);
        command.arg("-o").arg(&log);
        if let Some(path) = path {
            command.arg("-P").arg(path);
        }
        command.arg(env!("CARGO_BIN_EXE_bundle")).args(line.arguments);
        let file = |name: &str| fs::File::create(folder.path().join(name)).unwrap();
        command.stdin(line.input()).stdout(file("stdout")).stderr(file("stderr"));
        let mut held = Self { process: command.spawn().unwrap(), folder };
        let call = format!("{name}(");
        held.wait_until(|process| {
            assert!(process.try_wait().unwrap().is_none(), "it ended before {name} {number}");
            fs::read_to_string(&log)
                .is_ok_and(|log| log.lines().filter(|line| line.starts_with(&call)).count() >= number)
        });
        held
    }

    /// Lets it go on, and waits for its end.
    pub(crate) fn go_on(mut self) -> Ended {
        self.end_strace();
        self.wait()
    }

    /// Sends it `INT` or `TERM` while it is held, and waits for its end.
    pub(crate) fn interrupt(mut self, signal: &str) -> Ended {
        let tasks = PathBuf::from(format!("/proc/{}/task", self.process.id()));
        send(signal, self.process.id());
        // The call is held on, so what is left at the end is the thread that has it.
        self.wait_until(|_| fs::read_dir(&tasks).map_or(0, Iterator::count) <= 1);
        self.end_strace();
        self.wait()
    }

    /// Kills it (`kill -9`).
    pub(crate) fn kill(self) {}

    fn wait(&mut self) -> Ended {
        let mut status = None;
        self.wait_until(|process| {
            status = process.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        let read = |name: &str| fs::read(self.folder.path().join(name)).unwrap();
        Ended::of(&Output { status, stdout: read("stdout"), stderr: read("stderr") })
    }

    fn wait_until(&mut self, mut is_so: impl FnMut(&mut Child) -> bool) {
        let deadline = Instant::now() + HANGS;
        while !is_so(&mut self.process) {
            assert!(Instant::now() < deadline, "it hangs");
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// Ends the strace that holds it, if it still does.
    fn end_strace(&self) {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap_or_default();
        let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:")?.trim().parse().ok());
        if let Some(tracer) = tracer.filter(|tracer| *tracer != 0) {
            send("KILL", tracer);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            let _ = self.process.kill();
            self.end_strace();
            let _ = self.process.wait();
        }
    }
}

/// Sends a signal to a process that is there.
pub(crate) fn send(signal: &str, process: u32) {
    let status = Command::new("sh").args(["-c", &format!("kill -{signal} {process}")]).status().unwrap();
    assert!(status.success(), "{signal} cannot be sent to {process}");
}
