//! Packages that are applied, and what an undisturbed run makes of the site: that, or what was there before, is
//! what a disturbed run may show.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::support::bundle::{Ended, bundle, convert};
use crate::support::complete::{Form, Part, Picture, Tags, compare, picture, tags};
use crate::support::course;
use crate::support::package::bill;
use crate::support::strace::{Call, HANGS, Line};
use crate::support::sweep::spread;
use crate::support::testdata::{copy_tree, testdata};
use crate::support::verification::verify;

/// A package that is applied, in a folder of its own.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The calls of an undisturbed run.
    pub(crate) calls: Vec<Call>,
    /// What the site shows after an undisturbed run.
    pub(crate) after: Tags,
    /// What it shows before.
    pub(crate) before: Tags,
    /// Whether the package comes from standard input.
    passes_by: bool,
    /// The whole site after an undisturbed run.
    whole: Picture,
    folder: TempDir,
}

impl Scenario {
    /// A package of the whole release, to a site that is not there yet.
    pub(crate) fn full() -> Self {
        Self::run("apply", &[], false, false)
    }

    /// A patch from the release before, to a site that has that: a tag moves.
    pub(crate) fn patch() -> Self {
        let previous = testdata().join("previous");
        Self::run("apply of a patch", &["--base".as_ref(), previous.as_ref()], true, false)
    }

    /// The same, from standard input.
    pub(crate) fn passing() -> Self {
        let previous = testdata().join("previous");
        Self::run("apply from standard input", &["--base".as_ref(), previous.as_ref()], true, true)
    }

    /// A patch that is a folder, whose content becomes hard links.
    pub(crate) fn folder() -> Self {
        let previous = testdata().join("previous");
        let options = ["--dir".as_ref(), "--base".as_ref(), previous.as_ref()];
        Self::run("apply of a folder", &options, true, false)
    }

    /// A patch that restores layers from what the release before has.
    pub(crate) fn delta() -> Self {
        let previous = testdata().join("previous");
        let options = ["--delta".as_ref(), "--base".as_ref(), previous.as_ref()];
        Self::run("apply of deltas", &options, true, false).expect_restored()
    }

    /// The same, from standard input.
    pub(crate) fn passing_delta() -> Self {
        let previous = testdata().join("previous");
        let options = ["--delta".as_ref(), "--base".as_ref(), previous.as_ref()];
        Self::run("apply of deltas from standard input", &options, true, true).expect_restored()
    }

    /// Fails unless the package has deltas.
    fn expect_restored(self) -> Self {
        let restores = bill(&self.package())["restores"].as_array().map_or(0, Vec::len);
        assert_eq!(restores, 2);
        self
    }

    /// Runs it undisturbed.
    fn run(name: &'static str, packing: &[&OsStr], has_previous: bool, passes_by: bool) -> Self {
        let folder = folder();
        let [source, package] = ["images", "package"].map(|name| folder.path().join(name));
        // What a folder is linked with has to be of the test's own.
        copy_tree(&testdata().join("images"), &source);
        bundle().args(["pack", "-q"]).args(packing).arg(&source).arg(&package).assert().success();
        fs::remove_dir_all(source).unwrap();
        if has_previous {
            let before = folder.path().join("before");
            convert("to-registry", &["--link", "copy"], &testdata().join("previous"), &before);
        }
        let mut scenario = Self {
            name,
            calls: Vec::new(),
            after: Tags::new(),
            before: Tags::new(),
            passes_by,
            whole: Picture::new(),
            folder,
        };
        let site = scenario.site("whole");
        scenario.before = tags(Form::Storage, &site).unwrap();
        scenario.calls = scenario.with_line(&site, |line| line.calls()).0;
        scenario.after = tags(Form::Storage, &site).unwrap();
        scenario.whole = scenario.picture(&site).unwrap();
        let moved = scenario.before.iter().filter(|(tag, digest)| scenario.after.get(*tag) != Some(digest));
        assert_eq!((scenario.after.len(), moved.count()), if has_previous { (8, 1) } else { (7, 0) });
        scenario
    }

    /// The package.
    pub(crate) fn package(&self) -> PathBuf {
        self.folder.path().join("package")
    }

    /// A site as it is before the run, in a place of this name, whatever was there.
    pub(crate) fn site(&self, place: &str) -> PathBuf {
        let place = self.folder.path().join(place);
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir(&place).unwrap();
        // What a registry that is started over the place looks for.
        let site = place.join("docker");
        let before = self.folder.path().join("before");
        if before.exists() {
            copy_tree(&before, &site);
        }
        site
    }

