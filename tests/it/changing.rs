//! Sources that change while they are converted: never a crash, and never a name for what nobody verified.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::support::bundle::{bundle, convert, run};
use crate::support::complete::{Form, Tags, tags};
use crate::support::forge::{self, Blob};
use crate::support::held::Held;
use crate::support::testdata::{copy_tree, files_named, layer, testdata};
use crate::support::verification::verify;

/// What becomes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Truncated,
    Emptied,
    /// Another file of the same length gets its name.
    Replaced,
    /// Other bytes, as many, are written into it.
    Overwritten,
    Deleted,
}

impl Change {
    const ALL: [Self; 5] = [Self::Truncated, Self::Emptied, Self::Replaced, Self::Overwritten, Self::Deleted];

    fn make(self, path: &Path) {
        let bytes = fs::read(path).unwrap();
        let other: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
        let cut = |length: usize| {
            fs::OpenOptions::new().write(true).open(path).unwrap().set_len(length as u64).unwrap();
        };
        match self {
            Self::Truncated => cut(bytes.len() - 1),
            Self::Emptied => cut(0),
            Self::Replaced => {
                let new = path.with_file_name("new");
                fs::write(&new, other).unwrap();
                fs::rename(new, path).unwrap();
            }
            Self::Overwritten => fs::write(path, other).unwrap(),
            Self::Deleted => fs::remove_file(path).unwrap(),
        }
    }

    /// Whether an open file shows nothing of it.
    fn spares_open_files(self) -> bool {
        matches!(self, Self::Replaced | Self::Deleted)
    }
}

/// When the file changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    /// Everything was hashed, and nothing was linked.
    BeforeLinks,
    /// Everything was hashed and linked, and nothing has its place.
    AfterLinks,
    /// It is about to be opened to be copied.
    BeforeCopy,
    /// It was opened to be copied, and this read comes next.
    WhileCopied(usize),
    /// It was opened to be hashed, and this read comes next; links come later.
    WhileHashed(usize),
}

impl When {
    fn hold(self, command: &str, source: &Path, victim: &Path, destination: &Path) -> Held {
        let (link, name, number, path) = match self {
            Self::BeforeLinks => ("auto", "linkat", 1, None),
            Self::AfterLinks => ("auto", "syncfs", 1, None),
            Self::BeforeCopy => ("copy", "openat", 1, Some(victim)),
            Self::WhileCopied(read) => ("copy", "read", read, Some(victim)),
            Self::WhileHashed(read) => ("auto", "read", read, Some(victim)),
        };
        let options = [command, "-q", "-j", "1", "--format", "json", "--link", link].map(OsStr::new);
        Held::before(
            name,
            number,
            path,
            &[&options[..], &[source.as_os_str(), destination.as_os_str()]].concat(),
        )
    }
}

/// A source with a file that changes, in all the places where it is.
struct Scene {
    command: &'static str,
    form: Form,
    source: PathBuf,
    /// The first of them is the one that a run takes.
    victims: Vec<PathBuf>,
    whole: Tags,
}

/// The release with an image whose layer takes several reads.
fn scenes(folder: &Path) -> Vec<Scene> {
    let [images, storage] = [folder.join("images"), folder.join("storage")];
    copy_tree(&testdata().join("images"), &images);
    let bytes: Vec<u8> = (0..200_000_u32).flat_map(u32::to_le_bytes).collect();
    let large = Blob::new("application/vnd.oci.image.layer.v1.tar", bytes);
    let config = Blob::new("application/vnd.oci.image.config.v1+json", "{}");
    let image = ("large:1.0".to_owned(), forge::artifact(&config, std::slice::from_ref(&large)));
    forge::write(&forge::tree([&image]), &images);
    convert("to-registry", &["--link", "copy"], &images, &storage);
    let web = images.join("platform/web:1.8.0");
    let hexes = [layer(&web, 2), layer(&web, 0), large.digest.replace("sha256:", "")];
    let scene = |command, form, source: &PathBuf, find: &dyn Fn(&str) -> Vec<PathBuf>| {
        let whole = folder.join(format!("{command}-whole"));
        convert(command, &["--link", "copy"], source, &whole);
        let whole = tags(form, &whole).unwrap();
        let scenes = hexes.iter().map(|hex| Scene {
            command,
            form,
            source: source.clone(),
            victims: find(hex),
            whole: whole.clone(),
        });
        scenes.collect::<Vec<_>>()
    };
    let data = |hex: &str| vec![storage.join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))];
    let mut scenes = scene("to-registry", Form::Storage, &images, &|hex| files_named(&images, hex));
    scenes.extend(scene("to-dir", Form::Folders, &storage, &data));
    scenes
}

