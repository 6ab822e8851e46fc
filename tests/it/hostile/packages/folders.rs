//! Packages that are folders: what is missing or altered in them is named, and what is no file is not waited for.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use super::{Sites, refuse_to_verify, run};
use crate::support::bundle::bundle;
use crate::support::special::Special;
use crate::support::testdata::{copied_release, flip_bit};
use crate::support::tree::files;

/// Packs a copy of the release into a folder, so that nothing that is done to it is done to the release.
fn packed(sites: &Sites) -> (tempfile::TempDir, PathBuf) {
    let (images, path) = copied_release();
    let folder = sites.packages().join("release");
    bundle().args(["pack", "-q", "--dir"]).arg(path).arg(&folder).assert().success();
    (images, folder)
}

/// The files of a package's content.
fn content(folder: &Path) -> Vec<PathBuf> {
    let files = files(folder).into_keys().filter(|path| path.ends_with("/data"));
    files.map(|path| folder.join(path)).collect()
}

#[test]
fn a_folder_with_nothing_but_a_bill_is_no_package() {
    let sites = Sites::new();
    let (_images, folder) = packed(&sites);
    fs::rename(folder.join("docker"), sites.packages().join("docker")).unwrap();
    for faults in [sites.refuse_to_apply(&folder), refuse_to_verify(&folder)] {
        assert_eq!(faults.kind, "missing-blob", "{faults:?}");
        assert!(faults.file.starts_with(&folder) && faults.file.ends_with("data"), "{faults:?}");
    }
    for missing in ["bundle.json.sha256", "bundle.json"] {
        fs::remove_file(folder.join(missing)).unwrap();
        sites.refuse_to_apply(&folder);
        assert_ne!(run(["verify".as_ref(), folder.as_os_str()]).code, 0, "without {missing}");
    }
    // An empty folder, then.
    sites.refuse_to_apply(&folder);
}

#[test]
fn content_of_a_folder_that_is_damaged_is_named() {
    let sites = Sites::new();
    let (_images, folder) = packed(&sites);
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for file in content(&folder) {
        let bytes = fs::read(&file).unwrap();
        let flipped: Vec<u8> = [&[bytes[0] ^ 1], &bytes[1..]].concat();
        let wrong = [flipped, bytes[..bytes.len() - 1].to_vec(), [&bytes[..], b"\0"].concat(), Vec::new()];
        for (what, wrong) in wrong.into_iter().enumerate() {
            // Not in place: the file is a link to the source's.
            fs::remove_file(&file).unwrap();
            fs::write(&file, wrong).unwrap();
            let refusal = sites.refuse(&folder);
            let kind = if what == 0 { "corrupt-blob" } else { "wrong-size" };
            refusal.expect(kind, &file, "");
            assert!(!refusal.verify.images.is_empty(), "{refusal:?}");
            *count.entry(refusal.apply.kind).or_default() += 1;
        }
        fs::remove_file(&file).unwrap();
        sites.refuse(&folder).expect("missing-blob", &file, "");
        *count.entry("missing-blob".to_owned()).or_default() += 1;
        fs::write(&file, bytes).unwrap();
    }
    println!("damaged content of folders: {count:?}, all refused and named");
    assert!(count.values().all(|count| *count >= 26) && count.len() == 3, "{count:?}");
}

