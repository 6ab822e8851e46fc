//! `--chown` and `--chmod`: whose the files are that a run makes, and that nothing else changes hands.

mod refused;

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::WalkDir;

use crate::support::bundle::{convert, run};
use crate::support::mount::Mount;
use crate::support::person::{give, is_root, root, root_bundle};
use crate::support::testdata::{copy_tree, files_named, flip_bit, layer, testdata};
use crate::support::tree::{assert_same, stamps};

const ASKED: [&str; 4] = ["--chown", "1234:2345", "--chmod", "0640"];

/// Each command, with what it converts of a disk, and how many blobs it links there.
const CONVERSIONS: [(&str, &str, u64); 2] = [("to-registry", "images", 17), ("to-dir", "storage", 26)];

/// Puts the release on a disk, in `images` and in `storage`.
fn with_release(disk: Mount) -> Mount {
    copy_tree(&testdata().join("images"), &disk.path().join("images"));
    convert("to-registry", &["--link", "copy"], &disk.path().join("images"), &disk.path().join("storage"));
    disk
}

/// Whose something is, and what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Owner {
    user: u32,
    group: u32,
    mode: u32,
    is_folder: bool,
    inode: u64,
}

/// The owners of everything at and below a path, which lists nothing that it shows.
fn owners(root: &Path) -> BTreeMap<PathBuf, Owner> {
    let entries = WalkDir::new(root).into_iter().map(Result::unwrap);
    let owner = |entry: walkdir::DirEntry| {
        let it = entry.metadata().unwrap();
        let owner = Owner {
            user: it.uid(),
            group: it.gid(),
            mode: it.mode() & 0o7777,
            is_folder: it.is_dir(),
            inode: it.ino(),
        };
        (entry.path().strip_prefix(root).unwrap().to_owned(), owner)
    };
    entries.map(owner).collect()
}

/// How many things belong to whom.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    folders: u64,
    files: u64,
    /// Files that are the source's, and as they are there.
    shared: u64,
}

/// Fails unless everything is whose it should be: the source's where it is a link to it, otherwise the user's.
fn expect_owners(tree: &Path, source: &Path, reference: &Path) -> Count {
    let shared: HashMap<_, _> = owners(source).into_values().map(|owner| (owner.inode, owner)).collect();
    let reference = owners(reference);
    let mut count = Count::default();
    for (path, found) in owners(tree) {
        if let Some(owner) = shared.get(&found.inode) {
            assert_eq!(found, *owner, "{}", path.display());
            count.shared += 1;
            continue;
        }
        // Folders have what the umask leaves of their mode, as if nothing had been asked for.
        let mode = if found.is_folder { reference[&path].mode } else { 0o640 };
        assert_eq!((found.user, found.group, found.mode), (1234, 2345, mode), "{}", path.display());
        *if found.is_folder { &mut count.folders } else { &mut count.files } += 1;
    }
    count
}

/// How many linked blobs keep their owner, says the summary; a warning says so as well, or neither.
fn kept(summary: &Value) -> u64 {
    let kept = summary["kept_owner"].as_u64().unwrap();
    let findings = summary["findings"].as_array().unwrap().iter();
    let said: Vec<_> = findings
        .filter(|finding| finding["kind"] == "kept-owner")
        .map(|finding| {
            assert_eq!(finding["severity"], "warning");
            finding["found"].as_str().unwrap().to_owned()
        })
        .collect();
    let expected = if kept == 0 { vec![] } else { vec![format!("{kept} of them")] };
    assert_eq!(said, expected);
    kept
}

