//! `kill -9` while a package is written: it is there as it was before, or not at all, or complete; and the same
//! command writes the same bytes and leaves nothing else.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use tempfile::TempDir;

use super::scenario::{folder, points};
use crate::support::bundle::bundle;
use crate::support::strace::{self, Call};
use crate::support::sweep::sweep;
use crate::support::testdata::{copy_tree, testdata};
use crate::support::tree::files;
use crate::support::verification::verify;

/// The name of every package here.
pub(crate) const PACKAGE: &str = "release.tar";

/// A package that is written beside nothing, or over another one.
pub(crate) struct Packing {
    pub(crate) name: &'static str,
    pub(crate) calls: Vec<Call>,
    options: &'static [&'static str],
    /// The files of the package that is there before; none if there is none.
    pub(crate) before: BTreeMap<String, Vec<u8>>,
    /// The files of the package that an undisturbed run writes.
    pub(crate) after: BTreeMap<String, Vec<u8>>,
    folder: TempDir,
}

impl Packing {
    /// The committed release, where the release before may have been packed in the same way.
    pub(crate) fn of(name: &'static str, options: &'static [&'static str], is_over_another: bool) -> Self {
        let folder = folder();
        copy_tree(&testdata().join("images"), &folder.path().join("images"));
        let mut packing = Self {
            name,
            calls: Vec::new(),
            options,
            before: BTreeMap::new(),
            after: BTreeMap::new(),
            folder,
        };
        if is_over_another {
            let place = packing.place("before");
            let mut command = bundle();
            command.args(["pack", "-q"]).args(options).arg(testdata().join("previous"));
            command.arg(place.join(PACKAGE)).assert().success();
            packing.before = files(&place);
        }
        let place = packing.place("whole");
        packing.calls = packing.with_arguments(&place, strace::calls).0;
        packing.after = files(&place);
        let one_image = packing.before.values().next();
        assert!(packing.after.values().next() != one_image, "the two are the same");
        packing
    }

    /// A folder of this name as it is before the run, whatever was there.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        let place = self.folder.path().join(name);
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir(&place).unwrap();
        for (path, bytes) in &self.before {
            fs::write(place.join(path), bytes).unwrap();
        }
        place
    }

    /// Hands over the arguments of the command.
    pub(crate) fn with_arguments<T>(&self, place: &Path, run: impl FnOnce(&[&OsStr]) -> T) -> T {
        let (source, package) = (self.folder.path().join("images"), place.join(PACKAGE));
        let options = ["pack", "-q", "-j", "1", "--format", "json"].into_iter();
        let options = options.chain(self.options.iter().copied()).map(OsStr::new);
        let arguments: Vec<_> = options.chain([source.as_os_str(), package.as_os_str()]).collect();
        run(&arguments)
    }

    /// What has to hold at any moment: there is no package, or the one of before, or the new one, and of these all
    /// files. Says which.
    pub(crate) fn check(&self, place: &Path) -> Result<Found, String> {
        let package = place.join(PACKAGE);
        if !package.exists() {
            return Ok(Found::Nothing);
        }
        let verified = verify(&[], &[&package]);
        if verified.code != 0 {
            let findings = &verified.report["findings"];
            return Err(format!("there is a package, and it is not sound: {}{findings:#}", verified.said));
        }
        // Volumes belong to the package whose index is there.
        let there = files(place);
        let has_all = |of: &BTreeMap<String, Vec<u8>>| {
            !of.is_empty() && of.iter().all(|(path, bytes)| there.get(path) == Some(bytes))
        };
        match () {
            () if has_all(&self.after) => Ok(Found::After),
            () if has_all(&self.before) => Ok(Found::Before),
            () => Err("there is a package that is neither the old nor the new one".to_owned()),
        }
    }

