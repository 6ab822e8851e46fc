//! Every call that writes, made to fail once, as full, broken and limited disks let it fail: the run ends with the
//! path that it happened at, or does it otherwise, and all that has a name is sound.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Output;
use std::time::Instant;

use super::pack::{Found, Packing, temporaries};
use super::scenario::{Scenario, staging};
use crate::support::bundle::Ended;
use crate::support::complete::Part;
use crate::support::strace::{self, Call};
use crate::support::sweep::sweep;

/// How many sites there are for each that `verify` looks at as well.
const VERIFIED: usize = 5;
/// What disks, quotas, permissions and file systems say.
const ERRORS: [&str; 6] = ["ENOSPC", "EIO", "EDQUOT", "EACCES", "EMLINK", "EXDEV"];

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Ending {
    /// With exit code 3 and a path.
    Failed,
    /// With exit code 3, because only the report could not be printed.
    FailedToReport,
    /// As if nothing had happened.
    Succeeded,
}

/// Every call that writes, each with one of the errors; the calls of each name get to know them in turn.
fn failures(calls: &[Call]) -> Vec<(Call, &'static str)> {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    let mut failures = Vec::new();
    for call in calls.iter().filter(|call| call.writes()) {
        let place = seen.entry(&call.name).or_default();
        // Many calls come in pairs, refused and repeated: both get to know every error.
        failures.push((call.clone(), ERRORS[(*place + *place / ERRORS.len()) % ERRORS.len()]));
        *place += 1;
    }
    failures
}

/// Fails unless the run ended as it may, and did not succeed where something is missing.
fn ending((call, error): &(Call, &str), output: &Output, path: &Path) -> Result<Ending, String> {
    let ended = Ended::of(output);
    let is_report = call.name == "write" && call.text.starts_with("1, ");
    // A file system that says that it cannot link is no failure; nor is a folder that stays, or a lock that no
    // other run waits for.
    let is_harmless =
        matches!(*error, "EMLINK" | "EXDEV") && ["link", "mkdir"].iter().any(|it| call.name.starts_with(it));
    let may_succeed = is_harmless || removes(call) || call.name == "flock" || call.is_refused();
    match ended.code {
        0 if may_succeed => Ok(Ending::Succeeded),
        3 if is_report && ended.said.contains("standard output") => Ok(Ending::FailedToReport),
        3 if ended.said.starts_with("error: ") && ended.said.contains(path.to_str().unwrap()) => {
            Ok(Ending::Failed)
        }
        code => Err(format!("exit {code}, and no path: {}", ended.said)),
    }
}

/// Removes folders: that fails without harm, and leaves them behind.
fn removes(call: &Call) -> bool {
    ["rmdir", "unlink"].iter().any(|name| call.name.starts_with(name))
}

/// Whether a call gives a tag its image.
fn names_an_image(call: &Call) -> bool {
    call.name.starts_with("rename")
        && call.text.contains("/_manifests/tags/")
        && !call.text.contains("/index/")
}

fn describe((call, error): &(Call, &str)) -> String {
    format!("{error} of {} {}, {}", call.name, call.number, call.text)
}

/// Counts the endings, and prints them.
fn counted(name: &str, failures: usize, endings: &[Ending], started: Instant) -> BTreeMap<Ending, usize> {
    let mut counts: BTreeMap<_, usize> = BTreeMap::new();
    endings.iter().for_each(|ending| *counts.entry(*ending).or_default() += 1);
    println!("{name}: {failures} writing calls failed, all sound: {counts:?}, {:?}", started.elapsed());
    assert!(counts[&Ending::Failed] > failures / 2, "{counts:?}");
    assert_eq!(counts[&Ending::FailedToReport], 1, "{counts:?}");
    counts
}

