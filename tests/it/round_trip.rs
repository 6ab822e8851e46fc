//! There and back: a release goes from registry to `dir:` tree to registry storage and back, and stays what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::bundle::{bundle, convert};
use crate::support::images::{Family, Image, Workshop, push_standard_set};
use crate::support::layer::Layer;
use crate::support::registry::{Registry, Served, garbage};
use crate::support::tree::{self, assert_same, assert_same_files, assert_same_trees, stamps};
use crate::support::{scratch, skopeo};

#[test]
fn every_image_survives_the_full_trip() {
    let (workshop, folder) = (Workshop::new(), scratch());
    let path = |name: &str| folder.path().join(name);
    let origin = Registry::start(&path("origin"));
    let images = push_standard_set(&workshop, &origin);
    skopeo::sync_to_dir(&origin, names(&images), &path("mirror"));

    let summary = convert("to-registry", &[], &path("mirror"), &path("site/docker"));
    assert_eq!(summary["schema"], "bundle.conversion/1");
    assert_eq!(summary["images"], images.len());
    assert_eq!(summary["tags"], images.len());
    assert_eq!(summary["findings"], Value::Array(Vec::new()));
    assert_counts_every_file(&summary, &path("site/docker"));
    assert_links_are_sound(&path("site/docker"));
    assert_blobs_are_shared(&path("site/docker"), &path("mirror"));

    let site = Registry::start(&path("site"));
    assert_serves_the_same(&site, &origin, &images);
    assert_skopeo_can_pull(&site, &images);
    let garbage = garbage(&path("site"));
    assert_eq!((garbage.deletable_blobs, garbage.deletable_manifests), (0, 0));
    drop(site);

    // The trip back begins with nothing but the storage: no registry, and not the tree that it was made of.
    let mirror = path("mirror").join(origin.address());
    fs::rename(&mirror, path("expected")).unwrap();
    let summary = convert("to-dir", &[], &path("site/docker"), &path("back"));
    assert_eq!(summary["images"], images.len());
    assert_eq!(summary["findings"], Value::Array(Vec::new()));
    assert_counts_every_file(&summary, &path("back"));
    assert_same_trees(&path("expected"), &path("back"));

    let target = Registry::start(&path("target"));
    skopeo::sync_to_registry(&path("back"), &target);
    assert_serves_the_same(&target, &origin, &images);
}

#[test]
fn storage_converted_to_storage_is_the_same_storage() {
    let (workshop, folder) = (Workshop::new(), scratch());
    let (origin, copy) = (folder.path().join("origin"), folder.path().join("copy"));
    let registry = Registry::start(&origin);
    push_standard_set(&workshop, &registry);
    let layers = [Layer { name: "later", bytes: 30_000 }];
    let retagged = workshop.build("retagged", Family::Docker, "amd64", &layers);
    retagged.push(&registry, "shop/worker", "1.0");
    let untagged = workshop.build("untagged", Family::Oci, "amd64", &layers);
    untagged.push_untagged(&registry, "shop/worker");
    untagged.push_untagged(&registry, "only/untagged");
    registry.put_blob("only/blobs", b"a layer whose image never came");
    registry.start_upload("shop/worker").expect("the registry takes uploads");

    convert("to-registry", &[], &origin.join("docker"), &copy.join("docker"));

    let (expected, uploads): (BTreeMap<_, _>, BTreeMap<_, _>) =
        tree::files(&origin).into_iter().partition(|(path, _)| !path.contains("/_uploads/"));
    assert!(!uploads.is_empty(), "there is no upload in progress to be left out");
    assert_same_files(&expected, &tree::files(&copy));
    assert_same("permissions", &modes_of_files(&origin), &modes_of_files(&copy));
    assert_links_are_sound(&copy);
}

#[test]
fn a_second_run_writes_nothing() {
    let (workshop, folder) = (Workshop::new(), scratch());
    let path = |name: &str| folder.path().join(name);
    mirror_standard_set(&workshop, &path("origin"), &path("mirror"));
    for (command, source, destination) in [
        ("to-registry", "mirror", "storage"),
        ("to-dir", "storage", "back"),
        ("to-registry", "storage", "copy"),
    ] {
        let first = convert(command, &[], &path(source), &path(destination));
        assert_ne!(first["linked"]["files"], 0, "{command}: {first}");
        assert_ne!(first["written_files"], 0, "{command}: {first}");
        let before = stamps(&path(destination));

        let second = convert(command, &[], &path(source), &path(destination));
        assert_same("inodes and times", &before, &stamps(&path(destination)));
        for work in ["linked", "cloned", "copied"] {
            assert_eq!(second[work]["files"], 0, "{command}: {work}: {second}");
            assert_eq!(second[work]["bytes"], 0, "{command}: {work}: {second}");
        }
        assert_eq!(second["written_files"], 0, "{command}: {second}");
        assert_eq!(second["images"], first["images"]);
        assert_eq!(second["tags"], first["tags"]);
    }
}

