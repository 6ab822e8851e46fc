//! `kill -9` wherever the disk is changed: before each call that changes something, so in every state that a
//! run's destination goes through, and while it only reads.

use std::fmt::Debug;
use std::ops::{RangeBounds, RangeInclusive};
use std::path::Path;
use std::time::Instant;

use super::scenario::{Scenario, staging};
use crate::support::complete::{Form, Part, Tags};
use crate::support::served::expect_served;
use crate::support::strace::Call;
use crate::support::sweep::sweep;
use crate::support::verification::verify;
use crate::support::{skopeo, strace};

/// The call before which a run is killed: the one of this name with this number.
type Point = (String, usize);

/// No kill: all repositories of new storage appear at once.
const AT_ONCE: RangeInclusive<usize> = 0..=0;

/// What came of one kill.
struct Killed {
    shown: Tags,
    leaves_staging: bool,
    /// Whether another program looked at it.
    is_sampled: bool,
}

/// Every call that changes something, and of those that only read or are refused so many, evenly, that all in
/// all it is enough: killed before one of these, the disk is as before the next of the others. The last point
/// comes after the end.
fn points(scenario: &Scenario) -> Vec<Point> {
    const ENOUGH: usize = 220;
    let changes = |call: &Call| call.writes() && !call.is_refused();
    let changing = scenario.calls.iter().filter(|call| changes(call)).count();
    let step = (scenario.calls.len() - changing) / ENOUGH.saturating_sub(changing).max(20);
    let mut others = 0;
    let is_chosen = |call: &&Call| {
        others += usize::from(!changes(call));
        changes(call) || others.is_multiple_of(step.max(1))
    };
    let chosen = scenario.calls.iter().filter(is_chosen);
    let mut points: Vec<_> = chosen.map(|call| (call.name.clone(), call.number)).collect();
    let last = scenario.calls.last().unwrap();
    points.push((last.name.clone(), last.number + 1));
    points
}

/// Kills a run at each point, of which the last has to come after the end; then everything has to be sound, and
/// the same command has to do the rest. `some` is how many of them may, and have to, show some new tags and not all.
fn kill_at(scenario: &Scenario, points: &[Point], least: usize, some: impl RangeBounds<usize> + Debug) {
    const SAMPLES: usize = 20;
    let started = Instant::now();
    let kills = sweep(
        points,
        |(name, number)| format!("killed before {name} {number}"),
        |place, number, (name, which)| {
            let destination = scenario.destination(place);
            let is_killed =
                scenario.with_arguments(&destination, |arguments| strace::kill(name, *which, arguments));
            if is_killed == (number == points.len() - 1) {
                return Err(format!("killed: {is_killed}"));
            }
            let shown = scenario.check(&destination)?;
            expect_sound(scenario, &destination, &shown)?;
            let leaves_staging = !staging(&scenario.root(&destination)).is_empty();
            let is_sampled = number.is_multiple_of(SAMPLES) || number + 1 == points.len();
            if is_sampled {
                match scenario.form {
                    Form::Storage => expect_served(&destination, &shown)?,
                    Form::Folders => expect_readable(&destination, &shown),
                }
            }
            scenario.run_again(&destination, Part::eq)?;
            Ok(Killed { shown, leaves_staging, is_sampled })
        },
    );
    scenario.expect_source_untouched();

    let count = |is: &dyn Fn(&Killed) -> bool| kills.iter().filter(|killed| is(killed)).count();
    let (before, after) =
        (count(&|killed| killed.shown == scenario.before), count(&|killed| killed.shown == scenario.after));
    let between = kills.len() - before - after;
    let (sampled, left) = (count(&|killed| killed.is_sampled), count(&|killed| killed.leaves_staging));
    let by = if scenario.form == Form::Storage { "the registry" } else { "skopeo" };
    println!(
        "{}: {} calls, {} kill points, {} sound ({before} show what was shown before, {between} some \
         new tags, {after} all of them), {left} left staging behind, {sampled} checked by {by}, {:?}",
        scenario.name,
        scenario.calls.len(),
        points.len(),
        kills.len(),
        started.elapsed()
    );
    assert!(kills.len() >= least, "only {} points", kills.len());
    assert!(before > 10 && after > 1, "the points are not spread over the whole run");
    assert!(some.contains(&between), "{between} kills left some new tags, and not {some:?}");
    assert!(left > 20 && sampled > kills.len() / SAMPLES);
}

/// `verify` finds nothing wrong, unless there is nothing yet that it could know by its form.
fn expect_sound(scenario: &Scenario, destination: &Path, shown: &Tags) -> Result<(), String> {
    let verified = verify(&[], &[destination]);
    let is_nothing = scenario.before.is_empty() && shown.is_empty();
    match verified.code {
        0 => Ok(()),
        1 if is_nothing && destination.exists() => Ok(()),
        3 if is_nothing && !destination.exists() => Ok(()),
        code => Err(format!("verify: exit {code}: {}{:#}", verified.said, verified.report["findings"])),
    }
}

/// skopeo copies every image that is shown, and checks every digest meanwhile.
fn expect_readable(images: &Path, shown: &Tags) {
    let copies = tempfile::tempdir_in("/dev/shm").unwrap();
    for (number, name) in shown.keys().enumerate() {
        let [image, copy] = [images.join(name), copies.path().join(number.to_string())];
        skopeo::copy(&format!("dir:{}", image.display()), &format!("dir:{}", copy.display()));
    }
}

#[test]
fn storage_is_sound_wherever_a_run_is_killed() {
    let scenario = Scenario::to_registry("to-registry", &[]);
    kill_at(&scenario, &points(&scenario), 200, AT_ONCE);
}

#[test]
fn image_folders_are_sound_wherever_a_run_is_killed() {
    let scenario = Scenario::to_dir("to-dir");
    // What lies in one folder appears at once.
    kill_at(&scenario, &points(&scenario), 200, 1..);
}

#[test]
fn a_tag_points_at_its_old_or_its_new_image_wherever_a_run_is_killed() {
    let scenario = Scenario::re_tagging("re-tagging");
    // Seven tags appear one after the other, with one call each.
    kill_at(&scenario, &points(&scenario), 200, 6..);
}

#[test]
fn copies_are_whole_wherever_a_run_is_killed() {
    // It differs from linking in how blobs come; for that, every third point will do.
    let scenario = Scenario::to_registry("to-registry --link copy", &["--link", "copy"]);
    let points: Vec<_> = points(&scenario).into_iter().rev().step_by(3).rev().collect();
    kill_at(&scenario, &points, 100, AT_ONCE);
}