    /// Runs the command once more, undisturbed; then everything is as it should be, and nothing else is there.
    pub(crate) fn run_again(&self, place: &Path) -> Result<(), String> {
        // A folder that is complete is not written over.
        if self.options.contains(&"--dir") && place.join(PACKAGE).exists() {
            fs::remove_dir_all(place.join(PACKAGE)).unwrap();
        }
        let output = self.with_arguments(place, |arguments| {
            bundle().args(arguments).timeout(strace::HANGS).output().unwrap()
        });
        if output.status.code() != Some(0) {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("run again: {}: {said}", output.status));
        }
        let found = files(place);
        if found == self.after && temporaries(place).is_empty() {
            return Ok(());
        }
        let (expected, found): (Vec<_>, Vec<_>) = (self.after.keys().collect(), found.keys().collect());
        if expected != found {
            return Err(format!("run again: {found:?} are there instead of {expected:?}"));
        }
        Err("run again: the package has other bytes".to_owned())
    }
}

/// What there is of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Nothing,
    Before,
    After,
}

/// What lies beside a package as if it were being made.
pub(crate) fn temporaries(place: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.to_str().unwrap().ends_with(".tmp")).collect()
}

/// Kills a run at each point, of which the last has to come after the end; says how often what was found.
fn kill_at(packing: &Packing, points: &[Call]) -> BTreeMap<Found, usize> {
    let started = Instant::now();
    let kills = sweep(
        points,
        |call| format!("killed before {} {}, {}", call.name, call.number, call.text),
        |place, number, call| {
            let place = packing.place(place);
            let is_killed = packing.with_arguments(&place, |all| strace::kill(&call.name, call.number, all));
            if is_killed == (number == points.len() - 1) {
                return Err(format!("killed: {is_killed}"));
            }
            let found = packing.check(&place)?;
            let left = temporaries(&place).len();
            packing.run_again(&place)?;
            Ok((found, left))
        },
    );
    let mut counts = BTreeMap::new();
    kills.iter().for_each(|(found, _)| *counts.entry(*found).or_default() += 1);
    let left = kills.iter().filter(|(_, left)| *left > 0).count();
    println!(
        "{}: {} calls, {} kill points, all sound: {counts:?}, {left} left something aside, {:?}",
        packing.name,
        packing.calls.len(),
        points.len(),
        started.elapsed()
    );
    assert!(left > 5, "nothing was ever left aside");
    counts
}

#[test]
fn a_package_is_there_as_before_or_complete_wherever_packing_is_killed() {
    let packing = Packing::of("pack", &[], true);
    let counts = kill_at(&packing, &points(&packing.calls, 30, 5));
    assert!(counts[&Found::Before] > 25 && counts[&Found::After] >= 2, "{counts:?}");
    assert!(!counts.contains_key(&Found::Nothing), "the old package is gone: {counts:?}");
}

#[test]
fn volumes_are_a_package_or_none_wherever_packing_is_killed() {
    let packing = Packing::of("pack --split", &["--split", "150kB"], false);
    // Every name that is given, and some of the rest.
    let renames = packing.calls.iter().filter(|call| call.name.starts_with("rename") || call.name == "fsync");
    let renames: Vec<_> = renames.cloned().collect();
    assert!(renames.len() > 10);
    let counts = kill_at(&packing, &[renames, points(&packing.calls, 20, 4)].concat());
    assert!(counts[&Found::Nothing] > 25 && counts[&Found::After] >= 2, "{counts:?}");
}

#[test]
fn volumes_in_the_place_of_others_are_a_package_or_none_wherever_packing_is_killed() {
    let packing = Packing::of("pack --split over another", &["--split", "150kB"], true);
    let renames = packing.calls.iter().filter(|call| call.name.starts_with("rename") || call.name == "fsync");
    let renames: Vec<_> = renames.cloned().collect();
    let counts = kill_at(&packing, &[renames, points(&packing.calls, 11, 2)].concat());
    assert!(counts[&Found::Before] > 5 && counts[&Found::After] >= 2, "{counts:?}");
}

#[test]
fn a_folder_is_a_package_or_none_wherever_packing_is_killed() {
    let packing = Packing::of("pack --dir", &["--dir"], false);
    let counts = kill_at(&packing, &points(&packing.calls, 36, 5));
    assert!(counts[&Found::Nothing] > 30 && counts[&Found::After] >= 2, "{counts:?}");
}
