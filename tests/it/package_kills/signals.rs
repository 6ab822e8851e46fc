//! SIGTERM and SIGINT while a package is written or applied: the run ends at once, says so, and takes with it what
//! it was making.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::pack::{Found, Packing, temporaries};
use super::scenario::{Scenario, staging, writing};
use crate::support::bundle::Ended;
use crate::support::complete::Part;
use crate::support::held::{Held, send};
use crate::support::strace::{Call, HANGS};
use crate::support::sweep::{spread, sweep};

/// Calls at which to send a signal, and which.
fn signals(calls: &[Call], most: usize) -> Vec<(Call, &'static str, i32)> {
    let which = [("TERM", 143), ("TERM", 143), ("INT", 130)].into_iter().cycle();
    let calls = spread(&writing(calls), most).into_iter();
    calls.zip(which).map(|(call, (name, code))| (call, name, code)).collect()
}

fn describe((call, name, _): &(Call, &str, i32)) -> String {
    format!("SIG{name} at {} {}, {}", call.name, call.number, call.text)
}

fn expect_interrupted(ended: &Ended, code: i32) -> Result<(), String> {
    let is_right = ended.code == code
        && ended.said.starts_with("interrupted: every image that has its name is complete")
        && ended.said.contains("run the same command again");
    if is_right && ended.summary.is_null() {
        return Ok(());
    }
    Err(format!("exit {} instead of {code}: {}", ended.code, ended.said))
}

fn interrupt_applying(scenario: &Scenario, most: usize) {
    let signals = signals(&scenario.calls, most);
    let shown = sweep(&signals, describe, |place, _, (call, name, code)| {
        let site = scenario.site(place);
        let held = scenario.with_line(&site, |line| Held::line_before(&call.name, call.number, None, line));
        expect_interrupted(&held.interrupt(name), *code)?;
        let shown = scenario.check(&site)?;
        scenario.expect_sound(&site, &shown)?;
        if !staging(&site).is_empty() {
            return Err(format!("left in staging: {:?}", staging(&site)));
        }
        scenario.run_again(&site, Part::eq)?;
        Ok(shown == scenario.before)
    });
    println!("{}: {} signals, all sound, nothing left", scenario.name, shown.len());
    assert!(shown.len() >= most && shown.iter().filter(|is_before| **is_before).count() > most / 2);
}

fn interrupt_packing(packing: &Packing, most: usize, before: Found) {
    let signals = signals(&packing.calls, most);
    let found = sweep(&signals, describe, |place, _, (call, name, code)| {
        let place = packing.place(place);
        let held = packing
            .with_arguments(&place, |arguments| Held::before(&call.name, call.number, None, arguments));
        expect_interrupted(&held.interrupt(name), *code)?;
        let found = packing.check(&place)?;
        if !temporaries(&place).is_empty() {
            return Err(format!("left aside: {:?}", temporaries(&place)));
        }
        packing.run_again(&place)?;
        Ok(found)
    });
    println!("{}: {} signals, nothing left", packing.name, found.len());
    assert!(found.iter().all(|found| [before, Found::After].contains(found)), "{found:?}");
    assert!(found.len() >= most && found.iter().filter(|found| **found == before).count() > most / 2);
}

#[test]
fn a_signal_ends_an_apply_and_leaves_nothing_aside() {
    interrupt_applying(&Scenario::patch(), 12);
    interrupt_applying(&Scenario::passing(), 6);
    interrupt_applying(&Scenario::delta(), 6);
    interrupt_applying(&Scenario::passing_delta(), 4);
}

#[test]
fn a_signal_ends_packing_and_leaves_nothing_aside() {
    interrupt_packing(&Packing::of("pack", &[], true), 8, Found::Before);
    interrupt_packing(&Packing::of("pack --split", &["--split", "150kB"], false), 8, Found::Nothing);
    interrupt_packing(&Packing::of("pack --dir", &["--dir"], false), 8, Found::Nothing);
}

#[test]
fn an_apply_that_waits_for_the_rest_of_its_package_can_be_interrupted() {
    let scenario = Scenario::passing();
    let package = fs::read(scenario.package()).unwrap();
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let site = scenario.site("waiting");
        let mut child = scenario.with_line(&site, |line| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
            command.args(line.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        });
        let mut input = child.stdin.take().unwrap();
        input.write_all(&package[..package.len() / 2]).unwrap();
        // It has begun to write, so it has all that it was given but for what lies in the pipe, and waits.
        let deadline = Instant::now() + HANGS;
        while staging(&site).is_empty() {
            assert!(Instant::now() < deadline, "it hangs");
            thread::sleep(Duration::from_millis(1));
        }
        send(name, child.id());
        let ended = Ended::of(&child.wait_with_output().unwrap());
        drop(input);
        expect_interrupted(&ended, code).unwrap();
        assert_eq!(scenario.check(&site).as_ref(), Ok(&scenario.before));
        assert!(staging(&site).is_empty(), "left in staging: {:?}", staging(&site));
        scenario.run_again(&site, Part::eq).unwrap();
    }
}