/// Changes a source while it is converted, looks at what comes of it, and puts everything back; says whether the
/// run came through.
fn disturb(scene: &Scene, when: When, change: Change, folder: &Path) -> bool {
    let Scene { command, form, source, victims, whole } = scene;
    let place = format!("{command}, {} of {}, {change:?} {when:?}", victims[0].display(), victims.len());
    let destination = folder.join("docker");
    let aside = folder.join("aside");
    fs::create_dir(&aside).unwrap();
    // A copy: what is written into the file must not reach it.
    for (number, path) in victims.iter().enumerate() {
        fs::copy(path, aside.join(number.to_string())).unwrap();
    }

    let held = when.hold(command, source, &victims[0], &destination);
    victims.iter().for_each(|path| change.make(path));
    let ended = held.go_on();
    let shown = tags(*form, &destination).unwrap_or_else(|why| panic!("{place}: {why}"));
    let is_whole = shown == *whole;
    match ended.code {
        0 => assert!(is_whole, "{place}: only {shown:?}"),
        3 | 4 => {
            let is_right = |(name, digest)| whole.get(name) == Some(digest);
            assert!(!is_whole && shown.iter().all(is_right), "{place}: {shown:?}");
            let names_it = victims.iter().any(|path| ended.said.contains(path.to_str().unwrap()));
            assert!(names_it, "{place}: {}", ended.said);
        }
        code => panic!("{place}: exit {code}: {}", ended.said),
    }

    for (number, path) in victims.iter().enumerate() {
        let _ = fs::remove_file(path);
        fs::copy(aside.join(number.to_string()), path).unwrap();
    }
    let again = run(bundle(), command, &[], source, &destination);
    assert_eq!((again.code, &again.summary["images"]), (0, &whole.len().into()), "{place}: {}", again.said);
    if change == Change::Overwritten {
        assert_eq!(tags(*form, &destination).as_ref(), Ok(whole), "{place}: run again");
        assert_eq!(verify(&[], &[&destination]).code, 0, "{place}: run again");
    }
    fs::remove_dir_all(&destination).unwrap();
    fs::remove_dir_all(&aside).unwrap();
    ended.code == 0
}

#[test]
fn what_changes_while_it_is_converted_gets_no_name() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let [mut refused, mut unharmed] = [0, 0];
    for scene in scenes(folder.path()) {
        let is_large = fs::metadata(&scene.victims[0]).unwrap().len() > 512 << 10;
        let mut moments = vec![
            When::BeforeLinks,
            When::AfterLinks,
            When::BeforeCopy,
            When::WhileCopied(1),
            When::WhileHashed(1),
        ];
        if is_large {
            moments.extend([When::WhileCopied(3), When::WhileHashed(3)]);
        }
        for when in moments {
            for change in Change::ALL {
                let came_through = disturb(&scene, when, change, folder.path());
                // Whoever copies an open file gets its old content, whatever its name leads to by now.
                let may_come_through = matches!(when, When::WhileCopied(_)) && change.spares_open_files();
                assert_eq!(
                    came_through,
                    may_come_through,
                    "{change:?} {when:?} {}",
                    scene.victims[0].display()
                );
                *if came_through { &mut unharmed } else { &mut refused } += 1;
            }
        }
    }
    println!("{refused} changes refused, {unharmed} without effect, 0 wrong names");
    assert_eq!((refused, unharmed), (154, 16));
}

/// Where other files hold the same content, either one of them is taken or nothing is done.
#[test]
fn one_copy_of_several_may_change() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    let mut scene = scenes(folder.path()).swap_remove(1);
    assert_eq!(scene.victims.len(), 7);
    scene.victims.truncate(1);
    let mut came_through = 0;
    for when in [When::BeforeLinks, When::BeforeCopy, When::WhileCopied(1), When::WhileHashed(1)] {
        for change in Change::ALL {
            came_through += usize::from(disturb(&scene, when, change, folder.path()));
        }
    }
    println!("one copy of several: 20 changes, {came_through} healed by another copy");
    assert!(came_through >= 8);
}

#[test]
fn a_manifest_that_changes_gets_no_name() {
    let folder = tempfile::tempdir_in("/dev/shm").unwrap();
    for mut scene in scenes(folder.path()).into_iter().step_by(3) {
        scene.victims = match scene.form {
            Form::Storage => vec![scene.source.join("platform/web:1.8.0/manifest.json")],
            Form::Folders => {
                let digest = scene.whole["platform/web:1.8.0"].replace("sha256:", "");
                let data = format!("registry/v2/blobs/sha256/{}/{digest}/data", &digest[..2]);
                vec![scene.source.join(data)]
            }
        };
        for change in Change::ALL {
            assert!(!disturb(&scene, When::BeforeLinks, change, folder.path()), "{change:?}");
        }
    }
}
