//! Packages in volumes: the volume that is missing or damaged is named, and an index cannot name anything else.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, SFlag, mknod};
use serde_json::{Value, json};

use super::{Sites, refuse_to_verify, run};
use crate::support::bundle::bundle;
use crate::support::sha256;
use crate::support::testdata::testdata;

/// Packs the release into volumes of equal length, but for the last; returns the index and its volumes.
fn split(sites: &Sites) -> (PathBuf, Vec<PathBuf>) {
    let index = sites.packages().join("release.tar");
    let mut command = bundle();
    command.args(["pack", "-q", "--split", "150kB"]).arg(testdata().join("images")).arg(&index);
    command.assert().success();
    let volumes = (1..=4).map(|number| sites.packages().join(format!("release.tar.{number:03}"))).collect();
    (index, volumes)
}

fn read(index: &Path) -> Value {
    serde_json::from_slice(&fs::read(index).unwrap()).unwrap()
}

/// The names of files that a refusal may not be about.
fn expect_named(sites: &Sites, index: &Path, kinds: &[&str], volume: &Path) {
    let refusal = sites.refuse(index);
    for fault in [&refusal.apply, &refusal.verify] {
        assert!(kinds.contains(&fault.kind.as_str()), "{fault:?}");
        assert_eq!(fault.file, volume, "{fault:?}");
    }
}

#[test]
fn a_volume_that_is_missing_or_cut_off_is_named() {
    let sites = Sites::new();
    let (index, volumes) = split(&sites);
    assert_eq!(volumes.iter().filter(|volume| volume.exists()).count(), 4);
    for volume in &volumes {
        let bytes = fs::read(volume).unwrap();
        fs::remove_file(volume).unwrap();
        expect_named(&sites, &index, &["missing-volume"], volume);
        let more = [&bytes[..], b"\0"].concat();
        for wrong in [&bytes[..0], &bytes[..bytes.len() / 2], &bytes[..bytes.len() - 1], &more] {
            fs::write(volume, wrong).unwrap();
            expect_named(&sites, &index, &["damaged-volume"], volume);
        }
        fs::write(volume, bytes).unwrap();
    }
    assert_eq!(run(["verify".as_ref(), "-q".as_ref(), index.as_os_str()]).code, 0);
}

#[test]
fn a_volume_with_a_flipped_bit_is_named() {
    const EACH: usize = 12;
    let sites = Sites::new();
    let (index, volumes) = split(&sites);
    let mut count = 0;
    for volume in &volumes {
        let bytes = fs::read(volume).unwrap();
        let offsets = (0..EACH).map(|number| number * bytes.len() / EACH).chain([bytes.len() - 1]);
        for offset in offsets {
            let mut bytes = bytes.clone();
            bytes[offset] ^= 1;
            fs::write(volume, bytes).unwrap();
            // Content may begin in a volume before this one: it is this one that has to be copied again.
            expect_named(&sites, &index, &["damaged-volume", "corrupt-blob"], volume);
            count += 1;
        }
        fs::write(volume, bytes).unwrap();
    }
    println!("volumes with a flipped bit: {count}, all refused and named");
    assert_eq!(count, 4 * (EACH + 1));
}

#[test]
fn volumes_in_each_others_place_are_named() {
    let sites = Sites::new();
    let (index, volumes) = split(&sites);
    for (one, other) in [(0, 1), (1, 2), (0, 2), (2, 3)] {
        let aside = sites.packages().join("aside");
        let swap = || {
            fs::rename(&volumes[one], &aside).unwrap();
            fs::rename(&volumes[other], &volumes[one]).unwrap();
            fs::rename(&aside, &volumes[other]).unwrap();
        };
        swap();
        let refusal = sites.refuse(&index);
        assert!([&volumes[one], &volumes[other]].contains(&&refusal.apply.file), "{refusal:?}");
        refusal.expect("damaged-volume", &refusal.apply.file, "");
        swap();
    }
    assert_eq!(run(["verify".as_ref(), "-q".as_ref(), index.as_os_str()]).code, 0);
}

