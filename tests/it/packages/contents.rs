//! What a package is made of: which bytes, in which order, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use super::releases::{Vendor, hashed, long_name};
use crate::support::forge;
use crate::support::package::{Member, bill, content, members};
use crate::support::program::{program, run};
use crate::support::testdata::flip_bit;
use crate::support::{scratch, sha256};

const STORAGE: &str = "docker/registry/v2/";

/// A whole package and two patches: for one release, and for what two have in common.
fn packages(vendor: &Vendor) -> [(PathBuf, usize, Vec<usize>); 3] {
    [("1.tar", 1, vec![]), ("2.tar", 2, vec![1]), ("3.tar", 3, vec![1, 2])].map(|(name, version, bases)| {
        let trees: Vec<_> = bases.iter().map(|base| vendor.tree(*base)).collect();
        let trees: Vec<_> = trees.iter().map(PathBuf::as_path).collect();
        (vendor.pack(name, &trees, version), version, bases)
    })
}

#[test]
fn a_package_carries_what_its_bases_lack_and_nothing_else() {
    let vendor = Vendor::new();
    let (mut carried, mut lengths) = (0, 0);
    for (package, version, bases) in packages(&vendor) {
        let needed = hashed(&vendor.tree(version));
        let bases: Vec<_> = bases.iter().map(|base| hashed(&vendor.tree(*base))).collect();
        let is_at_all =
            |digest: &String| !bases.is_empty() && bases.iter().all(|base| base.contains_key(digest));
        let (relied, lacking): (BTreeMap<_, _>, BTreeMap<_, _>) =
            needed.into_iter().partition(|(digest, _)| is_at_all(digest));
        let bill = bill(&package);
        assert_eq!(content(&bill, "carries"), lacking);
        assert_eq!(content(&bill, "relies_on"), relied);
        assert!(lacking.len() >= 20 && (bases.is_empty() || relied.len() >= 10));

        // The bytes are in it once, where the bill says, and every one of them.
        let tar = fs::read(&package).unwrap();
        for it in bill["carries"].as_array().unwrap() {
            let [offset, size] = ["offset", "size"].map(|name| it[name].as_u64().unwrap() as usize);
            assert_eq!(sha256(&tar[offset..][..size]), it["digest"].as_str().unwrap());
        }
        let members = members(&package);
        let (data, small): (Vec<&Member>, Vec<_>) =
            members.iter().partition(|member| member.path.ends_with("/data"));
        let data: BTreeMap<_, _> = data.iter().map(|member| (digest_of(&member.path), member.size)).collect();
        assert_eq!(data, lacking);
        // All the rest is small: the bill, and what a registry has of its own, folders and links.
        let storage = forge::storage(&vendor.release(version).images);
        let links = storage.iter().filter(|(path, _)| path.ends_with("/link"));
        let mut expected: BTreeMap<_, _> =
            links.map(|(path, bytes)| (format!("{STORAGE}{path}"), bytes.len() as u64)).collect();
        expected.insert("bundle.json".to_owned(), members[0].size);
        expected.insert("bundle.json.sha256".to_owned(), 78);
        let small = small.iter().filter(|member| !member.permissions.starts_with('d'));
        let small: BTreeMap<_, _> = small.map(|member| (member.path.clone(), member.size)).collect();
        assert_eq!(small, expected);
        carried += lacking.values().sum::<u64>();
        lengths += tar.len() as u64;
    }
    println!("packages: {carried} bytes carried in {lengths}");
}

/// The content that belongs at a path.
fn digest_of(path: &str) -> String {
    let parts: Vec<_> = path.strip_prefix(STORAGE).unwrap().split('/').collect();
    let ["blobs", algorithm, start, hex, "data"] = parts[..] else { panic!("{path}") };
    assert!(hex.starts_with(start));
    format!("{algorithm}:{hex}")
}

