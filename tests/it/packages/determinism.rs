//! The same images give the same bytes: however many threads work, wherever they lie, however they are written.

use std::fs::{self, File};
use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;
use walkdir::WalkDir;

use super::releases::Vendor;
use crate::support::bundle::{Ended, bundle, convert};
use crate::support::package::{pack, unpack, volumes};
use crate::support::program::{program, run};
use crate::support::tree::{assert_same, assert_same_files, files, modes};
use crate::support::{scratch, sha256};

/// Gives every file of a tree another time of change, each a different one.
fn touch(root: &Path) {
    for (entry, seconds) in WalkDir::new(root).into_iter().map(Result::unwrap).zip(1_000_000..) {
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        File::open(entry.path()).unwrap().set_modified(time).unwrap();
    }
}

#[test]
fn the_same_images_give_the_same_bytes() {
    let vendor = Vendor::new();
    let base = vendor.tree(1);
    let mut packed = 0;
    for bases in [&[][..], &[&*base]] {
        let package = vendor.path("first.tar");
        pack(&[], bases, &vendor.tree(2), &package);
        let expected = fs::read(&package).unwrap();
        let mut assert_same = |options: &[&str], source: &Path, why: &str| {
            let package = vendor.path("next.tar");
            pack(options, bases, source, &package);
            assert!(fs::read(&package).unwrap() == expected, "{why}, against {} bases", bases.len());
            packed += 1;
        };
        for jobs in ["1", "8", "1", "8"] {
            assert_same(&["-j", jobs], &vendor.tree(2), "another number of threads");
        }
        touch(&vendor.tree(2));
        touch(&base);
        assert_same(&[], &vendor.tree(2), "other times");
        let copy = scratch();
        vendor.release(2).write(&copy.path().join("somewhere/else"));
        assert_same(&[], &copy.path().join("somewhere/else"), "another place");

        let site = vendor.path("site");
        convert("to-registry", &[], &vendor.tree(2), &site.join("docker"));
        for storage in [site.clone(), site.join("docker"), site.join("docker/registry/v2")] {
            assert_same(&[], &storage, "registry storage");
        }
        // What is packed from packages are packages.
        let [whole, folder, split] = ["whole.tar", "folder", "split.tar"].map(|name| vendor.path(name));
        pack(&[], &[], &vendor.tree(2), &whole);
        if !folder.exists() {
            pack(&["--dir"], &[], &vendor.tree(2), &folder);
        }
        pack(&["--split", "100kB"], &[], &vendor.tree(2), &split);
        for form in [whole, folder, split] {
            assert_same(&[], &form, "a package");
        }
    }
    println!("determinism: {packed} packages like two others");
    assert!(packed >= 24);
}

#[test]
fn a_folder_is_what_plain_tar_unpacks() {
    let vendor = Vendor::new();
    let base = vendor.tree(1);
    let mut compared = 0;
    for bases in [&[][..], &[&*base]] {
        let [tar, _, folder] = vendor.forms(2, bases);
        let unpacked = scratch();
        unpack(&tar, unpacked.path());
        let [mut left, mut right] = [&folder, unpacked.path()].map(files);
        assert_same("permissions", &modes(&folder), &modes(unpacked.path()));
        // Only the bill says in which of the two forms it is.
        let heads = [&mut left, &mut right].map(|files| {
            let sums = String::from_utf8(files.remove("bundle.json.sha256").unwrap()).unwrap();
            let json = files.remove("bundle.json").unwrap();
            assert_eq!(format!("sha256:{sums}"), format!("{}  bundle.json\n", sha256(&json)));
            serde_json::from_slice::<Value>(&json).unwrap()
        });
        let [mut of_folder, mut of_tar] = heads;
        assert_eq!((&of_folder["form"], &of_tar["form"]), (&"folder".into(), &"tar".into()));
        of_folder["form"] = of_tar["form"].clone();
        for carried in of_tar["carries"].as_array_mut().unwrap() {
            assert!(carried.as_object_mut().unwrap().remove("offset").unwrap().is_u64());
        }
        assert_eq!(of_folder, of_tar);
        assert_same_files(&left, &right);
        compared += left.len();
    }
    println!("folders: {compared} files like those of two tars");
    assert!(compared >= 250);
}

#[test]
fn standard_output_gets_the_same_bytes() {
    let vendor = Vendor::new();
    for base in [None, Some(vendor.tree(1))] {
        let bases: Vec<_> = base.as_deref().into_iter().collect();
        let package = vendor.path("file.tar");
        let report = pack(&[], &bases, &vendor.tree(2), &package);
        for jobs in ["1", "8"] {
            let mut command = bundle();
            command
                .args(["pack", "-q", "-j", jobs])
                .args(bases.iter().flat_map(|base| ["--base".as_ref(), base.as_os_str()]));
            let output = command.arg(vendor.tree(2)).arg("-").output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(0), "{said}");
            assert_eq!(output.stdout.len() as u64, report["package_bytes"].as_u64().unwrap());
            assert!(output.stdout == fs::read(&package).unwrap());
            assert!(said.contains("carries"), "{said}");
        }
    }
}