#[test]
fn what_is_created_belongs_to_whom_it_should() {
    for (command, source, linked) in CONVERSIONS {
        let disk = with_release(Mount::tmpfs("size=16m"));
        let source = disk.path().join(source);
        let reference = disk.path().join("reference");
        run(root_bundle(), command, &["--link", "copy"], &source, &reference.join("a/docker")).expect(0);
        let whole = owners(&reference).len() as u64;
        let before = owners(&source);
        for (link, shared) in [("hardlink", linked), ("copy", 0)] {
            let site = disk.path().join(link);
            let destination = site.join("a/docker");
            let options = [&ASKED[..], &["--link", link]].concat();
            let ended = run(root_bundle(), command, &options, &source, &destination).expect(0);
            let count = expect_owners(&site, &source, &reference);
            println!("{command} --link {link}: {count:?}");
            assert_eq!((count.shared, count.shared + count.files + count.folders), (shared, whole));
            assert_eq!(kept(&ended.summary), shared);
            if shared > 0 {
                ended.expect_said(&[
                    "warning: linked blobs that keep their owner and mode",
                    "--link copy gives them",
                ]);
            } else {
                assert_eq!(ended.said, "");
            }
            let changed = stamps(&site);
            let again = run(root_bundle(), command, &options, &source, &destination).expect(0);
            assert_eq!((again.said.as_str(), kept(&again.summary)), ("", 0));
            assert_same("stamps", &changed, &stamps(&site));
        }
        assert_eq!(before, owners(&source), "the source changed hands");
    }
}

#[test]
fn links_that_are_as_asked_are_nothing_to_warn_of() {
    let disk = with_release(Mount::tmpfs("size=16m"));
    let images = disk.path().join("images");
    let own = layer(&images.join("platform/web:1.8.0"), 2);
    for entry in WalkDir::new(&images) {
        let path = entry.unwrap().into_path();
        if path.is_file() {
            fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
            give(&path, 1234, 2345);
        }
    }
    for (name, options, expected) in [
        ("all", &ASKED[..], 0),
        ("user", &["--chown", "1234"], 0),
        ("group", &["--chown", ":2345"], 0),
        ("mode", &["--chmod", "640"], 0),
        ("other-user", &["--chown", "1235"], 17),
        ("other-group", &["--chown", "1234:2346"], 17),
        ("other-mode", &["--chmod", "0600"], 17),
    ] {
        let ended = run(root_bundle(), "to-registry", options, &images, &disk.path().join(name)).expect(0);
        assert_eq!(kept(&ended.summary), expected, "{name}");
    }
    let [file] = &files_named(&images, &own)[..] else { panic!("{own} is shared") };
    give(file, 1234, 2346);
    let ended = run(root_bundle(), "to-registry", &ASKED, &images, &disk.path().join("one")).expect(0);
    assert_eq!(kept(&ended.summary), 1);
}

#[test]
fn only_what_was_asked_for_changes() {
    let disk = with_release(Mount::tmpfs("size=16m"));
    let images = disk.path().join("images");
    let [as_usual, user, group, mode] =
        ["as-usual", "user", "group", "mode"].map(|name| disk.path().join(name));
    for (options, site) in [
        (&[][..], &as_usual),
        (&["--chown", "1234"], &user),
        (&["--chown", ":2345"], &group),
        (&["--chmod", "0604"], &mode),
    ] {
        run(root_bundle(), "to-registry", &[options, &["--link", "copy"]].concat(), &images, site).expect(0);
    }
    for (path, usual) in owners(&as_usual) {
        let found = |site: &Path| owners(site)[&path];
        let same = |found: Owner| Owner { inode: usual.inode, ..found };
        assert_eq!(same(found(&user)), Owner { user: 1234, ..usual }, "{}", path.display());
        assert_eq!(same(found(&group)), Owner { group: 2345, ..usual }, "{}", path.display());
        let expected = if usual.is_folder { usual.mode } else { 0o604 };
        assert_eq!(same(found(&mode)), Owner { mode: expected, ..usual }, "{}", path.display());
    }

    // Another umask, as a shell sets it: folders follow it, files do not.
    let site = disk.path().join("umask");
    let script = format!(
        "umask 027 && exec '{}' to-registry -q --link copy --chmod 0644 --chown 1234:2345 '{}' '{}'",
        env!("CARGO_BIN_EXE_bundle"),
        images.display(),
        site.display()
    );
    assert!(root("sh", &["-c", &script]).output().unwrap().status.success());
    let list = root("find", &[site.to_str().unwrap(), "-printf", "%y %m %U:%G\\n"]).output().unwrap();
    let list = String::from_utf8(list.stdout).unwrap();
    let mut kinds: Vec<_> = list.lines().collect();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, ["d 750 1234:2345", "f 644 1234:2345"]);
}

