//! `kill -9` wherever a run changes the disk: the list is the old one or the new one, and all that it lists is there.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::{bundle, convert};
use crate::support::strace::{self, Call, HANGS};
use crate::support::sweep::{spread, sweep};
use crate::support::testdata::{copy_tree, testdata};
use crate::support::tree::files;
use crate::support::verification::verify;

/// How many points a run is killed at.
const POINTS: usize = 100;

struct Scenario {
    folder: TempDir,
    /// Whether the release before lies there already.
    has_old: bool,
}

impl Scenario {
    fn new(has_old: bool) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        copy_tree(&testdata().join("images"), &folder.path().join("source"));
        convert("to-oci", &[], &testdata().join("previous"), &folder.path().join("old"));
        Self { folder, has_old }
    }

    fn destination(&self, place: &str) -> PathBuf {
        let place = self.folder.path().join(place);
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir(&place).unwrap();
        if self.has_old {
            copy_tree(&self.folder.path().join("old"), &place.join("lay"));
        }
        place.join("lay")
    }

    fn with_arguments<T>(&self, destination: &Path, run: impl FnOnce(&[&OsStr]) -> T) -> T {
        let source = self.folder.path().join("source");
        let options = ["to-oci", "-q", "-j", "1", "--format", "json"].map(OsStr::new);
        run(&options.into_iter().chain([source.as_os_str(), destination.as_os_str()]).collect::<Vec<_>>())
    }
}

/// The digests of a layout's names; none where there is no list.
fn listed(layout: &Path) -> Result<Vec<(String, String)>, String> {
    let Ok(bytes) = fs::read(layout.join("index.json")) else { return Ok(Vec::new()) };
    let index: Value = serde_json::from_slice(&bytes).map_err(|error| format!("half a list: {error}"))?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = index["manifests"].as_array().ok_or("no list")?.iter();
    Ok(entries.map(|it| (text(&it["annotations"][super::layout::IMAGE_NAME]), text(&it["digest"]))).collect())
}

/// All content is durable before the list names it, and the list before a new layout says that it is one.
fn expect_order(calls: &[Call]) {
    let moves = |call: &&Call, place: &str| {
        ["link", "rename"].iter().any(|name| call.name.starts_with(name)) && call.text.contains(place)
    };
    let last = |place: &str| calls.iter().rposition(|call| moves(&call, place));
    let (content, list) = (last("/lay/blobs").unwrap(), last("/lay/index.json\"").unwrap());
    let is_synced = |from: usize, to: usize| calls[from..to].iter().any(|call| call.name == "syncfs");
    assert!(content < list && is_synced(content, list), "the list comes before its content is durable");
    assert!(last("/lay/oci-layout\"").is_none_or(|version| list < version));
}

fn kill_everywhere(scenario: &Scenario) {
    let whole = scenario.destination("whole");
    let before = listed(&whole).unwrap();
    let (calls, _) = scenario.with_arguments(&whole, strace::calls);
    let after = listed(&whole).unwrap();
    assert!(before != after && after.len() >= 7);
    expect_order(&calls);
    let whole = files(&whole);
    let changing: Vec<&Call> = calls.iter().filter(|call| call.writes() && !call.is_refused()).collect();
    let points = spread(&changing, POINTS);
    let seen = sweep(
        &points,
        |call| format!("killed before {} {}", call.name, call.number),
        |place, _, call| {
            let destination = scenario.destination(place);
            let is_killed = scenario
                .with_arguments(&destination, |arguments| strace::kill(&call.name, call.number, arguments));
            if !is_killed {
                return Err("not killed".to_owned());
            }
            let now = listed(&destination)?;
            if now != before && now != after {
                return Err(format!("the list is neither the old nor the new one: {now:?}"));
            }
            let verified = verify(&[], &[&destination]);
            // Until the last file is there, nothing says that a new one is a layout.
            let is_layout = scenario.has_old || destination.join("oci-layout").exists();
            if is_layout && verified.code != 0 {
                return Err(format!(
                    "verify: exit {}: {} {:#}",
                    verified.code, verified.said, verified.report
                ));
            }
            let again = scenario.with_arguments(&destination, |arguments| {
                bundle().args(arguments).timeout(HANGS).output().unwrap()
            });
            let is_done = again.status.success() && files(&destination) == whole;
            if is_done {
                Ok(now == after)
            } else {
                Err(format!("run again: {}", String::from_utf8_lossy(&again.stderr)))
            }
        },
    );
    let new = seen.iter().filter(|is_new| **is_new).count();
    println!("{} kills of {} calls, {new} with the new list", seen.len(), changing.len());
    assert!(new > 0 && new < seen.len() && seen.len() >= POINTS.min(changing.len()));
}

#[test]
fn a_new_layout_is_sound_wherever_a_run_is_killed() {
    kill_everywhere(&Scenario::new(false));
}

#[test]
fn a_layout_that_was_there_is_sound_wherever_a_run_is_killed() {
    kill_everywhere(&Scenario::new(true));
}
