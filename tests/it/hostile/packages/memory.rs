//! What a package claims takes no memory, and what it has takes no more than there is of it.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::Sites;
use super::writer::{BLOCK, Carried, Edges, Image, Package, file, head, header, members, seal, sums};
use crate::support::sha256;

/// The most memory that a command may have for its data.
const MOST: u64 = 200 << 20;

/// The program, which will have no more memory than this.
pub(crate) fn with_little_memory() -> Command {
    with_memory(MOST)
}

/// The program, which will have no more memory for its data than so many bytes.
pub(crate) fn with_memory(most: u64) -> Command {
    let limited = format!("ulimit -d {} && exec \"$0\" \"$@\"", most >> 10);
    let mut shell = Command::new("sh");
    shell.args(["-c", &limited]).arg(env!("CARGO_BIN_EXE_bundle"));
    shell
}

/// Runs the program with so little memory; it has to refuse a package for this kind of finding.
fn refuse_in_little_memory(sites: &Sites, package: &Path, kind: &str) {
    let absent = sites.packages().join("absent");
    for (command, site) in [("apply", Some(&absent)), ("verify", None)] {
        let mut shell = with_little_memory();
        shell.args([command, "-q", "--format", "json"].map(OsStr::new)).arg(package).args(site);
        let output = assert_cmd::Command::from_std(shell).timeout(Duration::from_secs(120)).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(4), "{command}: {}: {said}", output.status);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["findings"][0]["kind"], kind, "{report:#}");
        assert!(!absent.exists());
    }
}

#[test]
fn a_bill_of_seventy_mebibytes_is_too_long() {
    let sites = Sites::new();
    let json = String::from_utf8(Package::small().json()).unwrap();
    let json = json.replacen("bundle 0", &"x".repeat(70 << 20), 1);
    let path = sites.package(head(json.as_bytes()));
    refuse_in_little_memory(&sites, &path, "damaged-package");
    let folder = sites.packages().join("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("bundle.json"), &json).unwrap();
    fs::write(folder.join("bundle.json.sha256"), sums(json.as_bytes())).unwrap();
    let fault = sites.refuse_to_apply(&folder);
    fault.expect("damaged-package", &folder.join("bundle.json"), "too long");
}

#[test]
fn lengths_that_are_only_claimed_take_no_memory() {
    let sites = Sites::new();
    let honest = Package::small().settled();
    for (member, sizes) in [
        (0, [60 << 20, 64 << 20, 0o77_777_777_777, 1 << 40, u64::MAX - 511, u64::MAX]),
        (1, [60 << 20, 64 << 20, 0o77_777_777_777, 1 << 40, u64::MAX - 511, u64::MAX]),
    ] {
        for size in sizes {
            let mut tar = honest.clone();
            let found = &members(&honest)[member];
            let longer = header(&found.name, b'0', size);
            tar[found.at..found.at + BLOCK].copy_from_slice(&longer);
            seal(&mut tar[found.at..found.at + BLOCK]);
            let path = sites.package(&tar);
            refuse_in_little_memory(&sites, &path, "damaged-package");
            // With a hole that is as long as was said.
            if size < 1 << 40 {
                File::options().write(true).open(&path).unwrap().set_len(size + (1 << 20)).unwrap();
                refuse_in_little_memory(&sites, &path, "damaged-package");
            }
        }
    }
}

/// A package with this bill, its totals right; behind it lies nothing.
fn claim(mut package: Package) -> Vec<u8> {
    package.bill.totals = package.bill.counted();
    let json = package.json();
    assert!(json.len() < 2 << 20, "{} bytes", json.len());
    [head(&json), file("more", b"")].concat()
}

/// One image with so many layers, under so many names.
fn many(layers: usize, names: impl Iterator<Item = String>) -> Package {
    let mut package = Package::small();
    let image = package.bill.images[0].clone();
    package.bill.images = names.map(|name| Image { name, ..image.clone() }).collect();
    let edges = package.bill.manifests[0].clone();
    let carried = |number: usize| Carried {
        digest: sha256(&number.to_be_bytes()),
        size: 1.into(),
        offset: Some(0.into()),
    };
    let more: Vec<_> = (0..layers).map(carried).collect();
    let needed = [edges.config.clone().unwrap(), edges.digest.clone()];
    package.bill.carries.retain(|carried| needed.contains(&carried.digest));
    package.bill.manifests =
        vec![Edges { layers: more.iter().map(|it| it.digest.clone()).collect(), ..edges }];
    package.bill.carries.extend(more);
    package.bill.carries.sort_by(|a, b| a.digest.cmp(&b.digest));
    package
}

#[test]
fn a_short_bill_cannot_claim_links_without_number() {
    const MANY: usize = 1_500;
    let sites = Sites::new();
    // Each of many repositories may serve each of many layers: few bytes here, millions of links there.
    let repositories = many(MANY, (0..MANY).map(|number| format!("repository{number}:1")));
    // The same image under many tags: few links, and as many ways to them.
    let tags = many(MANY, (0..MANY).map(|number| format!("repository:{number}")));
    for package in [repositories, tags] {
        let path = sites.package(claim(package));
        refuse_in_little_memory(&sites, &path, "damaged-package");
    }
}

#[test]
fn the_limit_is_one() {
    let limited = format!("ulimit -d {} && exec \"$0\" \"$@\"", MOST >> 10);
    let mut shell = Command::new("sh");
    shell.args(["-c", &limited, "sh", "-c"]).arg("x=$(head -c 400000000 /dev/zero | tr '\\0' x); echo ${#x}");
    let output = shell.stderr(Stdio::null()).output().unwrap();
    assert!(!output.stdout.starts_with(b"400000000"), "memory is not limited here");
}
