//! Disks that are not the source's own: links are refused there, copies take over, are counted and need room.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::bundle::{bundle, convert, run, shared};
use crate::support::complete::{Form, tags};
use crate::support::mount::Mount;
use crate::support::person::{Person, give, root_bundle};
use crate::support::scratch;
use crate::support::testdata::{copy_tree, files_named, testdata};
use crate::support::tree::{assert_same, assert_same_files, files, links, stamps};

/// Each command, with what it converts of a disk, and the form of what it makes.
const CONVERSIONS: [(&str, &str, Form); 2] =
    [("to-registry", "images", Form::Storage), ("to-dir", "storage", Form::Folders)];

/// What a conversion takes at most, in bytes.
fn takes_at_most(summary: &Value) -> u64 {
    summary["planned"]["takes_at_most"]["bytes"].as_u64().unwrap()
}

/// A disk with the release in `images` and in `storage`.
fn disk_with_release(limits: &str) -> Mount {
    let disk = Mount::tmpfs(limits);
    copy_tree(&testdata().join("images"), &disk.path().join("images"));
    convert("to-registry", &["--link", "copy"], &disk.path().join("images"), &disk.path().join("storage"));
    disk
}

#[test]
fn another_disk_gets_each_layer_once() {
    let [here, there] = [disk_with_release("size=16m"), Mount::tmpfs("size=16m")];
    let docker = there.path().join("docker");
    let before = stamps(&here.path());
    let ended = run(bundle(), "to-registry", &[], &here.path().join("images"), &docker).expect(0);
    assert_eq!(shared(&ended.summary), [0, 0, 17]);
    assert!(files_named(&docker, "data").iter().all(|data| links(data) == 1));
    // Copied once each; what images share are links to the copy.
    let copies = there.path().join("copies");
    let ended = run(bundle(), "to-dir", &[], &here.path().join("storage"), &copies).expect(0);
    assert_eq!(shared(&ended.summary), [9, 0, 17]);
    assert_same_files(&files(&here.path().join("images")), &files(&copies));
    assert_same("stamps", &before, &stamps(&here.path()));
}

#[test]
fn one_disk_that_is_mounted_twice_gets_copies_and_needs_room_for_them() {
    for (command, source, form) in CONVERSIONS {
        let disk = disk_with_release("size=16m");
        let bound = Mount::bind(&disk.path());
        let [near, far] = [&disk, &bound].map(|mount| mount.path().join(source));
        let destination = disk.path().join("new");
        let [for_links, for_copies] =
            [&near, &far].map(|source| takes_at_most(&convert(command, &["-n"], source, &destination)));
        println!("{command}: {for_links} bytes from the same mount, {for_copies} from the other one");
        assert!(for_copies > for_links + 400_000);

        disk.leave((for_links + for_copies) / 2);
        let before = stamps(&disk.path());
        let ended = run(bundle(), command, &[], &far, &destination).expect(3);
        ended.expect_said(&["not enough room at ", destination.to_str().unwrap(), "nothing was written"]);
        assert!(before.keys().eq(stamps(&disk.path()).keys()));
        let ended = run(bundle(), command, &[], &near, &destination).expect(0);
        let [linked, 0, 0] = shared(&ended.summary) else { panic!("{:#}", ended.summary) };

        disk.leave(for_copies);
        let destination = disk.path().join("copied");
        let ended = run(bundle(), command, &[], &far, &destination).expect(0);
        assert_eq!(shared(&ended.summary), [linked - 17, 0, 17]);
        assert_eq!(tags(form, &destination).unwrap().len(), 7);
    }
}

