//! Archives that the real skopeo writes, and what the real registry serves of them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Lying, findings};
use crate::support::bundle::convert;
use crate::support::program::program;
use crate::support::registry::Registry;
use crate::support::testdata::testdata;
use crate::support::tree::{assert_same_files, files};
use crate::support::{scratch, sha256, skopeo};

/// Images of the committed release: docker's and OCI's, one for two platforms.
const IMAGES: [&str; 4] = ["platform/web:1.8.0", "platform/api:2.3.1", "tools/clock:1.0", "zone-base:1.0"];

fn folder_of(image: &str) -> String {
    format!("dir:{}", testdata().join("images").join(image).display())
}

#[test]
fn an_oci_archive_becomes_the_storage_that_a_registry_has_of_it() {
    for image in IMAGES {
        let folder = scratch();
        let path = |name: &str| folder.path().join(name);
        let archive = format!("oci-archive:{}:{image}", path("image.tar").display());
        skopeo::copy(&folder_of(image), &archive);
        let registry = Registry::start(&path("origin"));
        skopeo::copy(&archive, &format!("docker://{}/{image}", registry.address()));
        drop(registry);
        let pushed = files(&path("origin/docker/registry/v2"));
        let pushed = pushed.into_iter().filter(|(path, _)| !path.contains("/_uploads/")).collect();

        let summary = convert("to-registry", &[], &path("image.tar"), &path("docker"));
        assert!(findings(&summary).is_empty(), "{summary}");
        assert_same_files(&pushed, &files(&path("docker/registry/v2")));
        // As a folder it is the same layout.
        crate::support::package::unpack(&path("image.tar"), &path("layout"));
        convert("to-registry", &[], &path("layout"), &path("of-layout"));
        assert_same_files(&pushed, &files(&path("of-layout/registry/v2")));
    }
}

/// Uncompressed digests of an image's layers, as its configuration has them.
fn diff_ids(folder: &Path) -> Vec<String> {
    let read =
        |name: &str| serde_json::from_slice::<Value>(&std::fs::read(folder.join(name)).unwrap()).unwrap();
    let config = read("manifest.json")["config"]["digest"].as_str().unwrap().replace("sha256:", "");
    serde_json::from_value(read(&config)["rootfs"]["diff_ids"].clone()).unwrap()
}

#[test]
fn a_docker_archive_is_served_with_the_layers_that_its_images_had() {
    let folder = scratch();
    let path = |name: &str| folder.path().join(name);
    let mut expected = Vec::new();
    for image in ["platform/web:1.8.0", "platform/api:2.3.1", "zone-base:1.0"] {
        // One archive for each, for skopeo adds to none that is there.
        let archive = path(&image.replace(['/', ':'], "-")).with_extension("tar");
        let to = format!("docker-archive:{}:docker.io/{image}", archive.display());
        skopeo::skopeo(["copy", &folder_of(image), &to]);
        let again = Command::new(program("skopeo"))
            .args(["--insecure-policy", "copy", &folder_of("zone-base:1.0"), &to])
            .output()
            .unwrap();
        assert!(!again.status.success(), "skopeo adds to a docker-archive");

        let options = ["--accept-new-digests"];
        let first = convert("to-registry", &options, &archive, &path("docker"));
        let warned = vec![("new-digests".to_owned(), format!("docker.io/{image}"))];
        assert_eq!(
            findings(&first),
            if image.contains('/') {
                warned
            } else {
                vec![("new-digests".to_owned(), format!("docker.io/library/{image}"))]
            }
        );
        let name = if image.contains('/') { image.to_owned() } else { format!("library/{image}") };
        // The same archive gives the same digests.
        convert("to-registry", &options, &archive, &path("again"));
        expected.push((name, diff_ids(&testdata().join("images").join(image))));
    }
    assert_same_files(&files(&path("docker")), &files(&path("again")));

    let registry = Registry::start(folder.path());
    for (name, diff_ids) in &expected {
        let copy = scratch();
        skopeo::copy(
            &format!("docker://{}/{name}", registry.address()),
            &format!("dir:{}", copy.path().display()),
        );
        assert_eq!(&self::diff_ids(copy.path()), diff_ids, "{name}");
        for diff_id in diff_ids {
            let layer = std::fs::read(copy.path().join(diff_id.trim_start_matches("sha256:"))).unwrap();
            assert_eq!(&sha256(&layer), diff_id, "{name}");
        }
    }
}

#[test]
fn skopeo_reads_what_was_made_of_an_archive_by_docker() {
    use crate::support::forge::saved::{by_docker_24, by_docker_25, saved};
    let images = [saved("one", &["team/one:1"]), saved("two", &["team/two:2"])];
    for tar in [by_docker_24(&images), by_docker_25(&images)] {
        let archive = Lying::new("saved.tar", tar.end());
        archive.convert(&[], "docker").expect(0);
        let registry = Registry::start(archive.folder.path());
        for (name, image) in [("team/one:1", &images[0]), ("team/two:2", &images[1])] {
            let copy = scratch();
            skopeo::copy(
                &format!("docker://{}/{name}", registry.address()),
                &format!("dir:{}", copy.path().display()),
            );
            let original: Vec<_> = image.layers.iter().map(|layer| sha256(layer)).collect();
            assert_eq!(diff_ids(copy.path()), original);
        }
    }
}
