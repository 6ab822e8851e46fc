//! Names: hosts, prefixes, rules, and what says which image went where.

use std::fs;

use serde_json::json;

use super::*;

fn release() -> Vec<(String, Image)> {
    named([
        ("docker.io/library/alpine:3", image("alpine", "linux/amd64")),
        ("quay.io/team/app:1", image("app", "linux/amd64")),
        ("quay.io/team/apple:1", image("apple", "linux/amd64")),
        ("team/plain:1", image("plain", "linux/amd64")),
    ])
}

#[test]
fn rules_name_the_images_and_a_dry_run_and_a_mapping_say_how() {
    let (release, folder) = (release(), scratch());
    let path = |name: &str| folder.path().join(name);
    write_tree(&release, &path("images"));
    let mapping = path("mapping");
    let options = [
        "--prefix",
        "shop/",
        "--rename",
        "docker.io/library/=",
        "--rename",
        "team/app=web",
        "--mapping",
        mapping.to_str().unwrap(),
    ];
    let pairs = [
        ("docker.io/library/alpine:3", "shop/alpine:3"),
        ("quay.io/team/app:1", "shop/web:1"),
        ("quay.io/team/apple:1", "shop/team/apple:1"),
        ("team/plain:1", "shop/team/plain:1"),
    ];
    let mut shown = bundle();
    shown.args(["to-registry", "-q", "-n"]).args(options).args([path("images"), path("docker")]);
    let shown = String::from_utf8(shown.output().unwrap().stdout).unwrap();
    let expected = release.iter().zip(pairs).map(|((_, image), (from, to))| (from, to, image.digest()));
    let mut lines = String::new();
    for (from, to, digest) in expected {
        assert!(shown.contains(&format!("  new  {from} -> {to}\n")), "{shown}");
        lines += &format!("{from}\t{to}\t{digest}\n");
    }
    let sorted = |text: &str| {
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&fs::read_to_string(&mapping).unwrap()), sorted(&lines));
    fs::remove_file(&mapping).unwrap();
    assert!(!path("docker").exists());

    let expected: Vec<_> =
        release.iter().zip(pairs).map(|((_, image), (_, name))| (name.to_owned(), image.clone())).collect();
    for (command, there) in
        [("to-registry", "docker"), ("to-oci", "oci"), ("to-dir", "dir"), ("pack", "x.tar")]
    {
        run(command, &options, &[&path("images"), &path(there)]).expect(0);
        assert_eq!(sorted(&fs::read_to_string(&mapping).unwrap()), sorted(&lines), "{command}");
    }
    assert_holds(&expected, &path("docker"));
    for there in ["oci", "dir", "x.tar"] {
        let back = path(&format!("{there}-back/docker"));
        let renamed = run("to-registry", &[], &[&path(there), &back]).expect(0);
        assert_eq!(renamed.summary["renamed"], json!({}));
        assert_holds(&expected, &back);
    }
}

#[test]
fn what_cannot_be_a_name_is_an_error_of_its_image() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    write_tree(&release(), &path("images"));
    let long = "x".repeat(250);
    for (options, images, words) in [
        (["--rename", "team/app=UP"], 1, "UP"),
        (["--rename", "team/plain="], 1, "not a valid"),
        (["--prefix", long.as_str()], 4, "255 bytes"),
    ] {
        let ended = run("to-registry", &options, &[&path("images"), &path("docker")]).expect(4);
        let found: Vec<_> =
            findings(&ended).into_iter().filter(|(kind, _)| kind == "invalid-new-name").collect();
        assert_eq!(found.len(), images, "{}", ended.said);
        ended.expect_said(&[words]);
    }
    // Two that would meet are both refused; a rule that fits nothing was meant to fit something.
    let meeting = ["--rename", "team/apple=x", "--rename", "team/plain=x"];
    let ended = run("to-registry", &meeting, &[&path("images"), &path("docker")]).expect(4);
    assert_eq!(findings(&ended), [("name-conflict".to_owned(), vec!["x:1".to_owned()])]);
    run("to-registry", &["--rename", "te=x"], &[&path("images"), &path("docker")])
        .expect(1)
        .expect_said(&["te=x", "whole parts"]);
    for wrong in [["--rename", "a"], ["--rename", "=a"], ["--prefix", "A/"], ["--prefix", "/"]] {
        run("to-registry", &wrong, &[&path("images"), &path("docker")]).expect(2);
    }
    assert!(!path("docker").exists());
}

