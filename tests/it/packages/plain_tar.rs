//! Packages in the hands of plain tar: it needs nobody's help, and may be stopped at any time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;

use super::releases::Vendor;
use super::site::Site;
use crate::support::bundle::convert;
use crate::support::package::{members, unpack};
use crate::support::program::{program, run};
use crate::support::storage::blobs;
use crate::support::verification::verify;
use crate::support::{scratch, sha256};

#[test]
fn what_plain_tar_unpacks_a_registry_serves() {
    let vendor = Vendor::new();
    let packages = [vendor.pack("1.tar", &[], 1), vendor.pack("2.tar", &[&vendor.tree(1)], 2)];
    let mut site = Site::new();
    let mut pulls = 0;
    for (package, version) in packages.iter().zip(1..) {
        unpack(package, site.path());
        // The bill of materials that lies there now does not make a package of the storage.
        let verified = verify(&[], &[site.path()]);
        assert_eq!((verified.code, verified.findings()), (0, &[][..]));
        assert_eq!(verified.report["trees"][0]["layout"], "registry");
        let check = format!("cd '{}' && sha256sum -c bundle.json.sha256", site.path().display());
        assert_eq!(run(&program("sh"), ["-c", &check]), "bundle.json: OK\n");
        for bill in ["bundle.json", "bundle.json.sha256"] {
            fs::remove_file(site.path().join(bill)).unwrap();
        }
        site.learn(vendor.release(version));
        pulls += site.check();
    }
    pulls += site.check_with_skopeo();
    // Whoever checks finds that nothing is left to do.
    site.apply_again(&packages[1], vendor.release(2));
    println!("plain tar: {pulls} pulls");
    assert!(pulls >= 50);
}

#[test]
fn unpacking_that_ends_early_leaves_every_tag_complete() {
    let vendor = Vendor::new();
    // Each with how many tags come with it, or go on to another image.
    let whole = (vendor.pack("1.tar", &[], 1), None, 13);
    let patch = (vendor.pack("2.tar", &[&vendor.tree(1)], 2), Some(1), 10);
    let mut points = 0;
    for (package, before, tags) in [whole, patch] {
        let folder = scratch();
        let site = folder.path().join("site");
        fs::create_dir(&site).unwrap();
        if let Some(version) = before {
            convert("to-registry", &[], &vendor.tree(version), &site.join("docker"));
        }
        let tar = fs::read(&package).unwrap();
        let (mut seen, mut hashes) = (BTreeSet::new(), Hashes::new());
        for member in members(&package) {
            // What came before lies there already.
            let cut = folder.path().join("cut.tar");
            let [start, end] =
                [member.block * 512, member.end()].map(|place| usize::try_from(place).unwrap());
            fs::write(&cut, &tar[start..end]).unwrap();
            unpack(&cut, &site);
            assert!(site.join(&member.path).exists());
            seen.insert(complete_tags(&site, &member.path, &mut hashes));
            points += 1;
        }
        // One by one.
        assert_eq!(seen.len(), 1 + tags);
    }
    println!("unpacking: {points} points, every tag complete at each");
    assert!(points >= 300);
}

/// The digests of files, by path and time of their last change.
type Hashes = HashMap<(PathBuf, i64, i64), String>;

/// The tags of storage that lead anywhere, with their digests; fails unless all that each stands on is there, and
/// served.
fn complete_tags(site: &Path, at: &str, hashes: &mut Hashes) -> BTreeMap<String, String> {
    let repositories = site.join("docker/registry/v2/repositories");
    let entries = WalkDir::new(&repositories).into_iter().filter_map(Result::ok);
    let currents = entries.filter(|entry| entry.path().ends_with("current/link"));
    let mut followed = BTreeSet::new();
    let tags = currents.map(|entry| {
        let (repository, _) = entry.path().to_str().unwrap().split_once("/_manifests/").unwrap();
        let digest = fs::read_to_string(entry.path()).unwrap();
        let mut waiting = vec![digest.clone()];
        while let Some(next) = waiting.pop() {
            if followed.insert((repository.to_owned(), next.clone())) {
                let children = follow(site, Path::new(repository), &next, hashes);
                waiting.extend(children.unwrap_or_else(|why| panic!("behind {at}: {why}")));
            }
        }
        (entry.path().to_str().unwrap().to_owned(), digest)
    });
    tags.collect()
}

/// Makes sure that a repository serves a manifest with its blobs; the manifests that it lists are returned.
fn follow(site: &Path, repository: &Path, digest: &str, hashes: &mut Hashes) -> Result<Vec<String>, String> {
    let mut served = |digest: &str, links: &str| {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let link = repository.join(format!("{links}/sha256/{hex}/link"));
        let data = site.join(format!("docker/registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]));
        let told = fs::read_to_string(&link).map_err(|error| format!("{}: {error}", link.display()))?;
        let metadata = fs::metadata(&data).map_err(|error| format!("{}: {error}", data.display()))?;
        let key = (data.clone(), metadata.ctime(), metadata.ctime_nsec());
        let found = hashes.entry(key).or_insert_with(|| sha256(&fs::read(&data).unwrap()));
        if *found == digest && told == digest { Ok(data) } else { Err(format!("{told} is {found}")) }
    };
    let manifest = fs::read(served(digest, "_manifests/revisions")?).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    for blob in blobs(&manifest) {
        served(&blob, "_layers")?;
    }
    let children = manifest["manifests"].as_array().into_iter().flatten();
    Ok(children.map(|child| child["digest"].as_str().unwrap().to_owned()).collect())
}
