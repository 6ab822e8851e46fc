//! Every call that writes, made to fail once: with each error either nothing is missing, or the run says which
//! file it was, and what is shown is complete all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

use serde_json::Value;

use super::scenario::{Scenario, staging};
use crate::support::complete::Part;
use crate::support::strace::{self, Call};
use crate::support::sweep::sweep;

/// What disks, quotas, permissions and file systems say.
const ERRORS: [&str; 6] = ["ENOSPC", "EIO", "EDQUOT", "EACCES", "EMLINK", "EXDEV"];

/// What has to come of a failing call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The run ends with exit code 3, names the file, and leaves nothing in staging.
    Fails,
    /// The same, when all but the report is done: everything is there.
    FailsToReport,
    /// The blob is copied instead, and counted as a copy.
    Copies,
    /// All that was linked aside is given up, and linked once more, each blob in its place.
    LinksAgain,
    /// The run does all that it has to do; its own empty staging folder stays, for the next run to remove.
    LeavesStaging,
    /// Nothing comes of it: the system refuses the call anyway.
    Nothing,
}

/// Decides it by what the call is for.
fn expected(scenario: &Scenario, call: &Call, error: &str) -> Outcome {
    // The file system says that it cannot link, not that it failed.
    let is_refusal = matches!(error, "EMLINK" | "EXDEV");
    // A folder that is held open is one in which something is made aside.
    let paths = if call.name == "linkat" { 2 } else { 1 };
    let is_held =
        matches!(&*call.name, "linkat" | "mkdirat") && call.text.matches("AT_FDCWD").count() < paths;
    let is_aside = is_held || call.text.contains("/.bundle-");
    match call.name.as_str() {
        "link" | "linkat" if is_refusal && is_aside => Outcome::LinksAgain,
        "link" | "linkat" if is_refusal => Outcome::Copies,
        "mkdir" | "mkdirat" if is_refusal && !is_aside && is_for_a_link(scenario, call) => Outcome::Copies,
        "write" if call.text.starts_with("1, ") => Outcome::FailsToReport,
        // The folders that were made for the destination would go if they had stayed empty, which they did not.
        "rmdir" | "unlinkat" if call.text.contains("ENOTEMPTY") => Outcome::Nothing,
        // All files have been renamed out of it.
        "rmdir" | "unlinkat" if is_aside => Outcome::LeavesStaging,
        _ => Outcome::Fails,
    }
}

/// Whether a folder is made because a link needs it, which is made once more for the copy.
fn is_for_a_link(scenario: &Scenario, call: &Call) -> bool {
    let is_it = |other: &Call| (&other.name, other.number) == (&call.name, call.number);
    let before = scenario.calls.iter().take_while(|other| !is_it(other));
    let other = before.filter(|other| !other.name.starts_with("mkdir")).last();
    other.is_some_and(|other| other.name.starts_with("link") && other.is_refused())
}

/// Each call with one error, in turn, and the first, the middle and the last of each name with all of them.
fn failures(scenario: &Scenario) -> Vec<(&Call, &'static str)> {
    let mut by_name: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in scenario.calls.iter().filter(|call| call.writes()) {
        by_name.entry(&call.name).or_default().push(call);
    }
    let mut failures = Vec::new();
    for calls in by_name.values() {
        let in_full = [0, calls.len() / 2, calls.len() - 1];
        for (place, call) in calls.iter().enumerate() {
            // Many calls come in pairs, refused and repeated: both get to know every error.
            let one = ERRORS[(place + place / ERRORS.len()) % ERRORS.len()];
            let errors = ERRORS.into_iter().filter(|error| in_full.contains(&place) || *error == one);
            failures.extend(errors.map(|error| (*call, error)));
        }
    }
    failures
}

/// Sweeps over all failures, which have to come to just these outcomes.
fn fail_everywhere(scenario: &Scenario, possible: &[Outcome]) {
    let started = Instant::now();
    let failures = failures(scenario);
    let outcomes = sweep(
        &failures,
        |(call, error)| format!("{error} of {} {}, {}", call.name, call.number, call.text),
        |place, _, (call, error)| {
            let destination = scenario.destination(place);
            let output = scenario.with_arguments(&destination, |all| strace::fail(call, error, all));
            let outcome = expected(scenario, call, error);
            expect(outcome, scenario, call, &destination, &output)?;
            let shown = scenario.check(&destination)?;
            if output.status.success() && shown != scenario.after {
                return Err(format!("only these are shown: {shown:?}"));
            }
            match outcome {
                Outcome::Copies => scenario.run_again(&destination, is_same_file),
                _ => scenario.run_again(&destination, Part::eq),
            }?;
            Ok((call.name.clone(), outcome))
        },
    );
    scenario.expect_source_untouched();

    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    outcomes.iter().for_each(|outcome| *counts.entry(outcome).or_default() += 1);
    let counted = counts.iter().map(|((name, outcome), count)| format!("{name} {outcome:?} {count}"));
    let calls = scenario.calls.iter().filter(|call| call.writes()).count();
    println!(
        "{}: {calls} writing calls, {} failures: {}, {:?}",
        scenario.name,
        failures.len(),
        counted.collect::<Vec<_>>().join(", "),
        started.elapsed()
    );
    let seen: BTreeSet<_> = outcomes.iter().map(|(_, outcome)| *outcome).collect();
    assert_eq!(seen, possible.iter().copied().collect());
    let names: BTreeSet<_> = outcomes.iter().map(|(name, _)| name).collect();
    // Five more errors for the first, the middle and the last call of each name, where those are three.
    assert!(failures.len() >= calls + 5 * names.len());
    assert!(calls > 80 && names.len() >= 8, "{calls} calls of {names:?}");
}

