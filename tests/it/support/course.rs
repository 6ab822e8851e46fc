//! Conversions whose course is known, call by call, so that they can be disturbed at any point of it.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;

use super::bundle::{bundle, convert, run};
use super::complete::{Form, Tags, is_staging, tags};
use super::held::Held;
use super::strace::{self, Call};
use super::testdata::{copy_tree, testdata};
use super::tree::{assert_same_files, assert_same_trees, files};
use super::verification::verify;

/// A conversion of the committed release into a destination that is not there yet.
pub(crate) struct Course {
    pub(crate) command: &'static str,
    pub(crate) form: Form,
    /// The calls of an undisturbed run that change something, up to where it makes all of it durable for the last
    /// time.
    pub(crate) calls: Vec<Call>,
    /// What the destination shows in the end.
    pub(crate) after: Tags,
    folder: TempDir,
}

impl Course {
    /// Image folders into storage.
    pub(crate) fn to_registry() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        copy_tree(&testdata().join("images"), &folder.path().join("source"));
        Self::of("to-registry", Form::Storage, folder)
    }

    /// Storage into image folders.
    pub(crate) fn to_dir() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let source = folder.path().join("source");
        convert("to-registry", &["--link", "copy"], &testdata().join("images"), &source);
        Self::of("to-dir", Form::Folders, folder)
    }

    fn of(command: &'static str, form: Form, folder: TempDir) -> Self {
        let mut course = Self { command, form, calls: Vec::new(), after: Tags::new(), folder };
        copy_tree(&course.source(), &course.folder.path().join("reference"));
        let whole = course.whole();
        fs::create_dir(whole.parent().unwrap()).unwrap();
        let (mut calls, _) = course.with_arguments(&whole, strace::calls);
        let last = calls.iter().rposition(|call| call.name == "syncfs").unwrap();
        calls.truncate(last + 1);
        calls.retain(|call| call.writes() && !call.is_refused());
        course.calls = calls;
        course.after = tags(form, &whole).unwrap();
        assert_eq!(course.after.len(), 7);
        course
    }

    /// What is converted.
    pub(crate) fn source(&self) -> PathBuf {
        self.folder.path().join("source")
    }

    /// What an undisturbed run made of it.
    fn whole(&self) -> PathBuf {
        self.folder.path().join("whole/docker")
    }

    /// So many of the calls, evenly, the first and the last among them.
    pub(crate) fn points(&self, count: usize) -> Vec<&Call> {
        let last = self.calls.len() - 1;
        assert!(count <= self.calls.len(), "there are only {} calls", self.calls.len());
        (0..count).map(|number| &self.calls[number * last / (count - 1)]).collect()
    }

    /// The calls after all content is durable: those that give names.
    pub(crate) fn calls_after_content(&self) -> impl Iterator<Item = &Call> {
        let is_last =
            |call: &&Call| call.name != "syncfs" || call.number == self.calls[self.calls.len() - 1].number;
        let names = self.calls.iter().rev().take_while(is_last).count();
        self.calls[self.calls.len() - names..].iter()
    }

    /// Whether a run has the lock of its destination when it comes to this call.
    pub(crate) fn has_lock_at(&self, call: &Call) -> bool {
        let place = |is_it: &dyn Fn(&Call) -> bool| self.calls.iter().position(is_it).unwrap();
        place(&|other| other.name == "flock")
            < place(&|other| (&other.name, other.number) == (&call.name, call.number))
    }

    /// Hands over the arguments of the conversion.
    pub(crate) fn with_arguments<T>(&self, destination: &Path, run: impl FnOnce(&[&OsStr]) -> T) -> T {
        let options = [self.command, "-q", "-j", "1", "--format", "json"].map(OsString::from);
        let arguments: Vec<_> =
            options.into_iter().chain([self.source().into(), destination.into()]).collect();
        run(&arguments.iter().map(OsString::as_os_str).collect::<Vec<_>>())
    }

    /// Starts the conversion and holds it before a call.
    pub(crate) fn hold(&self, call: &Call, destination: &Path) -> Held {
        self.with_arguments(destination, |arguments| Held::before(&call.name, call.number, None, arguments))
    }

    /// Does some work at every point, several at a time, each with a destination of its own that is not there yet.
    pub(crate) fn at_each<P: Sync, A: Send>(
        &self,
        points: &[P],
        work: impl Fn(&P, &Path) -> A + Sync,
    ) -> Vec<A> {
        const WORKERS: usize = 3;
        let next = AtomicUsize::new(0);
        let work = |worker: usize| {
            let place = self.folder.path().join(format!("place-{worker}"));
            let mut answers = Vec::new();
            while let Some(point) = points.get(next.fetch_add(1, Ordering::SeqCst)) {
                fs::create_dir(&place).unwrap();
                answers.push(work(point, &place.join("docker")));
                fs::remove_dir_all(&place).unwrap();
            }
            answers
        };
        thread::scope(|scope| {
            let work = &work;
            let workers: Vec<_> = (0..WORKERS).map(|worker| scope.spawn(move || work(worker))).collect();
            workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
        })
    }

    /// Fails unless all that the destination shows, which may be nothing, is complete and right, down to the
    /// bytes; returns how many names that are.
    #[track_caller]
    pub(crate) fn expect_sound(&self, destination: &Path) -> usize {
        let shown = tags(self.form, destination).unwrap();
        shown.iter().for_each(|tag| assert_eq!(self.after.get(tag.0), Some(tag.1), "{}", tag.0));
        // Where there is no image yet, there is nothing to verify, or not even a folder.
        let verified = verify(&[], &[destination]);
        let is_sound = if shown.is_empty() { [0, 1, 3].contains(&verified.code) } else { verified.code == 0 };
        assert!(is_sound, "{}: {:#}", verified.said, verified.report);
        shown.len()
    }

    /// Runs the conversion again, undisturbed: that has to make of the destination what it should be.
    #[track_caller]
    pub(crate) fn expect_done_by_another_run(&self, destination: &Path) {
        let ended = run(bundle(), self.command, &[], &self.source(), destination).expect(0);
        assert_eq!(ended.said, "");
        assert_same_trees(&self.whole(), destination);
    }

    /// Fails unless the source is what it was.
    #[track_caller]
    pub(crate) fn expect_source_untouched(&self) {
        assert_same_files(&files(&self.folder.path().join("reference")), &files(&self.source()));
    }

    /// The folder in which a run has its staging.
    pub(crate) fn root(&self, destination: &Path) -> PathBuf {
        match self.form {
            Form::Storage => destination.join("registry/v2"),
            Form::Folders => destination.to_owned(),
        }
    }

    /// How many staging folders there are.
    pub(crate) fn staging(&self, destination: &Path) -> usize {
        staging(&self.root(destination)).len()
    }
}

/// The staging folders that lie in a folder, which may be missing.
pub(crate) fn staging(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| is_staging(path.file_name().unwrap().to_str().unwrap())).collect()
}
