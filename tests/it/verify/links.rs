//! Faults of registry storage's links, tags and folders.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::Digest as _;

use super::{assert_breaks, assert_warns, set};
use crate::support::registry::Registry;
use crate::support::special::Special;
use crate::support::storage::{Storage, write};
use crate::support::testdata::copy_tree;
use crate::support::verification::verify;

const WEB: &str = "platform/web:1.8.0";
const OTHER: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The links that `platform/web:1.8.0` stands on: its tag's, its manifest's and a layer's.
fn links(storage: &Storage) -> [PathBuf; 3] {
    let web = storage.image(WEB);
    let layer = web.blobs.last().unwrap();
    [
        storage.current("platform/web", "1.8.0"),
        storage.revision("platform/web", &web.digest),
        storage.grant("platform/web", layer),
    ]
}

#[test]
fn a_link_holds_a_digest_and_nothing_else() {
    let storage = Storage::new();
    for link in links(&storage) {
        let sound = fs::read_to_string(&link).unwrap();
        let upper = sound.to_uppercase();
        let long = sound.repeat(1000);
        for text in [&format!("{sound}\n"), "", "\n", "sha256:../../x", &upper, &long, "\u{1b}[2J"] {
            fs::write(&link, text).unwrap();
            assert_breaks(&storage.docker(), "invalid-link", &link, &set([WEB]));
        }
        fs::write(&link, &sound).unwrap();
    }
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
}

#[test]
fn a_link_holds_the_digest_of_its_folder() {
    let storage = Storage::new();
    let stranger = storage.image("zone-base:1.0").digest;
    let [_, revision, grant] = links(&storage);
    for link in [revision, grant] {
        let sound = fs::read_to_string(&link).unwrap();
        fs::write(&link, &stranger).unwrap();
        let finding = assert_breaks(&storage.docker(), "other-link", &link, &set([WEB]));
        assert_eq!(
            (&finding["expected"], &finding["found"]),
            (&sound.as_str().into(), &stranger.as_str().into())
        );
        fs::write(&link, &sound).unwrap();
    }
}

#[test]
fn a_tag_s_history_costs_no_image() {
    let storage = Storage::new();
    let web = storage.image(WEB);
    let link = storage.history("platform/web", "1.8.0", &web.digest);
    fs::write(&link, storage.image("zone-base:1.0").digest).unwrap();
    assert_warns(&storage.docker(), "other-link", &link, &[WEB]);
    fs::remove_dir_all(storage.tag("platform/web", "1.8.0").join("index")).unwrap();
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
    // What a tag once pointed at may have been deleted since.
    write(&storage.history("platform/web", "1.8.0", OTHER), OTHER.as_bytes());
    assert_eq!(verify(&[], &[&storage.docker()]).code, 0);
}

#[test]
fn a_blob_that_was_uploaded_under_another_algorithm_is_sound() {
    let storage = Storage::of(&["zone-base:*"]);
    let layer = storage.image("zone-base:1.0").blobs.first().unwrap().clone();
    let bytes = fs::read(storage.data(&layer)).unwrap();
    let hex: String = sha2::Sha512::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    let longer = format!("sha512:{hex}");
    write(&storage.grant("zone-base", &longer), layer.as_bytes());
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!((verified.code, verified.kinds()), (0, set([])), "{:#}", verified.report["findings"]);
}

#[test]
fn what_is_no_file_is_no_link() {
    let storage = Storage::new();
    let aside = storage.site().join("aside");
    for special in Special::all() {
        for link in links(&storage) {
            special.replace(&link, &aside);
            assert_breaks(&storage.docker(), "not-a-file", &link, &set([WEB]));
            Special::undo(&link, &aside);
        }
    }
}

