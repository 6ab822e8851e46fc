//! Runs of `bundle` under strace: their system calls listed, and one call made to fail or to be the last.
//!
//! Calls are counted by name, as strace counts them: "the third `rename`" is the same one in every run of a
//! command with `-j 1`, because then one thread does all the work, in one order.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use super::program::program;

/// All calls that create or change something on disk or say something, and those that could with other
/// arguments. The question mark is for machines that do not have the call: `mkdir` is `mkdirat` on some.
const CALLS: &str = "?open,?openat,?openat2,?creat,?write,?writev,?pwrite64,?pwritev,?pwritev2,?sendfile,\
    ?copy_file_range,?splice,?ftruncate,?truncate,?fallocate,?mkdir,?mkdirat,?mknod,?mknodat,?link,?linkat,\
    ?symlink,?symlinkat,?rename,?renameat,?renameat2,?unlink,?unlinkat,?rmdir,?sync,?syncfs,?fsync,?fdatasync,\
    ?flock,?chmod,?fchmod,?fchmodat,?chown,?fchown,?lchown,?fchownat,?utimensat,?setxattr,?fsetxattr,?ioctl";

/// How long a run may take before it is taken to hang.
pub(crate) const HANGS: Duration = Duration::from_secs(120);

/// One system call of a run.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// Which of the calls of this name it is; the first is 1.
    pub(crate) number: usize,
    /// What strace prints of it: arguments and result.
    pub(crate) text: String,
}

impl Call {
    /// Whether the system refused it.
    pub(crate) fn is_refused(&self) -> bool {
        self.text.contains(") = -1 ") || self.text.contains(" = -1 E")
    }

    /// Whether it is of those that create or change something, or say something; most calls of `openat` only
    /// read.
    pub(crate) fn writes(&self) -> bool {
        match self.name.as_str() {
            "open" | "openat" | "openat2" => self.text.contains("O_CREAT") || self.text.contains("O_WRONLY"),
            _ => true,
        }
    }
}

/// A run of `bundle` to come: its arguments, and the file that it has as standard input, if any.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) arguments: &'a [&'a OsStr],
    pub(crate) stdin: Option<&'a Path>,
}

/// Lists the calls of a run of `bundle`, which has to succeed, and returns what it printed to stdout.
pub(crate) fn calls(arguments: &[&OsStr]) -> (Vec<Call>, Vec<u8>) {
    Line { arguments, stdin: None }.calls()
}

/// Runs `bundle` and kills it (`kill -9`) when it enters a call, which is then not done any more; says whether
/// it was.
pub(crate) fn kill(name: &str, number: usize, arguments: &[&OsStr]) -> bool {
    Line { arguments, stdin: None }.kill(name, number)
}

/// Runs `bundle` and lets one call fail with this error, without doing anything.
pub(crate) fn fail(call: &Call, error: &str, arguments: &[&OsStr]) -> Output {
    Line { arguments, stdin: None }.fail(call, error)
}

/// Lists the calls of these names of a run of `bundle`, which has to succeed.
pub(crate) fn calls_of(names: &str, arguments: &[&OsStr]) -> Vec<Call> {
    let (calls, _) = Line { arguments, stdin: None }.list(names, &[]);
    let main = calls[0].0.clone();
    // The other thread waits for signals; calls are counted for all threads together.
    calls.into_iter().filter(|(thread, _)| *thread == main).map(|(_, call)| call).collect()
}

