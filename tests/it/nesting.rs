//! Sources and destinations that lie inside one another, or are one: nothing is ever lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::bundle::{Ended, bundle, convert, run};
use crate::support::testdata::{copied_release, copy_tree, testdata};
use crate::support::tree::{assert_same, assert_same_trees, stamps};

/// A folder `package` with `images` and `docker`, the same release twice; and ways round about to it.
fn package() -> (TempDir, PathBuf) {
    let (folder, images) = copied_release();
    let package = folder.path().join("package");
    fs::create_dir(&package).unwrap();
    fs::rename(images, package.join("images")).unwrap();
    convert("to-registry", &["--link", "copy"], &package.join("images"), &package.join("docker"));
    symlink(&package, folder.path().join("link")).unwrap();
    symlink(package.join("images"), folder.path().join("link-to-images")).unwrap();
    symlink(package.join("docker"), folder.path().join("link-to-docker")).unwrap();
    (folder, package)
}

/// Runs a conversion in the folder above the package, with its paths as they are written here.
fn convert_in(folder: &Path, command: &str, options: &[&str], source: &str, destination: &str) -> Ended {
    let mut bundle = bundle();
    bundle.current_dir(folder);
    run(bundle, command, options, Path::new(source), Path::new(destination))
}

/// Command, source, destination, and the folders that the refusal names: the inner one and the outer one.
const NESTED: [[&str; 5]; 22] = [
    // The destination lies in the source.
    [
        "to-registry",
        "package/images",
        "package/images/docker",
        "package/images/docker/registry/v2",
        "package/images",
    ],
    [
        "to-registry",
        "package/images",
        "package/images/a/b",
        "package/images/a/b/registry/v2",
        "package/images",
    ],
    ["to-registry", "package/images", "package/images", "package/images/registry/v2", "package/images"],
    [
        "to-registry",
        "package/images",
        "link/images/docker",
        "package/images/docker/registry/v2",
        "package/images",
    ],
    [
        "to-registry",
        "link-to-images",
        "package/images/new",
        "package/images/new/registry/v2",
        "package/images",
    ],
    [
        "to-registry",
        "package/images/.",
        "package/docker/../images/new",
        "package/images/new/registry/v2",
        "package/images",
    ],
    [
        "to-registry",
        "link-to-images/tools",
        "package/images/tools",
        "package/images/tools/registry/v2",
        "package/images/tools",
    ],
    [
        "to-registry",
        "package/docker",
        "package/docker/copy",
        "package/docker/copy/registry/v2",
        "package/docker",
    ],
    [
        "to-registry",
        "package/docker",
        "link-to-docker/registry/v2/copy",
        "package/docker/registry/v2/copy/registry/v2",
        "package/docker",
    ],
    ["to-dir", "package/images", "package/images/new", "package/images/new", "package/images"],
    ["to-dir", "package/images", "package/images/platform", "package/images/platform", "package/images"],
    ["to-dir", "package/docker", "package/docker/images", "package/docker/images", "package/docker"],
    ["to-dir", "package/docker", "package/docker/registry", "package/docker/registry", "package/docker"],
    [
        "to-dir",
        "package/docker/registry/v2",
        "link-to-docker/registry/v2/blobs",
        "package/docker/registry/v2/blobs",
        "package/docker/registry/v2",
    ],
    ["to-dir", "link-to-docker", "package/images/../docker/x", "package/docker/x", "package/docker"],
    // The source lies in the destination.
    ["to-dir", "package/docker", "package/docker", "package/docker", "package/docker"],
    ["to-dir", "package/docker", "package", "package/docker/registry/v2", "package"],
    ["to-dir", "link-to-docker", "link", "package/docker/registry/v2", "package"],
    ["to-dir", "package/docker", ".", "package/docker/registry/v2", ""],
    ["to-dir", "package/images/platform", "package/images", "package/images/platform", "package/images"],
    [
        "to-dir",
        "package/images/tools/../platform",
        "link/images",
        "package/images/platform",
        "package/images",
    ],
    [
        "to-registry",
        "package/docker/registry/v2/images",
        "package/docker",
        "package/docker/registry/v2/images",
        "package/docker/registry/v2",
    ],
];

