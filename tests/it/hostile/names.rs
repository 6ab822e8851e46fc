//! Names that nobody typed: they reach no terminal as they are, and no JSON document breaks on them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::run;
use crate::support::storage::Storage;
use crate::support::testdata::{copied_release, copy_tree, flip_bit, layer};
use crate::support::verification::verify;

/// Names with what moves cursors, turns lines around, ends lines, or is no text at all.
const NAMES: [&[u8]; 8] = [
    b"\x1b[2J\x1b]0;owned\x07",
    b"a\rb",
    b"line\nerror: all is lost",
    "\u{202e}gnp.exe".as_bytes(),
    "\u{2066}a\u{2069}\u{200f}".as_bytes(),
    "\u{9b}31m\u{85}".as_bytes(),
    b"\xff\xfe\xed\xa0\x80",
    b"tab\tbell\x07del\x7f",
];

fn name(bytes: &[u8]) -> &OsStr {
    OsStr::from_bytes(bytes)
}

/// Fails if a terminal would obey the text instead of showing it.
fn assert_plain(what: &str, text: &str) {
    let harmful = |c: &char| {
        (c.is_control() && *c != '\n')
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    assert_eq!(text.chars().find(harmful), None, "{what}: {text:?}");
    assert!(!text.lines().any(|line| line.starts_with("error: all is lost")), "{what} was made to say it");
}

/// Runs every command on a tree, in both formats.
fn assert_all_plain(tree: &Path) {
    let folder = crate::support::scratch();
    let out = folder.path().join("out");
    for command in ["verify", "stats", "to-registry", "to-dir"] {
        for format in ["text", "json"] {
            let mut arguments =
                vec![OsStr::new(command), "--format".as_ref(), format.as_ref(), tree.as_os_str()];
            if command.starts_with("to-") {
                arguments.extend([OsStr::new("--keep-going"), out.as_os_str()]);
            }
            let said = run(&arguments);
            assert_plain(&format!("{command} on stderr"), &said.stderr);
            if format == "text" {
                assert_plain(&format!("{command} on stdout"), &said.stdout);
            } else if matches!(said.code, 0 | 4) {
                let document: Result<Value, _> = serde_json::from_str(&said.stdout);
                assert!(document.is_ok(), "{command}: {document:?}");
            } else {
                panic!("{command} gave up with {}: {}", said.code, said.stderr);
            }
        }
    }
}

#[test]
fn folders_with_such_names_are_told_in_plain_words() {
    for bytes in NAMES {
        let (_folder, images) = copied_release();
        let web = images.join("platform/web:1.8.0");
        copy_tree(&web, &images.join(name(bytes)));
        let [tagged, digested] =
            [b":1".as_slice(), b"@sha256:1"].map(|end| images.join(name(&[bytes, end].concat())));
        copy_tree(&web, &tagged);
        copy_tree(&web, &digested);
        fs::write(web.join(name(&[b"dir-put-blob", bytes].concat())), "").unwrap();
        fs::create_dir(images.join(name(&[b"empty", bytes].concat()))).unwrap();
        assert_all_plain(&images);
        let verified = verify(&["--quick"], &[&images]);
        assert_eq!(verified.code, 4, "{bytes:?}");
        assert!(verified.kinds().contains("invalid-name"), "{:?}", verified.kinds());
    }
}

#[test]
fn storage_with_such_names_is_told_in_plain_words() {
    for bytes in NAMES {
        let storage = Storage::new();
        let sound = storage.repository("zone-base");
        let tags = sound.join("_manifests/tags");
        copy_tree(&sound, &storage.root().join("repositories").join(name(bytes)));
        copy_tree(&tags.join("1.0"), &tags.join(name(bytes)));
        fs::write(tags.join(name(&[b".", bytes].concat())), "").unwrap();
        fs::write(storage.root().join("repositories").join(name(&[b"_", bytes].concat())), "").unwrap();
        fs::write(storage.current("platform/web", "1.8.0"), bytes).unwrap();
        assert_all_plain(&storage.docker());
        let verified = verify(&["--quick"], &[&storage.docker()]);
        for kind in ["invalid-name", "stray-file", "invalid-link"] {
            assert!(verified.kinds().contains(kind), "{bytes:?}: no {kind} in {:?}", verified.kinds());
        }
    }
}

#[test]
fn what_manifests_say_is_told_in_plain_words() {
    let (_folder, images) = copied_release();
    let place = |number: usize| images.join(format!("said:n{number}"));
    for (number, said) in NAMES.into_iter().flat_map(std::str::from_utf8).enumerate() {
        fs::create_dir(place(number)).unwrap();
        let text = [
            serde_json::json!({ "mediaType": said }),
            serde_json::json!({ "schemaVersion": 2, "config": { "digest": said, "size": 1 } }),
            serde_json::json!({ "schemaVersion": 2, "manifests": [
                { "digest": format!("sha256:{:064x}", 1), "size": 1, "platform": { "os": said, "architecture": said } },
            ] }),
        ][number % 3].to_string();
        fs::write(place(number).join("manifest.json"), text).unwrap();
    }
    assert_all_plain(&images);
}

#[test]
fn paths_that_a_person_gave_are_shown_in_plain_words() {
    let folder = crate::support::scratch();
    for bytes in NAMES {
        let path = folder.path().join(name(bytes));
        for command in ["verify", "stats"] {
            assert_plain(command, &run([OsStr::new(command), path.as_os_str()]).stderr);
        }
        let (_release, images) = copied_release();
        fs::rename(images, &path).unwrap();
        let image = path.join("platform/web:1.8.0");
        flip_bit(&image.join(layer(&image, 2)));
        assert_all_plain(&path);
    }
}

#[test]
fn one_bad_image_does_not_stop_the_others() {
    let (folder, images) = copied_release();
    let web = images.join("platform/web:1.8.0");
    let spoiled: Vec<PathBuf> = ["a:1", "m:1", "z:1"].map(|name| images.join(name)).into();
    for (number, image) in spoiled.iter().enumerate() {
        copy_tree(&web, image);
        match number {
            0 => fs::write(image.join("manifest.json"), "[".repeat(100_000)).unwrap(),
            1 => fs::remove_file(image.join(layer(&web, 2))).unwrap(),
            _ => crate::support::special::Special::Pipe
                .replace(&image.join("manifest.json"), &folder.path().join("aside")),
        }
    }
    for bytes in NAMES {
        copy_tree(&web, &images.join(name(bytes)));
    }
    // The layer is missing in one folder only, so that another one's copy heals it.
    for (command, expected) in [("to-registry", 8), ("to-dir", 8)] {
        let out = folder.path().join(command);
        let arguments: [&OsStr; 6] = [
            command.as_ref(),
            "--keep-going".as_ref(),
            "--format".as_ref(),
            "json".as_ref(),
            images.as_ref(),
            out.as_ref(),
        ];
        let said = run(arguments);
        let summary: Value = serde_json::from_str(&said.stdout).unwrap();
        assert_eq!((said.code, &summary["images"]), (4, &expected.into()), "{summary:#}");
        let verified = verify(&[], &[&out]);
        assert_eq!((verified.code, verified.kinds().len()), (0, 0), "{:#}", verified.report["findings"]);
    }
}
