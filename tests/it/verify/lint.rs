//! What breaks a registry or its garbage collection, next to what the real one does about it.

use std::collections::BTreeSet;
use std::fs;

use serde_json::json;

use super::{assert_breaks, set};
use crate::support::registry::Registry;
use crate::support::storage::{Image, Storage, write};
use crate::support::testdata::copy_tree;
use crate::support::verification::verify;

const WEB: &str = "platform/web:1.8.0";

/// What only this image needs.
fn own(storage: &Storage, name: &str) -> BTreeSet<String> {
    let all = storage.images();
    let (ours, others): (Vec<_>, Vec<_>) = all.iter().partition(|image| image.name == name);
    let needed = |image: &&Image| image.manifests.union(&image.blobs).cloned().collect::<Vec<_>>();
    let mut own: BTreeSet<_> = ours.iter().flat_map(needed).collect();
    own.retain(|digest| !others.iter().any(|image| image.needs(digest)));
    assert!(own.len() > 1);
    own
}

#[test]
fn sound_storage_loses_nothing() {
    let storage = Storage::new();
    for options in [&[][..], &["-m"]] {
        // The children of a list have no tag, and 2.8 deletes what has none.
        let lost = if options.is_empty() { BTreeSet::new() } else { own(&storage, "tools/clock:1.0") };
        assert!(storage.collect(options).unwrap().is_subset(&lost));
    }
}

#[test]
fn a_repository_without_layers_is_not_seen_and_loses_all() {
    let storage = Storage::new();
    let own = own(&storage, WEB);
    let folder = storage.repository("platform/web");
    fs::remove_dir_all(folder.join("_layers")).unwrap();
    let verified = verify(&["--quick"], &[&storage.docker()]);
    assert!(verified.kinds().contains("missing-folder"), "{:#}", verified.report["findings"]);
    assert_eq!(verified.broken(), set([WEB]));
    assert_eq!(storage.collect(&[]), Ok(own));

    // An empty one is enough for the collection, but then no blob may be served.
    fs::create_dir(folder.join("_layers")).unwrap();
    let verified = verify(&["--quick"], &[&storage.docker()]);
    assert_eq!((verified.kinds(), verified.broken()), (set(["missing-link"]), set([WEB])));
    assert_eq!(storage.collect(&[]), Ok(BTreeSet::new()));
}

#[test]
fn a_repository_without_tags_stops_the_deletion_of_what_is_untagged() {
    let storage = Storage::new();
    fs::remove_dir_all(storage.repository("platform/web").join("_manifests/tags")).unwrap();
    let verified = verify(&[], &[&storage.docker()]);
    // A registry itself leaves a repository without tags where nothing was ever tagged: only a warning.
    assert_eq!((verified.code, verified.kinds()), (0, set(["missing-folder"])));
    assert!(storage.collect(&[]).is_ok());
    let refusal = storage.collect(&["-m"]).unwrap_err();
    assert!(refusal.contains("platform/web"), "{refusal}");
}

#[test]
fn a_tag_whose_manifest_has_no_link_loses_its_image() {
    let storage = Storage::new();
    let own = own(&storage, WEB);
    let link = storage.revision("platform/web", &storage.image(WEB).digest);
    fs::remove_file(link).unwrap();
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&storage.docker()]);
        assert_eq!((verified.kinds(), verified.broken()), (set(["missing-link"]), set([WEB])));
        assert_eq!(verified.errors()[0]["digest"], storage.image(WEB).digest);
    }
    assert_eq!(storage.collect(&[]), Ok(own));
}

#[test]
fn a_list_whose_children_have_no_links_loses_their_layers() {
    let storage = Storage::new();
    let clock = storage.image("tools/clock:1.0");
    let children: Vec<_> = clock.manifests.iter().filter(|digest| **digest != clock.digest).collect();
    children.iter().for_each(|child| fs::remove_file(storage.revision("tools/clock", child)).unwrap());
    let verified = verify(&[], &[&storage.docker()]);
    assert_eq!((verified.kinds(), verified.broken()), (set(["missing-link"]), set(["tools/clock:1.0"])));
    let told: BTreeSet<_> =
        verified.errors().iter().map(|finding| finding["digest"].as_str().unwrap()).collect();
    assert_eq!(told, set(children.iter().map(|child| child.as_str())));
    let lost = storage.collect(&[]).unwrap();
    let layers = own(&storage, "tools/clock:1.0").into_iter().filter(|digest| clock.blobs.contains(digest));
    assert!(!lost.is_empty() && lost.is_superset(&layers.collect()), "{lost:?}");
}

#[test]
fn a_layer_without_a_link_is_not_served() {
    let storage = Storage::new();
    let web = storage.image(WEB);
    for blob in &web.blobs {
        let link = storage.grant("platform/web", blob);
        fs::remove_file(&link).unwrap();
        let verified = verify(&["--quick"], &[&storage.docker()]);
        assert_eq!((verified.kinds(), verified.broken()), (set(["missing-link"]), set([WEB])));
        assert_eq!(verified.errors()[0]["digest"], *blob);
        write(&link, blob.as_bytes());
    }
}

#[test]
fn a_repository_outside_the_grammar_stops_the_collection() {
    for name in ["bad/X", "multi@sha256", "localhost:5000/zone"] {
        let storage = Storage::new();
        copy_tree(&storage.repository("zone-base"), &storage.repository(name));
        let verified = verify(&["--quick"], &[&storage.docker()]);
        verified.finding("invalid-name", &storage.repository(name));
        assert_eq!((verified.code, verified.kinds()), (4, set(["invalid-name"])), "{name}");
        assert!(storage.collect(&[]).is_err(), "{name}");
    }
}