/// Lets every `step`th of the writing calls fail.
fn fail_while_applying(scenario: &Scenario, step: usize, least: usize) {
    let started = Instant::now();
    // The report is the last of them.
    let failures: Vec<_> = failures(&scenario.calls).into_iter().rev().step_by(step).collect();
    let place_of = |call: &Call| {
        let is_it = |other: &Call| (&other.name, other.number) == (&call.name, call.number);
        scenario.calls.iter().position(is_it).unwrap()
    };
    let first_name = scenario.calls.iter().position(names_an_image).unwrap();
    let endings = sweep(&failures, describe, |place, number, failure| {
        let (call, error) = failure;
        let site = scenario.site(place);
        let output = scenario.with_line(&site, |line| line.fail(call, error));
        let ended = ending(failure, &output, &site)?;
        let shown = scenario.check(&site)?;
        if number.is_multiple_of(VERIFIED) {
            scenario.expect_sound(&site, &shown)?;
        }
        match ended {
            Ending::Failed if place_of(call) <= first_name && shown != scenario.before => {
                return Err(format!("it failed, and shows {shown:?}"));
            }
            Ending::Succeeded | Ending::FailedToReport if shown != scenario.after => {
                return Err(format!("it is said to be done, and shows {shown:?}"));
            }
            _ => {}
        }
        if !staging(&site).is_empty() && !removes(call) {
            return Err(format!("left in staging: {:?}", staging(&site)));
        }
        match ended {
            // A copy is as good as a link.
            Ending::Succeeded => scenario.run_again(&site, |one, other| one.content == other.content)?,
            _ => scenario.run_again(&site, Part::eq)?,
        }
        Ok(ended)
    });
    counted(scenario.name, failures.len(), &endings, started);
    assert!(failures.len() >= least, "{}", failures.len());
}

fn fail_while_packing(packing: &Packing, step: usize, least: usize) {
    let started = Instant::now();
    let failures: Vec<_> = failures(&packing.calls).into_iter().rev().step_by(step).collect();
    let endings = sweep(&failures, describe, |place, _, failure| {
        let (call, error) = failure;
        let place = packing.place(place);
        let output = packing.with_arguments(&place, |all| strace::fail(call, error, all));
        let ended = ending(failure, &output, &place)?;
        let found = packing.check(&place)?;
        if matches!(ended, Ending::Succeeded | Ending::FailedToReport) && found != Found::After {
            return Err(format!("it is said to be done: {found:?}"));
        }
        if found == Found::Nothing && !packing.before.is_empty() {
            return Err("the package of before is gone".to_owned());
        }
        // Without the lock, what is there is not the run's to remove.
        if !temporaries(&place).is_empty() && !removes(call) && call.name != "flock" {
            return Err(format!("left aside: {:?}", temporaries(&place)));
        }
        packing.run_again(&place)?;
        Ok(ended)
    });
    counted(packing.name, failures.len(), &endings, started);
    assert!(failures.len() >= least, "{}", failures.len());
}

#[test]
fn a_site_is_sound_whatever_call_fails_while_a_package_is_applied() {
    fail_while_applying(&Scenario::patch(), 1, 200);
}

#[test]
fn a_site_is_sound_whatever_call_fails_while_a_package_passes_by() {
    fail_while_applying(&Scenario::passing(), 5, 50);
}

#[test]
fn a_site_is_sound_whatever_call_fails_while_deltas_are_applied() {
    fail_while_applying(&Scenario::delta(), 4, 50);
    fail_while_applying(&Scenario::passing_delta(), 5, 50);
}

#[test]
fn a_site_is_sound_whatever_call_fails_while_a_folder_is_applied() {
    fail_while_applying(&Scenario::folder(), 3, 80);
}

#[test]
fn a_package_is_as_before_or_complete_whatever_call_fails() {
    fail_while_packing(&Packing::of("pack", &[], true), 1, 100);
}

#[test]
fn volumes_are_a_package_or_none_whatever_call_fails() {
    fail_while_packing(&Packing::of("pack --split", &["--split", "150kB"], false), 2, 80);
}

#[test]
fn a_folder_is_a_package_or_none_whatever_call_fails() {
    fail_while_packing(&Packing::of("pack --dir", &["--dir"], false), 4, 100);
}
