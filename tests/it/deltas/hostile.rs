//! Packages whose deltas are damaged or lie, although their bills describe them truthfully: refused by name, in
//! little memory, and the site stays as it is.

mod bases;
mod bills;
mod bytes;
mod lies;
mod writer;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::images::{File, archive, program, text};
use crate::hostile::packages::memory::with_little_memory;
use crate::hostile::packages::writer::{Package, packed_from};
use crate::packages::releases::Release;
use crate::support::bundle::{Ended, convert};
use crate::support::compressor::Compressor;
use crate::support::forge::{self, Blob, artifact};
use crate::support::strace::HANGS;
use crate::support::tree::{Stamp, assert_same, assert_same_files, files, stamps};
use crate::support::verification::verify;
use crate::support::{scratch, sha256};
use writer::Delta;

/// A site with a release, and a package that restores two layers of the next one from it: the first is a gzip
/// stream, the second is not compressed.
struct Ground {
    folder: TempDir,
    package: Package,
    files: BTreeMap<String, Vec<u8>>,
    refused: Cell<usize>,
    /// How many packages brought just what an honest one brings, although they were altered.
    harmless: Cell<usize>,
}

/// What came of a package.
enum Outcome {
    /// It was refused for this, about this file.
    Refused { kind: String, file: PathBuf, found: String, images: usize },
    /// It restored what it has to, to the byte.
    Harmless,
}

impl Ground {
    fn new() -> Self {
        let folder = scratch();
        let trees = [1, 2].map(|version| {
            let tree = folder.path().join(format!("v{version}"));
            release(version).write(&tree);
            tree
        });
        let site = folder.path().join("site/docker");
        convert("to-registry", &["--link", "copy"], &trees[0], &site);
        let tar = packed_from(&trees[1], &["--delta", "--base", trees[0].to_str().unwrap()]);
        let mut package = Package::read(&tar);
        assert!(package.settled() == tar, "the package is not what the second writer makes of its bill");
        assert_eq!(package.bill.restores.len(), 2);
        package
            .bill
            .restores
            .sort_by_key(|it| Delta::read(&package.contents[&it.delta.digest]).header["gzip"].is_null());
        Self { files: files(&site), folder, package, refused: Cell::new(0), harmless: Cell::new(0) }
    }

    fn site(&self) -> PathBuf {
        self.folder.path().join("site/docker")
    }

