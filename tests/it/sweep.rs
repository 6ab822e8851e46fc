//! Every file of a tree, spoiled in every way: `verify` names the images that the file carries, and no others.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use crate::support::bundle::convert;
use crate::support::person::Person;
use crate::support::storage::{Image, Storage};
use crate::support::tree::files;
use crate::support::verification::Verified;

/// Three images that share layers, and a list.
const IMAGES: [&str; 4] = ["platform/api:*", "platform/web:*", "zone-base:*", "tools/clock:*"];

/// A way to spoil a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Flipped,
    Halved,
    Emptied,
    Deleted,
    Folder,
    DanglingLink,
    Unreadable,
}

impl Fault {
    const ALL: [Self; 7] = [
        Self::Flipped,
        Self::Halved,
        Self::Emptied,
        Self::Deleted,
        Self::Folder,
        Self::DanglingLink,
        Self::Unreadable,
    ];

    /// Puts a spoiled file in the place of a sound one, which goes to `aside`.
    fn inflict(self, path: &Path, aside: &Path) {
        fs::rename(path, aside).unwrap();
        let bytes = fs::read(aside).unwrap();
        let middle = bytes.len() / 2;
        match self {
            Self::Flipped => {
                let flipped = bytes.iter().enumerate().map(|(place, byte)| byte ^ u8::from(place == middle));
                fs::write(path, flipped.collect::<Vec<_>>()).unwrap();
            }
            Self::Halved => fs::write(path, &bytes[..middle]).unwrap(),
            Self::Emptied => fs::write(path, "").unwrap(),
            Self::Deleted => {}
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::DanglingLink => symlink("nowhere", path).unwrap(),
            Self::Unreadable => {
                fs::write(path, bytes).unwrap();
                fs::set_permissions(path, Permissions::from_mode(0o000)).unwrap();
            }
        }
    }

    /// Puts the sound file back.
    fn undo(self, path: &Path, aside: &Path) {
        if self == Self::Folder {
            fs::remove_dir(path).unwrap();
        }
        fs::rename(aside, path).unwrap();
    }
}

