//! Disks that are too small: refused before anything is written, and never in the middle of it.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::bundle::{Ended, bundle, convert, run};
use crate::support::complete::{Form, tags};
use crate::support::course::staging;
use crate::support::mount::{Mount, free};
use crate::support::testdata::{copied_release, copy_tree, files_named, testdata};
use crate::support::tree::{assert_same, assert_same_trees, files, stamps};

/// The unit in which memory is given.
const PAGE: u64 = 4096;

/// What a refusal says of one thing that is short.
#[derive(Debug)]
struct Short {
    needed: u64,
    free: u64,
}

/// What is short of a kind, `bytes` or `files and folders`.
fn short(ended: &Ended, kind: &str) -> Option<Short> {
    let line = ended.said.lines().find(|line| line.contains(&format!(" {kind} are ")))?;
    let numbers: Vec<u64> = line.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [needed, free, missing] = numbers[..] else { panic!("{line}") };
    assert_eq!(missing, needed - free, "{line}");
    Some(Short { needed, free })
}

/// What a tree takes of a memory file system: bytes, in whole pages, and inodes, of which each name of a file takes
/// one there, its topmost folder's among them.
fn taken(tree: &Path) -> (u64, u64) {
    let entries = WalkDir::new(tree).into_iter().map(|entry| entry.unwrap().metadata().unwrap());
    let entries: Vec<_> = entries.collect();
    let files = entries.iter().filter(|metadata| metadata.is_file());
    let inodes: BTreeMap<_, _> = files.map(|file| (file.ino(), file.len())).collect();
    (inodes.values().map(|length| length.div_ceil(PAGE) * PAGE).sum(), entries.len() as u64)
}

