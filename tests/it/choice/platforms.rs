//! Platforms: which are carried, and what becomes of the lists that name others.

use std::path::Path;

use serde_json::json;

use super::*;
use crate::support::registry::{DOCKER_LIST, OCI_INDEX};

/// Images of every kind that has to do with platforms, and the parts of which they are made.
struct Release {
    amd64: Image,
    arm64: Image,
    amd64_attestation: (Image, Value),
    arm64_attestation: (Image, Value),
    docker: [Image; 2],
    s390x: Image,
    single: Image,
    chart: Image,
}

impl Release {
    fn new() -> Self {
        let (amd64, arm64) = (image("app", "linux/amd64"), image("app", "linux/arm64/v8"));
        let helm = Blob::new("application/vnd.cncf.helm.config.v1+json", "{}");
        Self {
            amd64_attestation: attestation(&amd64),
            arm64_attestation: attestation(&arm64),
            amd64,
            arm64,
            docker: [forge::docker("one"), forge::docker("other")],
            s390x: image("nested", "linux/s390x"),
            single: image("single", "linux/amd64"),
            chart: forge::artifact(&helm, &[forge::layer("chart")]),
        }
    }

    fn index(&self) -> Image {
        let entries = [
            entry(&self.amd64, "linux/amd64"),
            entry(&self.arm64, "linux/arm64/v8"),
            self.amd64_attestation.1.clone(),
            self.arm64_attestation.1.clone(),
        ];
        let children = [&self.amd64, &self.arm64, &self.amd64_attestation.0, &self.arm64_attestation.0];
        list(OCI_INDEX, &entries, &children)
    }

    fn docker_list(&self) -> Image {
        let [one, other] = &self.docker;
        list(DOCKER_LIST, &[entry(one, "linux/amd64"), entry(other, "linux/arm64")], &[one, other])
    }

    fn nested(&self) -> Image {
        let inner = self.index();
        list(OCI_INDEX, &[inner.descriptor(), entry(&self.s390x, "linux/s390x")], &[&inner, &self.s390x])
    }

    fn images(&self) -> Vec<(String, Image)> {
        named([
            ("team/app:1", self.index()),
            ("team/chart:1", self.chart.clone()),
            ("team/list:1", self.docker_list()),
            ("team/nested:1", self.nested()),
            ("team/single:1", self.single.clone()),
        ])
    }

    /// Without all that runs on arm64 and s390x.
    fn without_others(&self, image: &Image) -> Image {
        [&self.arm64, &self.arm64_attestation.0, &self.docker[1], &self.s390x]
            .into_iter()
            .fold(image.clone(), |image, other| image.without(&other.digest()))
    }

    /// The index rewritten for amd64 alone.
    fn rewritten_index(&self) -> Image {
        let entries = [entry(&self.amd64, "linux/amd64"), self.amd64_attestation.1.clone()];
        made(&list(OCI_INDEX, &entries, &[&self.amd64, &self.amd64_attestation.0]))
    }
}

fn convert(options: &[&str], folder: &Path) -> Ended {
    run("to-registry", options, &[&folder.join("images"), &folder.join("docker")])
}

#[test]
fn a_kept_list_has_its_digest_and_only_the_wanted_content() {
    let (release, folder) = (Release::new(), scratch());
    write_tree(&release.images(), &folder.path().join("images"));
    let ended = convert(&["--platform", "linux/amd64"], folder.path()).expect(0);
    let left_out = |name: &str| ("platforms-left-out".to_owned(), vec![format!("team/{name}:1")]);
    assert_eq!(findings(&ended), [left_out("app"), left_out("list"), left_out("nested")]);
    ended.expect_said(&["linux/arm64", "linux/s390x", "--index rewrite"]);

    let kept: Vec<_> = release.images();
    let kept: Vec<_> = kept.into_iter().map(|(name, image)| (name, release.without_others(&image))).collect();
    assert_holds(&kept, &folder.path().join("docker"));
    let registry = Registry::start_readonly(folder.path());
    assert_pulls(&registry, "team/app:1", "amd64", &release.amd64);
    assert_pulls(&registry, "team/list:1", "amd64", &release.docker[0]);
    assert_pulls(&registry, "team/single:1", "amd64", &release.single);
    assert_pulls_not(&registry, "team/app:1", "arm64");
}

