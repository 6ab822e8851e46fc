//! Two runs into one tree: one at a time, or one of them not at all, and never a mixture.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::bundle::{Ended, bundle, convert, run};
use crate::support::complete::{Form, Tags, tags};
use crate::support::course::{Course, staging};
use crate::support::strace::HANGS;
use crate::support::testdata::{copied_release, copy_tree, testdata};
use crate::support::tree::{assert_same, stamps};
use crate::support::verification::verify;

const REFUSED: [&str; 3] = ["cannot lock", "another run is writing to it", "--wait"];

/// Two sources that share images, content, and a tag for different images.
struct Pair {
    folder: TempDir,
    command: &'static str,
    form: Form,
    sources: [PathBuf; 2],
    /// What each of them has.
    tags: [Tags; 2],
}

impl Pair {
    fn new(command: &'static str, form: Form) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let sources = ["images", "previous"].map(|release| {
            let source = folder.path().join(release);
            match form {
                Form::Storage => copy_tree(&testdata().join(release), &source),
                Form::Folders => {
                    convert("to-registry", &["--link", "copy"], &testdata().join(release), &source);
                }
            }
            source
        });
        let tags = [0, 1].map(|number| {
            let destination = folder.path().join(format!("only-{number}"));
            convert(command, &[], &sources[number], &destination);
            tags(form, &destination).unwrap()
        });
        let moved =
            tags[0].iter().filter(|(name, digest)| tags[1].get(*name).is_some_and(|other| other != *digest));
        assert_eq!(moved.count(), 1, "no tag stands for different images");
        Self { folder, command, form, sources, tags }
    }

    /// Starts both at the same time.
    fn race(&self, options: &[&str], destination: &Path) -> [Ended; 2] {
        let start = |source: &PathBuf| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
            command.args([self.command, "-q", "--format", "json"]).args(options).arg(source).arg(destination);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let children = [start(&self.sources[0]), start(&self.sources[1])];
        children.map(|child| Ended::of(&child.wait_with_output().unwrap()))
    }

    /// Fails unless the tree holds just what these sources have, complete; what they disagree on may be either's.
    fn expect_union(&self, of: &[usize], destination: &Path) {
        let shown = tags(self.form, destination).unwrap();
        let mut names: BTreeMap<&String, Vec<&String>> = BTreeMap::new();
        for tags in of.iter().map(|number| &self.tags[*number]) {
            tags.iter().for_each(|(name, digest)| names.entry(name).or_default().push(digest));
        }
        assert_eq!(shown.keys().collect::<Vec<_>>(), names.keys().copied().collect::<Vec<_>>());
        for (name, digest) in &shown {
            assert!(names[name].contains(&digest), "{name} is {digest}");
        }
        let verified = verify(&[], &[destination]);
        assert_eq!(
            (verified.code, verified.kinds().contains("leftover")),
            (0, false),
            "{:#}",
            verified.report
        );
    }
}

fn race(command: &'static str, form: Form) {
    const ROUNDS: usize = 25;
    let pair = Pair::new(command, form);
    let destination = pair.folder.path().join("site/docker");
    let mut refused = 0;
    for _ in 0..ROUNDS {
        let ends = pair.race(&[], &destination);
        let done: Vec<_> = (0..2).filter(|number| ends[*number].code == 0).collect();
        assert!(!done.is_empty(), "{}{}", ends[0].said, ends[1].said);
        for ended in ends.iter().filter(|ended| ended.code != 0) {
            assert_eq!(ended.code, 3, "{}", ended.said);
            ended.expect_said(&REFUSED);
            refused += 1;
        }
        pair.expect_union(&done, &destination);
        fs::remove_dir_all(destination.parent().unwrap()).unwrap();

        for ended in pair.race(&["--wait"], &destination) {
            ended.expect(0);
        }
        pair.expect_union(&[0, 1], &destination);
        fs::remove_dir_all(destination.parent().unwrap()).unwrap();
    }
    println!("{command}: {ROUNDS} races, {refused} runs refused; {ROUNDS} races with --wait, none refused");
}

#[test]
fn two_runs_into_one_storage_do_not_mix() {
    race("to-registry", Form::Storage);
}

#[test]
fn two_runs_into_one_tree_of_image_folders_do_not_mix() {
    race("to-dir", Form::Folders);
}

/// Another run, whenever the first one is held.
fn refuse_everywhere(course: &Course) {
    let points: Vec<_> = course.points(40).into_iter().filter(|call| course.has_lock_at(call)).collect();
    course.at_each(&points, |call, destination| {
        let place = format!("{} {}", call.name, call.number);
        let held = course.hold(call, destination);
        let ended = run(bundle(), course.command, &[], &course.source(), destination).expect(3);
        ended.expect_said(&REFUSED);
        let ended = held.go_on();
        assert_eq!(ended.code, 0, "{place}: {}", ended.said);
        assert_eq!(course.expect_sound(destination), 7);
        course.expect_done_by_another_run(destination);
    });
    println!(
        "{}: {} runs refused while another was held, which then came to its end",
        course.command,
        points.len()
    );
    assert!(points.len() >= 20);
}

