//! `docker save`: every generation of it gives images whose layers are those of the configuration.

use serde_json::{Value, json};

use super::{Lying, findings, named, owned};
use crate::support::forge::saved::{Saved, by_containerd, by_docker_24, by_docker_25, made_up, saved};
use crate::support::forge::{self, Blob, Image, docker, index, oci};
use crate::support::registry::OCI_INDEX;
use crate::support::tar::Tar;
use crate::support::tree::{assert_same_files, files};

#[test]
fn docker_24_with_a_layer_that_two_images_share() {
    let images = [saved("one", &["team/one:1", "team/one:latest"]), saved("two", &["docker.io/team/two:2"])];
    let archive = Lying::new("saved.tar", by_docker_24(&images).end());
    let [one, two] = images.each_ref().map(Saved::made_up);
    archive.expect(
        &named(&[("team/one:1", one.clone()), ("team/one:latest", one), ("team/two:2", two)]),
        &[
            ("new-digests", "docker.io/team/two:2"),
            ("new-digests", "team/one:1"),
            ("new-digests", "team/one:latest"),
        ],
    );
}

#[test]
fn docker_25_makes_manifests_up_as_well() {
    let images = [saved("one", &["team/one:1"]), saved("two", &["team/two:2"])];
    let archive = Lying::new("saved.tar", by_docker_25(&images).end());
    // It wrote manifests, so these are what is carried.
    let [one, two] = images.each_ref().map(|image| image.made_up().edited(|_| ()));
    archive.expect(
        &named(&[("team/one:1", one), ("team/two:2", two)]),
        &[("new-digests", "docker.io/team/one:1"), ("new-digests", "docker.io/team/two:2")],
    );
}

#[test]
fn docker_over_containerd_keeps_what_the_registry_had() {
    let list = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let sparse = list.clone().without(&oci("arm64").digest());
    let images = [
        ("docker.io/team/app:1", docker("app")),
        ("registry.example.com:5000/team/list:1", list.clone()),
        // Platforms that nobody pulled are not saved.
        ("docker.io/team/sparse:1", sparse.clone()),
    ];
    let archive = Lying::new("saved.tar", by_containerd(&images).end());
    archive.expect(
        &named(&[("team/app:1", docker("app")), ("team/list:1", list.clone()), ("team/sparse:1", list)]),
        &[],
    );
    let alone = Lying::new("saved.tar", by_containerd(&images[2..]).end());
    alone.expect(&named(&[("team/sparse:1", sparse)]), &[("sparse-index", "team/sparse:1")]);
}

/// A list with one image of these layers, as they lie in the archive.
fn one(config: &[u8], layers: &[(&str, &[u8])], repo_tags: &Value) -> Tar {
    let names: Vec<_> = layers.iter().map(|(name, _)| *name).collect();
    let list = json!([{ "Config": "config.json", "RepoTags": repo_tags, "Layers": names }]);
    let tar = Tar::default().file("manifest.json", list.to_string().as_bytes()).file("config.json", config);
    layers.iter().fold(tar, |tar, (name, bytes)| tar.file(name, bytes))
}

#[test]
fn layers_that_are_compressed_in_the_archive_stay_so() {
    let image = saved("own", &["team/app:1"]);
    let (gzip, zstd) = (super::forms::gzip(&image.layers[0]), super::forms::zstd(&image.layers[1]));
    let tar = one(&image.config, &[("a.tar", &gzip), ("b.tar", &zstd)], &image.repo_tags);
    let layer =
        |end: &str, bytes: &[u8]| Blob::new(&format!("application/vnd.oci.image.layer.v1.tar+{end}"), bytes);
    let result = made_up(&image.config, vec![layer("gzip", &gzip), layer("zstd", &zstd)]);
    Lying::new("saved.tar", tar.end())
        .expect(&named(&[("team/app:1", result)]), &[("new-digests", "team/app:1")]);
}

