//! Several layouts below one folder, and layouts among other trees: all of it is read, or it is said what is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::json;
use tempfile::TempDir;

use super::errors;
use crate::support::bundle::{bundle, convert, run};
use crate::support::forge::layout::{REF_NAME, blobs, described, layout, list};
use crate::support::forge::{self, Image, docker, oci};
use crate::support::package::ask;
use crate::support::scratch;
use crate::support::tree::{assert_same_files, files};
use crate::support::verification::verify;

fn image(name: &str) -> (String, Image) {
    (format!("team/{name}:1"), oci(name))
}

/// Writes a layout with one image.
fn lay(name: &str, path: &Path) {
    forge::write(&layout(&[image(name)]), path);
}

/// Writes a layout with one image that has but a tag.
fn lay_bare(name: &str, tag: &str, path: &Path) {
    let mut files = list(vec![described(&oci(name), json!({ REF_NAME: tag }))]);
    files.extend(blobs(&oci(name)));
    forge::write(&files, path);
}

fn folder() -> (TempDir, PathBuf) {
    let folder = scratch();
    let tree = folder.path().join("tree");
    (folder, tree)
}

#[test]
fn several_layouts_below_one_folder_are_one_tree() {
    let (folder, tree) = folder();
    lay("one", &tree.join("one"));
    lay("two", &tree.join("deep/er/two"));
    lay_bare("three", "3.0", &tree.join("team/three"));
    lay_bare("four", "4.0", &tree.join("Not A Name"));
    fs::write(tree.join("notes.txt"), "no part of it").unwrap();
    let docker = folder.path().join("docker");
    let bare = ["team/three:3.0", "unnamed:4.0"];
    let verified = ask(["verify", tree.to_str().unwrap()]).expect(0);
    let said: Vec<_> = super::findings(&verified.summary);
    assert_eq!(said, bare.map(|name| ("bare-tag".to_owned(), name.to_owned())));
    // Folders go into names, where they can.
    let refused = run(bundle(), "to-registry", &["--repository", "base"], &tree, &docker).expect(4);
    assert_eq!(errors(&refused.summary), [("invalid-name".to_owned(), "unnamed:4.0".to_owned())]);
    fs::remove_dir_all(tree.join("Not A Name")).unwrap();
    convert("to-registry", &["--repository", "base"], &tree, &docker);
    let images = [image("one"), image("two"), (format!("base/{}", bare[0]), oci("three"))];
    assert_same_files(&forge::storage(&images), &files(&docker.join("registry/v2")));
}

#[test]
fn two_layouts_that_have_one_name_for_two_images_are_refused() {
    let (folder, tree) = folder();
    lay_bare("one", "1", &tree.join("A one"));
    lay_bare("two", "1", &tree.join("A two"));
    lay("three", &tree.join("b"));
    let ended =
        run(bundle(), "to-registry", &["--keep-going"], &tree, &folder.path().join("docker")).expect(4);
    let said = ["name-conflict", "no-repository", "no-repository"];
    assert_eq!(errors(&ended.summary), said.map(|kind| (kind.to_owned(), "unnamed:1".to_owned())));
    assert_eq!(ended.summary["changes"], json!({ "team/three:1": "new" }));
}

/// Fails unless this place in the tree is told as not read, or the tree is refused as several.
#[track_caller]
fn expect_told(tree: &Path, place: &Path) {
    let out = tree.parent().unwrap().join("out");
    let ended = run(bundle(), "to-registry", &[], tree, &out);
    assert!(!out.exists());
    match ended.code {
        1 => ended.expect_said(&["more than one tree", "hint:"]),
        4 => {
            // Of two kinds of trees side by side one is read, and the other one told.
            let others = [place.to_owned(), tree.join("m")].map(|path| path.to_str().unwrap().to_owned());
            let findings = ended.summary["findings"].as_array().unwrap();
            let is_it = |finding: &serde_json::Value| {
                ["unread-layout", "not-a-file"].contains(&finding["kind"].as_str().unwrap())
                    && others.iter().any(|other| finding["file"] == **other)
            };
            assert!(findings.iter().any(is_it), "{} is not told: {findings:#?}", place.display());
            assert_eq!(verify(&[], &[tree]).code, 4);
        }
        code => panic!("{}: exit {code}: {}", place.display(), ended.said),
    }
}

/// Writes a tree.
type Write<'a> = &'a dyn Fn(&Path);

#[test]
fn nothing_that_lies_among_layouts_is_left_out_in_silence() {
    // Of each form one, in front of the layout, behind it and within it.
    let storage = |path: &Path| forge::write(&forge::storage(&[image("storage")]), path);
    let folders = |path: &Path| forge::write(&docker("folder").files(), path);
    let layout = |path: &Path| lay("inner", path);
    let forms: [(&str, Write); 3] = [("storage", &storage), ("x:1", &folders), ("lay", &layout)];
    for (name, write) in forms {
        for place in ["a", "z", "m/sub", "m/sub/deep"] {
            let (_folder, tree) = folder();
            lay("app", &tree.join("m"));
            let place = tree.join(place).join(name);
            write(&place);
            // A layout beside another one is read.
            if name == "lay" && !place.starts_with(tree.join("m")) {
                assert_eq!(verify(&[], &[&tree]).code, 0);
            } else {
                expect_told(&tree, &place);
            }
            if place.starts_with(tree.join("m")) {
                expect_told(&tree.join("m"), &place);
            }
        }
    }
}

#[test]
fn a_layout_in_a_tree_of_folders_is_told() {
    for place in ["a/lay", "team/lay", "z/lay"] {
        let (_folder, tree) = folder();
        forge::write(&forge::tree(&[image("one"), image("two")]), &tree);
        lay("app", &tree.join(place));
        expect_told(&tree, &tree.join(place));
    }
    // In an image's own folder.
    let (_folder, tree) = folder();
    forge::write(&forge::tree(&[image("one")]), &tree);
    lay("app", &tree.join("team/one:1/lay"));
    expect_told(&tree, &tree.join("team/one:1/lay"));
}

#[test]
fn a_layout_behind_a_symbolic_link_is_told_and_not_read() {
    let (folder, tree) = folder();
    lay("one", &tree.join("one"));
    lay("two", &folder.path().join("elsewhere"));
    symlink(folder.path().join("elsewhere"), tree.join("two")).unwrap();
    expect_told(&tree, &tree.join("two"));
    // The tree itself may be named by a link.
    symlink(tree.join("one"), folder.path().join("link")).unwrap();
    let docker = folder.path().join("docker");
    convert("to-registry", &[], &folder.path().join("link"), &docker);
    assert_same_files(&forge::storage(&[image("one")]), &files(&docker.join("registry/v2")));
}

#[test]
fn what_cannot_be_read_of_a_tree_of_layouts_is_told() {
    let person = crate::support::person::Person::new();
    let folder = tempfile::tempdir().unwrap();
    let open = |path: &Path, mode| {
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
    };
    open(folder.path(), 0o755);
    lay("one", &folder.path().join("one"));
    lay("two", &folder.path().join("two"));
    open(&folder.path().join("two"), 0o000);
    let output = person.bundle().arg("verify").arg(folder.path()).output().unwrap();
    open(&folder.path().join("two"), 0o755);
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(4) && said.contains("two"), "{:?} {said}", output.status.code());
}