/// The commands, each with the folder that holds its source and what an undisturbed run makes of it.
fn conversions(folder: &Path, images: &Path) -> [(&'static str, PathBuf, PathBuf); 2] {
    let [docker, copies] = ["docker", "copies"].map(|name| folder.join(name));
    convert("to-registry", &["--link", "copy"], images, &docker);
    convert("to-dir", &[], &docker, &copies);
    [("to-registry", images.to_owned(), docker.clone()), ("to-dir", docker, copies)]
}

#[test]
fn what_does_not_fit_is_refused_before_anything_is_written() {
    let (folder, images) = copied_release();
    let mut refusals = 0;
    for (command, source, whole) in conversions(folder.path(), &images) {
        let (bytes, inodes) = taken(&whole);
        for (limits, is_short_of_bytes, is_short_of_inodes) in [
            (format!("size={}", bytes / 2), true, false),
            (format!("nr_inodes={}", inodes * 2 / 3), false, true),
            (format!("size={},nr_inodes={}", bytes / 2, inodes * 2 / 3), true, true),
        ] {
            let disk = Mount::tmpfs(&limits);
            let site = disk.path().join("site");
            for begun in [None, Some("nothing"), Some("zone-base:*")] {
                match begun {
                    None => {}
                    Some("nothing") => fs::create_dir(&site).unwrap(),
                    Some(images) => drop(convert(command, &["--include", images], &source, &site)),
                }
                for options in [&[][..], &["--dry-run"], &["--link", "copy"], &["--link", "reflink"]] {
                    let (left, mut before) = (free(&disk.path()), stamps(&disk.path()));
                    let ended = run(bundle(), command, options, &source, &site).expect(3);
                    ended.expect_said(&[
                        "not enough room at ",
                        disk.path().to_str().unwrap(),
                        "nothing was written",
                    ]);
                    assert!(ended.summary.is_null(), "{:#}", ended.summary);
                    let [of_bytes, of_inodes] =
                        ["bytes", "files and folders"].map(|kind| short(&ended, kind));
                    assert_eq!(
                        (of_bytes.is_some(), of_inodes.is_some()),
                        (is_short_of_bytes, is_short_of_inodes)
                    );
                    assert!(
                        of_bytes.is_none_or(|short| short.free == left.bytes && short.needed > short.free)
                    );
                    // A run that is not dry has made the folders down to the root of the tree when it looks.
                    assert!(
                        of_inodes
                            .is_none_or(|short| left.inodes - short.free <= 3 && short.needed > short.free)
                    );
                    let mut after = stamps(&disk.path());
                    // Where folders were made for the tree and removed again, the one above remembers that.
                    let remembers = match begun {
                        None => "./",
                        Some("nothing") if command == "to-registry" => "site/",
                        Some(_) => "",
                    };
                    if options != ["--dry-run"] {
                        assert_eq!(before.remove(remembers).is_some(), after.remove(remembers).is_some());
                    }
                    assert_same("stamps", &before, &after);
                    refusals += 1;
                }
            }
        }
    }
    println!("{refusals} refusals, 0 with anything written");
    assert_eq!(refusals, 72);
}

/// Runs on disks around the size that is needed: each refuses before the first write, or has room for everything.
fn around(command: &str, source: &Path, whole: &Path, limits: impl Iterator<Item = String>) -> [usize; 2] {
    let [mut refused, mut done] = [0, 0];
    for limits in limits {
        let disk = Mount::tmpfs(&limits);
        let site = disk.path().join("docker");
        let dry = run(bundle(), command, &["--dry-run"], source, &site);
        let ended = run(bundle(), command, &[], source, &site);
        match ended.code {
            0 => {
                let copied = &ended.summary["copied"];
                assert_eq!(copied["files"], 17, "{limits}: {copied:#}");
                assert_eq!(ended.summary["linked"]["files"], if command == "to-dir" { 9 } else { 0 });
                assert_same_trees(whole, &site);
                // The plan does not know that folders take no bytes of this file system.
                let short = short(&dry, "bytes").map_or(0, |short| short.needed - short.free);
                assert!(dry.code == 0 || (1..=3 * PAGE).contains(&short), "{limits}: {}", dry.said);
                // With nothing to do, nothing is needed, however full it is.
                fill(&disk);
                let before = stamps(&disk.path());
                let again = run(bundle(), command, &[], source, &site).expect(0);
                assert_eq!(
                    again.summary["already_there"]["files"],
                    if command == "to-dir" { 26 } else { 17 }
                );
                assert_same("stamps", &before, &stamps(&disk.path()));
                done += 1;
            }
            _ => {
                assert_eq!(ended.code, 3, "{limits}: {}", ended.said);
                ended.expect_said(&["not enough room at "]);
                assert!(!site.exists(), "{limits}: something was written");
                assert_eq!(dry.code, 3, "{limits}: a dry run promises what does not fit");
                refused += 1;
            }
        }
    }
    [refused, done]
}

/// Fills a disk to its last page and inode.
fn fill(disk: &Mount) {
    if free(&disk.path()).inodes > 0 {
        disk.leave(0);
    }
    (0..).take_while(|number| File::create(disk.path().join(format!("empty-{number}"))).is_ok()).count();
    assert_eq!(free(&disk.path()).inodes, 0);
}

#[test]
fn a_disk_that_is_just_large_enough_is_never_filled_up() {
    let (folder, images) = copied_release();
    for (command, source, whole) in conversions(folder.path(), &images) {
        // A file system of its own, so that it has to be copied; images of one release share it once it is there.
        let far = Mount::tmpfs("size=64m");
        let near = source;
        let source = far.path().join("source");
        copy_tree(&near, &source);
        let disk = Mount::tmpfs("size=64m");
        let dry = convert(command, &["--dry-run"], &source, &disk.path().join("docker"));
        let bytes = takes_at_most(&dry);
        convert(command, &[], &source, &disk.path().join("docker"));
        let (real_bytes, real_inodes) = taken(&disk.path().join("docker"));
        assert!(bytes >= real_bytes, "{bytes} of {real_bytes}");
        // Folders take no bytes of this file system, but the plan cannot know that.
        let [fewest, enough] = [real_bytes / PAGE - 4, bytes / PAGE];
        let pages = (0..=12).map(|part| fewest + (enough - fewest) * part / 12);
        let sizes = pages.map(|pages| format!("size={},nr_inodes=1000", pages * PAGE));
        let [refused, done] = around(command, &source, &whole, sizes);
        println!("{command}: {} sizes: {refused} refused, {done} large enough, 0 filled up", refused + done);
        assert!(refused >= 5 && done >= 1);
        // The topmost folder of the file system is one of its own.
        let counts = (real_inodes - 4..=real_inodes + 8).map(|count| format!("size=8m,nr_inodes={count}"));
        let [refused, done] = around(command, &source, &whole, counts);
        println!(
            "{command}: {} numbers of inodes: {refused} refused, {done} large enough, 0 used up",
            refused + done
        );
        assert!(refused >= 3 && done >= 5);
    }
}

/// What a conversion takes at most, in bytes.
fn takes_at_most(summary: &Value) -> u64 {
    summary["planned"]["takes_at_most"]["bytes"].as_u64().unwrap()
}

#[test]
fn links_need_no_room() {
    let disk = Mount::new("ext4");
    let images = disk.path().join("images");
    let storage = disk.path().join("storage");
    copy_tree(&testdata().join("images"), &images);
    convert("to-registry", &["--link", "copy"], &images, &storage);
    for (command, source, linked) in [("to-registry", &images, 17), ("to-dir", &storage, 26)] {
        let destination = disk.path().join("new");
        let demand = |link| takes_at_most(&convert(command, &["-n", "--link", link], source, &destination));
        let [for_links, for_copies] = [demand("hardlink"), demand("copy")];
        assert!(for_copies > for_links + 400_000, "{for_links}, {for_copies}");
        disk.leave((for_links + for_copies) / 2);
        let before = stamps(&disk.path());
        let ended = run(bundle(), command, &["--link", "copy"], source, &destination).expect(3);
        let needed = short(&ended, "bytes").unwrap().needed;
        assert!((for_copies - 3 * PAGE..=for_copies).contains(&needed), "{needed} of {for_copies}");
        assert!(before.keys().eq(stamps(&disk.path()).keys()));
        let ended = run(bundle(), command, &[], source, &destination).expect(0);
        assert_eq!(ended.summary["linked"]["files"], linked);
        println!(
            "{command}: {for_links} bytes for links, {for_copies} for copies, {} there",
            (for_links + for_copies) / 2
        );
        disk.leave(0);
        let before = stamps(&destination);
        let again = run(bundle(), command, &[], source, &destination).expect(0);
        assert_eq!(again.summary["already_there"]["files"], linked);
        assert_same("stamps", &before, &stamps(&destination));
        fs::remove_file(disk.path().join("filler")).unwrap();
        fs::remove_dir_all(destination).unwrap();
    }
}

#[test]
fn folders_that_are_there_are_not_counted_again() {
    let (folder, images) = copied_release();
    for (command, source, whole) in conversions(folder.path(), &images) {
        let (_, inodes) = taken(&whole);
        // The topmost folder of the file system, and the one in which files are made aside.
        let disk = Mount::tmpfs(&format!("size=64m,nr_inodes={}", inodes + 2));
        let site = disk.path().join("docker");
        convert(command, &[], &source, &site);
        // What a run leaves that was killed early has folders, but none of a tag: those appear whole.
        let tags = files_named(&site, "tags").into_iter().flat_map(|tags| fs::read_dir(tags).unwrap());
        tags.for_each(|tag| fs::remove_dir_all(tag.unwrap().path()).unwrap());
        files(&site).keys().for_each(|path| fs::remove_file(site.join(path)).unwrap());
        let ((_, folders), left) = (taken(&site), free(&disk.path()).inodes);
        assert!(left < inodes && folders > 7, "{left} of {inodes} are free, {folders} folders");
        let ended = run(bundle(), command, &[], &source, &site).expect(0);
        assert_eq!(ended.summary["copied"]["files"], 17);
        assert_same_trees(&whole, &site);
        assert!(staging(&site).is_empty());
        println!("{command}: {inodes} files and folders, {folders} of them there, room for {left}");
    }
    assert_eq!(tags(Form::Folders, &folder.path().join("copies")).unwrap().len(), 7);
}
