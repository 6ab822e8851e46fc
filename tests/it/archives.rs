//! Archives of images as sources: what skopeo and docker save, whole and broken, plain and compressed.

mod broken;
mod docker;
mod forms;
mod memory;
mod programs;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::{Ended, bundle, run};
use crate::support::forge::{self, Image};
use crate::support::scratch;
use crate::support::tree::{assert_same_files, files};

/// An archive in a folder of its own.
struct Lying {
    folder: TempDir,
    path: PathBuf,
}

impl Lying {
    fn new(name: &str, bytes: impl AsRef<[u8]>) -> Self {
        let folder = scratch();
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        Self { folder, path }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Converts it into storage, be it with other digests.
    fn convert(&self, options: &[&str], destination: &str) -> Ended {
        let options = [&["--accept-new-digests"], options].concat();
        run(bundle(), "to-registry", &options, &self.path, &self.path(destination))
    }

    /// Fails unless it becomes storage with exactly these images, and says just this.
    #[track_caller]
    fn expect(&self, images: &[(String, Image)], said: &[(&str, &str)]) {
        let ended = self.convert(&[], "docker").expect(0);
        assert_eq!(findings(&ended.summary), owned(said), "{:#}", ended.summary);
        assert_same_files(&forge::storage(images), &files(&self.path("docker/registry/v2")));
        let again = self.convert(&[], "docker").expect(0).summary;
        assert_eq!((&again["written_files"], &again["copied"]["files"]), (&0.into(), &0.into()));
    }

    /// Fails unless it is refused with findings of this kind, and nothing is written of it.
    #[track_caller]
    fn expect_refused(&self, kind: &str, words: &str) {
        let ended = self.convert(&[], "refused").expect(4);
        let findings = ended.summary["findings"].as_array().unwrap().clone();
        let is_it = |finding: &Value| finding["kind"] == kind && finding["severity"] == "error";
        assert!(findings.iter().any(is_it), "no {kind}: {findings:#?}");
        ended.expect_said(&[words, "hint:"]);
        // What is copied is hashed on the way, so that content may be there, and no name.
        assert!(!self.path("refused/registry/v2/repositories").exists());
        bundle().arg("verify").arg(&self.path).assert().code(4);
    }
}

fn owned(said: &[(&str, &str)]) -> Vec<(String, String)> {
    said.iter().map(|(kind, image)| ((*kind).to_owned(), (*image).to_owned())).collect()
}

/// The kinds of findings, each with each image that it names.
fn findings(summary: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = summary["findings"].as_array().unwrap().iter();
    let mut findings: Vec<_> = list
        .flat_map(|finding| {
            let images = finding["images"].as_array().unwrap().iter();
            let images: Vec<_> = images.map(|image| (text(&finding["kind"]), text(image))).collect();
            if images.is_empty() { vec![(text(&finding["kind"]), String::new())] } else { images }
        })
        .collect();
    findings.sort();
    findings
}

/// Images under their names.
fn named(images: &[(&str, Image)]) -> Vec<(String, Image)> {
    images.iter().map(|(name, image)| ((*name).to_owned(), image.clone())).collect()
}

/// The files of a tree, by other paths.
fn below(folder: &str, files: &BTreeMap<String, Vec<u8>>) -> BTreeMap<String, Vec<u8>> {
    files.iter().map(|(path, bytes)| (format!("{folder}{path}"), bytes.clone())).collect()
}

/// What a folder holds, or that it is not there.
fn is_empty(folder: &Path) -> bool {
    !folder.exists()
}
