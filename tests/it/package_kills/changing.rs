//! What changes while it is read: the images that are packed, the base that they are packed against, and the package
//! that is applied. Held before one of the reads of a file, which is then cut off, overwritten in place, replaced,
//! lengthened or removed. What comes of it is an error, or just what should; never a name for anything else.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::pack::temporaries;
use super::scenario::folder;
use crate::support::bundle::{Ended, bundle};
use crate::support::complete::{Form, Tags, tags};
use crate::support::forge::{Blob, artifact, tree, write};
use crate::support::held::Held;
use crate::support::sha256;
use crate::support::strace::Line;
use crate::support::sweep::{spread, sweep};
use crate::support::testdata::files_named;
use crate::support::verification::verify;

/// What can happen to a file that somebody else reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Change {
    CutOff,
    Emptied,
    Overwritten,
    Replaced,
    Lengthened,
    Removed,
}

impl Change {
    const ALL: [Self; 6] =
        [Self::CutOff, Self::Emptied, Self::Overwritten, Self::Replaced, Self::Lengthened, Self::Removed];

    fn happen(self, path: &Path) {
        let bytes = fs::read(path).unwrap();
        let other: Vec<u8> = bytes.iter().map(|byte| byte ^ 1).collect();
        let open = || File::options().write(true).open(path).unwrap();
        match self {
            Self::CutOff => open().set_len(bytes.len() as u64 - 1).unwrap(),
            Self::Emptied => open().set_len(0).unwrap(),
            Self::Overwritten => open().write_all(&other).unwrap(),
            Self::Replaced => {
                let aside = path.with_extension("aside");
                fs::write(&aside, other).unwrap();
                fs::rename(aside, path).unwrap();
            }
            Self::Lengthened => open().set_len(bytes.len() as u64 + 1).unwrap(),
            Self::Removed => fs::remove_file(path).unwrap(),
        }
    }

    /// Whether an open file shows nothing of it.
    fn spares_open_files(self) -> bool {
        matches!(self, Self::Replaced | Self::Removed)
    }
}

/// A command that is disturbed; all of it lies in one folder, which is made anew for every run.
struct Scene<'s> {
    name: &'static str,
    /// Its arguments; those that begin with `./` are paths in the folder.
    arguments: Vec<&'static str>,
    /// Makes the folder.
    prepare: &'s (dyn Fn(&Path) + Sync),
    /// The files that change, in the folder.
    victims: Vec<String>,
    /// Looks at what came of it.
    check: &'s (dyn Fn(&Path, &Moment, &Ended) -> Result<(), String> + Sync),
}

/// What changes when.
#[derive(Debug)]
struct Moment {
    victim: String,
    /// Before which of its reads.
    read: usize,
    change: Change,
}

impl Scene<'_> {
    /// The folder as it is before a run.
    fn place(&self, within: &Path, name: &str) -> PathBuf {
        let place = within.join(name);
        if place.exists() {
            fs::remove_dir_all(&place).unwrap();
        }
        fs::create_dir(&place).unwrap();
        (self.prepare)(&place);
        place
    }

    fn with_line<T>(&self, place: &Path, run: impl FnOnce(Line) -> T) -> T {
        let arguments = self.arguments.iter().map(|argument| match argument.strip_prefix("./") {
            Some(path) => place.join(path).into_os_string(),
            None => argument.into(),
        });
        let options = ["-q", "-j", "1"].map(OsString::from);
        let arguments: Vec<_> = arguments.chain(options).collect();
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        run(Line { arguments: &arguments, stdin: None })
    }

    /// So many of the reads of each victim, each with every change.
    fn moments(&self, within: &Path, reads: usize) -> Vec<Moment> {
        let place = self.place(within, "undisturbed");
        let all = self.with_line(&place, |line| line.reads());
        let mut moments = Vec::new();
        for victim in &self.victims {
            let path = place.join(victim);
            let count = all.iter().filter(|(_, read)| Path::new(read) == path).count();
            assert!(count > 0, "{victim} is not read");
            let numbers: Vec<usize> = (1..=count).collect();
            for read in spread(&numbers, reads) {
                let moment = |change| Moment { victim: victim.clone(), read, change };
                moments.extend(Change::ALL.map(moment));
            }
        }
        moments
    }

    /// Lets every change happen; so many of them have to be refused.
    fn disturb(&self, reads: usize, least: usize) {
        let within = folder();
        let moments = self.moments(within.path(), reads);
        let codes = sweep(
            &moments,
            |moment| format!("{}: {moment:?}", self.name),
            |name, _, moment| {
                let place = self.place(within.path(), name);
                let victim = place.join(&moment.victim);
                let held = self
                    .with_line(&place, |line| Held::line_before("read", moment.read, Some(&victim), line));
                moment.change.happen(&victim);
                let ended = held.go_on();
                (self.check)(&place, moment, &ended)?;
                Ok((moment.change, ended.code))
            },
        );
        let mut counts: BTreeMap<_, usize> = BTreeMap::new();
        codes.iter().for_each(|code| *counts.entry(code).or_default() += 1);
        let refused = codes.iter().filter(|(_, code)| *code != 0).count();
        println!("{}: {} changes, {refused} refused, 0 wrong: {counts:?}", self.name, codes.len());
        assert!(refused >= least, "{counts:?}");
    }
}