#[test]
fn a_rewritten_list_has_what_is_wanted_and_says_what_it_was() {
    let (release, folder) = (Release::new(), scratch());
    write_tree(&release.images(), &folder.path().join("images"));
    let ended = convert(&["--platform", "linux/amd64", "--index", "rewrite"], folder.path()).expect(0);
    assert_eq!(findings(&ended), []);
    let index = release.rewritten_index();
    let docker = made(&list(DOCKER_LIST, &[entry(&release.docker[0], "linux/amd64")], &[&release.docker[0]]));
    let nested = made(&list(OCI_INDEX, &[index.descriptor()], &[&index]));
    let remade = json!([
        { "image": "team/app:1", "from": [release.index().digest()], "to": index.digest() },
        { "image": "team/list:1", "from": [release.docker_list().digest()], "to": docker.digest() },
        { "image": "team/nested:1", "from": [release.nested().digest()], "to": nested.digest() },
    ]);
    assert_eq!(ended.summary["remade"], remade);
    let expected = named([
        ("team/app:1", index),
        ("team/chart:1", release.chart.clone()),
        ("team/list:1", docker),
        ("team/nested:1", nested),
        ("team/single:1", release.single.clone()),
    ]);
    assert_holds(&expected, &folder.path().join("docker"));
    let registry = Registry::start_readonly(folder.path());
    assert_pulls(&registry, "team/app:1", "amd64", &release.amd64);
    assert_pulls(&registry, "team/list:1", "amd64", &release.docker[0]);
    assert_pulls_not(&registry, "team/app:1", "arm64");

    // The same into the other layouts, and a second time, changes nothing.
    let options = ["--platform", "linux/amd64", "--index", "rewrite"];
    let again = convert(&options, folder.path()).expect(0);
    assert_eq!((&again.summary["linked"]["files"], &again.summary["written_files"]), (&json!(0), &json!(0)));
    for command in ["to-dir", "to-oci"] {
        let (images, there) = (folder.path().join("images"), folder.path().join(command));
        run(command, &options, &[&images, &there]).expect(0);
        run("to-registry", &[], &[&there, &folder.path().join(format!("{command}-back/docker"))]).expect(0);
        assert_holds(&expected, &folder.path().join(format!("{command}-back/docker")));
    }
    // Text says it, too.
    let said = bundle()
        .args(["to-dir", "-q", "-n", "--index", "rewrite", "--platform", "linux/amd64"])
        .args([folder.path().join("images"), folder.path().join("nowhere")])
        .output()
        .unwrap();
    let line =
        format!("team/app:1: {} -> {}\n", release.index().digest(), release.rewritten_index().digest());
    assert!(String::from_utf8(said.stdout).unwrap().contains(&line));
}

#[test]
fn an_unwrapped_list_is_the_one_image_that_is_wanted() {
    let (release, folder) = (Release::new(), scratch());
    write_tree(&release.images(), &folder.path().join("images"));
    let options = ["--platform", "linux/amd64", "--index", "unwrap"];
    let ended = convert(&options, folder.path()).expect(0);
    assert_eq!(findings(&ended), []);
    let expected = named([
        ("team/app:1", release.amd64.clone()),
        ("team/chart:1", release.chart.clone()),
        ("team/list:1", release.docker[0].clone()),
        ("team/nested:1", release.amd64.clone()),
        ("team/single:1", release.single.clone()),
    ]);
    assert_holds(&expected, &folder.path().join("docker"));
    let registry = Registry::start_readonly(folder.path());
    for (name, image) in &expected {
        if !name.contains("chart") {
            assert_pulls(&registry, name, "amd64", image);
        }
    }
    // Of two there is none to take.
    let options = ["--platform", "linux/amd64,linux/arm64", "--index", "unwrap"];
    let refused = run("to-dir", &options, &[&folder.path().join("images"), &folder.path().join("two")]);
    let several: Vec<_> =
        findings(&refused).into_iter().filter(|(kind, _)| kind == "several-images").collect();
    assert_eq!(several.len(), 3, "{}", refused.said);
    refused.expect(4);
    assert!(!folder.path().join("two").exists());
}