/// Fails unless the run ended as it should.
fn expect(
    outcome: Outcome,
    scenario: &Scenario,
    call: &Call,
    destination: &Path,
    output: &Output,
) -> Result<(), String> {
    let said = String::from_utf8_lossy(&output.stderr);
    let ending = format!("{outcome:?} was expected: {}: {said}", output.status);
    let root = scenario.root(destination);
    let (code, where_) = match outcome {
        Outcome::Fails => (3, destination.to_str().unwrap()),
        Outcome::FailsToReport => (3, "standard output"),
        Outcome::Copies | Outcome::LinksAgain | Outcome::LeavesStaging | Outcome::Nothing => (0, ""),
    };
    let is_right = match code {
        0 => said.is_empty(),
        _ => said.starts_with("error: ") && said.contains(where_) && output.stdout.is_empty(),
    };
    if output.status.code() != Some(code) || !is_right || said.contains("panicked") {
        return Err(ending);
    }
    if code == 0 {
        expect_summary(outcome, scenario, &output.stdout)?;
    }
    let left = staging(&root);
    match (outcome, &left[..]) {
        (Outcome::Fails, []) => expect_no_empty_root(call, destination, &root),
        (Outcome::Copies, []) => scenario.expect_whole(destination, is_same_file),
        (Outcome::FailsToReport | Outcome::LinksAgain | Outcome::Nothing, []) => {
            scenario.expect_whole(destination, Part::eq)
        }
        (Outcome::LeavesStaging, [folder]) => {
            // It is empty, or it could not be removed.
            fs::remove_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
            scenario.expect_whole(destination, Part::eq)?;
            fs::create_dir(folder).map_err(|error| error.to_string())
        }
        _ => Err(format!("left behind in staging: {left:?}")),
    }
}

/// A copy of a blob is as good as a link to it, and has the mode of a new file.
fn is_same_file(expected: &Part, found: &Part) -> bool {
    expected.content == found.content
}

/// The summary is that of an undisturbed run, but for one blob that was copied instead of linked.
fn expect_summary(outcome: Outcome, scenario: &Scenario, stdout: &[u8]) -> Result<(), String> {
    let mut found: Value = serde_json::from_slice(stdout).map_err(|error| error.to_string())?;
    let mut whole = scenario.summary.clone();
    whole["destination"] = found["destination"].clone();
    if outcome == Outcome::Copies {
        for count in ["files", "bytes"] {
            let of = |summary: &Value, way: &str| summary[way][count].as_u64().unwrap();
            let all = |summary: &Value| ["linked", "cloned", "copied"].map(|way| of(summary, way));
            let (is, was) = (all(&found), all(&whole));
            if is.iter().sum::<u64>() != was.iter().sum::<u64>() || is[2] == was[2] {
                return Err(format!("{count} linked, cloned and copied: {is:?} instead of {was:?}"));
            }
            if count == "files" && is[2] != was[2] + 1 {
                return Err(format!("{} copies of one blob", is[2] - was[2]));
            }
        }
        for way in ["linked", "copied", "verified"] {
            found[way] = whole[way].clone();
        }
    }
    if found == whole { Ok(()) } else { Err(format!("the summary is {found:#}")) }
}

/// What a run made for itself goes again if nothing came of it; without the lock, it is not the run's to remove.
fn expect_no_empty_root(call: &Call, destination: &Path, root: &Path) -> Result<(), String> {
    let is_empty = |folder: &&Path| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
    match root.ancestors().take_while(|folder| folder.starts_with(destination)).find(is_empty) {
        Some(folder) if call.name != "flock" => Err(format!("{} is left, and empty", folder.display())),
        _ => Ok(()),
    }
}

#[test]
fn storage_is_sound_whatever_call_fails() {
    use Outcome::{Fails, FailsToReport, LeavesStaging, LinksAgain, Nothing};
    let scenario = Scenario::to_registry("to-registry", &[]);
    fail_everywhere(&scenario, &[Fails, FailsToReport, LinksAgain, LeavesStaging, Nothing]);
}

#[test]
fn image_folders_are_sound_whatever_call_fails() {
    use Outcome::{Fails, FailsToReport, LeavesStaging, LinksAgain, Nothing};
    let scenario = Scenario::to_dir("to-dir");
    fail_everywhere(&scenario, &[Fails, FailsToReport, LinksAgain, LeavesStaging, Nothing]);
}

#[test]
fn a_tag_points_at_its_old_or_its_new_image_whatever_call_fails() {
    use Outcome::{Copies, Fails, FailsToReport, LeavesStaging};
    let scenario = Scenario::re_tagging("re-tagging");
    fail_everywhere(&scenario, &[Fails, FailsToReport, Copies, LeavesStaging]);
}

#[test]
fn copies_are_whole_whatever_call_fails() {
    use Outcome::{Fails, FailsToReport, LeavesStaging, Nothing};
    let scenario = Scenario::to_registry("to-registry --link copy", &["--link", "copy"]);
    fail_everywhere(&scenario, &[Fails, FailsToReport, LeavesStaging, Nothing]);
}
