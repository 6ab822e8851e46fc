//! What the operating system refuses to show: a fault of the tree, told like any other.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use super::content::{roles, users};
use super::set;
use crate::support::person::Person;
use crate::support::storage::Storage;
use crate::support::testdata::{copy_tree, layer, testdata};
use crate::support::verification::{Verified, images};

const WEB: &str = "platform/web:1.8.0";

#[test]
fn what_cannot_be_read_breaks_the_images() {
    let storage = Storage::for_every_user(&["*"]);
    let all = storage.images();
    let person = Person::new();
    for digest in roles(&storage) {
        let data = storage.data(&digest);
        fs::set_permissions(&data, Permissions::from_mode(0o000)).unwrap();
        let mut command = person.bundle();
        let verified = Verified::of(command.args(["verify", "--format", "json"]).arg(storage.docker()));
        let finding = verified.finding("unreadable", &data);
        assert_eq!(images(finding).collect::<BTreeSet<_>>(), users(&all, &digest));
        assert_eq!(verified.broken(), users(&all, &digest), "{:#}", verified.report["findings"]);
        fs::set_permissions(&data, Permissions::from_mode(0o644)).unwrap();
    }
}

#[test]
fn a_folder_that_cannot_be_read_breaks_the_images_behind_it() {
    let storage = Storage::for_every_user(&["*"]);
    let all = storage.images();
    let person = Person::new();
    let web = storage.image(WEB);
    let own = format!("sha256:{}", layer(&testdata().join("images").join(WEB), 2));
    let data = storage.data(&own);
    let repository = storage.repository("platform/web");
    let mut complaints = Vec::new();
    for (folder, users) in [
        (data.parent().unwrap().to_owned(), users(&all, &own)),
        (data.ancestors().nth(2).unwrap().to_owned(), users(&all, &own)),
        (repository.join("_layers"), set([WEB])),
        (repository.join("_manifests/revisions"), set([WEB])),
        (storage.revision("platform/web", &web.digest).parent().unwrap().to_owned(), set([WEB])),
        (storage.tag("platform/web", "1.8.0"), set([WEB])),
    ] {
        fs::set_permissions(&folder, Permissions::from_mode(0o000)).unwrap();
        let mut command = person.bundle();
        let verified = Verified::of(command.args(["verify", "--format", "json"]).arg(storage.docker()));
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        if verified.code != 4 || !verified.kinds().contains("unreadable") || verified.broken() != users {
            complaints.push(format!(
                "{}: exit {}, {:#}",
                folder.display(),
                verified.code,
                verified.report["findings"]
            ));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn nobody_is_told_to_remove_blobs_whose_images_could_not_be_read() {
    let storage = Storage::for_every_user(&["*"]);
    let person = Person::new();
    for folder in [
        storage.root().join("repositories"),
        storage.repository("platform"),
        storage.repository("tools/clock"),
    ] {
        fs::set_permissions(&folder, Permissions::from_mode(0o000)).unwrap();
        let mut command = person.bundle();
        let verified = Verified::of(command.args(["verify", "--format", "json"]).arg(storage.docker()));
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        let kinds = verified.kinds();
        assert!(
            kinds.contains("unreadable") && !kinds.contains("orphan-blob"),
            "{}: {kinds:?}",
            folder.display()
        );
    }
}

#[test]
fn an_image_folder_that_cannot_be_read_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let images = folder.path().join("images");
    copy_tree(&testdata().join("images"), &images);
    let web = images.join(WEB);
    fs::set_permissions(&web, Permissions::from_mode(0o000)).unwrap();
    let verified = Verified::of(Person::new().bundle().args(["verify", "--format", "json"]).arg(&images));
    fs::set_permissions(&web, Permissions::from_mode(0o755)).unwrap();
    let told = verified.report["findings"].as_array().unwrap();
    let about: Vec<_> = told.iter().filter(|finding| finding["file"] == web.to_str().unwrap()).collect();
    let kinds: Vec<_> = about.iter().map(|finding| finding["kind"].as_str().unwrap()).collect();
    assert_eq!((verified.code, &kinds[..]), (4, &["unreadable"][..]), "{told:#?}");
}
