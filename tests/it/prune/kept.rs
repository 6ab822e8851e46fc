//! What stays, and that nothing else does.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use super::site::{Site, bytes_on_disk, expect_no_empty_folders, prune, referrer, tag_of, untagged};
use crate::support::bundle::convert;
use crate::support::forge::{self, Image, oci};
use crate::support::program::program;
use crate::support::registry::Registry;
use crate::support::testdata::copy_tree;
use crate::support::tree::{assert_same, assert_same_trees, stamps};
use crate::support::verification::verify;

/// The names of a list in a report.
fn names(report: &Value, list: &str) -> BTreeSet<String> {
    report[list].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[test]
fn all_that_is_wanted_stays_and_everything_else_is_gone() {
    let site = Site::new();
    site.upload("team/app", std::time::Duration::from_secs(90_000));
    site.upload("only/uploads", std::time::Duration::from_secs(90_000));
    let collected = crate::support::scratch();
    copy_tree(&site.docker(), &collected.path().join("docker"));
    let occupied = bytes_on_disk(&site.root());
    let fresh = site.path().join("fresh/docker");
    let list = site.list();
    convert("to-registry", &["--link", "copy", "--images", list.to_str().unwrap()], &site.docker(), &fresh);

    let before = stamps(&site.docker());
    let foretold = site.prune_to_list(&["--dry-run"]).expect(0).summary;
    assert_same("times and inodes", &before, &stamps(&site.docker()));
    let done = site.prune_to_list(&[]).expect(0);
    assert_eq!(done.said, "");
    let mut done = done.summary;
    assert_eq!(done["schema"], "bundle.pruning/1");
    let freed = done["freed"].as_u64().unwrap();
    assert_eq!(freed, occupied - bytes_on_disk(&site.root()));
    let (tags, others): (BTreeSet<_>, BTreeSet<_>) =
        site.others.iter().map(|(name, _)| name.clone()).partition(|name| !name.contains('@'));
    assert_eq!((names(&done, "tags_removed"), names(&done, "untagged_removed")), (tags, others));
    assert_eq!(done["images_kept"], site.wanted.len());
    assert_eq!((&done["removed"]["uploads"], &done["repositories_removed"]), (&json!(2), &json!(4)));
    done["dry_run"] = true.into();
    assert_eq!(foretold, done);

    site.expect_only(&site.wanted);
    assert_same_trees(&fresh, &site.docker());
    let verified = verify(&[], &[&site.docker()]);
    let expected = BTreeSet::from(["foreign-layer", "schema1"]);
    assert_eq!((verified.code, verified.kinds()), (0, expected));
    site.expect_served();

    // A second run finds nothing to do, and does nothing.
    let before = stamps(&site.docker());
    let again = site.prune_to_list(&[]).expect(0).summary;
    assert_eq!((&again["freed"], &again["removed"]["links"]), (&json!(0), &json!(0)));
    assert_same("times and inodes", &before, &stamps(&site.docker()));
    println!("prune: {} images kept, {freed} bytes freed, {}", site.wanted.len(), done["removed"]);

    // What a registry itself makes of the same storage, where nobody removed the tags that are not wanted.
    let config = site.path().join("config.yml");
    let storage = json!({ "filesystem": { "rootdirectory": collected.path() } });
    fs::write(&config, json!({ "version": "0.1", "storage": storage }).to_string()).unwrap();
    let mut collect = Command::new(program("docker-registry"));
    let output = collect.args(["garbage-collect", "-m"]).arg(&config).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let there =
        |path: &std::path::Path| collected.path().join(path.strip_prefix(site.path()).unwrap()).exists();
    let [list, nested] = [&site.wanted[0].1, &site.wanted[1].1];
    for child in list.children.iter().chain(&nested.children[0].children) {
        let link = site.link("team/app/_manifests/revisions", &child.digest());
        let layer = site.data(&child.blobs[1].digest);
        for path in [link, layer] {
            assert!(path.exists() && !there(&path), "{}", path.display());
        }
    }
    let registry = Registry::start_readonly(collected.path());
    assert_eq!(registry.manifest("team/app", "2").digest, list.digest());
    let still: Vec<_> = registry.tags("team/app");
    assert!(still.contains(&"2".to_owned()), "it shows the tag of which it lost all platforms");
}

#[test]
fn without_a_choice_all_tags_stay() {
    let site = Site::new();
    // About an image that stays, and one that is about nobody.
    let done = prune(&["--untagged"], &site.docker()).expect(0).summary;
    let of_old =
        site.others.iter().find(|(_, image)| image.manifest.windows(10).any(|it| it == b"of the old"));
    assert!(of_old.is_none(), "the name lies in a layer");
    let old = &site.others.iter().find(|(name, _)| name == "team/app:1").unwrap().1;
    let of_old = untagged("team/app", &referrer("of the old", old));
    let tagged = site.others.iter().filter(|(name, _)| !name.contains('@') || *name == of_old);
    let stay: Vec<_> = site.wanted.iter().chain(tagged).cloned().collect();
    assert_eq!(done["tags_removed"], json!([]));
    assert_eq!(done["untagged_removed"].as_array().unwrap().len(), 5);
    site.expect_only(&stay);
    assert_eq!(verify(&[], &[&site.docker()]).code, 0);
}

#[test]
fn a_line_or_a_pattern_with_a_digest_keeps_an_image_without_a_tag() {
    let site = Site::plain();
    let find = |start: &str| site.others.iter().find(|(name, _)| name.starts_with(start)).unwrap().clone();
    let (lost, past) = (find("team/app@"), find("now@"));
    let of_now = |name: &str| site.wanted.iter().find(|(it, _)| it == name).unwrap().clone();
    let list = site.path().join("lines");
    // The child of a list can be wanted for itself.
    let child = &site.wanted[0].1.children[1];
    fs::write(&list, format!("{}\nnow:1\nteam/app@{}\n", lost.0, child.digest())).unwrap();
    let copy = site.path().join("copy");
    copy_tree(&site.docker(), &copy.join("docker"));
    let done = prune(&["--images", list.to_str().unwrap()], &site.docker()).expect(0).summary;
    let mut stay = vec![lost, of_now("now:1"), (untagged("team/app", child), child.clone())];
    // What is about the child, and about that; the first tag of cosign is about the other platform.
    stay.extend(site.wanted.iter().filter(|(name, _)| name.starts_with("team/app@")).cloned());
    site.expect_only(&stay);
    assert!(done["images_kept"].as_u64().unwrap() >= 4);

    // Patterns are for tags, unless they speak of digests.
    let docker = copy.join("docker");
    prune(&["--include", "now*"], &docker).expect(0);
    let left = convert("to-dir", &["--untagged"], &docker, &site.path().join("left"));
    assert_eq!(left["images"]["total"].as_u64().or(left["images"].as_u64()).unwrap_or(1), 1, "{left:#}");
    let past_copy = site.path().join("past");
    let site = Site::plain();
    copy_tree(&site.docker(), &past_copy.join("docker"));
    prune(&["--include", "now:1", "--include", "now@*"], &site.docker()).expect(0);
    let pasts: Vec<_> = site.others.iter().filter(|(name, _)| name.starts_with("now@")).cloned().collect();
    assert!(pasts.iter().any(|(name, _)| *name == past.0));
    site.expect_only(pasts.iter().chain(site.wanted.iter().filter(|(name, _)| name == "now:1")));
}

#[test]
fn what_is_excluded_does_not_follow() {
    let site = Site::plain();
    let done = prune(&["--exclude", "*.sig", "--exclude", "now:*"], &site.docker()).expect(0).summary;
    let stays = |(name, _): &&(String, Image)| !name.ends_with(".sig") && !name.starts_with("now");
    let of_others = site.others.iter().filter(|it| !it.0.contains('@')).filter(stays);
    let old = &site.others.iter().find(|(name, _)| name == "team/app:1").unwrap().1;
    let of_old = (untagged("team/app", &referrer("of the old", old)), referrer("of the old", old));
    let stay: Vec<_> = site.wanted.iter().filter(stays).chain(of_others).chain([&of_old]).cloned().collect();
    site.expect_only(&stay);
    assert!(names(&done, "tags_removed").iter().any(|name| name.ends_with(".sig")));
}

#[test]
fn history_stays_where_that_is_asked_for() {
    let site = Site::plain();
    prune(&["--images", site.list().to_str().unwrap(), "--keep-history"], &site.docker()).expect(0);
    let past: Vec<_> = site.others.iter().filter(|(name, _)| name.starts_with("now@")).cloned().collect();
    assert_eq!(past.len(), 2);
    let mut expected = forge::storage(site.wanted.iter().chain(&past));
    for (_, image) in &past {
        let digest = image.digest();
        let link = format!("repositories/now/_manifests/tags/now/index/{}/link", digest.replace(':', "/"));
        expected.insert(link.replace("tags/now", "tags/1"), digest.into());
    }
    crate::support::tree::assert_same_files(&expected, &crate::support::tree::files(&site.root()));
    expect_no_empty_folders(&site.root());
    assert_eq!(verify(&[], &[&site.docker()]).findings().len(), 0);
    // Without it, what the tag was before goes.
    site.prune_to_list(&[]).expect(0);
    site.expect_only(&site.wanted);
}

#[test]
fn what_is_about_a_kept_image_outlives_its_own_tag() {
    let app = oci("app");
    let bill = referrer("bill of materials", &app);
    let folder = crate::support::scratch();
    let images = [("a:1".to_owned(), app.clone()), ("a:bill".to_owned(), bill.clone())];
    forge::write(&forge::tree(&images), &folder.path().join("images"));
    let docker = folder.path().join("docker");
    convert("to-registry", &[], &folder.path().join("images"), &docker);
    let done = prune(&["--include", "a:1"], &docker).expect(0).summary;
    assert_eq!(done["tags_removed"], json!(["a:bill"]));
    let left = [("a:1".to_owned(), app), (untagged("a", &bill), bill)];
    let files = crate::support::tree::files(&docker.join("registry/v2"));
    crate::support::tree::assert_same_files(&forge::storage(&left), &files);
}

#[test]
fn a_conversion_takes_what_belongs_to_its_images() {
    let site = Site::plain();
    let images = site.path().join("images");
    convert("to-dir", &["--include", "team/app:2"], &site.docker(), &images);
    let list = &site.wanted[0].1;
    let signature = images.join(tag_of("team/app", list, ".sig"));
    assert!(signature.join("manifest.json").exists());
    let other = images.join("none");
    convert("to-dir", &["--include", "team/app:2", "--exclude", "*.sig"], &site.docker(), &other);
    assert!(!other.join(tag_of("team/app", list, ".sig")).exists());
}