#[test]
fn a_newline_in_a_link_stops_the_collection() {
    let storage = Storage::new();
    let web = storage.image(WEB);
    for (link, stops, stops_deletion) in [
        (storage.revision("platform/web", &web.digest), true, true),
        (storage.current("platform/web", "1.8.0"), false, true),
        (storage.grant("platform/web", web.blobs.first().unwrap()), false, false),
    ] {
        let sound = fs::read_to_string(&link).unwrap();
        fs::write(&link, format!("{sound}\n")).unwrap();
        let finding = assert_breaks(&storage.docker(), "invalid-link", &link, &set([WEB]));
        assert!(finding["found"].as_str().unwrap().contains("\\n"), "{finding:#}");
        let outcome = (storage.collect(&[]).is_err(), storage.collect(&["-m"]).is_err());
        assert_eq!(outcome, (stops, stops_deletion), "{}", link.display());
        fs::write(&link, sound).unwrap();
    }
}

#[test]
fn a_file_named_data_among_the_blobs_stops_the_collection_and_others_do_not() {
    let storage = Storage::new();
    let blobs = storage.root().join("blobs");
    for (path, stops) in [
        ("data", true),
        ("sha256/data", true),
        ("sha256/aa/data", true),
        ("sha256/notes.txt", false),
        (".DS_Store", false),
    ] {
        let file = blobs.join(path);
        write(&file, b"");
        assert_eq!(storage.collect(&[]).is_err(), stops, "{path}");
        let verified = verify(&["--quick"], &[&storage.docker()]);
        if stops {
            verified.finding("stray-file", &file);
            assert_eq!((verified.code, verified.kinds()), (4, set(["stray-file"])));
        } else {
            assert_eq!(verified.code, 0, "{:#}", verified.report["findings"]);
        }
        fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_file_that_looks_private_hides_the_repositories_behind_it() {
    let storage = Storage::new();
    let file = storage.repository("platform").join("_notes");
    fs::write(&file, "").unwrap();
    let verified = verify(&["--quick"], &[&storage.docker()]);
    verified.finding("stray-file", &file);
    assert_eq!((verified.code, verified.kinds()), (4, set(["stray-file"])));
    let lost = storage.collect(&[]).unwrap();
    assert!(lost.contains(&storage.image(WEB).digest), "{lost:?}");
}

#[test]
fn a_file_among_the_tags_is_listed_as_a_tag() {
    let storage = Storage::of(&["zone-base:*"]);
    let file = storage.tag("zone-base", ".DS_Store");
    fs::write(&file, "").unwrap();
    let verified = verify(&["--quick"], &[&storage.docker()]);
    verified.finding("stray-file", &file);
    assert_eq!((verified.code, verified.kinds()), (4, set(["stray-file"])));
    assert!(storage.collect(&[]).is_ok() && storage.collect(&["-m"]).is_err());
    let registry = Registry::start(storage.site());
    assert_eq!(registry.tags("zone-base"), [".DS_Store", "1.0"]);
}

#[test]
fn links_without_their_blobs_do_not_stop_the_collection_but_their_image_is_gone() {
    let storage = Storage::new();
    let web = storage.image(WEB);
    for digest in own(&storage, WEB).into_iter().chain([web.digest]) {
        let aside = storage.site().join("aside");
        fs::rename(storage.data(&digest), &aside).unwrap();
        assert_eq!(verify(&["--quick"], &[&storage.docker()]).broken(), set([WEB]));
        assert!(storage.collect(&[]).is_ok());
        fs::rename(&aside, storage.data(&digest)).unwrap();
    }
}

#[test]
fn an_artifact_manifest_stops_the_collection() {
    let storage = Storage::new();
    let artifact = json!({ "mediaType": "application/vnd.oci.artifact.manifest.v1+json", "blobs": [] });
    storage.push("artifact", "1", artifact.to_string().as_bytes());
    assert_eq!(verify(&[], &[&storage.docker()]).broken(), set(["artifact:1"]));
    assert!(storage.collect(&[]).is_err());
}

#[test]
fn an_image_of_the_first_schema_is_worth_a_word() {
    let storage = Storage::of(&["zone-base:*"]);
    let layer = storage.image("zone-base:1.0").blobs.first().unwrap().clone();
    let old = json!({
        "schemaVersion": 1,
        "name": "old",
        "tag": "1",
        "architecture": "amd64",
        "fsLayers": [{ "blobSum": layer }],
        "history": [{ "v1Compatibility": "{\"id\":\"1\"}" }],
    });
    let digest = storage.push("old", "1", old.to_string().as_bytes());
    write(&storage.grant("old", &layer), layer.as_bytes());
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[&storage.docker()]);
        assert_eq!(
            (verified.code, verified.kinds(), verified.warned()),
            (0, set(["schema1"]), set(["old:1"]))
        );
        assert_eq!(verified.findings()[0]["digest"], digest);
    }
    // Release 2.8 reads it without complaint.
    assert_eq!(storage.collect(&[]), Ok(BTreeSet::new()));
    fs::remove_file(storage.data(&layer)).unwrap();
    assert_eq!(verify(&[], &[&storage.docker()]).broken(), set(["old:1", "zone-base:1.0"]));
}