/// What has to come of a fault.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// Just these images are broken.
    Breaks(BTreeSet<String>),
    /// No image is broken, and a warning of this kind says what became of the file.
    Warns(&'static str),
    /// The file does not matter, for this reason.
    Harmless(&'static str),
}

#[derive(Debug, Default)]
struct Counts {
    faults: usize,
    broken: usize,
    warned: usize,
    harmless: usize,
}

/// Spoils every file of a tree in every way, one at a time; each of the equal trees takes its share.
fn sweep(trees: &[(PathBuf, PathBuf)], outcome: impl Fn(&str, Fault) -> Outcome + Sync) -> Counts {
    let started = Instant::now();
    let person = Person::new();
    let paths: Vec<_> = files(&trees[0].0).into_keys().collect();
    let work: Vec<_> = paths.iter().flat_map(|path| Fault::ALL.map(|fault| (path, fault))).collect();
    let spoil = |number: usize, (tree, aside): &(PathBuf, PathBuf)| {
        let mut counts = Counts::default();
        let mut complaints = Vec::new();
        for (path, fault) in work.iter().skip(number).step_by(trees.len()) {
            fault.inflict(&tree.join(path), aside);
            let mut command = person.bundle();
            let verified =
                Verified::of(command.args(["verify", "-q", "-j", "1", "--format", "json"]).arg(tree));
            fault.undo(&tree.join(path), aside);
            counts.faults += 1;
            let expected = outcome(path, *fault);
            match complaint(&expected, &verified) {
                Some(complaint) => complaints.push(format!("{path} {fault:?}: {complaint}")),
                None => match expected {
                    Outcome::Breaks(_) => counts.broken += 1,
                    Outcome::Warns(_) => counts.warned += 1,
                    Outcome::Harmless(_) => counts.harmless += 1,
                },
            }
        }
        (counts, complaints)
    };
    let (mut counts, mut complaints) = (Counts::default(), Vec::new());
    thread::scope(|scope| {
        let spoil = &spoil;
        let threads: Vec<_> =
            trees.iter().enumerate().map(|(number, tree)| scope.spawn(move || spoil(number, tree))).collect();
        for thread in threads {
            let (counted, complained) = thread.join().unwrap();
            counts.faults += counted.faults;
            counts.broken += counted.broken;
            counts.warned += counted.warned;
            counts.harmless += counted.harmless;
            complaints.extend(complained);
        }
    });
    println!("{} files, {counts:?}, {:?}", paths.len(), started.elapsed());
    assert!(complaints.is_empty(), "{} of {}:\n{}", complaints.len(), counts.faults, complaints.join("\n"));
    counts
}

/// Why a verdict is not what it has to be.
fn complaint(expected: &Outcome, verified: &Verified) -> Option<String> {
    let broken: BTreeSet<_> = verified.broken().into_iter().map(str::to_owned).collect();
    let is_right = match expected {
        Outcome::Breaks(images) => verified.code == 4 && broken == *images,
        Outcome::Warns(kind) => verified.code == 0 && verified.kinds().contains(kind),
        Outcome::Harmless(_) => matches!(verified.code, 0 | 4),
    };
    let told = || {
        let told = |finding: &serde_json::Value| {
            format!("{} {} {}", finding["kind"], finding["file"], finding["images"])
        };
        verified.findings().iter().map(told).collect::<Vec<_>>().join("; ")
    };
    (!is_right).then(|| format!("exit {}, {}; expected {expected:?}", verified.code, told()))
}

/// Reads off a path of storage which images the file carries.
fn carried(images: &[Image], path: &str) -> Outcome {
    let parts: Vec<_> = path.split('/').collect();
    let named = |is_carried: &dyn Fn(&Image) -> bool| {
        let names = images.iter().filter(|image| is_carried(image)).map(|image| image.name.clone());
        Outcome::Breaks(names.collect())
    };
    let digest = |rest: &[&str]| format!("{}:{}", rest[0], rest[1]);
    match parts[2..] {
        ["blobs", algorithm, _, hex, "data"] => named(&|image| image.needs(&format!("{algorithm}:{hex}"))),
        ["repositories", .., "index", _, _, "link"] => {
            Outcome::Harmless("it only remembers what the tag pointed at")
        }
        ["repositories", ref repository @ .., "_manifests", "tags", tag, "current", "link"] => {
            named(&|image| image.name == format!("{}:{tag}", repository.join("/")))
        }
        ["repositories", ref repository @ .., "_manifests", "revisions", algorithm, hex, "link"] => {
            named(&|image| {
                image.repository == repository.join("/")
                    && image.manifests.contains(&digest(&[algorithm, hex]))
            })
        }
        ["repositories", ref repository @ .., "_layers", algorithm, hex, "link"] => named(&|image| {
            image.repository == repository.join("/") && image.blobs.contains(&digest(&[algorithm, hex]))
        }),
        _ => panic!("{path} has no place in registry storage"),
    }
}

#[test]
fn every_file_of_storage_matters_to_the_images_that_it_carries() {
    let copies: Vec<_> = (0..4).map(|_| Storage::for_every_user(&IMAGES)).collect();
    let images = copies[0].images();
    assert_eq!(images.len(), 5);
    let trees: Vec<_> = copies.iter().map(|copy| (copy.docker(), copy.site().join("aside"))).collect();
    let counts = sweep(&trees, |path, _| carried(&images, path));
    assert!(counts.broken > 5 * counts.harmless);
}

#[test]
fn every_file_of_an_image_folder_matters_to_that_image() {
    let copies: Vec<_> = (0..4).map(|_| Storage::for_every_user(&IMAGES)).collect();
    let trees = copies.iter().map(|copy| {
        let images = copy.site().join("images");
        convert("to-dir", &["--link", "copy"], &copy.docker(), &images);
        (images, copy.site().join("aside"))
    });
    let counts = sweep(&trees.collect::<Vec<_>>(), |path, fault| {
        let (folder, name) = path.rsplit_once('/').unwrap();
        match (name, fault) {
            ("version", _) => Outcome::Warns("odd-version"),
            ("manifest.json", Fault::Flipped) => {
                Outcome::Harmless("nothing but the file itself tells its digest")
            }
            ("manifest.json", Fault::Deleted) => Outcome::Warns("incomplete-image"),
            _ => Outcome::Breaks(BTreeSet::from([folder.to_owned()])),
        }
    });
    assert!(counts.broken > counts.harmless);
}
