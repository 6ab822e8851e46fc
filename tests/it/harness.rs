//! The harness, held against the real programs: what it says about them is so.

use std::fs;

use serde_json::Value;

use crate::support::images::{Family, Workshop, push_standard_set};
use crate::support::layer::Layer;
use crate::support::program::program;
use crate::support::registry::{
    DOCKER_LIST, DOCKER_MANIFEST, Garbage, OCI_INDEX, OCI_MANIFEST, Registry, garbage,
};
use crate::support::{scratch, sha256, skopeo};

#[test]
fn every_program_is_installed() {
    for name in ["skopeo", "docker-registry", "umoci", "mkfs.xfs"] {
        program(name);
    }
}

#[test]
fn the_standard_set_lands_in_the_registry() {
    let (workshop, root) = (Workshop::new(), scratch());
    let registry = Registry::start(root.path());
    let images = push_standard_set(&workshop, &registry);

    let repositories =
        ["base", "mirror/base", "ns/sub/deep", "platform/index", "platform/list", "shop/web", "shop/worker"];
    assert_eq!(registry.catalog(), repositories);
    assert_eq!(registry.tags("shop/web"), ["1.0", "_x.Y-1"]);
    for image in &images {
        let served = registry.manifest(&image.repository, &image.tag);
        assert_eq!(served.digest, image.digest);
        assert_eq!(sha256(&served.bytes), image.digest);
        let raw = skopeo::inspect_raw(&registry, &image.repository, &format!(":{}", image.tag));
        assert_eq!(raw.into_bytes(), served.bytes);
    }
    let media_type = |repository: &str| {
        let image = images.iter().find(|image| image.repository == repository).unwrap();
        registry.manifest(repository, &image.tag).media_type
    };
    assert_eq!(media_type("base"), DOCKER_MANIFEST);
    assert_eq!(media_type("ns/sub/deep"), OCI_MANIFEST);
    assert_eq!(media_type("platform/list"), DOCKER_LIST);
    assert_eq!(media_type("platform/index"), OCI_INDEX);

    let index: Value = serde_json::from_slice(&registry.manifest("platform/index", "2.0").bytes).unwrap();
    let attestation = &index["manifests"][2];
    assert_eq!(attestation["platform"]["os"], "unknown");
    assert_eq!(attestation["annotations"]["vnd.docker.reference.digest"], index["manifests"][0]["digest"]);

    let garbage = garbage(root.path());
    assert_eq!((garbage.deletable_blobs, garbage.deletable_manifests), (0, 0));
}

#[test]
fn the_same_recipe_gives_the_same_image() {
    let layers = [Layer { name: "same", bytes: 10_000 }];
    let build = || Workshop::new().build("same", Family::Oci, "arm64", &layers).digest;
    assert_eq!(build(), build());
}

#[test]
fn garbage_is_what_no_manifest_needs() {
    let root = scratch();
    let registry = Registry::start(root.path());
    let workshop = Workshop::new();
    let image = workshop.build("image", Family::Docker, "amd64", &[Layer { name: "image", bytes: 10_000 }]);
    image.push(&registry, "image", "1");
    let digest = registry.put_blob("image", b"nobody needs me");
    assert_eq!(registry.blob("image", &digest), b"nobody needs me");
    // The manifest, its configuration and its layer stay.
    let expected = Garbage { marked_blobs: 3, deletable_blobs: 1, deletable_manifests: 0 };
    assert_eq!(garbage(root.path()), expected);
}

#[test]
fn a_readonly_registry_serves_and_takes_nothing() {
    let root = scratch();
    let registry = Registry::start(root.path());
    let digest = registry.put_blob("image", b"a layer");
    drop(registry);
    let registry = Registry::start_readonly(root.path());
    assert_eq!(registry.blob("image", &digest), b"a layer");
    assert_eq!(registry.start_upload("image"), Err(405));
    assert!(
        fs::read_dir(root.path().join("docker/registry/v2/repositories/image/_uploads"))
            .unwrap()
            .next()
            .is_none()
    );
}
