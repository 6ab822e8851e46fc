//! Storage that is damaged: nothing is removed, and by force nothing that a damaged image may need.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use walkdir::WalkDir;

use super::site::{Site, prune, write};
use crate::support::forge::{Image, storage};
use crate::support::testdata::copy_tree;
use crate::support::verification::verify;

/// An image of the site by its name.
fn image(site: &Site, name: &str) -> Image {
    let all = site.wanted.iter().chain(&site.others);
    all.into_iter().find(|(it, _)| it == name).unwrap().1.clone()
}

/// All files of a tree, whatever else is in it.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = WalkDir::new(root).into_iter().map(Result::unwrap);
    let files = entries.filter(|entry| entry.file_type().is_file());
    let name = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
    files.map(|entry| (name(entry.path()), fs::read(entry.path()).unwrap())).collect()
}

fn spoil(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[3] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// What is said of damage, and a way to do it.
type Damage = (&'static str, fn(&Site));

const DAMAGES: [Damage; 11] = [
    ("wrong size", |site| {
        let layer = &image(site, "team/app:2").children[0].blobs[1];
        fs::write(site.data(&layer.digest), b"short").unwrap();
    }),
    ("missing blob", |site| {
        let layer = &image(site, "team/app:nested").children[1].blobs[2];
        fs::remove_file(site.data(&layer.digest)).unwrap();
    }),
    ("missing link", |site| {
        let layer = &image(site, "now:1").blobs[1];
        fs::remove_file(site.link("now/_layers", &layer.digest)).unwrap();
    }),
    ("corrupt blob", |site| spoil(&site.data(&image(site, "team/app:2").digest()))),
    ("corrupt blob", |site| spoil(&site.data(&image(site, "gone:2").digest()))),
    ("missing manifest", |site| {
        fs::remove_file(site.data(&image(site, "team/app:nested").children[0].digest())).unwrap();
    }),
    ("invalid link", |site| {
        fs::write(site.root().join("repositories/now/_manifests/tags/1/current/link"), b"sha256:1").unwrap();
    }),
    ("neither a file nor a folder", |site| {
        let revisions = site.root().join("repositories/team/mirror/_manifests/revisions");
        fs::rename(&revisions, site.path().join("aside")).unwrap();
        symlink(site.path().join("aside"), revisions).unwrap();
    }),
    ("tag that points at nothing", |site| {
        fs::remove_dir_all(site.root().join("repositories/now/_manifests/tags/1/current")).unwrap();
    }),
    ("stray file", |site| write(&site.root().join("repositories/now/_manifests/tags/.DS_Store"), b"")),
    ("invalid name", |site| {
        let layers = site.root().join("repositories/Upper/x/_layers");
        fs::create_dir_all(layers).unwrap();
        fs::create_dir_all(site.root().join("repositories/Upper/x/_manifests/tags")).unwrap();
    }),
];

#[test]
fn nothing_is_removed_from_damaged_storage() {
    let site = Site::plain();
    for (says, damage) in DAMAGES {
        let copy = site.copy();
        damage(&copy);
        let before = files(&copy.root());
        for options in [&[][..], &["-n"]] {
            let ended = copy.prune_to_list(options).expect(4);
            ended.expect_said(&[says]);
            assert_eq!((&ended.summary["refused"], &ended.summary["freed"]), (&true.into(), &0.into()));
        }
        assert!(before == files(&copy.root()), "{says}: something was removed");
    }
}

#[test]
fn by_force_nothing_goes_that_a_damaged_image_may_need() {
    let site = Site::plain();
    for (says, damage) in DAMAGES {
        let copy = site.copy();
        damage(&copy);
        let damaged = files(&copy.root());
        let ended = copy.prune_to_list(&["--force"]);
        let after = files(&copy.root());
        // Whatever of the wanted images was there is there still.
        for path in storage(&site.wanted).keys() {
            if damaged.contains_key(path) {
                assert!(after.contains_key(path), "{says}: {path} is gone");
                assert_eq!(damaged[path], after[path]);
            }
        }
        // What has nothing to do with it goes.
        assert!(matches!(ended.code, 0 | 4), "{says}: {}", ended.said);
        assert!(!copy.root().join("repositories/gone/_manifests/tags").exists(), "{says}: {}", ended.said);
        println!("by force, {says}: exit {}, in doubt {}", ended.code, ended.summary["in_doubt"]);
    }
}

#[test]
fn what_is_not_known_is_kept_until_it_is_repaired() {
    // The manifest of a tag, and that of a platform, are lost: what they need only the links of the repository tell.
    for lost in ["tag", "platform"] {
        let site = Site::plain();
        let backup = site.copy();
        let list = image(&site, "team/app:2");
        let digest = if lost == "tag" { list.digest() } else { list.children[1].digest() };
        spoil(&site.data(&digest));
        let ended = site.prune_to_list(&["--force"]).expect(4);
        assert!(ended.summary["in_doubt"]["blobs"]["files"].as_u64().unwrap() > 0, "{}", ended.summary);
        let docker = [site.docker(), backup.docker()].map(|path| path.to_str().unwrap().to_owned());
        crate::support::bundle::bundle()
            .args(["verify", "-q", &docker[0], "--repair-from", &docker[1]])
            .assert()
            .success();
        site.expect_wanted().unwrap();
        assert_eq!(verify(&[], &[&site.docker()]).code, 0);
        site.prune_to_list(&[]).expect(0);
        site.expect_only(&site.wanted);
        site.expect_served();
    }
}

#[test]
fn what_is_damaged_and_not_wanted_goes() {
    let site = Site::plain();
    let gone = image(&site, "gone:2");
    fs::write(site.data(&gone.blobs[1].digest), b"short").unwrap();
    fs::remove_file(site.data(&image(&site, "team/app/gone/deeper:1").blobs[1].digest)).unwrap();
    prune(&["--untagged"], &site.docker()).expect(4);
    site.prune_to_list(&[]).expect(4);
    let ended = site.prune_to_list(&["--force"]).expect(0);
    assert_eq!(ended.said, "");
    site.expect_only(&site.wanted);
}

impl Site {
    /// The same in another place.
    fn copy(&self) -> Self {
        let copy = Self::empty(&self.wanted, &self.others);
        copy_tree(&self.docker(), &copy.docker());
        copy
    }
}