#[test]
fn the_number_of_threads_changes_nothing() {
    // Threads that get in each other's way do so only now and then.
    const ATTEMPTS: usize = 4;
    let (workshop, folder) = (Workshop::new(), scratch());
    let path = |name: &str| folder.path().join(name);
    mirror_standard_set(&workshop, &path("origin"), &path("mirror"));
    convert("to-registry", &[], &path("mirror"), &path("storage"));
    for (command, source) in [("to-registry", "mirror"), ("to-dir", "storage")] {
        for format in ["text", "json"] {
            let run = |jobs: &str| {
                let here = scratch();
                let mut bundle = bundle();
                // The destination has the same name in all runs, should the summary tell it.
                bundle.current_dir(&here).args([command, "-j", jobs, "--format", format]);
                let output = bundle.arg(path(source)).arg("out").assert().success().get_output().clone();
                (here, String::from_utf8(output.stdout).unwrap())
            };
            let (one, told_by_one) = run("1");
            for _ in 0..ATTEMPTS {
                let (eight, told_by_eight) = run("8");
                assert_eq!(told_by_one, told_by_eight, "{command} --format {format}");
                assert_same_trees(one.path(), eight.path());
            }
        }
    }
}

#[test]
fn untagged_images_come_along_when_asked_for() {
    let (workshop, folder) = (Workshop::new(), scratch());
    let path = |name: &str| folder.path().join(name);
    let origin = Registry::start(&path("origin"));
    let images = push_standard_set(&workshop, &origin);
    let layers = [Layer { name: "untagged", bytes: 30_000 }];
    let untagged = workshop.build("untagged", Family::Oci, "amd64", &layers);
    untagged.push_untagged(&origin, "shop/worker");

    convert("to-dir", &[], &path("origin/docker"), &path("tagged"));
    convert("to-dir", &["--untagged"], &path("origin/docker"), &path("all"));

    let name = format!("shop/worker@{}", untagged.digest);
    let tags: BTreeSet<_> =
        images.iter().map(|image| format!("{}:{}", image.repository, image.tag)).collect();
    assert_eq!(image_folders(&path("tagged")), tags);
    // The children of lists have no tag either, but they lie with their lists.
    let with_untagged = tags.into_iter().chain([name.clone()]).collect();
    assert_eq!(image_folders(&path("all")), with_untagged);
    assert_eq!(fs::read(path("all").join(&name).join("manifest.json")).unwrap(), untagged.bytes);

    let target = Registry::start(&path("target"));
    let source = format!("dir:{}", path("all").join(&name).display());
    skopeo::copy(&source, &format!("docker://{}/{name}", target.address()));
    skopeo::sync_to_registry(&path("all"), &target);
    assert_serves_the_same(&target, &origin, &images);
    let served = target.manifest("shop/worker", &untagged.digest);
    assert_eq!(served, origin.manifest("shop/worker", &untagged.digest));
}

#[test]
fn skopeo_may_overwrite_a_folder_and_harms_no_hard_link() {
    let (workshop, folder) = (Workshop::new(), scratch());
    let path = |name: &str| folder.path().join(name);
    let origin = Registry::start(&path("origin"));
    push_standard_set(&workshop, &origin);
    convert("to-dir", &[], &path("origin/docker"), &path("back"));
    let before = tree::files(&path("origin"));

    let other = format!("docker://{}/shop/worker:1.0", origin.address());
    skopeo::copy(&other, &format!("dir:{}", path("back/shop/web:1.0").display()));

    assert_same_files(&before, &tree::files(&path("origin")));
    let [overwritten, worker] =
        ["back/shop/web:1.0", "back/shop/worker:1.0"].map(|name| tree::files(&path(name)));
    assert_same_files(&overwritten, &worker);
}

/// Makes the tree that `skopeo sync` makes of the standard set.
fn mirror_standard_set(workshop: &Workshop, origin: &Path, mirror: &Path) {
    let registry = Registry::start(origin);
    let images = push_standard_set(workshop, &registry);
    skopeo::sync_to_dir(&registry, names(&images), mirror);
}

