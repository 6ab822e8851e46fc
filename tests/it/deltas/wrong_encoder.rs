//! A program whose encoders write one byte wrong: what it packs is right all the same, and what it is to restore it
//! refuses.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::images::{File, archive, program};
use crate::packages::releases::{Release, Vendor};
use crate::packages::site::Site;
use crate::support::bundle::Ended;
use crate::support::compressor::Compressor;
use crate::support::forge::{self, Blob, artifact};
use crate::support::strace::HANGS;
use crate::support::tree::{assert_same, stamps};

/// The program under test once more, built with encoders that are wrong.
fn wrong() -> assert_cmd::Command {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap().join("wrong-encoder");
        let cargo = env::var_os("CARGO").unwrap_or_else(|| OsString::from(env!("CARGO")));
        let mut command = Command::new(cargo);
        command.current_dir(env!("CARGO_MANIFEST_DIR")).arg("build").args(["--bin", "bundle"]);
        command.args(["--locked", "--offline", "--quiet", "--features", "wrong-encoder", "--target-dir"]);
        let output = command.arg(&target).output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        target.join("debug/bundle")
    });
    assert_cmd::Command::new(built)
}

/// Three releases of an image with a layer of each kind: two that are compressed by different programs, one that is
/// so long that its encoder is known by its beginning alone, and one that is not compressed.
fn releases() -> &'static [Release; 3] {
    static RELEASES: OnceLock<[Release; 3]> = OnceLock::new();
    RELEASES.get_or_init(|| {
        [1, 2, 3].map(|version| {
            let compressors =
                [Compressor::Gzip(6), Compressor::Zlib(6), Compressor::Gzip(1), Compressor::None];
            let layers = compressors.into_iter().zip(0..).map(|(compressor, number)| {
                let mut tool = program(number * 90_000, if number == 2 { 2_800_000 } else { 60_000 });
                tool[30_000 + 100 * version] ^= 0x77;
                let tar = archive(&[File::new(&format!("usr/bin/tool-{number}"), tool)]);
                Blob::new(compressor.media_type(), compressor.compress(&tar))
            });
            let layers: Vec<_> = layers.collect();
            Release::of([("app:1", artifact(&forge::oci(&format!("app {version}")).blobs[0], &layers))])
        })
    })
}

fn json_of(mut command: assert_cmd::Command) -> Ended {
    command.args(["-q", "--format", "json"]);
    Ended::of(&command.timeout(HANGS).output().unwrap())
}

#[test]
fn what_a_wrong_encoder_packs_is_right() {
    let vendor = Vendor::of(releases(), &["--delta"]);
    let package = vendor.path("2.tar");
    let mut command = wrong();
    command.args(["pack", "--delta", "--base"]).arg(vendor.tree(1)).arg(vendor.tree(2)).arg(&package);
    let report = json_of(command).expect(0).summary;
    let whole = json!({ "unknown-encoder": 2, "not-exact": 1 });
    assert_eq!(report["layers"], json!({ "layers": 4, "deltas": 1, "whole": whole }));
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.apply(&[], &package, vendor.release(2));
    site.check();
    // The right one makes deltas of all of them.
    let report = vendor.pack_tree(&[], &[&vendor.tree(1)], &vendor.tree(2), &package);
    assert_eq!(report["layers"], json!({ "layers": 4, "deltas": 4, "whole": {} }));
}

#[test]
fn what_a_wrong_encoder_restores_is_refused() {
    let vendor = Vendor::of(releases(), &["--delta"]);
    let package = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    let mut site = Site::new();
    site.convert(vendor.release(1));
    let unstirred = |site: &Site| {
        let mut stamps = stamps(&site.docker());
        // What is made aside lies in a folder there.
        stamps.remove("registry/v2/");
        stamps
    };
    let before = unstirred(&site);
    for passes_by in [false, true] {
        let mut command = wrong();
        command.arg("apply");
        match passes_by {
            true => command.arg("-").pipe_stdin(&package).unwrap(),
            false => command.arg(&package),
        };
        command.arg(site.docker());
        let ended = json_of(command).expect(4);
        let findings = ended.summary["findings"].as_array().unwrap();
        assert_eq!((findings.len(), &ended.summary["stopped"]), (3, &Value::Bool(true)), "{}", ended.said);
        for finding in findings {
            assert_eq!(
                (&finding["kind"], &finding["images"]),
                (&json!("damaged-package"), &json!(["app:1"]))
            );
            assert_eq!(finding["found"], "a delta that restores something else");
        }
        assert_same("stamps", &before, &unstirred(&site));
        site.assert_files();
    }
    site.check();
    // The right one brings it, and then there is nothing left to restore.
    site.apply(&[], &package, vendor.release(2));
    let mut command = wrong();
    command.arg("apply").arg(&package).arg(site.docker());
    assert_eq!(json_of(command).expect(0).summary.get("restored"), None::<&Value>);
    assert!(fs::exists(&package).unwrap());
}