impl Line<'_> {
    /// As [`calls`].
    pub(crate) fn calls(self) -> (Vec<Call>, Vec<u8>) {
        let (calls, stdout) = self.list(CALLS, &[]);
        let threads = calls.chunk_by(|(one, _), (other, _)| one == other).count();
        assert_eq!(threads, 1, "more than one thread is at work, so that counting calls leads nowhere");
        (calls.into_iter().map(|(_, call)| call).collect(), stdout)
    }

    /// Lists the reads of a run, which has to succeed, and the path of what each reads.
    pub(crate) fn reads(self) -> Vec<(Call, String)> {
        let (reads, _) = self.list("read", &["-y"]);
        let main = reads[0].0.clone();
        // The other thread waits for signals.
        let reads = reads.into_iter().filter(|(thread, _)| *thread == main);
        let path = |text: &str| Some(text.split_once('<')?.1.split_once('>')?.0.to_owned());
        reads.filter_map(|(_, call)| path(&call.text).map(|path| (call, path))).collect()
    }

    /// Lists calls of these names, each with its thread.
    fn list(self, names: &str, options: &[&str]) -> (Vec<(String, Call)>, Vec<u8>) {
        let log = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let trace = format!("trace={names}");
        let output = self.run(log.path(), &[options, &["--seccomp-bpf", "-e", &trace]].concat());
        assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
        let lines = fs::read_to_string(log.path()).unwrap();
        let mut calls: Vec<(String, Call)> = Vec::new();
        for line in lines.lines() {
            let (thread, text) = line.split_once(' ').unwrap();
            let (name, text) = text.trim_start().split_once('(').unwrap_or_else(|| panic!("{line}"));
            let number = calls.iter().filter(|(_, call)| call.name == name).count() + 1;
            calls.push((thread.to_owned(), Call { name: name.to_owned(), number, text: text.to_owned() }));
        }
        (calls, output.stdout)
    }

    /// As [`kill`].
    pub(crate) fn kill(self, name: &str, number: usize) -> bool {
        const SIGKILL: i32 = 9;
        let [trace, inject] = [format!("trace={name}"), format!("inject={name}:signal=KILL:when={number}")];
        // Without --seccomp-bpf: where strace stops with it, the system drops the signal.
        let output = self.run(Path::new("/dev/null"), &["-e", &trace, "-e", &inject]);
        match output.status.signal() {
            Some(SIGKILL) => true,
            None if output.status.success() => false,
            _ => panic!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr)),
        }
    }

    /// As [`fail`].
    pub(crate) fn fail(self, call: &Call, error: &str) -> Output {
        let Call { name, number, .. } = call;
        let log = tempfile::NamedTempFile::new_in("/dev/shm").unwrap();
        let [trace, inject] = [format!("trace={name}"), format!("inject={name}:error={error}:when={number}")];
        let output = self.run(log.path(), &["--seccomp-bpf", "-e", &trace, "-e", &inject]);
        let lines = fs::read_to_string(log.path()).unwrap();
        let injected = lines.lines().filter(|line| line.ends_with("(INJECTED)"));
        let injected: Vec<_> = injected.map(|line| line.contains(&format!(" = -1 {error} "))).collect();
        assert_eq!(injected, [true], "{error} was not injected into {name} {number}:\n{lines}");
        output
    }

    fn run(self, log: &Path, options: &[&str]) -> Output {
        let mut command = Command::new(program("strace"));
        command.args(["-f", "-qq", "-e", "signal=none", "-o"]).arg(log).args(options);
        command.arg(env!("CARGO_BIN_EXE_bundle")).args(self.arguments).stdin(self.input());
        until_the_end(&mut command)
    }

    /// Its standard input.
    pub(crate) fn input(self) -> Stdio {
        self.stdin.map_or_else(Stdio::null, |path| fs::File::open(path).unwrap().into())
    }
}

/// Runs a program with all that it starts in a process group of its own; if it hangs, all of them end.
fn until_the_end(command: &mut Command) -> Output {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let child = command.spawn().unwrap();
    let group = child.id();
    thread::scope(|scope| {
        let (is_over, over) = channel::<()>();
        scope.spawn(move || {
            if over.recv_timeout(HANGS) == Err(RecvTimeoutError::Timeout) {
                let kill = format!("kill -KILL -- -{group}");
                let _ = Command::new("sh").args(["-c", &kill]).status();
                panic!("it hangs");
            }
        });
        let output = child.wait_with_output().unwrap();
        drop(is_over);
        output
    })
}
