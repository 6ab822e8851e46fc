//! A package with deltas in all its forms, applied in all ways: the same storage comes of it.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::packages::releases::Vendor;
use crate::packages::site::Site;
use crate::support::bundle::{Ended, bundle};
use crate::support::package::volumes;
use crate::support::strace::HANGS;
use crate::support::tree::{assert_same_trees, files};
use crate::support::verification::verify;

use super::images::few;

/// Applies what lies in these files, one behind the other, out of a pipe.
fn pipe(options: &[&str], files: &[&Path], docker: &Path) -> Value {
    let tar: Vec<u8> = files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    let mut command = bundle();
    command.args(["apply", "-q", "--format", "json"]).args(options).arg("-").arg(docker);
    Ended::of(&command.write_stdin(tar).timeout(HANGS).output().unwrap()).expect(0).summary
}

#[test]
fn every_form_brings_the_same() {
    let vendor = Vendor::of(&few().releases, &["--delta"]);
    let [tar, split, folder] = vendor.forms(2, &[&vendor.tree(1)]);
    let parts = volumes(&split);
    assert!(parts.len() > 2, "{parts:?}");
    let parts: Vec<_> = parts.iter().map(|part| part.as_path()).collect();
    let deltas = files(&folder).into_keys().filter(|path| path.starts_with("deltas/")).count();
    assert_eq!(deltas, 3);
    let mut sites = Vec::new();
    let mut apply = |bring: &dyn Fn(&[&str], &mut Site) -> Value| {
        let mut site = Site::new();
        site.convert(vendor.release(1));
        let report = bring(&[], &mut site);
        assert_eq!(report["restored"]["files"], deltas, "{report:#}");
        sites.push(site);
    };
    for package in [&tar, &split, &folder] {
        apply(&|more, site| site.apply(more, package, vendor.release(2)));
        assert_eq!(verify(&[], &[package]).code, 0);
    }
    apply(&|_, site| site.apply(&["--verify-base", "-j", "1"], &tar, vendor.release(2)));
    apply(&|_, site| site.apply(&["--link", "copy"], &folder, vendor.release(2)));
    for files in [&[tar.as_path()][..], &parts] {
        apply(&|_, site| {
            let docker = site.docker();
            site.bring(vendor.release(2), &|more| pipe(more, files, &docker))
        });
    }
    let (first, others) = sites.split_first().unwrap();
    others.iter().for_each(|site| assert_same_trees(first.path(), site.path()));
    let pulls = first.check();
    println!("forms: {} sites alike, {deltas} layers restored at each, {pulls} pulls", sites.len());
    assert!(sites.len() == 7 && pulls >= 10);
}

/// Content that a package restores heals what is bad at the site, as content that it carries does.
#[test]
fn a_bad_file_at_the_site_is_restored() {
    let vendor = Vendor::of(&few().releases, &["--delta"]);
    let package = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.apply(&[], &package, vendor.release(2));
    let bill = crate::support::package::bill(&package);
    let mut healed = 0;
    for restored in bill["restores"].as_array().unwrap() {
        let hex = restored["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let data = site.docker().join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
        let good = fs::read(&data).unwrap();
        for bad in [&good[1..], &[&[good[0] ^ 1], &good[1..]].concat()] {
            fs::remove_file(&data).unwrap();
            fs::write(&data, bad).unwrap();
            let mut command = bundle();
            command.args(["apply", "-q", "--format", "json"]).arg(&package).arg(site.docker());
            let ended = Ended::of(&command.timeout(HANGS).output().unwrap()).expect(0);
            assert_eq!(ended.summary["restored"]["files"], 1, "{}", ended.said);
            assert!(fs::read(&data).unwrap() == good);
            healed += 1;
        }
    }
    site.check();
    println!("healed: {healed} blobs");
    assert_eq!(healed, 6);
}
