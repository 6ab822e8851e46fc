//! Pipes, sockets, devices and folders where files or folders have to be: nobody waits for them.

use std::ffi::OsStr;
use std::fs;

use super::run;
use crate::support::special::Special;
use crate::support::storage::Storage;
use crate::support::testdata::{copied_release, layer};

const WEB: &str = "platform/web:1.8.0";

#[test]
fn no_command_waits_for_what_is_no_file_in_storage() {
    let storage = Storage::new();
    let web = storage.image(WEB);
    let out = storage.site().join("out");
    let aside = storage.site().join("aside");
    let repository = storage.repository("platform/web");
    for special in Special::all() {
        for place in [
            storage.data(&web.digest),
            storage.data(web.blobs.first().unwrap()),
            storage.current("platform/web", "1.8.0"),
            storage.current("platform/web", "1.8.0").parent().unwrap().to_owned(),
            storage.revision("platform/web", &web.digest),
            repository.join("_manifests/tags"),
            repository.join("_manifests/revisions"),
            repository.join("_layers"),
            storage.root().join("blobs/sha256"),
        ] {
            special.replace(&place, &aside);
            let source = storage.docker();
            let verified = run(["verify".as_ref(), "-q".as_ref(), source.as_os_str()]);
            // A folder without tags is a folder of tags, as far as anybody can tell.
            let is_sound = special == Special::Folder && place.ends_with("tags");
            let expected = if is_sound { 0 } else { 4 };
            assert_eq!(verified.code, expected, "{special:?} {}: {}", place.display(), verified.stdout);
            run(["stats".as_ref(), source.as_os_str()]);
            run([
                "to-dir".as_ref(),
                "-q".as_ref(),
                "--keep-going".as_ref(),
                source.as_os_str(),
                out.as_os_str(),
            ]);
            Special::undo(&place, &aside);
            let _ = fs::remove_dir_all(&out);
        }
    }
}

#[test]
fn no_command_waits_for_what_is_no_file_in_a_tree_of_folders() {
    let (folder, images) = copied_release();
    let [aside, out] = ["aside", "out"].map(|name| folder.path().join(name));
    for special in Special::all() {
        for name in ["manifest.json", &layer(&images.join(WEB), 0)] {
            let place = images.join(WEB).join(name);
            special.replace(&place, &aside);
            assert_eq!(
                run(["verify".as_ref(), "-q".as_ref(), images.as_os_str()]).code,
                4,
                "{special:?} {name}"
            );
            run(["stats".as_ref(), images.as_os_str()]);
            run(["to-registry".as_ref(), "-q".as_ref(), images.as_os_str(), out.as_os_str()]);
            Special::undo(&place, &aside);
            let _ = fs::remove_dir_all(&out);
        }
    }
}

#[test]
fn no_command_waits_for_what_took_a_place_at_the_destination() {
    let (folder, images) = copied_release();
    let aside = folder.path().join("aside");
    let hex = layer(&images.join(WEB), 2);
    let repository = "registry/v2/repositories/platform/web";
    for (command, places) in [
        (
            "to-registry",
            [
                format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]),
                format!("{repository}/_manifests/tags/1.8.0/current/link"),
            ],
        ),
        ("to-dir", [format!("{WEB}/{hex}"), format!("{WEB}/manifest.json")]),
    ] {
        let out = folder.path().join(command);
        let arguments: [&OsStr; 4] = [command.as_ref(), "-q".as_ref(), images.as_ref(), out.as_ref()];
        assert_eq!(run(arguments).code, 0);
        for special in Special::all() {
            for place in &places {
                let place = out.join(place);
                special.replace(&place, &aside);
                let said = run(arguments);
                if special == Special::Folder {
                    assert_ne!(said.code, 0, "a folder was put aside");
                    fs::remove_dir(&place).unwrap();
                    fs::rename(&aside, &place).unwrap();
                } else {
                    assert_eq!(said.code, 0, "{special:?}: {}", said.stderr);
                    assert_eq!(fs::read(&place).unwrap(), fs::read(&aside).unwrap());
                    fs::remove_file(&aside).unwrap();
                }
            }
        }
    }
}