#[test]
fn a_package_is_a_tar_without_anything_that_changes() {
    let vendor = Vendor::new();
    let (mut listed, mut long) = (0, 0);
    for (package, ..) in packages(&vendor) {
        let members = members(&package);
        let mut end = 0;
        for member in &members {
            let Member { permissions, owner, time, path, .. } = member;
            let expected = if permissions.starts_with('d') { "drwxr-xr-x" } else { "-rw-r--r--" };
            assert_eq!((&**permissions, &**owner, &**time), (expected, "0/0", "1980-01-01 00:00"), "{path}");
            // Nothing lies between the members.
            assert_eq!(member.block * 512, end, "{path}");
            assert!(!member.is_long || path.contains(long_name().split_once(':').unwrap().0), "{path}");
            long += u64::from(member.is_long);
            end = member.end();
        }
        assert_eq!(fs::metadata(&package).unwrap().len(), end + 1024);
        let paths: BTreeSet<_> = members.iter().map(|member| &member.path).collect();
        assert_eq!(paths.len(), members.len(), "a name is there twice");
        listed += members.len();
    }
    println!("packages: {listed} members, {long} with long names");
    assert!(listed >= 400 && long >= 9);
}

#[test]
fn the_bill_of_materials_has_a_digest_that_sha256sum_checks() {
    let vendor = Vendor::new();
    for (package, ..) in packages(&vendor) {
        let folder = scratch();
        let head = ["bundle.json", "bundle.json.sha256"].map(OsStr::new);
        let from = ["-xf".as_ref(), package.as_os_str(), "-C".as_ref(), folder.path().as_os_str()];
        run(&program("tar"), from.into_iter().chain(head));
        let check = || {
            let mut sha256sum = Command::new(program("sha256sum"));
            let output = sha256sum.args(["-c", "bundle.json.sha256"]).current_dir(folder.path()).output();
            let output = output.unwrap();
            (output.status.success(), String::from_utf8(output.stdout).unwrap())
        };
        assert_eq!(check(), (true, "bundle.json: OK\n".to_owned()));
        flip_bit(&folder.path().join("bundle.json"));
        assert_eq!(check(), (false, "bundle.json: FAILED\n".to_owned()));
    }
}

#[test]
fn content_comes_before_what_names_it() {
    let vendor = Vendor::new();
    let mut orders = 0;
    for (package, version, _) in packages(&vendor) {
        let members = members(&package);
        let ranks: Vec<_> = members.iter().map(rank).collect();
        assert!(ranks.is_sorted(), "{members:#?}");
        assert_eq!(ranks.iter().collect::<BTreeSet<_>>().len(), 8);
        // Of revisions, children come first.
        let places: BTreeMap<_, _> =
            members.iter().zip(0..).map(|(member, at)| (&*member.path, at)).collect();
        for (name, image) in &vendor.release(version).images {
            let repository = name.split(['@', ':']).next().unwrap();
            let place = |digest: &str| {
                let link = format!("_manifests/revisions/{}/link", digest.replace(':', "/"));
                places[&*format!("{STORAGE}repositories/{repository}/{link}")]
            };
            for parent in image.all() {
                for child in &parent.children {
                    assert!(place(&child.digest()) < place(&parent.digest()), "{name}");
                    orders += 1;
                }
            }
        }
    }
    println!("publication order: {orders} children before their lists");
    assert!(orders >= 20);
}

/// When a member may come, beginning with the bill of materials.
fn rank(member: &Member) -> usize {
    let Some(path) = member.path.strip_prefix(STORAGE) else {
        return ["bundle.json", "bundle.json.sha256"].iter().position(|name| *name == member.path).unwrap();
    };
    match path {
        _ if path.starts_with("blobs/") => 2,
        _ if member.permissions.starts_with('d') => 3,
        _ if path.contains("/_layers/") => 4,
        _ if path.contains("/_manifests/revisions/") => 5,
        _ if path.contains("/index/") => 6,
        _ if path.ends_with("/current/link") => 7,
        _ => panic!("{path} has no place in a package"),
    }
}