#[test]
fn a_destination_that_cannot_be_written_is_named_unless_there_is_nothing_to_write() {
    for (command, source, other) in [("to-registry", "images", "previous"), ("to-dir", "storage", "other")] {
        let [there, site] = [disk_with_release("size=16m"), Mount::tmpfs("size=16m")];
        copy_tree(&testdata().join("previous"), &there.path().join("previous"));
        convert("to-registry", &[], &there.path().join("previous"), &there.path().join("other"));
        let [source, other] = [source, other].map(|name| there.path().join(name));
        let destination = site.path().join("docker");
        convert(command, &[], &source, &destination);
        site.make_read_only();
        let before = stamps(&site.path());
        for options in [&[][..], &["--wait"], &["--link", "copy"], &["--chmod", "0644"]] {
            let ended = run(bundle(), command, options, &source, &destination).expect(0);
            assert_eq!((ended.said.as_str(), &ended.summary["written_files"]), ("", &0.into()));
            run(bundle(), command, &[options, &["-n"]].concat(), &other, &destination).expect(0);
            for destination in [&destination, &site.path().join("new"), &site.path().join("a/b")] {
                let ended = run(bundle(), command, options, &other, destination).expect(3);
                ended.expect_said(&[
                    "error: cannot ",
                    site.path().to_str().unwrap(),
                    "Read-only file system",
                ]);
            }
        }
        assert_same("stamps", &before, &stamps(&site.path()));
    }
}

#[test]
fn a_source_that_cannot_be_written_is_enough() {
    let disk = disk_with_release("size=16m");
    let shown = Mount::bind(&disk.path());
    shown.make_read_only();
    let folder = scratch();
    let before = stamps(&disk.path());
    for (command, source, form) in CONVERSIONS {
        let destination = folder.path().join(command);
        let ended = run(bundle(), command, &[], &shown.path().join(source), &destination).expect(0);
        assert_eq!(shared(&ended.summary)[2], 17);
        assert_eq!(tags(form, &destination).unwrap().len(), 7);
    }
    assert_same("stamps", &before, &stamps(&disk.path()));

    // Root's own, who lets everybody read and nobody write.
    for entry in WalkDir::new(disk.path()).min_depth(1).contents_first(true) {
        let path = entry.unwrap().into_path();
        fs::set_permissions(&path, Permissions::from_mode(if path.is_dir() { 0o555 } else { 0o444 }))
            .unwrap();
        give(&path, 0, 0);
    }
    let before = [stamps(&disk.path().join("images")), stamps(&disk.path().join("storage"))];
    let person = Person::new();
    for (command, source, form) in CONVERSIONS {
        let destination = disk.path().join(command);
        let ended = run(person.bundle(), command, &[], &disk.path().join(source), &destination).expect(0);
        assert_eq!(shared(&ended.summary)[2], 17);
        assert_eq!(tags(form, &destination).unwrap().len(), 7);
    }
    assert_same("stamps", &before[0], &stamps(&disk.path().join("images")));
    assert_same("stamps", &before[1], &stamps(&disk.path().join("storage")));
}

#[test]
fn who_may_not_link_copies_and_needs_room_for_that() {
    let setting = fs::read_to_string("/proc/sys/fs/protected_hardlinks").unwrap();
    assert_eq!(setting.trim(), "1", "hint: sysctl fs.protected_hardlinks=1, as most distributions have it");
    let person = Person::new();
    for (command, source, form) in CONVERSIONS {
        let disk = disk_with_release("size=16m");
        for entry in WalkDir::new(disk.path()).min_depth(1) {
            give(entry.unwrap().path(), 0, 0);
        }
        let source = disk.path().join(source);
        let before = stamps(&source);
        let destination = disk.path().join("refused");
        let ended = run(person.bundle(), command, &["--link", "hardlink"], &source, &destination).expect(3);
        ended.expect_said(&["cannot link", "Operation not permitted"]);
        let destination = disk.path().join("copied");
        let ended = run(person.bundle(), command, &[], &source, &destination).expect(0);
        assert_eq!(shared(&ended.summary)[2], 17);
        assert_eq!(tags(form, &destination).unwrap().len(), 7);
        assert_same("stamps", &before, &stamps(&source));

        // Where there is no room for copies, root, who may link, still gets through.
        let destination = disk.path().join("new");
        disk.leave(takes_at_most(&ended.summary) - 300_000);
        let ended = run(person.bundle(), command, &[], &source, &destination).expect(3);
        ended.expect_said(&["not enough room at ", "nothing was written"]);
        assert!(!destination.exists());
        assert_same("stamps", &before, &stamps(&source));
        let ended = run(root_bundle(), command, &[], &source, &destination).expect(0);
        assert_eq!(shared(&ended.summary)[1..], [0, 0]);
    }
}