fn names(images: &[Image]) -> impl Iterator<Item = (&str, &str)> {
    images.iter().map(|image| (image.repository.as_str(), image.tag.as_str()))
}

/// Both registries list the same names, and each name leads to the same bytes with the same digest and type.
fn assert_serves_the_same(registry: &Registry, origin: &Registry, images: &[Image]) {
    assert_eq!(registry.catalog(), origin.catalog());
    for image in images {
        let Image { repository, tag, digest, children } = image;
        assert_eq!(registry.tags(repository), origin.tags(repository));
        let served: Served = registry.manifest(repository, tag);
        assert_eq!(&served.digest, digest, "{repository}:{tag}");
        for reference in [tag, digest].into_iter().chain(children) {
            let expected = origin.manifest(repository, reference);
            assert_eq!(registry.manifest(repository, reference), expected, "{repository} {reference}");
        }
    }
}

/// Every image can be copied by tag, by digest, and each platform of it by its own digest.
fn assert_skopeo_can_pull(registry: &Registry, images: &[Image]) {
    for Image { repository, tag, digest, children } in images {
        let digests = [digest].into_iter().chain(children).map(|digest| format!("@{digest}"));
        for identifier in [format!(":{tag}")].into_iter().chain(digests) {
            let pulled = scratch();
            let source = format!("docker://{}/{repository}{identifier}", registry.address());
            skopeo::copy(&source, &format!("dir:{}", pulled.path().display()));
            let raw = skopeo::inspect_raw(registry, repository, &identifier);
            assert_eq!(fs::read_to_string(pulled.path().join("manifest.json")).unwrap(), raw);
        }
    }
}

/// In an empty destination every file was either made out of a file of the source, or written.
fn assert_counts_every_file(summary: &Value, destination: &Path) {
    let linked = summary["linked"]["files"].as_u64().unwrap();
    let written = summary["written_files"].as_u64().unwrap();
    assert_eq!(linked + written, tree::files(destination).len() as u64, "{summary}");
}

/// A registry rewrites `link` files in place, so none may be a hard link; their content has no newline.
fn assert_links_are_sound(storage: &Path) {
    let links = paths_of("link", storage);
    assert!(!links.is_empty());
    for link in links {
        assert_eq!(tree::links(&link), 1, "{} is a hard link", link.display());
        let content = fs::read_to_string(&link).unwrap();
        let hex = content.strip_prefix("sha256:").unwrap_or_default();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        assert!(hex.len() == 64 && hex.bytes().all(is_hex), "{} holds {content:?}", link.display());
    }
}

/// Layers and configurations are hard links to the files of the source; manifests are files of their own.
fn assert_blobs_are_shared(storage: &Path, source: &Path) {
    let is_manifest = |path: &Path| path.to_str().unwrap().ends_with("manifest.json");
    let (manifests, blobs): (Vec<_>, Vec<_>) = WalkDir::new(source)
        .into_iter()
        .map(|entry| entry.unwrap().into_path())
        .filter(|path| path.is_file() && !path.ends_with("version"))
        .partition(|path| is_manifest(path));
    let blobs: BTreeSet<_> = blobs.iter().map(|path| tree::inode(path)).collect();
    let manifests: BTreeSet<_> = manifests.iter().map(|path| fs::read(path).unwrap()).collect();
    for data in paths_of("data", storage) {
        if manifests.contains(&fs::read(&data).unwrap()) {
            assert_eq!(tree::links(&data), 1, "{} is a hard link", data.display());
        } else {
            assert!(blobs.contains(&tree::inode(&data)), "{} is not a hard link", data.display());
        }
    }
}

fn paths_of(name: &str, root: &Path) -> Vec<std::path::PathBuf> {
    let paths = WalkDir::new(root).into_iter().map(|entry| entry.unwrap().into_path());
    paths.filter(|path| path.is_file() && path.ends_with(name)).collect()
}

/// The folders of a tree that are images, by relative path.
fn image_folders(root: &Path) -> BTreeSet<String> {
    let files = tree::files(root);
    files.keys().filter_map(|path| path.strip_suffix("/manifest.json")).map(str::to_owned).collect()
}

fn modes_of_files(root: &Path) -> BTreeMap<String, tree::Mode> {
    let is_kept = |path: &String| !path.ends_with('/') && !path.contains("/_uploads/");
    tree::modes(root).into_iter().filter(|(path, _)| is_kept(path)).collect()
}
