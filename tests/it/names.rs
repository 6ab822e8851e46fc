//! Names: what becomes of hosts, of folders without a tag, and of two images that would get one name.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::bundle::{bundle, convert};
use crate::support::testdata::{copied_release, copy_tree, flip_bit, testdata};
use crate::support::tree::files;
use crate::support::{scratch, sha256};

/// A tree with these folders, each a copy of one of the committed images.
fn tree(images: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
    let folder = scratch();
    let root = folder.path().join("images");
    for (name, image) in images {
        copy_tree(&testdata().join("images").join(image), &root.join(name));
    }
    (folder, root)
}

fn run(options: &[&str], images: &Path, storage: &Path) -> (i32, Value) {
    let mut command = bundle();
    command.args(["to-registry", "-q", "--format", "json"]).args(options).arg(images).arg(storage);
    let output = command.output().unwrap();
    (output.status.code().unwrap(), serde_json::from_slice(&output.stdout).unwrap())
}

fn images(summary: &Value) -> Vec<&str> {
    summary["changes"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn a_host_is_left_out_or_kept_where_it_fits() {
    let (folder, root) = tree(&[
        ("docker.io/library/zone:1", "zone-base:1.0"),
        ("localhost:5000/team/web:1", "platform/web:1.8.0"),
        ("plain/api:1", "platform/api:2.3.0"),
    ]);
    let (code, summary) = run(&[], &root, &folder.path().join("stripped"));
    assert_eq!((code, images(&summary)), (0, vec!["library/zone:1", "plain/api:1", "team/web:1"]));

    let (code, summary) = run(&["--host", "keep"], &root, &folder.path().join("kept"));
    assert_eq!((code, images(&summary)), (0, vec!["docker.io/library/zone:1", "plain/api:1", "team/web:1"]));
    assert_eq!(summary["findings"][0]["kind"], "host-dropped");
    assert_eq!(summary["findings"][0]["images"], serde_json::json!(["localhost:5000/team/web:1"]));

    // Between trees of folders every host can stay.
    let kept = convert("to-dir", &["--host", "keep"], &root, &folder.path().join("dir"));
    assert_eq!(kept["findings"], serde_json::json!([]));
    assert_eq!(files(&root), files(&folder.path().join("dir")));
    convert("to-dir", &[], &folder.path().join("kept"), &folder.path().join("back"));
    assert!(folder.path().join("back/docker.io/library/zone:1/version").is_file());
}

#[test]
fn two_images_under_one_name_are_refused_by_name() {
    let (folder, root) = tree(&[
        ("docker.io/team/app:1", "platform/api:2.3.0"),
        ("quay.io/team/app:1", "platform/api:2.3.1"),
        ("quay.io/team/web:1", "platform/web:1.8.0"),
    ]);
    let storage = folder.path().join("docker");
    let (code, summary) = run(&[], &root, &storage);
    assert_eq!((code, storage.exists()), (4, false));
    let finding = &summary["findings"][0];
    assert_eq!(
        (&finding["kind"], &finding["images"]),
        (&"name-conflict".into(), &serde_json::json!(["team/app:1"]))
    );
    for place in ["docker.io/team/app:1", "quay.io/team/app:1"] {
        assert!(finding.to_string().contains(place), "{finding}");
    }
    let (code, summary) = run(&["--keep-going"], &root, &storage);
    assert_eq!((code, images(&summary)), (4, vec!["team/web:1"]));
    let (code, summary) = run(&["--host", "keep"], &root, &folder.path().join("kept"));
    assert_eq!((code, images(&summary).len()), (0, 3));

    let (folder, root) =
        tree(&[("docker.io/team/app:1", "platform/api:2.3.0"), ("quay.io/team/app:1", "platform/api:2.3.0")]);
    let (code, summary) = run(&[], &root, &folder.path().join("docker"));
    assert_eq!((code, images(&summary)), (0, vec!["team/app:1"]));
}

#[test]
fn a_folder_without_a_tag_is_latest_and_one_named_by_digest_has_its_content_s() {
    let other = format!("team/clock@{}", sha256(b"the list that this was one platform of"));
    let (folder, root) = tree(&[("team/app", "platform/api:2.3.0"), (&other, "zone-base:1.0")]);
    let (code, summary) = run(&[], &root, &folder.path().join("docker"));
    let digest = sha256(&fs::read(testdata().join("images/zone-base:1.0/manifest.json")).unwrap());
    let actual = format!("team/clock@{digest}");
    assert_eq!((code, images(&summary)), (0, vec!["team/app:latest", actual.as_str()]));
    let kinds: Vec<_> = summary["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["other-digest", "no-tag"]);
    let named = files(&folder.path().join("docker")).into_keys().any(|path| path.contains(&other[18..]));
    assert!(!named, "something is named after a digest that nothing has");
}

#[test]
fn one_image_folder_is_a_tree_of_its_own() {
    let (folder, images_root) = copied_release();
    let (code, summary) = run(&[], &images_root.join("zone-base:1.0"), &folder.path().join("docker"));
    assert_eq!((code, images(&summary)), (0, vec!["zone-base:1.0"]));
}

#[test]
fn patterns_choose_images() {
    let (folder, root) = copied_release();
    let options = ["--include", "platform/*", "--include", "tools/clock:*", "--exclude", "*:2.3.1"];
    // What was not chosen is not looked at.
    let unwanted = root.join("platform/api:2.3.1");
    let hex = crate::support::testdata::layer(&unwanted, 2);
    flip_bit(&unwanted.join(hex));
    let (code, summary) = run(&options, &root, &folder.path().join("docker"));
    let chosen = ["platform/api:2.3.0", "platform/edge/proxy:0.9.2", "platform/web:1.8.0", "tools/clock:1.0"];
    assert_eq!((code, images(&summary)), (0, chosen.to_vec()));
    let mut command = bundle();
    let output = command.args(["stats", "--include", "nothing/*"]).arg(&root).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("nothing/*"));
}

#[test]
fn a_chosen_image_that_is_broken_is_told_whatever_becomes_of_its_host() {
    let (folder, root) =
        tree(&[("docker.io/team/app:1", "platform/api:2.3.0"), ("quay.io/team/web:1", "platform/web:1.8.0")]);
    fs::write(root.join("docker.io/team/app:1/manifest.json"), "{").unwrap();
    for (host, pattern, code) in [
        ("strip", "team/app:*", 4),
        ("strip", "team/none:*", 1),
        ("strip", "team/*", 4),
        ("keep", "*/team/*", 4),
        ("strip", "team/web:*", 0),
        ("keep", "quay.io/*", 0),
    ] {
        let mut command = bundle();
        command
            .args(["to-registry", "-n", "--host", host, "--include", pattern])
            .arg(&root)
            .arg(folder.path().join("out"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{host} {pattern}");
    }
}

#[test]
fn a_dry_run_says_what_would_change_and_writes_nothing() {
    let (folder, root) = copied_release();
    let storage = folder.path().join("docker");
    let (code, planned) = run(&["--dry-run"], &root, &storage);
    assert_eq!((code, storage.exists()), (0, false));
    assert_eq!(images(&planned).len(), 7);
    assert_eq!(planned["linked"]["files"], 0);
    let (_, done) = run(&[], &root, &storage);
    assert_eq!(planned["planned"]["blobs"], done["linked"]);
    assert_eq!(planned["planned"]["files"], done["written_files"]);

    fs::remove_dir_all(root.join("platform/web:1.8.0")).unwrap();
    copy_tree(&testdata().join("previous/platform/web:1.8.0"), &root.join("platform/web:1.8.0"));
    let (_, planned) = run(&["-n"], &root, &storage);
    assert_eq!(planned["changes"]["platform/web:1.8.0"], "moved");
    assert_eq!(planned["changes"]["platform/api:2.3.0"], "unchanged");
}

#[test]
fn a_moved_tag_keeps_its_history() {
    let (folder, root) = copied_release();
    let storage = folder.path().join("docker");
    let previous = testdata().join("previous");
    convert("to-registry", &[], &previous, &storage);
    let summary = convert("to-registry", &[], &root, &storage);
    assert_eq!(summary["changes"]["platform/web:1.8.0"], "moved");
    let index = storage.join("registry/v2/repositories/platform/web/_manifests/tags/1.8.0/index/sha256");
    assert_eq!(fs::read_dir(index).unwrap().count(), 2);
    // What only the earlier release had is still there.
    assert!(
        storage.join("registry/v2/repositories/tools/migrate/_manifests/tags/1.0/current/link").is_file()
    );
}

#[test]
fn storage_is_found_wherever_its_path_begins() {
    let (folder, root) = copied_release();
    let site = folder.path().join("site");
    convert("to-registry", &[], &root, &site.join("docker"));
    for (number, path) in ["", "docker", "docker/registry/v2"].iter().enumerate() {
        let back = folder.path().join(format!("back{number}"));
        let summary = convert("to-dir", &[], &site.join(path), &back);
        assert_eq!(summary["images"], 7);
        assert_eq!(files(&root), files(&back));
        // Storage that is there is added to, whatever part of its path is named.
        let again = convert("to-registry", &[], &root, &site.join(path));
        assert_eq!((&again["written_files"], &again["linked"]["files"]), (&0.into(), &0.into()));
    }
    assert!(!site.join("registry").exists());
}
