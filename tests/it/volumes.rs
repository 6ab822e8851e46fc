//! Destinations that are made of several disks: what is made aside, made durable and cleared is so on each of them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::bundle::{bundle, convert, run, shared};
use crate::support::complete::{Form, tags};
use crate::support::course::staging;
use crate::support::held::Held;
use crate::support::mount::Mount;
use crate::support::registry::Registry;
use crate::support::sha256;
use crate::support::strace::HANGS;
use crate::support::testdata::{copied_release, copy_tree, testdata};
use crate::support::tree::{assert_same, assert_same_files, files, inode, stamps};
use crate::support::verification::verify;

/// A site whose blobs lie on a disk of their own.
struct Site {
    // Unmounted in this order.
    blobs: Mount,
    disk: Mount,
}

impl Site {
    fn new() -> Self {
        let disk = Mount::tmpfs("size=16m");
        let blobs = disk.path().join("docker/registry/v2/blobs");
        fs::create_dir_all(&blobs).unwrap();
        Self { blobs: Mount::tmpfs_over(&blobs, "size=16m"), disk }
    }

    /// The folders at which its disks begin, as far as `bundle` is concerned.
    fn volumes(&self) -> [std::path::PathBuf; 2] {
        [self.disk.path().join("docker/registry/v2"), self.blobs.path()]
    }

    /// Fails if anything is left of what a run makes aside.
    fn expect_no_leftovers(&self) {
        let entries = WalkDir::new(self.disk.path()).min_depth(1).into_iter().map(Result::unwrap);
        let left: Vec<_> =
            entries.filter(|entry| entry.file_name().to_str().unwrap().contains("tmp")).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// A registry serves every tag, each layer with its true bytes.
    fn expect_served(&self, count: usize) {
        let registry = Registry::start_readonly(&self.disk.path());
        let shown = tags(Form::Storage, &self.disk.path().join("docker")).unwrap();
        assert_eq!(shown.len(), count);
        for (name, digest) in shown {
            let (repository, tag) = name.rsplit_once(':').unwrap();
            let served = registry.manifest(repository, tag);
            assert_eq!([&served.digest, &sha256(&served.bytes)], [&digest, &digest]);
            let manifest: Value = serde_json::from_slice(&served.bytes).unwrap();
            for layer in manifest["layers"].as_array().into_iter().flatten() {
                let layer = layer["digest"].as_str().unwrap();
                assert_eq!(sha256(&registry.blob(repository, layer)), layer);
            }
        }
    }
}

#[test]
fn storage_whose_blobs_lie_on_a_disk_of_their_own_is_served() {
    let (folder, images) = copied_release();
    let [site, near] = [Site::new(), Site::new()];
    let reference = folder.path().join("docker");
    convert("to-registry", &[], &images, &reference);
    // The source is on another disk, or on that of everything but the blobs.
    let source = near.disk.path().join("images");
    copy_tree(&images, &source);
    for (site, source) in [(&site, &images), (&near, &source)] {
        let docker = site.disk.path().join("docker");
        let before = stamps(source);
        let ended = run(bundle(), "to-registry", &[], source, &docker).expect(0);
        assert_eq!(shared(&ended.summary), [0, 0, 17]);
        assert_same("stamps", &before, &stamps(source));
        assert_same_files(&files(&reference), &files(&docker));
        site.expect_no_leftovers();
        site.expect_served(7);
    }
}

#[test]
fn what_a_killed_run_left_is_cleared_on_every_disk() {
    let (folder, images) = copied_release();
    let previous = folder.path().join("previous");
    copy_tree(&testdata().join("previous"), &previous);
    let site = Site::new();
    let docker = site.disk.path().join("docker");
    convert("to-registry", &[], &images, &docker);

    // It is killed when it is about to give the first blob its place.
    let options = ["to-registry", "-q", "-j", "1"].map(OsStr::new);
    let arguments = [&options[..], &[previous.as_os_str(), docker.as_os_str()]].concat();
    Held::before("rename", 1, None, &arguments).kill();
    let volumes = site.volumes();
    assert_eq!(volumes.each_ref().map(|folder| staging(folder).len()), [1, 1]);
    for folder in &volumes {
        fs::create_dir(folder.join(".bundle-x.tmp")).unwrap();
        fs::write(folder.join(".bundle-x.tmp/.tmpleft"), "left").unwrap();
    }

    // Whoever only reads leaves it there.
    let before = stamps(&site.disk.path());
    let verified = verify(&[], &[&docker]);
    assert_eq!(verified.code, 0, "{:#}", verified.report);
    for folder in &volumes {
        assert_eq!(verified.finding("leftover", &folder.join(".bundle-x.tmp"))["severity"], "warning");
    }
    bundle().args(["stats", "-q"]).arg(&docker).timeout(HANGS).assert().success();
    run(bundle(), "to-registry", &["-n"], &previous, &docker).expect(0);
    assert_same("stamps", &before, &stamps(&site.disk.path()));
    site.expect_served(7);

    // The next run removes it, even one that has nothing else to do.
    for change in ["new", "unchanged"] {
        let ended = run(bundle(), "to-registry", &[], &previous, &docker).expect(0);
        assert_eq!(ended.summary["changes"]["tools/migrate:1.0"], change);
        site.expect_no_leftovers();
        site.expect_served(8);
        volumes.iter().for_each(|folder| fs::create_dir(folder.join(".bundle-y.tmp")).unwrap());
    }
}

#[test]
fn image_folders_may_lie_on_disks_of_their_own() {
    let (folder, images) = copied_release();
    let storage = folder.path().join("docker");
    convert("to-registry", &[], &images, &storage);
    let disk = Mount::tmpfs("size=16m");
    let copies = disk.path().join("copies");
    fs::create_dir_all(copies.join("platform")).unwrap();
    let platform = Mount::tmpfs_over(&copies.join("platform"), "size=16m");
    let planned = convert("to-dir", &["-n"], &storage, &copies);
    let ended = run(bundle(), "to-dir", &[], &storage, &copies).expect(0);
    assert_eq!(ended.summary["planned"], planned["planned"]);
    assert_same_files(&files(&images), &files(&copies));
    assert_eq!([&copies, &platform.path()].map(|folder| staging(folder).len()), [0, 0]);

    // Each layer once on each of the disks.
    let blobs = |folder: &Path| {
        let names = files(folder).into_keys().filter(|path| path.rsplit('/').next().unwrap().len() == 64);
        names.map(|name| inode(&folder.join(name))).collect::<BTreeSet<_>>().len() as u64
    };
    let of_platform = blobs(&platform.path());
    drop(platform);
    let [linked, 0, copied] = shared(&ended.summary) else { panic!("{:#}", ended.summary) };
    assert_eq!((copied, linked), (of_platform + blobs(&copies), 26 - copied));
}