#[test]
fn clones_belong_to_whom_they_should() {
    let disk = with_release(Mount::new("xfs"));
    let before = owners(&disk.path().join("images"));
    let site = disk.path().join("site");
    let options = [&ASKED[..], &["--link", "reflink"]].concat();
    let ended = run(root_bundle(), "to-registry", &options, &disk.path().join("images"), &site).expect(0);
    assert_eq!((&ended.summary["cloned"]["files"], kept(&ended.summary)), (&17.into(), 0));
    let reference = disk.path().join("reference");
    run(root_bundle(), "to-registry", &["--link", "copy"], &disk.path().join("images"), &reference).expect(0);
    let count = expect_owners(&site, &disk.path().join("images"), &reference);
    assert_eq!((count.shared, count.files), (0, 17 + 56));
    assert_eq!(before, owners(&disk.path().join("images")));
}

#[test]
fn what_is_there_already_stays_whose_it_is() {
    let disk = with_release(Mount::tmpfs("size=16m"));
    let previous = disk.path().join("previous");
    copy_tree(&testdata().join("previous"), &previous);
    let site = disk.path().join("site");
    run(root_bundle(), "to-registry", &["--link", "copy"], &previous, &site).expect(0);
    let before = owners(&site);
    let options = [&ASKED[..], &["--link", "copy"]].concat();
    run(root_bundle(), "to-registry", &options, &disk.path().join("images"), &site).expect(0);
    let mut counts = [0, 0];
    for (path, owner) in owners(&site) {
        let is_new = before.get(&path).is_none_or(|before| before.inode != owner.inode);
        if is_new {
            assert_eq!((owner.user, owner.group), (1234, 2345), "{}", path.display());
        } else {
            assert_eq!(owner, before[&path], "{}", path.display());
        }
        counts[usize::from(is_new)] += 1;
    }
    println!("{} that were there stay, {} are new", counts[0], counts[1]);
    // The tag that moves is a new file in an old folder.
    assert!(counts[0] >= before.len() - 1 && counts[1] > 50);
}

#[test]
fn what_is_repaired_belongs_to_whom_it_should() {
    let disk = with_release(Mount::tmpfs("size=16m"));
    let [images, storage] = ["images", "storage"].map(|name| disk.path().join(name));
    let hex = layer(&images.join("platform/web:1.8.0"), 2);
    let broken = files_named(&storage, &hex)[0].join("data");
    let lost = images.join("platform/web:1.8.0").join(&hex);
    let bytes = fs::read(&lost).unwrap();
    flip_bit(&broken);
    let before = owners(&storage);
    let verify = |path: &Path, source: &Path| {
        let mut command = root_bundle();
        command.args(["verify", "-q"]).arg(path).arg("--repair-from").arg(source).args(ASKED);
        command.assert().success();
    };
    verify(&storage, &images);
    let repaired = fs::metadata(&broken).unwrap();
    assert_eq!((repaired.uid(), repaired.gid(), repaired.mode() & 0o7777), (1234, 2345, 0o640));
    let after = owners(&storage);
    let changed: Vec<_> = before.keys().filter(|path| after[*path] != before[*path]).collect();
    assert_eq!(changed, [broken.strip_prefix(&storage).unwrap()]);

    fs::remove_file(&lost).unwrap();
    verify(&images, &storage);
    let repaired = fs::metadata(&lost).unwrap();
    assert_eq!((repaired.uid(), repaired.gid(), repaired.mode() & 0o7777), (1234, 2345, 0o640));
    // Only the user, and root, may read it now.
    if is_root() {
        assert_eq!(fs::read(&lost).unwrap(), bytes);
    }
}