#[test]
fn volumes_that_follow_one_another_are_the_tar() {
    let vendor = Vendor::new();
    let tar = vendor.path("whole.tar");
    pack(&[], &[], &vendor.tree(2), &tar);
    let length = fs::metadata(&tar).unwrap().len();
    let [exactly, less, more] = [length, length - 1, length + 1].map(|size| size.to_string());
    let half = (length / 2).to_string();
    let mut counts = Vec::new();
    for size in ["10kB", "100kB", "64KiB", &half, &less, &exactly, &more, "4GB"] {
        let folder = scratch();
        let package = folder.path().join("release.tar");
        let report = pack(&["--split", size], &[], &vendor.tree(2), &package);
        assert_eq!(report["package_bytes"], length);
        let glued = format!("cat '{0}'.* | cmp - '{1}'", package.display(), tar.display());
        run(&program("sh"), ["-c", &glued]);

        let index: Value = serde_json::from_slice(&fs::read(&package).unwrap()).unwrap();
        assert_eq!(index["schema"], "bundle.volumes/1");
        let files = volumes(&package);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), files.len() + 1);
        let listed = index["volumes"].as_array().unwrap();
        assert_eq!(listed.len(), files.len());
        for (volume, file) in listed.iter().zip(&files) {
            let bytes = fs::read(file).unwrap();
            assert_eq!(volume["file"], file.file_name().unwrap().to_str().unwrap());
            assert_eq!(volume["size"], bytes.len());
            assert_eq!(volume["digest"], sha256(&bytes));
        }
        // Each is full but the last, and that is not empty.
        let (last, full) = listed.split_last().unwrap();
        assert!(full.iter().all(|volume| volume["size"] == listed[0]["size"]));
        assert!(last["size"].as_u64().unwrap() > 0 && last["size"].as_u64() <= listed[0]["size"].as_u64());
        counts.push(files.len());
    }
    println!("volumes: {counts:?}");
    assert_eq!(counts[3..], [2 + length as usize % 2, 2, 1, 1, 1]);
    assert!(counts[0] > 100);
}

#[test]
fn a_package_with_fewer_volumes_takes_the_place_of_one_with_more() {
    let vendor = Vendor::new();
    let (tar, package) = (vendor.path("whole.tar"), vendor.path("release.tar"));
    pack(&[], &[], &vendor.tree(2), &tar);
    // What is named alike and was no volume is somebody else's.
    let own = vendor.path("release.tar.readme");
    fs::write(&own, "").unwrap();
    let mut counts = Vec::new();
    for size in ["50kB", "200kB", "100kB"] {
        pack(&["--split", size], &[], &vendor.tree(2), &package);
        let glued = format!("cat '{0}'.* | cmp - '{1}'", package.display(), tar.display());
        run(&program("sh"), ["-c", &glued]);
        assert!(own.exists());
        counts.push(volumes(&package).len() - 1);
    }
    assert!(counts[0] > counts[2] && counts[2] > counts[1], "{counts:?}");
}

#[test]
fn volumes_that_cannot_be_are_told_before_there_are_any() {
    let vendor = Vendor::new();
    let tar = vendor.path("whole.tar");
    pack(&[], &[], &vendor.tree(2), &tar);
    let length = fs::metadata(&tar).unwrap().len();
    let folder = scratch();
    let pack_in_vain = |name: &str, options: &[&str], code: i32, words: &[&str]| {
        let before = modes(folder.path());
        let mut command = bundle();
        command.arg("pack").args(options).arg(vendor.tree(2)).arg(folder.path().join(name));
        Ended::of(&command.output().unwrap()).expect(code).expect_said(words);
        assert_same("folders", &before, &modes(folder.path()));
    };
    // A shell would list 1000 behind 100.
    let least = length.div_ceil(999);
    let (less, hint) = ((least - 1).to_string(), format!("--split {least}"));
    pack_in_vain("many.tar", &["--split", &less], 1, &["999", &hint]);
    pack_in_vain("many.tar", &["--split", &less, "--dry-run"], 1, &["999", &hint]);
    pack_in_vain("many.tar", &["--split", "1"], 1, &["999", &hint]);
    pack_in_vain("many.tar", &["--split", &least.to_string(), "--dry-run"], 0, &[]);
    fs::create_dir(folder.path().join("folder.tar")).unwrap();
    pack_in_vain("folder.tar", &["--split", "100kB"], 1, &["folder.tar is a folder"]);
    fs::create_dir(folder.path().join("third.tar.003")).unwrap();
    pack_in_vain("third.tar", &["--split", "100kB"], 1, &["third.tar.003 is a folder"]);
}
