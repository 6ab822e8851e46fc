//! What `apply` does beside bringing content: it links a folder's, removes tags if it is asked to, and takes a tar
//! from a pipe. That it foretells all of it belongs to every application, and is checked by [`Site`].

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::json;

use super::releases::{Release, Vendor, docker, oci};
use super::site::Site;
use crate::support::bundle::{Ended, bundle, shared};
use crate::support::package::volumes;
use crate::support::strace::HANGS;
use crate::support::tree::{assert_same, assert_same_files, assert_same_trees, files, inode, stamps};
use crate::support::verification::verify;

#[test]
fn a_folder_on_the_same_disk_is_linked() {
    let vendor = Vendor::new();
    let base = vendor.tree(1);
    // A name that ends in a slash means a folder.
    let folders = [vendor.pack("1/", &[], 1), vendor.pack("2/", &[&base], 2)];
    let (mut site, mut other) = (Site::new(), Site::new());
    let mut linked = 0;
    for (folder, version) in folders.iter().zip(1..) {
        let release = vendor.release(version);
        let before = files(folder);
        let (manifests, others) = carried(&before, release);
        let bytes: usize = others.values().sum();

        let report = site.apply(&[], folder, release);
        assert_eq!(report["linked"], json!({ "files": others.len(), "bytes": bytes }));
        assert_eq!(shared(&report), [others.len() as u64, 0, 0]);
        let is_linked = |site: &Site, path: &str| inode(&folder.join(path)) == inode(&site.path().join(path));
        assert!(others.keys().all(|path| is_linked(&site, path)));
        // Manifests are files of their own, as links and markers are.
        assert!(!manifests.keys().any(|path| is_linked(&site, path)));

        let report = other.apply(&["--link", "copy"], folder, release);
        assert_eq!(report["copied"], json!({ "files": others.len(), "bytes": bytes }));
        assert_eq!(shared(&report), [0, 0, others.len() as u64]);
        assert!(!others.keys().chain(manifests.keys()).any(|path| is_linked(&other, path)));

        assert_same_files(&before, &files(folder));
        assert!(verify(&[], &[folder]).errors().is_empty());
        linked += others.len();
    }
    assert_same_trees(site.path(), other.path());
    let pulls = site.check() + other.check();
    println!("folders: {linked} blobs linked and none copied, {pulls} pulls");
    assert!(linked >= 40 && pulls >= 50);
}

/// The paths of the content that a folder carries, with its sizes: that of manifests, and all other.
fn carried(
    files: &BTreeMap<String, Vec<u8>>,
    release: &Release,
) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let manifests = release.images.iter().flat_map(|(_, image)| image.all());
    let manifests: Vec<_> = manifests.map(|it| it.digest().split_off("sha256:".len())).collect();
    let data = files.iter().filter(|(path, _)| path.ends_with("/data"));
    let data = data.map(|(path, bytes)| (path.clone(), bytes.len()));
    data.partition(|(path, _)| manifests.iter().any(|hex| path.contains(&format!("/{hex}/"))))
}

#[test]
fn tags_that_a_package_does_not_have_are_removed_and_nothing_else() {
    let vendor = Vendor::new();
    let own = Release::of([
        ("local/tool:1", docker("local tool", &[("base", 120_000)])),
        ("shop/web:local", oci("local web", &[("runtime", 60_000)])),
    ]);
    let mut site = Site::new();
    site.convert(vendor.release(1));
    site.convert(&own);
    let whole = vendor.pack("1.tar", &[], 1);
    let patch = vendor.pack("3.tar", &[&vendor.tree(1)], 3);
    let (mut pulls, mut gone) = (0, 0);
    for (package, version) in [(&patch, 3), (&whole, 1), (&patch, 3)] {
        let release = vendor.release(version);
        let absent = site.tags_beside(release);
        site.forget(&absent);
        let report = site.apply(&["--delete-absent"], package, release);
        assert_eq!(report["gone"], json!(absent));
        assert!(site.tags_beside(release).is_empty());
        // Every image that any name ever stood for is still served by its digest, and none of it is garbage.
        pulls += site.check();
        gone += absent.len();
        let again = site.apply(&["--delete-absent"], package, release);
        assert_eq!((&again["gone"], &again["planned"]["files"]), (&json!([]), &json!(0)));
    }
    println!("tags: {gone} removed, {pulls} pulls of what stays");
    assert!(gone >= 20 && pulls >= 80);
    // Without being asked it leaves them all.
    assert_eq!(site.apply(&[], &whole, vendor.release(1))["gone"], json!([]));
    assert!(site.tags_beside(vendor.release(1)).len() >= 5);
}

