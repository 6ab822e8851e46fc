//! A layout that is there already: what others listed stays, a name moves in one step, and nobody is lost.

use std::path::Path;
use std::slice::from_ref;

use serde_json::{Value, json};

use super::Lying;
use crate::support::bundle::{bundle, convert, run};
use crate::support::forge::layout::{IMAGE_NAME, REF_NAME, described, layout};
use crate::support::forge::{self, Image, docker, oci};
use crate::support::tree::{assert_same, assert_same_files, files, stamps};
use crate::support::verification::verify;

/// Images as folders.
fn tree(lying: &Lying, name: &str, images: &[(&str, Image)]) -> std::path::PathBuf {
    let images: Vec<_> = images.iter().map(|(name, image)| ((*name).to_owned(), image.clone())).collect();
    forge::write(&forge::tree(&images), &lying.path(name));
    lying.path(name)
}

/// What others wrote, with much that nobody knows.
fn odd() -> (Lying, Vec<Value>) {
    let (app, other) = (oci("app"), oci("other"));
    let mut with_more = described(&app, json!({ REF_NAME: "team/app:1", "com.example.note": "ä \u{1f980}" }));
    with_more["urls"] = json!(["https://example.com"]);
    with_more["x-number"] = json!([1, -1, 0.5, 1e300, null, true]);
    let foreign = json!({ "mediaType": "application/xml", "digest": other.blobs[0].digest, "size": 3 });
    let entries = vec![
        with_more,
        described(&other, json!({ REF_NAME: "1.0" })),
        foreign,
        json!({ "unheard": "of" }),
        described(&other, json!({ IMAGE_NAME: "docker.io/team/other:1", REF_NAME: "1" })),
    ];
    let lying = Lying::of(entries.clone(), [&app, &other]);
    let mut index = lying.index();
    index["annotations"] = json!({ "of": "the index" });
    index["unheard of"] = json!({ "deep": [{}] });
    std::fs::write(lying.layout().join("index.json"), serde_json::to_string_pretty(&index).unwrap()).unwrap();
    (lying, entries)
}

#[test]
fn what_others_listed_stays() {
    let (lying, entries) = odd();
    let before = lying.index();
    let new = tree(&lying, "new", &[("team/new:1", docker("new")), ("a/first:1", oci("first"))]);
    let summary = convert("to-oci", &[], &new, &lying.layout());
    assert_eq!(summary["changes"], json!({ "team/new:1": "new", "a/first:1": "new" }));
    let mut after = lying.index();
    let listed = after["manifests"].as_array().unwrap();
    assert_eq!(listed[..entries.len()], entries);
    assert_eq!(listed.len(), entries.len() + 2);
    after["manifests"] = before["manifests"].clone();
    assert_eq!(after, before);

    let stamped = stamps(&lying.layout());
    let again = convert("to-oci", &[], &new, &lying.layout());
    assert_eq!(again["changes"], json!({ "team/new:1": "unchanged", "a/first:1": "unchanged" }));
    assert_eq!(again["written_files"], 0);
    assert_same("stamps", &stamped, &stamps(&lying.layout()));
}

#[test]
fn a_name_moves_and_what_it_stood_for_stays() {
    let (lying, entries) = odd();
    let new = tree(&lying, "new", &[("team/app:1", oci("changed"))]);
    let summary = convert("to-oci", &[], &new, &lying.layout());
    assert_eq!(summary["changes"], json!({ "team/app:1": "moved" }));
    let after = lying.index();
    let listed = after["manifests"].as_array().unwrap();
    assert_eq!(listed[0]["digest"], oci("changed").digest());
    assert_eq!(listed[1..], entries[1..]);
    let old = lying.layout().join("blobs").join(oci("app").digest().replace(':', "/"));
    assert_eq!(std::fs::read(old).unwrap(), oci("app").manifest);
}

#[test]
fn a_name_that_others_described_stays_as_they_did_it() {
    let (lying, entries) = odd();
    let before = stamps(&lying.layout());
    let same = tree(&lying, "same", &[("team/app:1", oci("app"))]);
    let summary = convert("to-oci", &[], &same, &lying.layout());
    assert_eq!(summary["changes"], json!({ "team/app:1": "unchanged" }));
    assert_eq!(lying.index()["manifests"], Value::Array(entries));
    assert_same("stamps", &before, &stamps(&lying.layout()));
}

#[test]
fn what_is_listed_by_its_tag_alone_is_not_listed_twice() {
    let (lying, entries) = odd();
    let new = tree(&lying, "new", &[("lay:1.0", oci("changed"))]);
    let summary = convert("to-oci", &[], &new, &lying.layout());
    assert_eq!(summary["changes"], json!({ "lay:1.0": "moved" }));
    let listed = lying.index()["manifests"].as_array().unwrap().clone();
    assert_eq!(listed.len(), entries.len());
    assert_eq!(listed[1]["digest"], oci("changed").digest());
}

