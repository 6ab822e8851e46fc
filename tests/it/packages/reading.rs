//! Packages are read where they lie, in each of their forms, as the trees that they were made of.

use std::path::Path;

use serde_json::Value;

use super::releases::{Vendor, hashed, inventory_of};
use crate::support::bundle::{Ended, bundle, convert, shared};
use crate::support::forge;
use crate::support::package::report;
use crate::support::scratch;
use crate::support::tree::{assert_same_files, assert_same_trees, files, stamps};
use crate::support::verification::verify;

#[test]
fn a_whole_package_gives_its_tree_back() {
    let vendor = Vendor::new();
    let (tree, expected) = (vendor.tree(2), forge::storage(&vendor.release(2).images));
    for (number, package) in vendor.forms(2, &[]).into_iter().enumerate() {
        let [back, docker] = ["back", "docker"].map(|name| vendor.path(&format!("{name}-{number}")));
        convert("to-dir", &[], &package, &back);
        assert_same_trees(&tree, &back);
        let report = convert("to-registry", &[], &package, &docker);
        assert_same_files(&expected, &files(&docker.join("registry/v2")));
        // Content that lies in a tar has no inode of its own; that of a folder has.
        let [linked, _, copied] = shared(&report);
        assert!(if package.is_dir() { copied == 0 && linked >= 20 } else { linked == 0 && copied >= 20 });
        // And what was converted from a package is what there is to convert.
        let again = convert("to-dir", &[], &package, &back);
        assert_eq!((shared(&again), &again["written_files"]), ([0; 3], &0.into()));
    }
}

#[test]
fn a_package_weighs_what_its_storage_weighs() {
    let vendor = Vendor::new();
    let tree = vendor.tree(2);
    let storage = vendor.path("storage");
    convert("to-registry", &[], &tree, &storage);
    let stats = |path: &Path, base: &Path| {
        let mut stats = report(["stats".as_ref(), path.as_os_str(), "--base".as_ref(), base.as_os_str()]);
        stats["base"]["paths"] = Value::Null;
        // How content lies in blocks of a disk is another matter.
        let total = &mut stats["total"];
        total["allocated_bytes"] = Value::Null;
        let tree = &mut stats["trees"][0];
        for field in ["path", "layout", "allocated_bytes"] {
            tree[field] = Value::Null;
        }
        stats
    };
    let expected = stats(&storage, &vendor.tree(1));
    let content = hashed(&tree);
    assert_eq!(expected["total"]["unique_blobs"], content.len());
    assert_eq!(expected["total"]["unique_bytes"], content.values().sum::<u64>());
    let inventory = inventory_of(&tree);
    assert_eq!(inventory_of(&storage), inventory);
    let bases = vendor.forms(1, &[]);
    for (package, base) in vendor.forms(2, &[]).iter().zip(&bases) {
        assert_eq!(stats(package, base), expected, "{}", package.display());
        assert_eq!(inventory_of(package), inventory, "{}", package.display());

        let verified = verify(&[], &[package]);
        assert_eq!((verified.code, verified.findings()), (0, &[][..]));
        let count = content.len() as u64;
        assert_eq!(verified.checked(), [count, content.values().sum(), count]);
        let told = &verified.report["trees"][0];
        let images = &vendor.release(2).images;
        assert_eq!((&told["layout"], &told["images"]), (&"package".into(), &images.len().into()));
        assert_eq!(told["tags"], images.iter().filter(|(name, _)| !name.contains('@')).count());

        let told = report(["diff".as_ref(), base.as_os_str(), package.as_os_str()]);
        for part in ["new", "reused", "images"] {
            assert_eq!(told["patch"][part], expected["base"][part]);
        }
    }
}

#[test]
fn a_patch_is_weighed_and_verified_but_is_no_tree_to_convert() {
    let vendor = Vendor::new();
    let base = vendor.tree(1);
    let (needed, there) = (hashed(&vendor.tree(2)), hashed(&base));
    let lacking: Vec<u64> =
        needed.iter().filter(|(it, _)| !there.contains_key(*it)).map(|(_, size)| *size).collect();
    let (count, bytes) = (lacking.len() as u64, lacking.iter().sum::<u64>());
    for patch in vendor.forms(2, &[&base]) {
        let verified = verify(&[], &[&patch]);
        assert_eq!((verified.code, verified.findings()), (0, &[][..]));
        // What it relies on is not there to be hashed.
        assert_eq!(verified.checked(), [count, bytes, count]);
        let stats = report(["stats".as_ref(), patch.as_os_str()]);
        assert_eq!(stats["findings"], serde_json::json!([]));
        assert_eq!(stats["total"]["images"], vendor.release(2).images.len());
        assert_eq!(
            (&stats["total"]["unique_blobs"], &stats["total"]["unique_bytes"]),
            (&count.into(), &bytes.into())
        );

        let folder = scratch();
        let before = stamps(folder.path());
        for (command, target) in
            [("to-dir", "back"), ("to-registry", "docker"), ("pack", "other.tar"), ("pack", "other/")]
        {
            for options in [&[][..], &["--dry-run"]] {
                let mut run = bundle();
                run.arg(command).args(options).arg(&patch).arg(folder.path().join(target));
                let ended = Ended::of(&run.output().unwrap()).expect(1);
                ended.expect_said(&["is a patch: it relies on", "hint: apply it"]);
            }
        }
        assert_eq!(stamps(folder.path()), before);
    }
}