#[test]
fn a_dry_run_says_what_would_change() {
    let vendor = Vendor::new();
    let patch = vendor.pack("2.tar", &[&vendor.tree(1)], 2);
    let mut site = Site::new();
    site.convert(vendor.release(1));
    let say = |options: &[&str]| {
        let mut command = bundle();
        let output = command.arg("apply").args(options).arg(&patch).arg(site.docker()).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    let before = stamps(site.path());
    let said = say(&["--dry-run", "--delete-absent"]);
    assert_same("stamps", &before, &stamps(site.path()));
    let images = |release: usize| -> BTreeMap<_, _> {
        let images = vendor.release(release).images.iter();
        images.map(|(name, image)| (name.as_str(), image.digest())).collect()
    };
    let (old, new) = (images(1), images(2));
    let short = |digest: &str| digest["sha256:".len()..][..12].to_owned();
    let changes = new.iter().filter_map(|(name, to)| match old.get(name) {
        None => Some(format!("new {name}")),
        Some(from) if from == to => None,
        Some(from) => Some(format!("moved {name} sha256:{} -> sha256:{}", short(from), short(to))),
    });
    let gone = old.keys().filter(|name| !new.contains_key(*name) && !name.contains('@'));
    let expected: Vec<_> = changes.chain(gone.map(|name| format!("gone {name}"))).collect();
    let lines: Vec<_> =
        said.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[..expected.len()], expected);
    let count = |start: &str| expected.iter().filter(|line| line.starts_with(start)).count();
    let unchanged = new.len() - count("new") - count("moved");
    let (new_images, moved) = (count("new"), count("moved"));
    let summary = format!("{} images: {new_images} new, {moved} moved, {unchanged} unchanged", new.len());
    assert_eq!(lines[expected.len()], summary);
    assert_eq!(lines.last().unwrap(), "dry run: nothing was hashed, nothing was written");
    assert!(new_images >= 5 && moved >= 3 && unchanged >= 5 && count("gone") >= 2, "{said}");
    // When it is done, it says the same of the images.
    let done = say(&["--delete-absent"]);
    assert_eq!(done.lines().next(), said.lines().next());
    let listed = |said: &str| said.lines().take(expected.len() + 1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(listed(&done), listed(&said));
}

#[test]
fn a_package_that_comes_through_a_pipe_is_like_one_that_lies_there() {
    let vendor = Vendor::new();
    let [first, second] = [1, 2].map(|version| vendor.tree(version));
    let [whole, split, _] = vendor.forms(1, &[]);
    let patch = vendor.pack("2.tar", &[&first], 2);
    let mut lying = Site::new();
    let reports = [(&whole, 1), (&patch, 2)]
        .map(|(package, version)| lying.apply(&[], package, vendor.release(version)));
    let mut pulls = 0;
    for packages in [[&whole, &patch], [&split, &patch]] {
        let mut passing = Site::new();
        let docker = passing.docker();
        for ((package, version), expected) in packages.into_iter().zip(1..).zip(&reports) {
            let apply = |options: &[&str]| pipe(options, package, &docker).expect(0).summary;
            let mut report = passing.bring(vendor.release(version), &apply);
            assert_eq!(report["package"], "-");
            // What passes by is hashed in passing, all of it.
            assert_eq!(report["verified"], report["carries"]);
            for field in ["package", "destination", "verified"] {
                report[field] = expected[field].clone();
            }
            assert_eq!(report, *expected);
        }
        assert_same_trees(lying.path(), passing.path());
        pulls += passing.check();
    }

    // A patch that does not fit is refused before it is read.
    let wrong = vendor.pack("3.tar", &[&second], 3);
    let mut behind = Site::new();
    behind.convert(vendor.release(1));
    let before = stamps(behind.path());
    let refused = behind.refuse(&[], &wrong).summary["findings"].clone();
    assert!(refused.as_array().unwrap().len() >= 5);
    for options in [&[][..], &["--dry-run"]] {
        let passing = pipe(options, &wrong, &behind.docker()).expect(4);
        assert_same("stamps", &before, &stamps(behind.path()));
        assert_eq!((&passing.summary["findings"], &passing.summary["stopped"]), (&refused, &true.into()));
    }
    println!("pipes: {pulls} pulls");
    assert!(pulls >= 50);
}

/// Applies a package, or the volumes of one, out of a pipe.
fn pipe(options: &[&str], package: &Path, docker: &Path) -> Ended {
    let mut files = volumes(package);
    if files.is_empty() {
        files.push(package.to_owned());
    }
    let tar: Vec<u8> = files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
    let mut command = bundle();
    command.args(["apply", "-q", "--format", "json"]).args(options).arg("-").arg(docker);
    Ended::of(&command.write_stdin(tar).timeout(HANGS).output().unwrap())
}