#[test]
fn a_run_is_refused_wherever_another_one_is() {
    refuse_everywhere(&Course::to_registry());
    refuse_everywhere(&Course::to_dir());
}

/// Locks a folder as a run does.
fn locked(folder: &Path) -> File {
    let lock = File::open(folder).unwrap();
    lock.try_lock().unwrap();
    lock
}

#[test]
fn one_tree_has_one_lock_however_it_is_named() {
    let (folder, images) = copied_release();
    let site = folder.path().join("site");
    let docker = site.join("docker");
    convert("to-registry", &["--link", "copy"], &testdata().join("previous"), &docker);
    let link = folder.path().join("link");
    std::os::unix::fs::symlink(&site, &link).unwrap();
    let before = stamps(&site);
    let lock = locked(&docker.join("registry/v2"));
    for name in
        [&site, &docker, &docker.join("registry/v2"), &site.join("../site/./docker"), &link.join("docker")]
    {
        let ended = run(bundle(), "to-registry", &[], &images, name).expect(3);
        ended.expect_said(&REFUSED);
    }
    assert_same("stamps", &before, &stamps(&site));
    drop(lock);

    let copies = folder.path().join("copies");
    convert("to-dir", &["--include", "zone-base:*"], &docker, &copies);
    let before_copies = stamps(&copies);
    let link = folder.path().join("another");
    std::os::unix::fs::symlink(&copies, &link).unwrap();
    let lock = locked(&copies);
    for name in [&copies, &folder.path().join("./copies/"), &copies.join("zone-base:1.0/.."), &link] {
        run(bundle(), "to-dir", &[], &docker, name).expect(3).expect_said(&REFUSED);
    }
    drop(lock);
    assert_same("stamps", &before_copies, &stamps(&copies));
    for (command, source, name) in [("to-registry", &images, &site), ("to-dir", &docker, &link)] {
        run(bundle(), command, &[], source, name).expect(0);
    }
}

#[test]
fn a_lock_keeps_nobody_from_reading() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    convert("to-registry", &["--link", "copy"], &testdata().join("previous"), &storage);
    let before = stamps(&storage);
    let _lock = locked(&storage.join("registry/v2"));
    assert_eq!(verify(&[], &[&storage]).code, 0);
    bundle().args(["stats", "-q"]).arg(&storage).timeout(HANGS).assert().success();
    let ended = run(bundle(), "to-registry", &["--dry-run"], &images, &storage).expect(0);
    assert_eq!(ended.said, "");
    // It may also be read to be converted: what is there is complete.
    let copies = folder.path().join("copies");
    run(bundle(), "to-dir", &["--link", "copy"], &storage, &copies).expect(0);
    assert_eq!(tags(Form::Folders, &copies).unwrap().len(), 4);
    assert_same("stamps", &before, &stamps(&storage));

    // Somebody who repairs writes.
    let broken =
        fs::read_dir(storage.join("registry/v2/blobs/sha256")).unwrap().next().unwrap().unwrap().path();
    fs::rename(&broken, folder.path().join("aside")).unwrap();
    let before = stamps(&storage);
    let repaired = verify(&["--repair-from", testdata().join("previous").to_str().unwrap()], &[&storage]);
    assert_eq!(repaired.code, 3);
    assert!(REFUSED.iter().all(|word| repaired.said.contains(word)), "{}", repaired.said);
    assert_same("stamps", &before, &stamps(&storage));
}

#[test]
fn a_run_waits_until_the_lock_is_free_and_says_so() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    let root = storage.join("registry/v2");
    fs::create_dir_all(&root).unwrap();
    let lock = locked(&root);
    let mut child = start_waiting(&images, &storage);
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    assert_eq!(line, format!("waiting for another run that writes to {}\n", root.display()));
    assert!(child.try_wait().unwrap().is_none() && fs::read_dir(&root).unwrap().next().is_none());
    drop(lock);
    assert!(child.wait().unwrap().success());
    assert_eq!(tags(Form::Storage, &storage).unwrap().len(), 7);
}

fn start_waiting(source: &Path, destination: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(["to-registry", "--wait"]).arg(source).arg(destination);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn the_lock_of_a_killed_run_is_free_and_what_it_left_is_cleared() {
    let course = Course::to_registry();
    // By then storage is there, and so is what is aside.
    let call = course.calls.last().unwrap();
    course.at_each(&[call], |call, destination| {
        let root = destination.join("registry/v2");
        course.hold(call, destination).kill();
        assert_eq!(staging(&root).len(), 1);
        locked(&root);
        // Who only reads clears nothing.
        let verified = verify(&[], &[destination]);
        assert_eq!(
            (verified.code, verified.kinds().contains("leftover")),
            (0, true),
            "{:#}",
            verified.report
        );
        run(bundle(), "to-registry", &["-n"], &course.source(), destination).expect(0);
        bundle().args(["stats".as_ref(), OsStr::new("-q"), destination.as_os_str()]).assert().success();
        assert_eq!(staging(&root).len(), 1);
        course.expect_done_by_another_run(destination);
    });
}
