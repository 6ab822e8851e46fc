//! Several sources at once, of whatever layouts.

use serde_json::json;

use super::*;

#[test]
fn sources_of_every_layout_become_one_release() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let names = ["dir", "oci", "registry", "package", "archive"];
    let images: Vec<_> = names.map(|name| (format!("team/{name}:1"), image(name, "linux/amd64"))).to_vec();
    // All of them have one image in common.
    let common = ("team/common:1".to_owned(), image("common", "linux/amd64"));
    for (name, one) in names.iter().zip(&images) {
        write_tree(&[one.clone(), common.clone()], &path(&format!("{name}.images")));
    }
    let from = |name: &str| path(&format!("{name}.images"));
    run("to-oci", &[], &[&from("oci"), &path("oci")]).expect(0);
    run("to-registry", &[], &[&from("registry"), &path("registry/docker")]).expect(0);
    run("pack", &[], &[&from("package"), &path("package.tar")]).expect(0);
    run("to-oci", &[], &[&from("archive"), &path("archive")]).expect(0);
    let mut tar = Command::new(program("tar"));
    assert!(
        tar.arg("-C")
            .arg(path("archive"))
            .arg("-cf")
            .arg(path("archive.tar"))
            .arg(".")
            .status()
            .unwrap()
            .success()
    );

    let sources = [from("dir"), path("oci"), path("registry"), path("package.tar"), path("archive.tar")];
    let mut expected = images.clone();
    expected.push(common);
    expected.sort_by(|a, b| a.0.cmp(&b.0));
    for (command, there) in
        [("to-registry", "one/docker"), ("to-dir", "all.dir"), ("to-oci", "all.oci"), ("pack", "all.tar")]
    {
        let target = path(there);
        let paths: Vec<&Path> = sources.iter().map(std::path::PathBuf::as_path).chain([&*target]).collect();
        let ended = run(command, &[], &paths).expect(0);
        assert_eq!(ended.summary["images"], expected.len(), "{command}");
        // What lies within archives is copied, and nothing else is for that.
        if command != "pack" {
            let count = |key: &str| ended.summary[key]["files"].as_u64().unwrap();
            assert!(count("linked") >= 9 && count("copied") <= 6, "{command}: {}", ended.summary);
        }
        let listed: Vec<_> = sources.iter().map(|path| json!(path)).collect();
        assert_eq!(ended.summary["sources"], json!(listed));
        if command != "to-registry" {
            let back = path(&format!("{command}-back/docker"));
            run("to-registry", &[], &[&target, &back]).expect(0);
            assert_holds(&expected, &back);
        }
    }
    assert_holds(&expected, &path("one/docker"));
}

#[test]
fn one_source_heals_what_is_broken_in_another() {
    let (folder, sound) = crate::support::testdata::copied_release();
    let damaged = folder.path().join("damaged");
    crate::support::testdata::copy_tree(&sound, &damaged);
    let layer = crate::support::testdata::layer(&damaged.join("tools/report:4.0"), 2);
    crate::support::testdata::flip_bit(&damaged.join("tools/report:4.0").join(layer));
    let docker = folder.path().join("site/docker");
    run("to-registry", &[], &[&damaged, &docker]).expect(4);
    let healed = run("to-registry", &[], &[&damaged, &sound, &docker]).expect(0);
    assert_eq!(healed.summary["findings"][0]["healed"], true, "{}", healed.summary);
    bundle().args(["verify", "-q"]).arg(&docker).assert().code(0);
}

#[test]
fn a_patch_is_a_source_beside_what_it_relies_on() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let testdata = crate::support::testdata::testdata();
    let (old, new) = (testdata.join("previous"), testdata.join("images"));
    let base = old.to_str().unwrap();
    run("pack", &["--base", base], &[&new, &path("patch.tar")]).expect(0);
    let alone = run("to-dir", &[], &[&path("patch.tar"), &path("back")]).expect(1);
    alone.expect_said(&["is a patch"]);
    // The two releases do not agree on one tag.
    let options = ["--exclude", "platform/web:1.8.0"];
    run("to-dir", &options, &[&path("patch.tar"), &old, &path("back")]).expect(0);
    run("to-dir", &options, &[&new, &old, &path("expected")]).expect(0);
    assert_same_files(&files(&path("expected")), &files(&path("back")));
}

#[test]
fn no_source_may_lie_inside_the_destination() {
    let (folder, images) = crate::support::testdata::copied_release();
    let other = crate::support::testdata::testdata().join("previous");
    let inside = images.join("docker");
    for sources in [[&*other, &images], [&images, &other]] {
        let ended = run("to-registry", &[], &[sources[0], sources[1], &inside]).expect(1);
        ended.expect_said(&["lies inside"]);
    }
    drop(folder);
}