    /// Hands over the command line.
    pub(crate) fn with_line<T>(&self, site: &Path, run: impl FnOnce(Line) -> T) -> T {
        let package = self.package();
        let named = if self.passes_by { OsStr::new("-") } else { package.as_os_str() };
        let options = ["apply", "-q", "-j", "1", "--format", "json"].map(OsStr::new);
        let arguments: Vec<_> = options.into_iter().chain([named, site.as_os_str()]).collect();
        run(Line { arguments: &arguments, stdin: self.passes_by.then_some(&package) })
    }

    /// Runs the command once more, undisturbed; it has to succeed, and to leave nothing but what should be there,
    /// as far as `is_same` cares.
    pub(crate) fn run_again(
        &self,
        site: &Path,
        is_same: impl Fn(&Part, &Part) -> bool,
    ) -> Result<(), String> {
        let ended = self.with_line(site, undisturbed);
        if ended.code != 0 || !ended.said.is_empty() {
            return Err(format!("run again: exit {}: {}", ended.code, ended.said));
        }
        compare(&self.whole, &self.picture(site)?, is_same).map_err(|why| format!("run again: {why}"))
    }

    /// What has to hold at any moment: all that is shown is complete, no name is lost or points at anything but its
    /// old or its new image, and nothing that is being made lies anywhere but in staging. Returns what is shown.
    pub(crate) fn check(&self, site: &Path) -> Result<Tags, String> {
        let shown = tags(Form::Storage, site)?;
        for (tag, digest) in &shown {
            if ![self.before.get(tag), self.after.get(tag)].contains(&Some(digest)) {
                return Err(format!("{tag} points at {digest}"));
            }
        }
        if let Some(lost) = self.before.keys().find(|tag| !shown.contains_key(*tag)) {
            return Err(format!("{lost} is lost"));
        }
        let beside: Vec<_> = fs::read_dir(site.parent().unwrap()).unwrap().map(Result::unwrap).collect();
        if beside.iter().any(|entry| entry.file_name() != "docker") {
            return Err(format!("something lies beside the site: {beside:?}"));
        }
        Ok(shown)
    }

    /// `verify` finds nothing wrong, unless there is nothing yet that it could know by its form.
    pub(crate) fn expect_sound(&self, site: &Path, shown: &Tags) -> Result<(), String> {
        let is_nothing = self.before.is_empty() && shown.is_empty();
        let verified = verify(&[], &[site]);
        match verified.code {
            0 => Ok(()),
            1 if is_nothing && site.exists() => Ok(()),
            3 if is_nothing && !site.exists() => Ok(()),
            code => Err(format!("verify: exit {code}: {}{:#}", verified.said, verified.report["findings"])),
        }
    }

    fn picture(&self, site: &Path) -> Result<Picture, String> {
        picture(site, &self.package())
    }
}

/// Runs a command line, to whatever end.
pub(crate) fn undisturbed(line: Line) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(line.arguments);
    let mut command = assert_cmd::Command::from_std(command);
    if let Some(path) = line.stdin {
        command.pipe_stdin(path).unwrap();
    }
    Ended::of(&command.timeout(HANGS).output().unwrap())
}

/// The staging folders of a site.
pub(crate) fn staging(site: &Path) -> Vec<PathBuf> {
    course::staging(&site.join("registry/v2"))
}

/// Hundreds of runs wait for the disk thousands of times, except in a memory file system.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

/// The calls that create or change something, or say something.
pub(crate) fn writing(calls: &[Call]) -> Vec<Call> {
    calls.iter().filter(|call| call.writes() && !call.is_refused()).cloned().collect()
}

/// Calls at which to kill a run: some that change something, in every part of the run, the last ones among them,
/// and some that do not. The very last comes after the end.
pub(crate) fn points(calls: &[Call], changing: usize, others: usize) -> Vec<Call> {
    const LAST: usize = 8;
    let changes = writing(calls);
    let (first, last) = changes.split_at(changes.len() - LAST);
    let other: Vec<_> = calls.iter().filter(|call| !call.writes() || call.is_refused()).cloned().collect();
    let end = calls.last().unwrap();
    let end = Call { number: end.number + 1, ..end.clone() };
    [spread(&other, others), spread(first, changing - LAST), last.to_vec(), vec![end]].concat()
}
