//! A site that packages are brought to, next to what has to be there: every file, and every image that was.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::releases::Release;
use crate::support::bundle::{Ended, convert};
use crate::support::forge::{self, Image};
use crate::support::package::ask;
use crate::support::registry::{Registry, garbage};
use crate::support::tree::{assert_same, assert_same_files, files, modes, stamps};
use crate::support::verification::verify;
use crate::support::{scratch, skopeo};

/// Where the files of registry storage lie below a site.
const ROOT: &str = "docker/registry/v2";

/// Registry storage, and what is known of it by other means than the program under test.
pub(crate) struct Site {
    folder: TempDir,
    /// What each name stands for, digests of images without a tag among them.
    names: BTreeMap<String, Image>,
    /// The images that a name stood for before, under their digests.
    past: BTreeMap<String, Image>,
    /// Every file of its storage.
    files: BTreeMap<String, Vec<u8>>,
}

impl Site {
    /// Has nothing yet.
    pub(crate) fn new() -> Self {
        Self::within(scratch())
    }

    /// The same, in a folder of the test's choice.
    pub(crate) fn within(folder: TempDir) -> Self {
        Self { folder, names: BTreeMap::new(), past: BTreeMap::new(), files: BTreeMap::new() }
    }

    /// What a registry has as its `rootdirectory`.
    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// What a person names.
    pub(crate) fn docker(&self) -> PathBuf {
        self.path().join("docker")
    }

    /// The digests of the content that it has.
    pub(crate) fn content(&self) -> BTreeSet<String> {
        let data = self.files.keys().filter_map(|path| path.strip_prefix("blobs/"));
        let digest = |path: &str| {
            let parts: Vec<_> = path.split('/').collect();
            format!("{}:{}", parts[0], parts[2])
        };
        data.map(digest).collect()
    }

    /// Gets these images by another way than in a package.
    pub(crate) fn convert(&mut self, release: &Release) {
        let folder = scratch();
        release.write(folder.path());
        convert("to-registry", &[], folder.path(), &self.docker());
        self.learn(release);
        self.assert_files();
    }

    /// Gets a package that has to fit and is to bring this release; returns the report.
    pub(crate) fn apply(&mut self, options: &[&str], package: &Path, release: &Release) -> Value {
        let docker = self.docker();
        self.bring(release, &|more| convert("apply", &[options, more].concat(), package, &docker))
    }

    /// The same, however `apply` is run; what it has to do is foretold by a dry run, which changes nothing.
    pub(crate) fn bring(&mut self, release: &Release, apply: &dyn Fn(&[&str]) -> Value) -> Value {
        let (changes, moves) = self.expected_changes(release);
        let (before, untouched) = (self.files.clone(), stamps(self.path()));
        let mut foretold = apply(&["--dry-run"]);
        assert_same("stamps", &untouched, &stamps(self.path()));
        let report = apply(&[]);
        assert_eq!(report["changes"], changes);
        assert_eq!(in_order(&report["moves"]), moves);
        assert_eq!(report["findings"], json!([]));
        self.learn(release);
        self.assert_files();
        let written = ["linked", "cloned", "copied", "restored"];
        let written = written.map(|way| report[way]["files"].as_u64().unwrap_or_default());
        let written = written.iter().sum::<u64>() + report["written_files"].as_u64().unwrap();
        let fresh = self.files.iter().filter(|(path, bytes)| before.get(*path) != Some(bytes));
        assert_eq!(written, fresh.count() as u64, "the report counts other files than there are: {report:#}");

        assert_eq!((&foretold["dry_run"], &report["dry_run"]), (&true.into(), &false.into()));
        for done in ["linked", "cloned", "copied", "verified"] {
            assert_eq!(foretold[done], json!({ "files": 0, "bytes": 0 }));
            foretold[done] = report[done].clone();
        }
        assert_eq!(foretold["restored"], Value::Null);
        if let Some(restored) = report.get("restored") {
            foretold["restored"] = restored.clone();
        }
        for done in ["dry_run", "written_files"] {
            foretold[done] = report[done].clone();
        }
        if before.is_empty() {
            // The folders above it are there by then.
            foretold["planned"]["takes_at_most"] = report["planned"]["takes_at_most"].clone();
        }
        assert_eq!(foretold, report);
        report
    }

    /// Gets a package that it has already: nothing is written.
    pub(crate) fn apply_again(&mut self, package: &Path, release: &Release) {
        let before = stamps(self.path());
        let report = self.apply(&[], package, release);
        assert_same("stamps", &before, &stamps(self.path()));
        assert_eq!(report["planned"]["blobs"]["files"], 0);
        assert_eq!(report["planned"]["files"], 0);
    }

    /// Gets a package that it has to refuse; nothing changes.
    pub(crate) fn refuse(&self, options: &[&str], package: &Path) -> Ended {
        let before = stamps(self.path());
        let arguments = ["apply"].iter().chain(options).map(|it| (*it).into());
        let ended = ask(arguments.chain([package.as_os_str().to_owned(), self.docker().into()]));
        assert_same("stamps", &before, &stamps(self.path()));
        assert_same_files(&self.files, &files(&self.path().join(ROOT)));
        assert_eq!(ended.summary["stopped"], true);
        ended.expect(4)
    }

    /// Takes note that plain tar, or whoever else, brought a release.
    pub(crate) fn learn(&mut self, release: &Release) {
        for (name, image) in &release.images {
            let before = self.names.insert(name.clone(), image.clone());
            if let Some(before) = before.filter(|before| before.digest() != image.digest()) {
                let repository = name.rsplit_once(':').unwrap().0;
                self.past.insert(format!("{repository}@{}", before.digest()), before);
            }
        }
        self.files.extend(forge::storage(&release.images));
    }

