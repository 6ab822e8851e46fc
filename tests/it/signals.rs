//! SIGINT and SIGTERM: a run stops at once, leaves nothing but what is sound, and says how to go on.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use walkdir::WalkDir;

use crate::support::bundle::Ended;
use crate::support::course::Course;
use crate::support::held::{Held, send};
use crate::support::strace::{HANGS, calls};
use crate::support::testdata::copied_release;
use crate::support::tree::{assert_same, stamps};

/// The signals, and the exit codes that shells expect.
const SIGNALS: [(&str, i32); 2] = [("INT", 130), ("TERM", 143)];

const GOES_ON: [&str; 2] =
    ["interrupted: every image that has its name is complete", "run the same command again"];

/// Interrupts a conversion at so many points of its course, with each signal.
fn interrupt_everywhere(course: &Course, count: usize) {
    let mut interrupted = 0;
    for (signal, code) in SIGNALS {
        let shown = course.at_each(&course.points(count), |call, destination| {
            let place = format!("SIG{signal} before {} {}", call.name, call.number);
            let ended = course.hold(call, destination).interrupt(signal);
            assert_eq!(ended.code, code, "{place}: {}", ended.said);
            ended.expect_said(&GOES_ON);
            assert_eq!(course.staging(destination), 0, "{place}: staging is left");
            let shown = course.expect_sound(destination);
            course.expect_done_by_another_run(destination);
            shown
        });
        assert!(shown.contains(&0) && shown.contains(&7), "{shown:?}");
        interrupted += shown.len();
    }
    course.expect_source_untouched();
    println!("{}: {interrupted} interruptions, {interrupted} sound, 0 with staging left", course.command);
    assert!(interrupted >= 2 * count);
}

#[test]
fn an_interrupted_run_leaves_sound_storage() {
    interrupt_everywhere(&Course::to_registry(), 30);
}

#[test]
fn an_interrupted_run_leaves_sound_image_folders() {
    interrupt_everywhere(&Course::to_dir(), 30);
}

/// Starts a command that nobody holds; what it says can be read from a pipe.
fn start(arguments: &[&OsStr]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

/// Waits until something is so.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + HANGS;
    while !is_so() {
        assert!(Instant::now() < deadline, "it hangs");
        thread::sleep(Duration::from_millis(1));
    }
}

fn end_of(mut child: Child, mut said: String) -> Ended {
    wait_until(|| child.try_wait().unwrap().is_some());
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    said.push_str(&String::from_utf8(stderr).unwrap());
    Ended::of(&Output { status, stdout, stderr: said.into_bytes() })
}

/// Interrupts conversions while several threads are at work.
fn interrupt_threads(link: &str) {
    const ROUNDS: usize = 30;
    let course = Course::to_registry();
    let rounds: Vec<_> = (0..ROUNDS).collect();
    let ends = course.at_each(&rounds, |round, destination| {
        let (signal, code) = SIGNALS[round % 2];
        let source = course.source();
        let options = ["to-registry", "-q", "-j", "4", "--link", link].map(OsStr::new);
        let mut child = start(&[&options[..], &[source.as_os_str(), destination.as_os_str()]].concat());
        // Each round waits until more is there, in its place or aside, so that the signal comes at other places.
        let count = || WalkDir::new(destination).into_iter().count();
        wait_until(|| count() > 4 + 3 * round || child.try_wait().unwrap().is_some());
        let is_over = child.try_wait().unwrap().is_some();
        if !is_over {
            send(signal, child.id());
        }
        let ended = end_of(child, String::new());
        assert!(ended.code == code || ended.code == 0, "exit {}: {}", ended.code, ended.said);
        let shown = course.expect_sound(destination);
        if ended.code == 0 {
            assert_eq!(shown, 7);
        } else {
            ended.expect_said(&GOES_ON);
        }
        course.expect_done_by_another_run(destination);
        assert_eq!(course.staging(destination), 0);
        ended.code != 0
    });
    let interrupted = ends.iter().filter(|is_interrupted| **is_interrupted).count();
    println!(
        "--link {link}: {interrupted} of {ROUNDS} runs interrupted with threads at work, {ROUNDS} sound"
    );
    assert!(interrupted > 0);
}

#[test]
fn all_threads_stop_wherever_they_copy() {
    interrupt_threads("copy");
}

#[test]
fn all_threads_stop_while_some_hash_and_others_link() {
    interrupt_threads("auto");
}

#[test]
fn a_run_that_waits_for_another_can_be_interrupted() {
    let course = Course::to_registry();
    course.at_each(&SIGNALS, |(signal, code), destination| {
        let root = destination.join("registry/v2");
        fs::create_dir_all(&root).unwrap();
        let lock = File::open(&root).unwrap();
        lock.lock().unwrap();
        let before = stamps(destination);
        let source = course.source();
        let options = ["to-registry", "--wait"].map(OsStr::new);
        let mut child = start(&[&options[..], &[source.as_os_str(), destination.as_os_str()]].concat());
        let said = first_line(&mut child);
        assert!(said.contains("waiting for another run"), "{said}");
        send(signal, child.id());
        let ended = end_of(child, said).expect(*code);
        ended.expect_said(&["interrupted", "run the same command again"]);
        assert_same("stamps", &before, &stamps(destination));
        drop(lock);
        course.expect_done_by_another_run(destination);
    });
}

/// What a run says first, with the end of the line.
fn first_line(child: &mut Child) -> String {
    let stderr = child.stderr.as_mut().unwrap();
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        let mut byte = [0];
        assert_eq!(stderr.read(&mut byte).unwrap(), 1, "it said only {line:?}");
        line.push(byte[0]);
    }
    String::from_utf8(line).unwrap()
}

/// Interrupts a command that only reads while it opens one of its files; several of them, evenly.
fn interrupt_reading(arguments: &[&OsStr], tree: &Path) -> usize {
    const POINTS: usize = 5;
    let before = stamps(tree);
    let (all, _) = calls(arguments);
    let opened: Vec<_> = all
        .iter()
        .filter(|call| call.name == "openat" && call.text.contains(tree.to_str().unwrap()))
        .collect();
    for point in 0..POINTS {
        let call = opened[point * (opened.len() - 1) / (POINTS - 1)];
        for (signal, code) in SIGNALS {
            let ended = Held::before(&call.name, call.number, None, arguments).interrupt(signal).expect(code);
            ended.expect_said(&["interrupted: nothing was written"]);
            assert!(ended.summary.is_null() && !ended.said.contains("hint"), "{}", ended.said);
        }
    }
    assert_same("stamps", &before, &stamps(tree));
    2 * POINTS
}

#[test]
fn commands_that_only_read_say_that_nothing_was_written() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    let images = images.as_os_str();
    let words = |words: &'static str| words.split(' ').map(OsStr::new);
    let mut points = 0;
    for arguments in [
        words("verify -q -j 1").chain([images]).collect::<Vec<_>>(),
        words("stats -q -j 1").chain([images]).collect(),
        words("to-registry -n -q -j 1").chain([images, storage.as_os_str()]).collect(),
    ] {
        points += interrupt_reading(&arguments, images.as_ref());
    }
    assert!(!storage.exists());
    println!("{points} interruptions of commands that only read");
}