#[test]
fn trees_that_lie_inside_one_another_are_refused() {
    let (folder, package) = package();
    // Where no registry looks for anything.
    copy_tree(&package.join("images"), &package.join("docker/registry/v2/images"));
    let top = fs::canonicalize(folder.path()).unwrap();
    let before = stamps(&package);
    for [command, source, destination, inner, outer] in NESTED {
        for options in [&[][..], &["--dry-run"], &["--wait"], &["--link", "copy"]] {
            let ended = convert_in(folder.path(), command, options, source, destination);
            assert_eq!(ended.code, 1, "{command} {source} {destination}: {}", ended.said);
            let [inner, outer] = [inner, outer].map(|path| top.join(path).to_str().unwrap().to_owned());
            let sentence = format!("{inner} lies inside {}:", outer.trim_end_matches('/'));
            ended.expect_said(&[&sentence, "hint: choose a DST beside SRC"]);
            assert_same("stamps", &before, &stamps(&package));
        }
    }
    println!("{} nestings, {} refusals", NESTED.len(), 4 * NESTED.len());
}

/// Command and two names of one tree.
const SAME: [[&str; 3]; 16] = [
    ["to-dir", "package/images", "package/images"],
    ["to-dir", "package/images", "./package/images/"],
    ["to-dir", "package/images", "package/docker/../images"],
    ["to-dir", "link-to-images", "package/images"],
    ["to-dir", "package/images", "link-to-images"],
    ["to-dir", "link/images", "link-to-images/platform/.."],
    ["to-registry", "package/docker", "package/docker"],
    ["to-registry", "package/docker", "package/docker/registry/v2"],
    ["to-registry", "package/docker/registry/v2", "package/docker"],
    ["to-registry", "package/docker/registry", "./package/docker/."],
    ["to-registry", "link-to-docker", "package/docker"],
    ["to-registry", "package/docker", "link/docker"],
    ["to-registry", "package/images/../docker", "link-to-docker"],
    ["to-registry", "site", "site/docker"],
    ["to-registry", "site/docker", "site"],
    ["to-registry", "site/docker/registry/v2", "site"],
];

#[test]
fn a_tree_that_is_its_own_destination_stays_as_it_is() {
    let (folder, package) = package();
    let site = folder.path().join("site");
    convert("to-registry", &[], &package.join("images"), &site.join("docker"));
    let before = [stamps(&package), stamps(&site)];
    for [command, source, destination] in SAME {
        for options in [
            &[][..],
            &["--dry-run"],
            &["--link", "copy"],
            &["--link", "reflink", "--keep-going"],
            &["--no-verify"],
        ] {
            let ended = convert_in(folder.path(), command, options, source, destination);
            assert_eq!(ended.code, 0, "{command} {source} {destination}: {}", ended.said);
            assert_eq!(
                (&ended.summary["images"], &ended.summary["planned"]["files"]),
                (&7.into(), &0.into())
            );
            assert_same("stamps", &before[0], &stamps(&package));
            assert_same("stamps", &before[1], &stamps(&site));
        }
    }
    println!("{} names of one tree, {} runs that changed nothing", SAME.len(), 5 * SAME.len());
}

#[test]
fn siblings_are_converted_and_converted_again() {
    let (folder, package) = package();
    let [reference, images] = [folder.path().join("reference"), testdata().join("images")];
    fs::rename(package.join("docker"), &reference).unwrap();
    fs::create_dir(package.join("empty")).unwrap();
    for (place, command, source, destination, result, expected) in [
        ("package", "to-registry", "images", ".", "package/registry", &reference.join("registry")),
        ("", "to-registry", "package/images", "package/docker", "package/docker", &reference),
        ("", "to-dir", "package/docker", "package/images2", "package/images2", &images),
        ("package", "to-registry", "images", "empty/../other", "package/other", &reference),
        ("package/docker", "to-dir", "../registry/v2", "../images3", "package/images3", &images),
        ("package/images", "to-registry", ".", "../third", "package/third", &reference),
        ("", "to-registry", "link-to-images", "package/images-storage", "package/images-storage", &reference),
    ] {
        let place = folder.path().join(place);
        let result = folder.path().join(result);
        for change in ["new", "unchanged"] {
            let ended = convert_in(&place, command, &[], source, destination).expect(0);
            let changes: Vec<_> = ended.summary["changes"].as_object().unwrap().values().collect();
            assert_eq!(changes, vec![change; 7], "{source} {destination}");
            assert_same_trees(expected, &result);
        }
    }
}