/// One image, so that no other file has the same content: a layer that is read in several pieces, one that is
/// read in one, a configuration and a manifest.
fn image() -> BTreeMap<String, Vec<u8>> {
    const LONG: u32 = 150_000;
    let layer = "application/vnd.oci.image.layer.v1.tar+gzip";
    let long: Vec<u8> = (0..LONG).flat_map(u32::to_le_bytes).collect();
    let layers = [Blob::new(layer, long), Blob::new(layer, "a short layer")];
    let config = Blob::new("application/vnd.oci.image.config.v1+json", "{}");
    tree(&[("image:1".to_owned(), artifact(&config, &layers))])
}

/// Packs the image in a folder.
fn pack(place: &Path, options: &[&str], package: &str) {
    write(&image(), &place.join("images"));
    let mut command = bundle();
    command.args(["pack", "-q"]).args(options).arg(place.join("images")).arg(place.join(package));
    command.assert().success();
}

/// What a package brings to a site that has nothing.
fn brought(package: &Path) -> Result<Tags, String> {
    let site = folder();
    let site = site.path().join("docker");
    let ended = Ended::of(&bundle().args(["apply", "-q"]).arg(package).arg(&site).output().unwrap());
    if ended.code != 0 {
        return Err(format!("it cannot be applied: {}", ended.said));
    }
    tags(Form::Storage, &site)
}

/// Packing ends in an error and no package, or in one that has what the images had.
fn check_packing(place: &Path, moment: &Moment, ended: &Ended) -> Result<(), String> {
    let package = place.join("release.tar");
    if !temporaries(place).is_empty() {
        return Err(format!("left aside: {:?}", temporaries(place)));
    }
    let (whole, manifest) = (image(), place.join("images/image:1/manifest.json"));
    let digest = sha256(&whole["image:1/manifest.json"]);
    let is_manifest = place.join(&moment.victim) == manifest;
    match ended.code {
        0 => {
            // A manifest was read before its content was; and whoever reads an open file gets its old content.
            if !is_manifest && !moment.change.spares_open_files() {
                return Err("nobody saw it".to_owned());
            }
            let verified = verify(&[], &[&package]);
            if verified.code != 0 {
                return Err(format!("the package is not sound: {}", verified.said));
            }
            // A manifest that changed before it was read is another image, and a whole one.
            let now = fs::read(&manifest).map(|bytes| sha256(&bytes)).unwrap_or_default();
            let brought = brought(&package)?;
            let is_right = brought.len() == 1 && [&digest, &now].contains(&&brought["image:1"]);
            if is_right { Ok(()) } else { Err(format!("it brings {brought:?}")) }
        }
        3 | 4 if package.exists() => Err("there is a package all the same".to_owned()),
        3 | 4 if ended.said.contains("/images/") || ended.said.contains(&digest) => Ok(()),
        code => Err(format!("exit {code}: {}", ended.said)),
    }
}

fn change_while_packing(name: &'static str, options: &[&'static str], least: usize) {
    let victims = image().into_keys().filter(|path| !path.ends_with("/version"));
    let scene = Scene {
        name,
        arguments: [&["pack", "./images", "./release.tar"], options].concat(),
        prepare: &|place| write(&image(), &place.join("images")),
        victims: victims.map(|path| format!("images/{path}")).collect(),
        check: &check_packing,
    };
    assert_eq!(scene.victims.len(), 4);
    scene.disturb(4, least);
}

#[test]
fn a_source_that_changes_makes_no_wrong_package() {
    change_while_packing("pack", &[], 70);
}