#[test]
fn a_layout_with_bare_tags_needs_a_repository() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let image = crate::support::testdata::testdata().join("images/platform/api:2.3.0");
    // How skopeo writes it, and under which digest.
    let layout = |at: &str, reference: &str| -> String {
        fs::create_dir_all(path(at)).unwrap();
        let reference = if reference.is_empty() { String::new() } else { format!(":{reference}") };
        skopeo::copy(&format!("dir:{}", image.display()), &format!("oci:{}{reference}", path(at).display()));
        let index: Value = serde_json::from_slice(&fs::read(path(at).join("index.json")).unwrap()).unwrap();
        index["manifests"][0]["digest"].as_str().unwrap().to_owned()
    };
    let digest = layout("bare", "1.0");
    layout("several/web", "1.0");
    layout("several/db", "2.0");
    layout("nameless", "");

    let ended = run("to-registry", &[], &[&path("bare"), &path("docker")]).expect(4);
    assert_eq!(findings(&ended), [("no-repository".to_owned(), vec!["bare:1.0".to_owned()])]);
    ended.expect_said(&["--repository NAME"]);
    assert!(!path("docker").exists());
    for (source, option, names) in [
        ("bare", "team/app", &["team/app:1.0"][..]),
        ("several", "team", &["team/db:2.0", "team/web:1.0"]),
        ("nameless", "team/app:7", &["team/app:7"]),
    ] {
        let site = path(&format!("{source}-site"));
        let options = ["--repository", option];
        let ended = run("to-registry", &options, &[&path(source), &site.join("docker")]).expect(0);
        assert_eq!(findings(&ended), []);
        let registry = Registry::start_readonly(&site);
        for name in names {
            let (repository, tag) = name.rsplit_once(':').unwrap();
            assert_eq!(registry.manifest(repository, tag).digest, digest);
        }
        assert_eq!(ended.summary["images"], names.len());
    }
    // Without a tag it has its digest alone.
    let untagged =
        run("to-registry", &["--repository", "team/app", "-n"], &[&path("nameless"), &path("docker")]);
    let name = format!("team/app@{digest}");
    assert_eq!(untagged.expect(0).summary["changes"], json!({ name: "new" }));
    // Where nothing is carried elsewhere, the place tells enough.
    let verified = run("verify", &[], &[&path("bare")]).expect(0);
    assert_eq!(findings(&verified), [("bare-tag".to_owned(), vec!["bare:1.0".to_owned()])]);
}

#[test]
fn tags_alone_tell_no_repositories_apart() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    write_tree(&release(), &path("images"));
    let ended = run("to-oci", &["--ref-name", "tag"], &[&path("images"), &path("oci")]).expect(1);
    ended.expect_said(&["several repositories", "library/alpine, team/app"]);
    assert!(!path("oci/index.json").exists());
    let options = ["--ref-name", "tag", "--include", "team/app:*"];
    run("to-oci", &options, &[&path("images"), &path("oci")]).expect(0);
}

#[test]
fn images_of_docker_archives_are_carried_only_if_their_digests_may_change() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let images = crate::support::testdata::testdata().join("images");
    let source = format!("dir:{}", images.join("platform/web:1.8.0").display());
    skopeo::copy_one(&source, &format!("docker-archive:{}:team/web:1", path("web.tar").display()));
    let ended =
        run("to-registry", &["--keep-going"], &[&path("web.tar"), &images, &path("docker")]).expect(4);
    assert_eq!(findings(&ended).len(), 1);
    ended.expect_said(&["--accept-new-digests"]);
    assert_eq!(ended.summary["images"], 7);

    let options = ["--accept-new-digests"];
    let ended = run("to-registry", &options, &[&path("web.tar"), &path("site/docker")]).expect(0);
    assert_eq!(findings(&ended)[0].0, "new-digests");
    let registry = Registry::start_readonly(&path("site"));
    let name = ended.summary["changes"].as_object().unwrap().keys().next().unwrap().clone();
    skopeo::copy(
        &format!("docker://{}/{name}", registry.address()),
        &format!("dir:{}", path("pulled").display()),
    );
}