    /// The tags that it has and a release does not.
    pub(crate) fn tags_beside(&self, release: &Release) -> Vec<String> {
        let is_named = |name: &String| release.images.iter().any(|(other, _)| other == name);
        self.names.keys().filter(|name| !name.contains('@') && !is_named(name)).cloned().collect()
    }

    /// Takes note that tags are removed; what they stood for stays.
    pub(crate) fn forget(&mut self, names: &[String]) {
        for name in names {
            let image = self.names.remove(name).unwrap();
            let (repository, tag) = name.rsplit_once(':').unwrap();
            let folder = format!("repositories/{repository}/_manifests/tags/{tag}/");
            self.files.retain(|path, _| !path.starts_with(&folder));
            self.past.insert(format!("{repository}@{}", image.digest()), image);
        }
    }

    /// What a release changes here: the change of each name, and the moves.
    fn expected_changes(&self, release: &Release) -> (Value, Value) {
        let mut changes = serde_json::Map::new();
        let mut moves = Vec::new();
        for (name, image) in &release.images {
            let change = match self.names.get(name).map(Image::digest) {
                None => "new",
                Some(digest) if digest == image.digest() => "unchanged",
                Some(digest) => {
                    moves.push(json!({ "image": name, "from": digest, "to": image.digest() }));
                    "moved"
                }
            };
            changes.insert(name.clone(), change.into());
        }
        (changes.into(), in_order(&moves.into()))
    }

    /// Fails unless all files that have to be there are there, and no others, and nothing was left lying.
    pub(crate) fn assert_files(&self) {
        assert_same_files(&self.files, &files(&self.path().join(ROOT)));
        let top: Vec<_> = modes(self.path()).into_keys().filter(|path| !path.starts_with(ROOT)).collect();
        assert_eq!(top, ["docker/", "docker/registry/"]);
        let entries = WalkDir::new(self.path()).min_depth(1).into_iter().map(Result::unwrap);
        let left: Vec<_> =
            entries.filter(|entry| entry.file_name().to_string_lossy().contains("bundle")).collect();
        assert!(left.is_empty(), "{left:?}");
    }

    /// Asks the real registry, its garbage collection and `bundle verify` whether everything is as it has to be;
    /// returns how many images were pulled.
    pub(crate) fn check(&self) -> usize {
        self.assert_files();
        let verified = verify(&[], &[&self.docker()]);
        assert_eq!((verified.code, verified.findings()), (0, &[][..]));
        // An image whose tag went on is kept, with all its content, or there would be garbage.
        let garbage = garbage(self.path());
        assert_eq!((garbage.deletable_blobs, garbage.deletable_manifests), (0, 0));
        assert_eq!(garbage.marked_blobs, self.content().len());
        let registry = Registry::start_readonly(self.path());
        let mut pulled = BTreeSet::new();
        for (name, image) in self.names.iter().chain(&self.past) {
            pull(&registry, name, image, &mut pulled);
        }
        let mut tags: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for name in self.names.keys().chain(self.past.keys()) {
            let tags = tags.entry(split(name).0).or_default();
            tags.extend((!name.contains('@')).then(|| split(name).1.to_owned()));
        }
        for (repository, tags) in tags {
            assert_eq!(registry.tags(repository), Vec::from_iter(tags), "{repository}");
        }
        self.names.len() + self.past.len()
    }

    /// Lets skopeo pull every tag, every platform of it; returns how many these are.
    pub(crate) fn check_with_skopeo(&self) -> usize {
        let registry = Registry::start_readonly(self.path());
        let folder = scratch();
        // Skopeo copies no index that lies in an index; the registry itself was asked for those.
        let is_flat = |image: &Image| image.children.iter().all(|child| child.children.is_empty());
        let tagged = self.names.iter().filter(|(name, image)| !name.contains('@') && is_flat(image));
        let images: Vec<_> = tagged.map(|(name, image)| (name.clone(), image.clone())).collect();
        skopeo::sync_to_dir(&registry, images.iter().map(|(name, _)| split(name)), folder.path());
        let pulled = files(&folder.path().join(registry.address()));
        assert_same_files(&forge::tree(&images), &pulled);
        images.len()
    }
}

/// The repository, and the tag or digest.
fn split(name: &str) -> (&str, &str) {
    name.split_once('@').or_else(|| name.rsplit_once(':')).unwrap()
}

/// Moves sorted by image.
fn in_order(moves: &Value) -> Value {
    let mut moves = moves.as_array().unwrap().clone();
    moves.sort_by_key(|it| it["image"].as_str().unwrap().to_owned());
    moves.into()
}

/// Gets an image by its name and by its digest: all platforms, configurations and layers, each byte compared.
fn pull(registry: &Registry, name: &str, image: &Image, pulled: &mut BTreeSet<(String, String)>) {
    let (repository, reference) = split(name);
    let served = registry.manifest(repository, reference);
    assert_eq!((&*served.digest, &*served.media_type), (&*image.digest(), &*image.media_type), "{name}");
    for manifest in image.all() {
        let digest = manifest.digest();
        if pulled.insert((repository.to_owned(), digest.clone())) {
            let served = registry.manifest(repository, &digest);
            assert_eq!(served.digest, digest, "{name}");
            assert_eq!(served.bytes, manifest.payload, "{name}");
        }
        for blob in &manifest.blobs {
            if pulled.insert((repository.to_owned(), blob.digest.clone())) {
                assert!(registry.blob(repository, &blob.digest) == blob.bytes, "{name}: {}", blob.digest);
            }
        }
    }
}
