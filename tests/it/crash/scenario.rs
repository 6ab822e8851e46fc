//! Conversions that are cut short, what an undisturbed run makes of them, and what has to hold at any moment.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;
use walkdir::DirEntry;

use crate::support::bundle::convert;
use crate::support::complete::{Form, Part, Picture, Tags, compare, is_staging, picture, tags, walk};
use crate::support::strace::{self, Call};
use crate::support::testdata::{copy_tree, testdata};

/// A conversion, in a folder of its own.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// The calls of an undisturbed run.
    pub(crate) calls: Vec<Call>,
    /// The JSON summary of an undisturbed run.
    pub(crate) summary: Value,
    /// What the destination shows after an undisturbed run.
    pub(crate) after: Tags,
    /// What it shows before.
    pub(crate) before: Tags,
    command: &'static str,
    options: &'static [&'static str],
    /// The whole destination after an undisturbed run.
    whole: Picture,
    source: Picture,
    folder: TempDir,
}

impl Scenario {
    /// `to-registry` of the committed release into a destination that is not there yet.
    pub(crate) fn to_registry(name: &'static str, options: &'static [&'static str]) -> Self {
        let folder = folder();
        copy_tree(&testdata().join("images"), &folder.path().join("source"));
        Self::run(name, Form::Storage, "to-registry", options, folder)
    }

    /// `to-registry` of the committed release into a store that holds the one before: a tag moves. The store has grown,
    /// so that all folders are there that blobs lie side by side in, and each blob comes singly.
    pub(crate) fn re_tagging(name: &'static str) -> Self {
        let folder = folder();
        copy_tree(&testdata().join("images"), &folder.path().join("source"));
        let before = folder.path().join("before");
        convert("to-registry", &[], &testdata().join("previous"), &before);
        for first in 0..=u8::MAX {
            fs::create_dir_all(before.join(format!("registry/v2/blobs/sha256/{first:02x}"))).unwrap();
        }
        Self::run(name, Form::Storage, "to-registry", &[], folder)
    }

    /// `to-dir` of storage with the committed release into a destination that is not there yet.
    pub(crate) fn to_dir(name: &'static str) -> Self {
        let folder = folder();
        convert(
            "to-registry",
            &["--link", "copy"],
            &testdata().join("images"),
            &folder.path().join("source"),
        );
        Self::run(name, Form::Folders, "to-dir", &[], folder)
    }

    /// Runs it undisturbed.
    fn run(
        name: &'static str,
        form: Form,
        command: &'static str,
        options: &'static [&'static str],
        folder: TempDir,
    ) -> Self {
        let source = folder.path().join("source");
        let source = picture(&source, &source).unwrap();
        let mut scenario = Self {
            name,
            form,
            calls: Vec::new(),
            summary: Value::Null,
            after: Tags::new(),
            before: Tags::new(),
            command,
            options,
            whole: Picture::new(),
            source,
            folder,
        };
        let destination = scenario.destination("whole");
        scenario.before = tags(form, &destination).unwrap();
        let (calls, summary) = scenario.with_arguments(&destination, strace::calls);
        scenario.calls = calls;
        scenario.summary = serde_json::from_slice(&summary).unwrap();
        scenario.after = tags(form, &destination).unwrap();
        scenario.whole = scenario.picture(&destination).unwrap();
        assert!(
            scenario.after.len() >= 7 && scenario.before.keys().all(|tag| scenario.after.contains_key(tag))
        );
        scenario
    }

    /// A destination as it is before the run, in a place of this name, whatever was there.
    pub(crate) fn destination(&self, place: &str) -> PathBuf {
        let place = self.folder.path().join(place);
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir(&place).unwrap();
        // What a registry that is started over the place looks for.
        let destination = place.join("docker");
        let before = self.folder.path().join("before");
        if before.exists() {
            copy_tree(&before, &destination);
        }
        destination
    }

    /// Hands over the arguments of the command.
    pub(crate) fn with_arguments<T>(&self, destination: &Path, run: impl FnOnce(&[&OsStr]) -> T) -> T {
        let source = self.folder.path().join("source");
        let options = [self.command, "-q", "-j", "1", "--format", "json"].into_iter();
        let options = options.chain(self.options.iter().copied()).map(OsStr::new);
        let arguments: Vec<_> = options.chain([source.as_os_str(), destination.as_os_str()]).collect();
        run(&arguments)
    }

    /// Runs the command once more, undisturbed; it has to succeed and to make of the destination what it should
    /// be.
    pub(crate) fn run_again(
        &self,
        destination: &Path,
        is_same: impl Fn(&Part, &Part) -> bool,
    ) -> Result<(), String> {
        let output = self.with_arguments(destination, |arguments| {
            crate::support::bundle::bundle().args(arguments).timeout(strace::HANGS).output().unwrap()
        });
        let said = String::from_utf8_lossy(&output.stderr);
        if output.status.code() != Some(0) || !said.is_empty() {
            return Err(format!("run again: {}: {said}", output.status));
        }
        self.expect_whole(destination, is_same).map_err(|why| format!("run again: {why}"))
    }

    /// Whether the destination is what an undisturbed run makes of it, as far as `is_same` cares.
    pub(crate) fn expect_whole(
        &self,
        destination: &Path,
        is_same: impl Fn(&Part, &Part) -> bool,
    ) -> Result<(), String> {
        compare(&self.whole, &self.picture(destination)?, is_same)
    }

    /// What has to hold at any moment: all that is shown is complete, no name is lost or points at anything but
    /// its old or its new image, and nothing that is being made lies where somebody else looks for images.
    /// Returns what is shown.
    pub(crate) fn check(&self, destination: &Path) -> Result<Tags, String> {
        let shown = tags(self.form, destination)?;
        for (tag, digest) in &shown {
            if ![self.before.get(tag), self.after.get(tag)].contains(&Some(digest)) {
                return Err(format!("{tag} points at {digest}"));
            }
        }
        if let Some(lost) = self.before.keys().find(|tag| !shown.contains_key(*tag)) {
            return Err(format!("{lost} is lost"));
        }
        match temporary_names(&self.root(destination)).first() {
            Some(path) => Err(format!("{} lies among the images", path.display())),
            None => Ok(shown),
        }
    }

    /// Fails unless the source is what it was.
    pub(crate) fn expect_source_untouched(&self) {
        let source = self.picture(&self.folder.path().join("source")).unwrap();
        compare(&self.source, &source, Part::eq).unwrap();
    }

    /// The folder in which a run has its staging.
    pub(crate) fn root(&self, destination: &Path) -> PathBuf {
        match self.form {
            Form::Storage => destination.join("registry/v2"),
            Form::Folders => destination.to_owned(),
        }
    }

    fn picture(&self, destination: &Path) -> Result<Picture, String> {
        picture(destination, &self.folder.path().join("source"))
    }
}

/// The staging folders that lie in the root of a tree.
pub(crate) fn staging(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.filter(|path| is_staging(path.file_name().unwrap().to_str().unwrap())).collect()
}

/// What is called as if it were being made, anywhere but in staging.
fn temporary_names(root: &Path) -> Vec<PathBuf> {
    let is_temporary = |name: &str| name.ends_with(".tmp") || name.starts_with(".tmp");
    let named = walk(root).filter(|entry| is_temporary(entry.file_name().to_str().unwrap()));
    named.map(DirEntry::into_path).collect()
}

/// Thousands of runs wait for the disk thousands of times, except in a memory file system.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}
