//! The trip that every valid image makes, and what is looked at on the way.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::{bundle, convert};
use crate::support::forge::schema1::SCHEMA1;
use crate::support::forge::{self, Image};
use crate::support::program::program;
use crate::support::registry::{Registry, garbage};
use crate::support::tree::{assert_same_files, files};
use crate::support::{scratch, skopeo};

/// Images by the names of their folders, on their way into registry storage and back.
pub(super) struct Trip {
    /// What the tree holds in the beginning.
    pub(super) source: Vec<(String, Image)>,
    /// What storage and the tree that is made of it hold; mostly the same.
    pub(super) result: Vec<(String, Image)>,
    /// What a layout lists that is made of the tree itself: as storage does, unless that has no place for a name.
    pub(super) listed: Vec<(String, Image)>,
    /// The kinds of the warnings on the way into storage, each with its image.
    pub(super) warnings: Vec<(&'static str, String)>,
    /// The same on the way back.
    pub(super) warnings_back: Vec<(&'static str, String)>,
    /// The images that skopeo 1.9.3 cannot copy out of a registry, every platform with the digest that it has
    /// there, and what it says of each.
    pub(super) refusals: BTreeMap<String, &'static str>,
    /// Whether each of the folders has all that its readers look for in it.
    pub(super) is_whole: bool,
}

impl Trip {
    /// A trip without any warning.
    pub(super) fn of<const N: usize>(source: [(&str, Image); N]) -> Self {
        let source = source.map(|(name, image)| (name.to_owned(), image)).to_vec();
        let result: Vec<_> = source.iter().map(|(name, image)| (name.clone(), image.kept())).collect();
        let listed = result.clone();
        let (warnings, warnings_back, refusals) = (Vec::new(), Vec::new(), BTreeMap::new());
        Self { source, result, listed, warnings, warnings_back, refusals, is_whole: true }
    }

    /// The same with this warning of an image, in both directions.
    pub(super) fn warns(mut self, kind: &'static str, image: &str) -> Self {
        self.warnings.push((kind, image.to_owned()));
        self.warnings_back.push((kind, image.to_owned()));
        self
    }

    /// The same with this warning of an image, which storage does not repeat.
    pub(super) fn warns_once(mut self, kind: &'static str, image: &str) -> Self {
        self.warnings.push((kind, image.to_owned()));
        self
    }

    /// The same with other images in storage and behind it.
    pub(super) fn results_in<const N: usize>(self, result: [(&str, Image); N]) -> Self {
        let result = result.map(|(name, image)| (name.to_owned(), image)).to_vec();
        Self { listed: result.clone(), result, ..self }
    }

    /// The same, where a layout that is made of the tree lists this image, too.
    pub(super) fn lists(mut self, name: &str, image: Image) -> Self {
        self.listed.push((name.to_owned(), image));
        self
    }

    /// The same, where skopeo copies this image not, and says these words.
    pub(super) fn skopeo_refuses(mut self, image: &str, words: &'static str) -> Self {
        self.refusals.insert(image.to_owned(), words);
        self
    }

    /// Makes the trip, and returns the folder with the trees `images`, `docker` and `back`.
    pub(super) fn make(self) -> TempDir {
        let folder = scratch();
        let path = |name: &str| folder.path().join(name);
        forge::write(&forge::tree(&self.source), &path("images"));

        let summary = convert("to-registry", &[], &path("images"), &path("docker"));
        assert_eq!(findings(&summary), expected(&self.warnings), "{summary}");
        assert_same_files(&forge::storage(&self.result), &files(&path("docker/registry/v2")));

        let registry = Registry::start(folder.path());
        for (name, image) in &self.result {
            assert_served(&registry, name, image);
            match self.refusals.get(name) {
                None => assert_pulled(&registry, name, image),
                Some(words) => assert_not_pulled(&registry, name, words),
            }
        }
        drop(registry);
        let garbage = garbage(folder.path());
        assert_eq!((garbage.deletable_blobs, garbage.deletable_manifests), (0, 0));
        assert_same_files(&forge::storage(&self.result), &files(&path("docker/registry/v2")));

        let summary = convert("to-dir", &[], &path("docker"), &path("back"));
        assert_eq!(findings(&summary), expected(&self.warnings_back), "{summary}");
        assert_same_files(&forge::tree(&self.result), &files(&path("back")));

        self.makes_layouts(&folder);
        for (tree, is_whole) in [("images", self.is_whole), ("docker", true), ("back", true)] {
            let code = if is_whole { 0 } else { 4 };
            bundle().arg("verify").arg(path(tree)).assert().code(code);
        }
        folder
    }
}

/// The findings of a conversion: the kind of each, with each image that it names.
pub(super) fn findings(summary: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let findings = summary["findings"].as_array().unwrap().iter();
    let findings = findings.flat_map(|finding| {
        let images = finding["images"].as_array().unwrap().iter();
        let images: Vec<_> = images.map(|image| (text(&finding["kind"]), text(image))).collect();
        if images.is_empty() { vec![(text(&finding["kind"]), String::new())] } else { images }
    });
    let mut findings: Vec<_> = findings.collect();
    findings.sort();
    findings
}

pub(super) fn expected(warnings: &[(&'static str, String)]) -> Vec<(String, String)> {
    let mut expected: Vec<_> =
        warnings.iter().map(|(kind, image)| ((*kind).to_owned(), image.clone())).collect();
    expected.sort();
    expected
}

/// The repository, and the tag or digest.
pub(super) fn split(name: &str) -> (&str, &str) {
    name.split_once('@').or_else(|| name.rsplit_once(':')).unwrap()
}

/// The registry serves the image by its name, each of its manifests by digest, and each of its blobs.
pub(super) fn assert_served(registry: &Registry, name: &str, image: &Image) {
    let (repository, reference) = split(name);
    assert_eq!(registry.manifest(repository, reference).digest, image.digest(), "{name}");
    for manifest in image.all() {
        let served = registry.manifest(repository, &manifest.digest());
        assert_eq!(served.digest, manifest.digest(), "{name}");
        assert_eq!(served.media_type, manifest.media_type, "{name}");
        if manifest.media_type == SCHEMA1 {
            // The registry adds a signature of its own in front of the last brace.
            let payload = manifest.payload.strip_suffix(b"\n}").unwrap();
            assert!(served.bytes.starts_with(payload), "{name}: {}", String::from_utf8_lossy(&served.bytes));
        } else {
            assert_eq!(served.bytes, manifest.payload, "{name}");
        }
        for blob in &manifest.blobs {
            assert_eq!(registry.blob(repository, &blob.digest), blob.bytes, "{name}");
        }
    }
}

/// Skopeo copies the image to the same files.
fn assert_pulled(registry: &Registry, name: &str, image: &Image) {
    let folder = scratch();
    skopeo::copy(
        &format!("docker://{}/{name}", registry.address()),
        &format!("dir:{}", folder.path().display()),
    );
    let (mut expected, mut pulled) = (image.files(), files(folder.path()));
    if image.media_type == SCHEMA1 {
        // It was signed on the way.
        expected.remove("manifest.json");
        pulled.remove("manifest.json");
    }
    assert_same_files(&expected, &pulled);
}

/// Skopeo does not copy the image, and says why.
fn assert_not_pulled(registry: &Registry, name: &str, words: &str) {
    let folder = scratch();
    let mut skopeo = Command::new(program("skopeo"));
    skopeo.args(["--insecure-policy", "copy", "--all", "--preserve-digests", "--src-tls-verify=false"]);
    skopeo.arg(format!("docker://{}/{name}", registry.address()));
    let output = skopeo.arg(format!("dir:{}", folder.path().display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(words), "{name}: {said}");
}

/// Runs a conversion of a tree; returns the exit code, the JSON summary and what was said on standard error.
pub(super) fn run(
    command: &str,
    options: &[&str],
    source: &Path,
    destination: &Path,
) -> (i32, Value, String) {
    let mut bundle = bundle();
    bundle.args([command, "-q", "--format", "json"]).args(options).arg(source).arg(destination);
    let output = bundle.output().unwrap();
    let summary = serde_json::from_slice(&output.stdout).unwrap_or_default();
    (output.status.code().unwrap(), summary, String::from_utf8(output.stderr).unwrap())
}
