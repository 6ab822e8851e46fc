//! `kill -9` and failing calls wherever a run changes something: what is wanted is always whole, every tag that is
//! shown is complete, and the same command does the rest.

use std::ffi::OsStr;

use super::site::{Site, expect_no_empty_folders};
use crate::support::bundle::bundle;
use crate::support::complete::{Form, tags};
use crate::support::forge::storage;
use crate::support::strace::{self, Call};
use crate::support::sweep::{spread, sweep};
use crate::support::testdata::copy_tree;
use crate::support::tree::{files, stamps};
use crate::support::verification::verify;

/// Hands over the arguments of the command.
fn with_arguments<T>(site: &Site, run: impl FnOnce(&[&OsStr]) -> T) -> T {
    let [docker, list] = [site.docker(), site.path().join("list")];
    let options = ["prune", "-q", "-j", "1", "--format", "json", "--images"].map(OsStr::new);
    run(&[&options[..], &[list.as_os_str(), docker.as_os_str()]].concat())
}

/// The site as it is before a run, in a place of this name.
fn place(site: &Site, name: &str) -> Site {
    let copy = Site::at(&site.path().join(name), &site.wanted, &site.others);
    copy_tree(&site.docker(), &copy.docker());
    copy.list();
    copy
}

/// What has to hold at any moment; returns how many tags are shown.
fn check(site: &Site) -> Result<usize, String> {
    site.expect_wanted()?;
    let shown = tags(Form::Storage, &site.docker())?;
    let verified = verify(&[], &[&site.docker()]);
    if verified.code != 0 {
        return Err(format!("verify: {}{:#}", verified.said, verified.report["findings"]));
    }
    Ok(shown.len())
}

/// Another run, undisturbed, does the rest.
fn finish(site: &Site) -> Result<(), String> {
    let output =
        with_arguments(site, |arguments| bundle().args(arguments).timeout(strace::HANGS).output().unwrap());
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() != Some(0) || !said.is_empty() {
        return Err(format!("run again: {}: {said}", output.status));
    }
    if files(&site.root()) != storage(&site.wanted) {
        return Err("run again: it is another tree".to_owned());
    }
    expect_no_empty_folders(&site.root());
    Ok(())
}

/// The calls of an undisturbed run: those that change something, and the others.
fn calls(site: &Site) -> (Vec<Call>, Vec<Call>) {
    let whole = place(site, "whole");
    let (calls, _) = with_arguments(&whole, strace::calls);
    whole.expect_only(&site.wanted);
    let changes = |call: &Call| {
        !call.is_refused()
            && ["rename", "unlink", "rmdir", "mkdir", "sync"].iter().any(|it| call.name.contains(it))
    };
    calls.into_iter().partition(changes)
}

#[test]
fn storage_is_sound_wherever_a_run_is_killed() {
    let site = Site::plain();
    let (changing, others) = calls(&site);
    assert!(changing.len() > 250, "{} calls", changing.len());
    let mut points = [spread(&others, 15), spread(&changing, 240)].concat();
    let last = changing.last().unwrap();
    points.push(Call { number: last.number + 1000, ..last.clone() });
    let shown = sweep(
        &points,
        |call| format!("killed before {} {}, {}", call.name, call.number, call.text),
        |name, number, call| {
            let site = place(&site, name);
            let is_killed = with_arguments(&site, |line| strace::kill(&call.name, call.number, line));
            if is_killed == (number == points.len() - 1) {
                return Err(format!("killed: {is_killed}"));
            }
            let shown = check(&site)?;
            finish(&site)?;
            Ok(shown)
        },
    );
    let [most, least] = [shown.iter().max().unwrap(), shown.iter().min().unwrap()];
    let between = shown.iter().filter(|count| *count != most && *count != least).count();
    println!(
        "prune: {} kill points, all sound; {between} show some of the {most} tags, at last {least}",
        shown.len()
    );
    assert!(between > 5, "{shown:?}");
}

#[test]
fn storage_is_sound_whatever_call_fails() {
    let site = Site::plain();
    let (changing, others) = calls(&site);
    let reading = {
        let place = place(&site, "whole");
        with_arguments(&place, |line| strace::calls_of("getdents64,statx,read", line))
    };
    let points = [spread(&others, 40), spread(&changing, 60), spread(&reading, 150)].concat();
    let ends = sweep(
        &points,
        |call| format!("{} {} fails, {}", call.name, call.number, call.text),
        |name, _, call| {
            let site = place(&site, name);
            let before = stamps(&site.docker());
            let output = with_arguments(&site, |line| strace::fail(call, "EIO", line));
            let code = output.status.code();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if said.contains("panicked") {
                return Err(said);
            }
            check(&site)?;
            let is_untouched = stamps(&site.docker()) == before;
            finish(&site)?;
            Ok((code, is_untouched))
        },
    );
    let failed = ends.iter().filter(|(code, _)| *code != Some(0)).count();
    let untouched = ends.iter().filter(|(_, is_untouched)| *is_untouched).count();
    println!(
        "prune: {} failing calls, {failed} failed runs, {untouched} before a change, all sound",
        ends.len()
    );
    assert!(failed > 100 && untouched > 80, "{failed} failed, {untouched} untouched");
}