    /// The file of content at the site.
    fn data(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        self.site().join(format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2]))
    }

    /// The delta of one of the two layers.
    fn delta(&self, number: usize) -> Delta {
        Delta::read(&self.package.contents[&self.package.bill.restores[number].delta.digest])
    }

    /// The package with other bytes as the delta of a layer, of which the bill tells the truth.
    fn with(&self, number: usize, bytes: Vec<u8>) -> Package {
        let mut package = self.package.clone();
        let delta = &mut package.bill.restores[number].delta;
        delta.digest = sha256(&bytes);
        delta.size = bytes.len().into();
        package.contents.insert(delta.digest.clone(), bytes);
        package
    }

    /// The package with a delta that lies; what it says of its bases, the bill says as well.
    fn with_delta(&self, number: usize, delta: &Delta) -> Package {
        let mut package = self.with(number, delta.bytes());
        let restored = &mut package.bill.restores[number];
        if let Some(bases) = delta.header["bases"].as_array() {
            restored.bases = bases.iter().map(|it| it["digest"].as_str().unwrap().to_owned()).collect();
            let plain = bases.iter().map(|it| it["plain_size"].as_u64().unwrap_or_default());
            restored.aside = plain.fold(0, u64::saturating_add).into();
        }
        package
    }

    /// Writes a package as it is settled: in the order that bills have.
    fn write(&self, package: &Package) -> PathBuf {
        let mut package = package.clone();
        package.bill.restores.sort_by(|a, b| a.digest.cmp(&b.digest));
        let path = self.folder.path().join("release.tar");
        fs::write(&path, package.settled()).unwrap();
        path
    }

    /// Applies a package that lies there or passes by, in little memory; it has to be refused and to change nothing,
    /// or to be as good as an honest one.
    fn apply(&self, package: &Path, passes_by: bool) -> Outcome {
        let before = unstirred(&self.site());
        let mut command = with_little_memory();
        let named = if passes_by { OsStr::new("-") } else { package.as_os_str() };
        command.args(["apply", "-q", "-j", "2", "--format", "json"]).arg(named).arg(self.site());
        let mut command = assert_cmd::Command::from_std(command);
        if passes_by {
            command.pipe_stdin(package).unwrap();
        }
        let ended = Ended::of(&command.timeout(HANGS).output().unwrap());
        if ended.code == 0 {
            // All that the package brings is what its names say.
            assert_eq!(verify(&[], &[&self.site()]).code, 0, "{}", ended.said);
            assert_eq!(ended.summary["restored"]["files"], 2);
            self.restore_site();
            self.harmless.set(self.harmless.get() + 1);
            return Outcome::Harmless;
        }
        assert_eq!(ended.code, 4, "{}", ended.said);
        assert_eq!(ended.summary["stopped"], true);
        assert!(!ended.said.contains(|c: char| c.is_control() && c != '\n'), "{:?}", ended.said);
        assert_same(&ended.said, &before, &unstirred(&self.site()));
        let finding = ended.summary["findings"][0].clone();
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        let named = if passes_by { Path::new("standard input") } else { package };
        let file = PathBuf::from(text("file"));
        assert!(file == named || file.starts_with(self.site()), "{finding:#}");
        self.refused.set(self.refused.get() + 1);
        let images = finding["images"].as_array().map_or(0, Vec::len);
        Outcome::Refused { kind: text("kind"), file, found: text("found"), images }
    }

    /// Fails unless a package is refused for this, where it lies and where it passes by.
    fn refuse(&self, package: &Package, what: &str, words: &str) -> Result<(), String> {
        let path = self.write(package);
        for passes_by in [false, true] {
            match self.apply(&path, passes_by) {
                Outcome::Harmless => return Err(format!("{what}: it was applied")),
                Outcome::Refused { kind, found, .. }
                    if kind != "damaged-package" || !found.contains(words) =>
                {
                    return Err(format!("{what}: {kind}, {found:?} instead of {words:?}"));
                }
                Outcome::Refused { .. } => {}
            }
        }
        Ok(())
    }

    /// Puts back the site as it was.
    fn restore_site(&self) {
        let root = self.folder.path().join("site");
        fs::remove_dir_all(&root).unwrap();
        let tree = self.folder.path().join("v1");
        convert("to-registry", &["--link", "copy"], &tree, &self.site());
    }
}

impl Drop for Ground {
    /// Nobody wrote into a file and turned back its clock.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_same_files(&self.files, &files(&self.site()));
        }
    }
}

/// What shows that somebody wrote, but for the folder in which content is made aside.
fn unstirred(site: &Path) -> BTreeMap<String, Stamp> {
    let mut stamps = stamps(site);
    stamps.remove("registry/v2/");
    stamps
}

/// One image; its layers change a little.
fn release(version: usize) -> Release {
    let mut tool = program(0, 70_000);
    let mut document = text("README.md");
    if version == 2 {
        [9_000, 20_000, 20_004, 61_000].iter().for_each(|place: &usize| tool[*place] ^= 0x11);
        document.splice(5_000..5_000, *b"a few words more");
        // Bytes that the delta takes from, every one of them.
        [12_000, 12_100, 17_000].iter().for_each(|place: &usize| document[*place] ^= 1);
    }
    let layer = |compressor: Compressor, files: &[File]| {
        Blob::new(compressor.media_type(), compressor.compress(&archive(files)))
    };
    let more = program(400_000, 2_000 * version);
    let layers = [
        layer(Compressor::Gzip(6), &[File::new("usr/bin/tool", tool), File::new("usr/bin/more", more)]),
        layer(Compressor::None, &[File::new("usr/share/document", document)]),
    ];
    Release::of([("app:1", artifact(&forge::oci(&format!("app {version}")).blobs[0], &layers))])
}

/// Fails with all complaints.
fn expect_none(what: &str, number: usize, complaints: Vec<String>) {
    println!("{what}: {number}");
    assert!(complaints.is_empty(), "{} of {number}:\n{}", complaints.len(), complaints.join("\n"));
}

#[test]
fn an_honest_package_is_applied() {
    let ground = Ground::new();
    // Packed once more from its parts, it is still one.
    for number in [0, 1] {
        let package = ground.with_delta(number, &ground.delta(number));
        for passes_by in [false, true] {
            assert!(matches!(ground.apply(&ground.write(&package), passes_by), Outcome::Harmless));
        }
    }
    assert_eq!(ground.harmless.get(), 4);
    assert!(ground.delta(0).header["gzip"].is_object() && ground.delta(1).header["gzip"].is_null());
}