/// Rewrites the index; the volumes stay as they are.
fn with_index(index: &Path, edit: impl FnOnce(&mut Value)) {
    let mut document = read(index);
    edit(&mut document);
    // In the order that the fields have to have.
    let volumes = document["volumes"].as_array().unwrap();
    let volumes: Vec<_> = volumes.iter().map(ToString::to_string).collect();
    let text = format!(r#"{{"schema": {}, "volumes": [{}]}}"#, document["schema"], volumes.join(", "));
    fs::write(index, text).unwrap();
}

#[test]
fn an_index_names_volumes_beside_it_and_nothing_else() {
    let sites = Sites::new();
    let (index, volumes) = split(&sites);
    let whole = fs::read(&index).unwrap();
    // The same volume, where no index may send anybody.
    let elsewhere = sites.packages().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    fs::copy(&volumes[1], elsewhere.join("release.tar.002")).unwrap();
    let absolute = elsewhere.join("release.tar.002");
    let long = "x".repeat(10_000);
    for name in [
        "elsewhere/release.tar.002",
        "./release.tar.002",
        "../packages/release.tar.002",
        "release.tar.002/",
        "release.tar.002/.",
        absolute.to_str().unwrap(),
        ".",
        "..",
        "/",
        "",
        "release.tar.002\0",
        "\u{1b}[2J",
        &long,
    ] {
        with_index(&index, |document| document["volumes"][1]["file"] = name.into());
        let fault = sites.refuse_to_apply(&index);
        let is_of_index = fault.file == index && fault.kind == "damaged-package";
        // Or there is no such file beside the index.
        let is_missing = fault.kind.ends_with("-volume") && fault.file == index.with_file_name(name);
        assert!(is_of_index || (is_missing && !name.contains('/')), "{name:?}: {fault:?}");
        assert_ne!(run(["verify".as_ref(), index.as_os_str()]).code, 0, "{name:?}");
        fs::write(&index, &whole).unwrap();
    }
}

/// What is wrong with an index, and how it gets so.
type Lie<'l> = (&'l str, &'l dyn Fn(&mut Value));

#[test]
fn an_index_that_lies_is_refused() {
    let sites = Sites::new();
    let (index, volumes) = split(&sites);
    let whole = fs::read(&index).unwrap();
    let some = sha256(b"something else");
    let edits: [Lie; 12] = [
        ("no volumes", &|document| document["volumes"] = json!([])),
        ("a volume less", &|document| drop(document["volumes"].as_array_mut().unwrap().pop())),
        ("the first volume less", &|document| drop(document["volumes"].as_array_mut().unwrap().remove(0))),
        ("a volume twice", &|document| {
            let first = document["volumes"][0].clone();
            document["volumes"].as_array_mut().unwrap().insert(0, first);
        }),
        ("a volume twice at the end", &|document| {
            let last = document["volumes"][3].clone();
            document["volumes"].as_array_mut().unwrap().push(last);
        }),
        ("one volume for another", &|document| document["volumes"][1] = document["volumes"][2].clone()),
        ("another order", &|document| document["volumes"].as_array_mut().unwrap().swap(1, 2)),
        ("the index as a volume", &|document| document["volumes"][1]["file"] = "release.tar".into()),
        ("another size", &|document| document["volumes"][1]["size"] = 149_999.into()),
        ("a huge size", &|document| document["volumes"][1]["size"] = u64::MAX.into()),
        ("no size", &|document| document["volumes"][1]["size"] = 0.into()),
        ("volumes without number", &|document| {
            let one = json!({ "file": "a", "size": 1, "digest": some });
            document["volumes"] = vec![one; 30_000].into();
        }),
    ];
    let count = edits.len();
    let mut accepted = Vec::new();
    for (what, edit) in edits {
        with_index(&index, edit);
        let arguments = ["apply", "-q"].map(AsRef::as_ref);
        let out = sites.packages().join("site");
        let said = run(arguments.into_iter().chain([index.as_os_str(), out.as_os_str()]));
        let verified = run(["verify".as_ref(), "-q".as_ref(), index.as_os_str()]);
        if (said.code, verified.code) == (4, 4) && !out.exists() {
            let refusal = sites.refuse(&index);
            let is_named = |file: &PathBuf| file.starts_with(sites.packages());
            assert!(is_named(&refusal.apply.file) && is_named(&refusal.verify.file), "{what}: {refusal:?}");
        } else {
            accepted.push(format!("{what}: apply {}, verify {}", said.code, verified.code));
            let _ = fs::remove_dir_all(out);
        }
        fs::write(&index, &whole).unwrap();
    }
    // The content of such volumes is sound, so it may be applied; an acceptance protocol has to tell.
    with_index(&index, |document| document["volumes"][1]["digest"] = some.as_str().into());
    refuse_to_verify(&index).expect("damaged-volume", &volumes[1], "sha256:");
    println!("indexes that lie: {count}");
    assert!(accepted.is_empty(), "accepted:\n{}", accepted.join("\n"));
    assert!(volumes.iter().all(|volume| volume.exists()));
}

#[test]
fn an_index_that_is_none_is_refused() {
    let sites = Sites::new();
    let (index, _) = split(&sites);
    let text = fs::read_to_string(&index).unwrap();
    let long = format!("{}{}", text, " ".repeat(5 << 20));
    for wrong in [
        text.replace("bundle.volumes/1", "bundle.volumes/2"),
        text.replace("\"volumes\"", "\"files\""),
        text.replace("\"size\": 150000", "\"size\": -1"),
        text.replace("\"size\": 150000", "\"size\": 150000, \"more\": 1"),
        text.replace("sha256:", "sha256:../../"),
        text.replace("sha256:", "md5:"),
        text.replacen('}', "", 1),
        text[..text.len() / 2].to_owned(),
        "[".repeat(100_000),
        format!("{}{}", r#"{"schema":"#.repeat(10_000), "}".repeat(10_000)),
        long,
    ] {
        fs::write(&index, &wrong).unwrap();
        sites.refuse_to_apply(&index).expect("damaged-package", &index, "");
        assert_ne!(run(["verify".as_ref(), index.as_os_str()]).code, 0);
    }
}

#[test]
fn nobody_waits_for_a_volume_that_is_no_file() {
    let sites = Sites::new();
    let (index, volumes) = split(&sites);
    let aside = sites.packages().join("aside");
    let make = |kind| mknod(&volumes[1], kind, Mode::from_bits_truncate(0o644), 0).unwrap();
    for what in ["a pipe", "a socket", "a folder", "a link", "a device"] {
        fs::rename(&volumes[1], &aside).unwrap();
        match what {
            "a pipe" => make(SFlag::S_IFIFO),
            "a socket" => make(SFlag::S_IFSOCK),
            "a folder" => fs::create_dir(&volumes[1]).unwrap(),
            "a link" => symlink(&aside, &volumes[1]).unwrap(),
            _ => symlink("/dev/zero", &volumes[1]).unwrap(),
        }
        let refusal = sites.refuse(&index);
        for fault in [refusal.apply, refusal.verify] {
            let is_named = fault.file == volumes[1] || fault.found.contains("release.tar.002");
            assert!(is_named, "{what}: {fault:?}");
        }
        fs::remove_file(&volumes[1]).or_else(|_| fs::remove_dir(&volumes[1])).unwrap();
        fs::rename(&aside, &volumes[1]).unwrap();
    }
    // A hole as long as all disks.
    let bytes = fs::read(&volumes[1]).unwrap();
    File::options().write(true).open(&volumes[1]).unwrap().set_len(1 << 40).unwrap();
    // Hashing it would take a day; that its length is wrong is plain to see.
    sites.refuse(&index).expect("damaged-volume", &volumes[1], "");
    fs::write(&volumes[1], bytes).unwrap();
}