#[test]
fn a_source_that_changes_makes_no_wrong_folder() {
    change_while_packing("pack --dir", &["--dir"], 50);
}

/// Applying ends in an error that names the package, and a site that has no image, or in the image.
fn check_applying(place: &Path, _: &Moment, ended: &Ended) -> Result<(), String> {
    let site = place.join("docker");
    let shown = tags(Form::Storage, &site)?;
    let digest = sha256(&image()["image:1/manifest.json"]);
    let whole = Tags::from([("image:1".to_owned(), digest)]);
    let names_it = ended.said.contains("/release.tar");
    match ended.code {
        0 if shown == whole && verify(&[], &[&site]).code == 0 => Ok(()),
        3 | 4 if names_it && shown.is_empty() => Ok(()),
        code => Err(format!("exit {code}, {shown:?}: {}", ended.said)),
    }
}

#[test]
fn a_package_that_changes_brings_nothing_wrong() {
    let scene = Scene {
        name: "apply",
        arguments: vec!["apply", "./release.tar", "./docker"],
        prepare: &|place| pack(place, &[], "release.tar"),
        victims: vec!["release.tar".to_owned()],
        check: &check_applying,
    };
    scene.disturb(16, 50);
}

#[test]
fn a_package_folder_that_changes_brings_nothing_wrong() {
    let within = folder();
    // Copied, so that the package shares no file with the images.
    let prepare = |place: &Path| {
        pack(place, &["--dir"], "release.tar");
        fs::remove_dir_all(place.join("images")).unwrap();
    };
    prepare(within.path());
    let relative = |path: PathBuf| path.strip_prefix(within.path()).unwrap().to_str().unwrap().to_owned();
    let mut victims: Vec<_> = files_named(within.path(), "data").into_iter().map(relative).collect();
    victims.extend(["bundle.json", "bundle.json.sha256"].map(|name| format!("release.tar/{name}")));
    assert_eq!(victims.len(), 6);
    for link in ["auto", "copy"] {
        let scene = Scene {
            name: if link == "auto" { "apply of a folder" } else { "apply of a folder, copied" },
            arguments: vec!["apply", "--link", link, "./release.tar", "./docker"],
            prepare: &prepare,
            victims: victims.clone(),
            check: &check_applying,
        };
        scene.disturb(2, 30);
    }
}

/// Packing against a base ends in an error, or in the very package that the base calls for.
fn change_base(name: &'static str, base: &'static str, least: usize) {
    let prepare = |place: &Path| {
        write(&image(), &place.join("images"));
        let before = place.join("before");
        let config = Blob::new("application/vnd.oci.image.config.v1+json", "{}");
        let layer = Blob::new("application/vnd.oci.image.layer.v1.tar+gzip", "a short layer");
        write(&tree(&[("image:0".to_owned(), artifact(&config, &[layer]))]), &before);
        let mut command = bundle();
        if base == "base.json" {
            let inventory = command.arg("inventory").arg(&before).assert().success();
            fs::write(place.join(base), &inventory.get_output().stdout).unwrap();
        } else {
            command.args(["pack", "-q"]).arg(&before).arg(place.join(base)).assert().success();
        }
    };
    let within = folder();
    prepare(within.path());
    let mut command = bundle();
    command.args(["pack", "-q"]).arg(within.path().join("images")).arg(within.path().join("release.tar"));
    command.arg("--base").arg(within.path().join(base)).assert().success();
    let whole = fs::read(within.path().join("release.tar")).unwrap();
    let check = |place: &Path, _: &Moment, ended: &Ended| {
        let package = place.join("release.tar");
        match ended.code {
            0 if fs::read(&package).unwrap() == whole => Ok(()),
            0 => Err("the package is another".to_owned()),
            1 | 3 | 4 if !package.exists() && ended.said.contains(base) => Ok(()),
            code => Err(format!("exit {code}: {}", ended.said)),
        }
    };
    let scene = Scene {
        name,
        arguments: vec![
            "pack",
            "./images",
            "./release.tar",
            "--base",
            if base == "base.json" { "./base.json" } else { "./base.tar" },
        ],
        prepare: &prepare,
        victims: vec![base.to_owned()],
        check: &check,
    };
    scene.disturb(6, least);
}

#[test]
fn a_base_that_changes_makes_no_wrong_patch() {
    change_base("pack against a package", "base.tar", 10);
    change_base("pack against an inventory", "base.json", 6);
}