#[test]
fn a_tag_that_points_at_nothing_is_missing_its_manifest() {
    let storage = Storage::new();
    fs::write(storage.current("platform/web", "1.8.0"), OTHER).unwrap();
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&storage.docker()]);
        assert_eq!((verified.kinds(), verified.broken()), (set(["missing-manifest"]), set([WEB])));
        assert_eq!(verified.errors()[0]["digest"], OTHER);
    }
}

#[test]
fn a_tag_with_history_and_no_link_is_lost_and_one_without_either_is_only_empty() {
    let storage = Storage::new();
    let folder = storage.tag("platform/web", "1.8.0");
    fs::remove_file(folder.join("current/link")).unwrap();
    assert_breaks(&storage.docker(), "tag-without-link", &folder, &set([WEB]));
    fs::remove_dir(folder.join("current")).unwrap();
    assert_breaks(&storage.docker(), "tag-without-link", &folder, &set([WEB]));
    fs::remove_dir_all(folder.join("index")).unwrap();
    assert_warns(&storage.docker(), "empty-tag", &folder, &[WEB]);
}

#[test]
fn links_that_share_an_inode_change_each_other() {
    let root = Storage::of(&["zone-base:*"]);
    copy_tree(&root.repository("zone-base"), &root.repository("mirror/base"));
    assert_eq!(verify(&[], &[&root.docker()]).code, 0);
    let [ours, theirs] = ["zone-base", "mirror/base"].map(|repository| root.current(repository, "1.0"));
    fs::remove_file(&theirs).unwrap();
    fs::hard_link(&ours, &theirs).unwrap();
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&root.docker()]);
        assert_eq!((verified.code, verified.kinds()), (4, set(["linked-link"])));
        assert_eq!(verified.broken(), set(["mirror/base:1.0", "zone-base:1.0"]));
    }

    // What the registry does to the one tag, it does to the other, whose repository then lacks the manifest.
    let manifest = fs::read_to_string(root.data(&root.image("zone-base:1.0").digest)).unwrap();
    let registry = Registry::start(root.site());
    let media_type = registry.manifest("zone-base", "1.0").media_type;
    let changed = registry.put_manifest("zone-base", "1.0", &media_type, (manifest + "\n").as_bytes());
    assert_eq!(fs::read_to_string(&theirs).unwrap(), changed);
    drop(registry);
    assert_eq!(verify(&[], &[&root.docker()]).broken(), set(["mirror/base:1.0", "zone-base:1.0"]));
}

#[test]
fn what_an_interrupted_registry_leaves_is_worth_a_word() {
    let storage = Storage::new();
    let upload = storage.repository("zone-base").join("_uploads/0d4ec7b5-1d67-4a0e-9b7a-3b6c1b8f1a50");
    for name in ["data", "startedat", "hashstates/sha256/0"] {
        write(&upload.join(name), b"half a layer");
    }
    assert_warns(&storage.docker(), "leftover", &upload, &[]);
    fs::remove_dir_all(storage.repository("zone-base").join("_uploads")).unwrap();

    let temporary = storage.current("zone-base", "1.0").with_file_name("link.0d4ec7b5.tmp");
    let data = storage.data(&storage.image("zone-base:1.0").digest).with_file_name("data.0d4ec7b5.tmp");
    for file in [temporary, data] {
        fs::write(&file, "sha2").unwrap();
        assert_warns(&storage.docker(), "leftover", &file, &[]);
        assert_eq!(storage.collect(&[]), Ok(set([]).into_iter().map(str::to_owned).collect()));
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_tag_outside_the_grammar_cannot_be_asked_for() {
    for name in ["-1", "a b", "1.0\n", &"t".repeat(129)] {
        let storage = Storage::new();
        let folder = storage.tag("zone-base", name);
        copy_tree(&storage.tag("zone-base", "1.0"), &folder);
        let verified = verify(&[], &[&storage.docker()]);
        verified.finding("invalid-name", Path::new(&folder));
        assert_eq!((verified.code, verified.kinds()), (4, set(["invalid-name"])));
        assert!(!verified.broken().contains("zone-base:1.0"));
    }
}
