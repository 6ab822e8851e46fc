//! `kill -9` while a package is applied: whatever the site shows is complete, no name is lost, and the same command
//! makes of it what an undisturbed run makes.

use std::fmt::Debug;
use std::ops::RangeBounds;
use std::time::Instant;

use super::scenario::{Scenario, points, staging};
use crate::support::complete::{Part, Tags};
use crate::support::served::expect_served;
use crate::support::strace::Call;
use crate::support::sweep::sweep;

/// What came of one kill.
struct Killed {
    shown: Tags,
    leaves_staging: bool,
    is_sampled: bool,
}

/// Kills a run at each point, of which the last has to come after the end; `some` is how many kills may, and have to,
/// leave some new tags and not all.
fn kill_at(scenario: &Scenario, points: &[Call], least: usize, some: impl RangeBounds<usize> + Debug) {
    const SAMPLES: usize = 20;
    let started = Instant::now();
    let kills = sweep(
        points,
        |call| format!("killed before {} {}, {}", call.name, call.number, call.text),
        |place, number, call| {
            let site = scenario.site(place);
            let is_killed = scenario.with_line(&site, |line| line.kill(&call.name, call.number));
            if is_killed == (number == points.len() - 1) {
                return Err(format!("killed: {is_killed}"));
            }
            let shown = scenario.check(&site)?;
            scenario.expect_sound(&site, &shown)?;
            let leaves_staging = !staging(&site).is_empty();
            let is_sampled = number % SAMPLES == SAMPLES - 1 || number + 1 == points.len();
            if is_sampled {
                expect_served(&site, &shown)?;
            }
            scenario.run_again(&site, Part::eq)?;
            Ok(Killed { shown, leaves_staging, is_sampled })
        },
    );
    let count = |is: &dyn Fn(&Killed) -> bool| kills.iter().filter(|killed| is(killed)).count();
    let before = count(&|killed| killed.shown == scenario.before);
    let after = count(&|killed| killed.shown == scenario.after);
    let between = kills.len() - before - after;
    let (sampled, left) = (count(&|killed| killed.is_sampled), count(&|killed| killed.leaves_staging));
    println!(
        "{}: {} calls, {} kill points, {} sound ({before} show what was shown before, {between} some new tags, \
         {after} all of them), {left} left staging behind, {sampled} checked by the registry, {:?}",
        scenario.name,
        scenario.calls.len(),
        points.len(),
        kills.len(),
        started.elapsed()
    );
    assert!(kills.len() >= least, "only {} points", kills.len());
    assert!(before > 10 && after > 1, "the points are not spread over the whole run");
    assert!(some.contains(&between), "{between} kills left some new tags, and not {some:?}");
    assert!(left > 10 && sampled >= kills.len() / SAMPLES);
}

#[test]
fn a_tag_points_at_its_old_or_its_new_image_wherever_an_apply_is_killed() {
    let scenario = Scenario::patch();
    kill_at(&scenario, &points(&scenario.calls, 100, 9), 110, 4..);
}

#[test]
fn a_site_is_sound_wherever_an_apply_is_killed() {
    // All repositories of a new site appear at once.
    let scenario = Scenario::full();
    kill_at(&scenario, &points(&scenario.calls, 50, 5), 55, 0..=0);
}

#[test]
fn a_site_is_sound_wherever_an_apply_of_a_folder_is_killed() {
    let scenario = Scenario::folder();
    kill_at(&scenario, &points(&scenario.calls, 40, 4), 45, 4..);
}

#[test]
fn a_site_is_sound_wherever_an_apply_of_deltas_is_killed() {
    let scenario = Scenario::delta();
    kill_at(&scenario, &points(&scenario.calls, 60, 5), 65, 4..);
}

#[test]
fn a_site_is_sound_wherever_an_apply_of_deltas_from_standard_input_is_killed() {
    let scenario = Scenario::passing_delta();
    kill_at(&scenario, &points(&scenario.calls, 50, 5), 55, 4..);
}

#[test]
fn a_site_is_sound_wherever_an_apply_from_standard_input_is_killed() {
    let scenario = Scenario::passing();
    kill_at(&scenario, &points(&scenario.calls, 50, 5), 55, 4..);
}