#[test]
fn releases_one_after_the_other_are_one_layout_in_the_end() {
    let lying = Lying { folder: crate::support::scratch() };
    let [one, two] = [("team/app:1", oci("one")), ("team/app:2", docker("two"))];
    let (first, second) = (tree(&lying, "first", from_ref(&one)), tree(&lying, "second", from_ref(&two)));
    convert("to-oci", &[], &first, &lying.layout());
    convert("to-oci", &[], &second, &lying.layout());
    let both = [one, two].map(|(name, image)| (name.to_owned(), image));
    assert_same_files(&layout(&both), &files(&lying.layout()));
    assert_eq!(verify(&[], &[&lying.layout()]).code, 0);
}

#[test]
fn a_broken_image_costs_no_entry_of_another() {
    let (lying, entries) = odd();
    let broken = oci("broken").without(&oci("broken").blobs[1].digest);
    let new = tree(&lying, "new", &[("team/broken:1", broken), ("team/new:1", oci("new"))]);
    let ended = run(bundle(), "to-oci", &["--keep-going"], &new, &lying.layout()).expect(4);
    assert_eq!(ended.summary["changes"], json!({ "team/new:1": "new" }));
    let listed = lying.index()["manifests"].as_array().unwrap().clone();
    assert_eq!(listed[..entries.len()], entries);
    assert_eq!(listed.len(), entries.len() + 1);
}

#[test]
fn nothing_is_added_to_a_list_that_is_not_understood() {
    for text in ["", "[]", r#"{"schemaVersion":1,"manifests":[]}"#, r#"{"schemaVersion":2,"Manifests":[{}]}"#]
    {
        let (lying, _) = odd();
        std::fs::write(lying.layout().join("index.json"), text).unwrap();
        let before = stamps(&lying.layout());
        let new = tree(&lying, "new", &[("team/new:1", oci("new"))]);
        let ended = run(bundle(), "to-oci", &[], &new, &lying.layout()).expect(1);
        ended.expect_said(&["index.json", "hint:"]);
        assert_same("stamps", &before, &stamps(&lying.layout()));
    }
}

#[test]
fn a_dry_run_tells_and_writes_nothing() {
    let (lying, _) = odd();
    let before = stamps(&lying.layout());
    let new = tree(&lying, "new", &[("team/app:1", oci("changed")), ("team/new:1", oci("new"))]);
    let summary = convert("to-oci", &["-n"], &new, &lying.layout());
    assert_eq!(summary["changes"], json!({ "team/app:1": "moved", "team/new:1": "new" }));
    assert_same("stamps", &before, &stamps(&lying.layout()));
}

#[test]
fn runs_at_once_into_one_layout_lose_nothing() {
    const RUNS: usize = 6;
    let lying = Lying { folder: crate::support::scratch() };
    let images: Vec<_> =
        (0..RUNS).map(|run| (format!("team/app:{run}"), oci(&format!("app {run}")))).collect();
    let trees: Vec<_> = images
        .iter()
        .enumerate()
        .map(|(run, (name, image))| tree(&lying, &format!("tree-{run}"), &[(name, image.clone())]))
        .collect();
    let convert = |tree: &Path| {
        let ended = run(bundle(), "to-oci", &["--wait"], tree, &lying.layout());
        assert_eq!(ended.code, 0, "{}", ended.said);
    };
    std::thread::scope(|scope| trees.iter().for_each(|tree| drop(scope.spawn(|| convert(tree)))));
    let mut names: Vec<_> = lying.index()["manifests"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["annotations"][IMAGE_NAME].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    assert_eq!(names, images.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    assert_eq!(verify(&[], &[&lying.layout()]).code, 0);
}

#[test]
fn symbolic_links_of_a_destination_are_no_doors() {
    for door in ["blobs", "blobs/sha256"] {
        let lying = Lying { folder: crate::support::scratch() };
        let new = tree(&lying, "new", &[("team/app:1", oci("app"))]);
        let elsewhere = lying.path("elsewhere");
        std::fs::create_dir_all(&elsewhere).unwrap();
        std::fs::create_dir_all(lying.layout().join(door).parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&elsewhere, lying.layout().join(door)).unwrap();
        let ended = run(bundle(), "to-oci", &[], &new, &lying.layout());
        assert!(
            ended.code != 0 && std::fs::read_dir(&elsewhere).unwrap().next().is_none(),
            "{door}: {}",
            ended.said
        );
    }
    // A link in a file's place gives way.
    for file in ["index.json", "oci-layout"] {
        let lying = Lying { folder: crate::support::scratch() };
        let new = tree(&lying, "new", &[("team/app:1", oci("app"))]);
        std::fs::create_dir(lying.layout()).unwrap();
        std::fs::write(lying.path("somebody's"), "{}").unwrap();
        std::os::unix::fs::symlink(lying.path("somebody's"), lying.layout().join(file)).unwrap();
        convert("to-oci", &[], &new, &lying.layout());
        assert_eq!(std::fs::read_to_string(lying.path("somebody's")).unwrap(), "{}");
        assert_same_files(&layout(&[("team/app:1".to_owned(), oci("app"))]), &files(&lying.layout()));
    }
}
