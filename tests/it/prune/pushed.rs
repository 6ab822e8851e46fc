//! Storage as a real registry wrote it, with what clients do to one: push, move, mount, delete, give up.

use std::fs;

use super::site::{expect_no_empty_folders, prune};
use crate::support::bundle::convert;
use crate::support::complete::{Form, tags};
use crate::support::images::{Family, Workshop, push_standard_set};
use crate::support::layer::Layer;
use crate::support::registry::Registry;
use crate::support::served::expect_served;
use crate::support::tree::assert_same_trees;
use crate::support::verification::verify;
use crate::support::{scratch, skopeo};

#[test]
fn a_registry_serves_all_that_is_left() {
    let (site, workshop) = (scratch(), Workshop::new());
    let docker = site.path().join("docker");
    let registry = Registry::start(site.path());
    let images = push_standard_set(&workshop, &registry);
    // A tag moves; a blob is mounted from another repository; an upload is given up.
    let base = workshop.build("moved", Family::Docker, "amd64", &[Layer { name: "moved", bytes: 50_000 }]);
    base.push(&registry, "shop/web", "1.0");
    base.push(&registry, "shop/mounted", "1");
    let layer = images.iter().find(|image| image.repository == "shop/worker").unwrap();
    let manifest: serde_json::Value =
        serde_json::from_slice(&registry.manifest("shop/worker", &layer.digest).bytes).unwrap();
    let mounted = manifest["layers"][0]["digest"].as_str().unwrap();
    registry.mount_blob("shop/mounted", mounted, "shop/worker");
    registry.start_upload("shop/given-up").unwrap();
    registry.start_upload("shop/web").unwrap();
    drop(registry);

    let keep = ["platform/*", "shop/web:1.0", "mirror/*", "shop/mounted:1"];
    let options: Vec<_> = keep.iter().flat_map(|pattern| ["--include", pattern]).collect();
    let fresh = site.path().join("fresh");
    convert("to-registry", &[&options[..], &["--link", "copy"]].concat(), &docker, &fresh);
    prune(&options, &docker).expect(3).expect_said(&["an upload is in progress"]);
    let done = prune(&[&options[..], &["--older-than", "0s"]].concat(), &docker).expect(0).summary;
    assert_eq!(done["removed"]["uploads"], 2);
    assert_eq!(done["tags_removed"].as_array().unwrap().len(), 5);
    // Without the root's own folders, which a registry makes as it likes.
    assert_same_trees(&fresh.join("registry/v2/blobs"), &docker.join("registry/v2/blobs"));
    assert_same_trees(&fresh.join("registry/v2/repositories"), &docker.join("registry/v2/repositories"));
    expect_no_empty_folders(&docker.join("registry/v2"));
    assert_eq!(verify(&[], &[&docker]).findings().len(), 0);

    let shown = tags(Form::Storage, &docker).unwrap();
    assert_eq!(shown.len(), 5);
    expect_served(&docker, &shown).unwrap();
    let registry = Registry::start(site.path());
    for (number, name) in shown.keys().enumerate() {
        let copy = site.path().join(format!("copy-{number}"));
        skopeo::copy(&format!("docker://{}/{name}", registry.address()), &format!("dir:{}", copy.display()));
        assert!(fs::metadata(copy.join("manifest.json")).is_ok());
    }
    // It goes on as if nothing had been.
    workshop.build("again", Family::Oci, "amd64", &[]).push(&registry, "shop/worker", "1.1");
    assert_eq!(registry.tags("shop/worker"), ["1.1"]);
}
