//! Packages that pass by on standard input: what is no package, what never ends, and what is not there at all.

use std::fs;
use std::process::{Command, Stdio};

use super::writer::{BLOCK, Package, members, packed};
use super::{Sites, begins_as_packages_do, fault_of, receive_in_vain};
use crate::hostile::{Said, run};
use crate::support::bundle::{Ended, bundle};
use crate::support::program::program;
use crate::support::testdata::testdata;
use crate::support::tree::stamps;

/// Applies what a shell command writes, over a pipe; it has to be refused, by this kind and with these words.
fn refuse_from(sites: &Sites, script: &str, kind: &str, found: &str) {
    let before = stamps(&sites.site());
    let mut shell = Command::new(program("sh"));
    // Whoever writes on when nobody reads any more gets to know that; the exit code is that of `bundle`.
    shell.args(["-c", &format!("{script} | \"$0\" apply -q --format json - \"$1\"")]);
    shell.arg(env!("CARGO_BIN_EXE_bundle")).arg(sites.site()).env("PACKAGES", sites.packages());
    let output =
        assert_cmd::Command::from_std(shell).timeout(crate::support::strace::HANGS).output().unwrap();
    let Ended { code, summary, said } = Ended::of(&output);
    // What the writer says of the end of its pipe is not ours.
    let said = said.lines().filter(|line| !line.contains("roken pipe") && !line.contains("write error"));
    let stderr: String = said.map(|line| format!("{line}\n")).collect();
    let fault = fault_of(&Said { code, stdout: summary.to_string(), stderr }, "standard input".as_ref());
    fault.expect(kind, "standard input".as_ref(), found);
    super::expect_unchanged(&before, &stamps(&sites.site()), &fault);
}

#[test]
fn what_is_no_package_is_not_received() {
    const NONE: &str = "no bundle.json at its beginning";
    const CUT: &str = "its end, before its bill of materials was complete";
    let sites = Sites::new();
    sites.package(packed(&[]));
    let refuse = |script: &str, found: &str| refuse_from(&sites, script, "damaged-package", found);
    refuse("true", CUT);
    refuse("head -c 511 \"$PACKAGES/release.tar\"", CUT);
    refuse("echo Not Found", CUT);
    refuse("gzip -c \"$PACKAGES/release.tar\"", "");
    refuse("head -c 10240 /dev/zero", NONE);
    refuse("tail -c +513 \"$PACKAGES/release.tar\"", "");
    // None of these ends.
    refuse("cat /dev/zero", NONE);
    refuse("cat /dev/urandom", "");
    refuse("yes", "");
}

#[test]
fn what_never_ends_is_refused_where_a_package_would_end() {
    let sites = Sites::new();
    let tar = packed(&[]);
    sites.package(&tar);
    let end = format!("more, behind its end at byte {}", tar.len());
    refuse_from(&sites, "cat \"$PACKAGES/release.tar\" /dev/zero", "damaged-package", &end);
    refuse_from(&sites, "cat \"$PACKAGES/release.tar\" \"$PACKAGES/release.tar\"", "damaged-package", &end);
    // Content that goes on and on is not what its digest says, once there is as much of it as there has to be.
    let content = members(&tar).iter().find(|member| member.size > 100_000).unwrap().at + BLOCK;
    let script = format!("head -c {content} \"$PACKAGES/release.tar\" | cat - /dev/zero");
    refuse_from(&sites, &script, "corrupt-blob", "sha256:");
}

#[test]
fn what_cannot_be_read_is_told() {
    let sites = Sites::new();
    let closed = "exec \"$0\" apply - \"$1\" <&-";
    for (what, script) in [("a folder", "exec \"$0\" apply - \"$1\" < /"), ("nothing", closed)] {
        let before = stamps(&sites.site());
        let mut shell = Command::new(program("sh"));
        shell.args(["-c", script]).arg(env!("CARGO_BIN_EXE_bundle")).arg(sites.site());
        let ended = Ended::of(&shell.stdin(Stdio::null()).output().unwrap());
        assert!(matches!(ended.code, 3 | 4), "{what}: {}", ended.said);
        ended.expect_said(&["error: ", "standard input"]);
        assert_eq!(before, stamps(&sites.site()), "{what}");
    }
}

#[test]
fn volumes_do_not_pass_by() {
    let sites = Sites::new();
    let index = sites.packages().join("release.tar");
    let mut command = bundle();
    command.args(["pack", "-q", "--split", "150kB"]).arg(testdata().join("images")).arg(&index);
    command.assert().success();
    refuse_from(&sites, "cat \"$PACKAGES/release.tar\"", "damaged-package", "");
    refuse_from(&sites, "cat \"$PACKAGES/release.tar.002\"", "damaged-package", "");
    refuse_from(&sites, "cat \"$PACKAGES/release.tar.001\"", "damaged-package", "its end, at byte 150000");
    let swapped = "cat \"$PACKAGES\"/release.tar.001 \"$PACKAGES\"/release.tar.003";
    refuse_from(&sites, swapped, "corrupt-blob", "sha256:");
    // One behind the other, they are the package.
    let site = sites.packages().join("site");
    let whole = sites.packages().join("whole.tar");
    let volumes = (1..=4).map(|number| sites.packages().join(format!("release.tar.{number:03}")));
    fs::write(&whole, volumes.flat_map(|volume| fs::read(volume).unwrap()).collect::<Vec<_>>()).unwrap();
    bundle().args(["apply", "-q", "-"]).arg(&site).pipe_stdin(&whole).unwrap().assert().success();
    assert_eq!(run(["verify".as_ref(), site.as_os_str()]).code, 0);
}

#[test]
fn content_that_is_only_claimed_is_not_waited_for() {
    let sites = Sites::new();
    let mut package = Package::small();
    let layer = package.bill.manifests[0].layers[0].clone();
    package.carried(&layer).size = (1_u64 << 60).into();
    let path = sites.package(package.settled());
    assert!(begins_as_packages_do(&path));
    // A disk that long there is not: that is told before more is read, or anything is written.
    let before = stamps(&sites.site());
    assert_eq!(receive_in_vain(&path, &sites.site()), None);
    assert_eq!(before, stamps(&sites.site()));
}