#[test]
fn a_bill_of_a_folder_that_is_damaged_is_told() {
    let sites = Sites::new();
    let (_images, folder) = packed(&sites);
    for name in ["bundle.json", "bundle.json.sha256"] {
        let path = folder.join(name);
        let bytes = fs::read(&path).unwrap();
        let flipped = (0..10).map(|number| {
            let mut flipped = bytes.clone();
            flipped[number * bytes.len() / 10] ^= 1;
            flipped
        });
        let cut = [0, 1, bytes.len() / 2, bytes.len() - 1].map(|length| bytes[..length].to_vec());
        for wrong in flipped.chain(cut) {
            fs::write(&path, wrong).unwrap();
            let fault = sites.refuse_to_apply(&folder);
            assert_eq!(fault.kind, "damaged-package", "{name}: {fault:?}");
            assert!(fault.file.starts_with(&folder), "{fault:?}");
            // That it is storage as well, and sound as such, does not make the package sound.
            refuse_to_verify(&folder).expect("damaged-package", &fault.file, &fault.found);
        }
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(run(["verify".as_ref(), folder.as_os_str()]).code, 0);
}

#[test]
fn links_of_a_folder_that_are_damaged_are_told() {
    let sites = Sites::new();
    let (_images, folder) = packed(&sites);
    let links: Vec<_> = files(&folder).into_keys().filter(|path| path.ends_with("/link")).collect();
    let mut count = 0;
    for link in links.iter().step_by(4) {
        // Whoever unpacks it with plain tools, or serves it where it lies, has a tag that leads nowhere.
        let path = folder.join(link);
        let bytes = fs::read(&path).unwrap();
        flip_bit(&path);
        sites.refuse(&folder).expect("damaged-package", &path, "something else");
        fs::remove_file(&path).unwrap();
        sites.refuse(&folder).expect("damaged-package", &path, "nothing");
        fs::create_dir(&path).unwrap();
        sites.refuse(&folder).expect("damaged-package", &path, "a folder");
        fs::remove_dir(&path).unwrap();
        fs::write(&path, bytes).unwrap();
        count += 1;
    }
    let tags = folder.join("docker/registry/v2/repositories/zone-base/_layers");
    let aside = sites.packages().join("aside");
    for (what, found) in [("a file", "a file"), ("a link", "a symbolic link")] {
        fs::rename(&tags, &aside).unwrap();
        match what {
            "a file" => fs::write(&tags, "").unwrap(),
            _ => symlink(&aside, &tags).unwrap(),
        }
        sites.refuse(&folder).expect("damaged-package", &tags, found);
        fs::remove_file(&tags).unwrap();
        fs::rename(&aside, &tags).unwrap();
    }
    println!("damaged links of folders: {count}, each in three ways, all refused and named");
    assert!(count >= 12, "{count}");
    assert_eq!(run(["verify".as_ref(), folder.as_os_str()]).code, 0);
}

#[test]
fn what_somebody_put_into_a_folder_is_told() {
    let sites = Sites::new();
    let (_images, folder) = packed(&sites);
    let storage = folder.join("docker/registry/v2");
    let hex = "0".repeat(64);
    let blob = format!("blobs/sha256/00/{hex}/data");
    for added in [
        "repositories/evil/_manifests/tags/1/current/link",
        "repositories/zone-base/_manifests/tags/evil/current/link",
        &format!("repositories/zone-base/_layers/sha256/{hex}/link"),
        &blob,
        "x",
        "../../x",
    ] {
        let path = storage.join(added);
        let new = path.ancestors().take_while(|folder| !folder.exists()).last().unwrap().to_owned();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("sha256:{hex}")).unwrap();
        let fault = sites.refuse_to_apply(&folder);
        assert_eq!(fs::canonicalize(&fault.file).unwrap(), fs::canonicalize(&new).unwrap(), "{fault:?}");
        fault.expect("damaged-package", &fault.file, "something that bundle.json does not have");
        refuse_to_verify(&folder).expect("damaged-package", &fault.file, "");
        fs::remove_dir_all(&new).or_else(|_| fs::remove_file(&new)).unwrap();
    }
    // Content that is reached by a symbolic link lies outside.
    let [outside, inside] = [sites.packages().join("outside"), storage.join("blobs/sha256")];
    fs::rename(&inside, &outside).unwrap();
    symlink(&outside, &inside).unwrap();
    let fault = sites.refuse_to_apply(&folder);
    fault.expect("not-a-file", &fault.file, "a symbolic link in the place of a folder");
    fs::remove_file(&inside).unwrap();
    fs::rename(&outside, &inside).unwrap();
    assert_eq!(run(["verify".as_ref(), folder.as_os_str()]).code, 0);
}

#[test]
fn nobody_waits_for_what_took_a_files_place_in_a_folder() {
    let sites = Sites::new();
    let (_images, folder) = packed(&sites);
    let aside = sites.packages().join("aside");
    let content = content(&folder);
    let places = [folder.join("bundle.json"), folder.join("bundle.json.sha256"), content[0].clone()];
    for special in Special::all() {
        for place in &places {
            special.replace(place, &aside);
            let fault = sites.refuse_to_apply(&folder);
            assert_eq!((fault.kind.as_str(), &fault.file), ("not-a-file", place), "{special:?}: {fault:?}");
            assert_ne!(
                run(["verify".as_ref(), folder.as_os_str()]).code,
                0,
                "{special:?} {}",
                place.display()
            );
            Special::undo(place, &aside);
        }
    }
}