#[test]
fn an_image_without_a_wanted_platform_is_an_error_and_one_without_all_of_them_a_warning() {
    let (release, folder) = (Release::new(), scratch());
    write_tree(&release.images(), &folder.path().join("images"));
    let ended = convert(&["--platform", "linux/arm64"], folder.path()).expect(4);
    let errors: Vec<_> = findings(&ended).into_iter().filter(|(kind, _)| kind == "no-platform").collect();
    assert_eq!(errors, [("no-platform".to_owned(), vec!["team/single:1".to_owned()])]);
    assert!(!folder.path().join("docker").exists());

    let kept = convert(&["--platform", "linux/arm64", "--keep-going"], folder.path()).expect(4);
    assert_eq!(kept.summary["images"], 4);
    let both = ["--platform", "linux/amd64", "--platform", "linux/s390x", "-n"];
    let some = convert(&both, folder.path()).expect(0);
    let lacking: Vec<_> = findings(&some)
        .into_iter()
        .filter(|(kind, _)| kind == "lacks-platform")
        .flat_map(|it| it.1)
        .collect();
    assert_eq!(lacking, ["team/app:1", "team/list:1", "team/single:1"]);

    for wrong in ["linux", "linux/", "a/b/c/d", "lin ux/amd64"] {
        let ended = convert(&["--platform", wrong], folder.path()).expect(2);
        ended.expect_said(&["expected os/architecture"]);
    }
}

#[test]
fn every_command_that_reads_images_looks_at_the_wanted_platforms_only() {
    let (release, folder) = (Release::new(), scratch());
    let images = folder.path().join("images");
    write_tree(&release.images(), &images);
    // A blob of another platform is damaged: nobody who does not want it has to care.
    let damaged = release.arm64.blobs.last().unwrap().digest.replace("sha256:", "");
    std::fs::write(images.join("team/app:1").join(&damaged), "damaged").unwrap();
    std::fs::write(images.join("team/nested:1").join(&damaged), "damaged").unwrap();
    run("verify", &[], &[&images]).expect(4);
    run("verify", &["--platform", "linux/amd64"], &[&images]).expect(0);

    let stats = run("stats", &["--platform", "linux/amd64", "--include", "team/app*"], &[&images]).expect(0);
    let blobs: std::collections::BTreeSet<_> =
        release.without_others(&release.index()).files().into_keys().collect();
    // `version` is no blob.
    assert_eq!(stats.summary["total"]["unique_blobs"], json!(blobs.len() - 1), "{}", stats.summary);

    let inventory = run("inventory", &["--platform", "linux/amd64"], &[&images]).expect(0);
    let inventory = inventory.summary["content"].to_string();
    assert!(inventory.contains(&release.amd64.digest()) && !inventory.contains(&release.arm64.digest()));

    let package = folder.path().join("package.tar");
    run("pack", &["--platform", "linux/amd64", "--index", "rewrite"], &[&images, &package]).expect(0);
    run("apply", &[], &[&package, &folder.path().join("docker")]).expect(0);
    let registry = Registry::start_readonly(folder.path());
    assert_eq!(registry.manifest("team/app", "1").digest, release.rewritten_index().digest());
    assert_pulls(&registry, "team/app:1", "amd64", &release.amd64);

    let site = folder.path().join("site.json");
    std::fs::write(&site, run("inventory", &[], &[&images]).summary.to_string()).unwrap();
    let diff = run("diff", &["--platform", "linux/amd64", "--exit-code"], &[&site, &images]).expect(0);
    assert_eq!(diff.summary["images"], json!([]));
}
