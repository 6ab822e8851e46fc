//! Lists and patterns, on every command that reads images.

use std::fs;

use serde_json::json;

use super::*;

/// An archive with many images, of which a release needs a few.
const ALL: usize = 2000;
const WANTED: usize = 200;

#[test]
fn a_release_is_picked_out_of_an_archive_by_hard_link() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    // Images of one team share a base, and each has a layer of its own.
    let name = |number: usize| (format!("team-{}/app-{number}", number % 40), format!("{}.0", number % 7));
    let all: Vec<_> = (0..ALL)
        .map(|number| {
            let config =
                json!({ "os": "linux", "architecture": "amd64", "config": { "Labels": { "n": number } } });
            let config = Blob::new("application/vnd.oci.image.config.v1+json", config.to_string());
            let layers = [format!("base {}", number % 40), format!("own {number}")];
            let layers: Vec<_> = layers.iter().map(|layer| forge::layer(layer)).collect();
            let (repository, tag) = name(number);
            (format!("{repository}:{tag}"), forge::artifact(&config, &layers))
        })
        .collect();
    forge::write(&forge::storage(&all), &path("archive/docker/registry/v2"));
    let wanted: Vec<_> = all.iter().step_by(ALL / WANTED).cloned().collect();
    let list: String = wanted.iter().map(|(name, _)| format!("{name}\n")).collect();
    fs::write(path("images.list"), list).unwrap();

    let options = ["--images", path("images.list").to_str().unwrap().to_owned().leak()];
    let ended = run("to-registry", &options, &[&path("archive"), &path("package/docker")]).expect(0);
    assert_eq!(ended.summary["images"], WANTED);
    let blobs: std::collections::BTreeSet<_> =
        wanted.iter().flat_map(|(_, image)| &image.blobs).map(|blob| &blob.digest).collect();
    let count = |key: &str| ended.summary[key]["files"].as_u64().unwrap() as usize;
    assert_eq!((count("linked"), count("copied"), count("cloned")), (blobs.len(), 0, 0));
    assert_holds(&wanted, &path("package/docker"));
}

#[test]
fn the_same_options_choose_on_every_command() {
    let (_folder, images) = crate::support::testdata::copied_release();
    let there = scratch();
    let out = |name: &str| there.path().join(name);
    // An image that is not chosen is damaged, which is of no matter.
    let layer = crate::support::testdata::files_named(&images.join("tools/report:4.0"), "manifest.json");
    fs::write(&layer[0], "{}").unwrap();
    for (number, options) in [
        &["--include", "platform/*", "--exclude", "*proxy*"][..],
        &["--include", "platform/api*", "--include", "platform/web:1.8.0"],
    ]
    .iter()
    .enumerate()
    {
        let chosen = ["platform/api:2.3.0", "platform/api:2.3.1", "platform/web:1.8.0"];
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        let names = |value: &Value, key: &str| {
            let list = value.as_array().unwrap().iter();
            list.map(|it| it[key].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        for command in ["to-registry", "to-dir", "to-oci"] {
            let ended = run(command, options, &[&images, &out(&format!("{command}-{number}"))]).expect(0);
            assert_eq!(keys(&ended.summary["changes"]), chosen, "{command}");
        }
        let package = out(&format!("{number}.tar"));
        assert_eq!(run("pack", options, &[&images, &package]).expect(0).summary["images"], 3);
        let applied = run("apply", &["-n"], &[&package, &out("docker")]).expect(0);
        assert_eq!(keys(&applied.summary["changes"]), chosen);
        let stats = run("stats", options, &[&images]).expect(0);
        assert_eq!(names(&stats.summary["trees"][0]["per_image"], "image"), chosen);
        let inventory = run("inventory", options, &[&images]).expect(0);
        assert_eq!(names(&inventory.summary["images"], "name"), chosen);
        let verified = run("verify", options, &[&images]).expect(0);
        assert_eq!(verified.summary["trees"][0]["images"], 3);
        let previous = crate::support::testdata::testdata().join("previous");
        let diff = run("diff", options, &[&previous, &images]).expect(0);
        assert_eq!(names(&diff.summary["images"], "image"), ["platform/api:2.3.1", "platform/web:1.8.0"]);
    }
    run("verify", &[], &[&images]).expect(4);
    for command in ["verify", "stats", "inventory"] {
        let ended = run(command, &["--include", "nothing*"], &[&images]).expect(1);
        ended.expect_said(&["--include matches no image"]);
    }
}

#[test]
fn a_line_with_a_host_means_that_host_and_one_without_any() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let (one, other) = (image("one", "linux/amd64"), image("other", "linux/amd64"));
    write_tree(
        &named([("docker.io/library/app:1", one), ("quay.io/library/app:1", other.clone())]),
        &path("images"),
    );
    let choose = |list: &str| {
        fs::write(path("list"), list).unwrap();
        let options = ["--images", path("list").to_str().unwrap().to_owned().leak(), "-n"];
        run("to-registry", &options, &[&path("images"), &path("docker")])
    };
    // Both would have one name; the one that is meant has it alone.
    choose("library/app:1\n").expect(4);
    let chosen = choose("quay.io/library/app:1\n").expect(0);
    assert_eq!(chosen.summary["renamed"], json!({ "library/app:1": ["quay.io/library/app:1"] }));
    let chosen = choose("app:1@".to_owned().as_str().trim_end_matches('@')).expect(4);
    assert_eq!(findings(&chosen)[0].0, "name-conflict");
    let elsewhere = "\n  gcr.io/library/app:1 (but there is docker.io/library/app:1)";
    choose("gcr.io/library/app:1\n").expect(1).expect_said(&[elsewhere]);
    let by_digest = choose(&format!("library/app:1@{}\n", other.digest())).expect(0);
    assert_eq!(by_digest.summary["renamed"], json!({ "library/app:1": ["quay.io/library/app:1"] }));
}

#[test]
fn what_follows_a_chosen_image_is_excluded_with_its_host_and_without() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let app = image("app", "linux/amd64");
    let signature = format!("quay.io/team/app:{}.sig", app.digest().replace(':', "-"));
    let images = [("quay.io/team/app:1".to_owned(), app), (signature, image("signature", "linux/amd64"))];
    write_tree(&images, &path("images"));
    for (exclude, images) in [("nothing*", 2), ("quay.io/team/*.sig", 1), ("team/*.sig", 1)] {
        let options = ["-n", "--include", "team/app:1", "--exclude", exclude];
        let ended = run("to-registry", &options, &[&path("images"), &path("docker")]).expect(0);
        assert_eq!(ended.summary["images"], images, "{exclude}");
    }
}