#[test]
fn layers_that_are_not_what_the_configuration_says() {
    let image = saved("own", &["team/app:1"]);
    let [first, second] = [&image.layers[0][..], &image.layers[1][..]];
    let gzip = super::forms::gzip(first);
    for (what, layers, kind) in [
        ("swapped", vec![("a.tar", second), ("b.tar", first)], "corrupt-blob"),
        ("one too few", vec![("a.tar", first)], "invalid-archive"),
        ("one too many", vec![("a.tar", first), ("b.tar", second), ("c.tar", first)], "invalid-archive"),
        ("compressed, and another", vec![("a.tar", first), ("b.tar", &gzip)], "corrupt-blob"),
    ] {
        let archive = Lying::new("saved.tar", one(&image.config, &layers, &image.repo_tags).end());
        archive.expect_refused(kind, "team/app:1");
        println!("{what}");
    }
    // Without a name the image is lost all the same.
    let layers = [("a.tar", first), ("b.tar", &gzip[..])];
    let archive = Lying::new("saved.tar", one(&image.config, &layers, &Value::Null).end());
    archive.expect_refused("corrupt-blob", "expected");
    // One file for two images that do not agree on it.
    let other = Saved::of(json!(["team/other:1"]), vec![b"nowhere".to_vec()]);
    let list = json!([
        { "Config": "a.json", "RepoTags": ["team/app:1"], "Layers": ["a.tar", "b.tar"] },
        { "Config": "b.json", "RepoTags": ["team/other:1"], "Layers": ["a.tar"] },
    ]);
    let tar = Tar::default().file("manifest.json", list.to_string().as_bytes());
    let tar = tar.file("a.json", &image.config).file("b.json", &other.config);
    let archive = Lying::new("saved.tar", tar.file("a.tar", first).file("b.tar", second).end());
    archive.expect_refused("corrupt-blob", "team/other:1");
}

#[test]
fn images_without_layers() {
    for diff_ids in [json!([]), Value::Null] {
        let image = Saved::of(json!(["team/empty:1"]), Vec::new())
            .edited(|config| config["rootfs"]["diff_ids"] = diff_ids.clone());
        for layers in [json!([]), Value::Null] {
            let list = json!([{ "Config": "c.json", "RepoTags": ["team/empty:1"], "Layers": layers }]);
            let tar = Tar::default().file("c.json", &image.config);
            let tar = tar.file("manifest.json", list.to_string().as_bytes());
            let result = made_up(&image.config, Vec::new());
            Lying::new("saved.tar", tar.end())
                .expect(&named(&[("team/empty:1", result)]), &[("new-digests", "team/empty:1")]);
        }
    }
}

#[test]
fn images_without_a_name_are_called_after_the_archive() {
    let image = saved("own", &[]);
    for (repo_tags, file, name) in [
        (json!(null), "my-app.tar", "my-app"),
        (json!([]), "saved.tar.gz", "saved"),
        (json!(null), "A b.tar", "unnamed"),
    ] {
        let archive = Lying::new(file, by_docker_24(&[Saved { repo_tags, ..image.clone() }]).end());
        let result: Image = image.made_up();
        let refused = archive.convert(&[], "docker").expect(4);
        let called = format!("{name}@{}", result.digest());
        let said = [("new-digests", &*called), ("no-repository", &called)];
        assert_eq!(findings(&refused.summary), owned(&said));
        // Who carries it elsewhere has to say what it is called.
        archive.convert(&["--repository", "team/app"], "docker").expect(0);
        let images = [(format!("team/app@{}", result.digest()), result)];
        assert_same_files(&forge::storage(&images), &files(&archive.path("docker/registry/v2")));
    }
}

#[test]
fn names_outside_the_grammar_are_refused_and_cost_no_other_image() {
    for name in
        ["Team/App:1", "team/app:", "team/../app:1", "<none>:<none>", "", "team/app:1 ", "team/app@sha256:1"]
    {
        let images = [saved("one", &[name]), saved("two", &["team/sound:1"])];
        let archive = Lying::new("saved.tar", by_docker_24(&images).end());
        archive.expect_refused("invalid-name", "expected");
        let ended = archive.convert(&["--keep-going"], "kept").expect(4);
        assert_eq!(ended.summary["changes"], json!({ "team/sound:1": "new" }), "{name}");
    }
}

#[test]
fn two_images_under_one_name_are_both_refused() {
    let images = [saved("one", &["team/app:1"]), saved("two", &["team/app:1"])];
    Lying::new("saved.tar", by_docker_24(&images).end()).expect_refused("name-conflict", "team/app:1");
}

#[test]
fn a_name_by_digest_gets_the_digest_that_its_image_has() {
    let image = saved("own", &[&format!("team/app@sha256:{}", "a".repeat(64))]);
    let result = image.made_up();
    let name = format!("team/app@{}", result.digest());
    let archive = Lying::new("saved.tar", by_docker_24(&[image]).end());
    archive.expect(&[(name.clone(), result)], &[("new-digests", &name), ("other-digest", &name)]);
}
