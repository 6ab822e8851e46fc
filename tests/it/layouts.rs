//! OCI image layouts, as others write them, as this program adds to them, and as a bad day leaves them.

mod beside;
mod broken;
mod kills;
mod links;
mod names;
mod programs;
mod trees;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::{Ended, bundle, run};
use crate::support::forge::{self, Image, layout};
use crate::support::scratch;
use crate::support::tree::{assert_same_files, files};

/// A layout `lay` in a folder of its own.
struct Lying {
    folder: TempDir,
}

impl Lying {
    /// Writes a layout that lists these descriptors and has all of these images.
    fn of<'a>(descriptors: Vec<Value>, images: impl IntoIterator<Item = &'a Image>) -> Self {
        let mut files = layout::list(descriptors);
        images.into_iter().for_each(|image| files.extend(layout::blobs(image)));
        Self::files(&files)
    }

    fn files(files: &BTreeMap<String, Vec<u8>>) -> Self {
        let lying = Self { folder: scratch() };
        forge::write(files, &lying.layout());
        lying
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn layout(&self) -> PathBuf {
        self.path("lay")
    }

    /// The list as it lies there.
    fn index(&self) -> Value {
        serde_json::from_slice(&fs::read(self.layout().join("index.json")).unwrap()).unwrap()
    }

    /// Converts a tree into storage.
    fn convert(&self, source: &Path, options: &[&str]) -> Ended {
        let docker = self.path("docker");
        if docker.exists() {
            fs::remove_dir_all(&docker).unwrap();
        }
        run(bundle(), "to-registry", options, source, &docker)
    }

    /// Fails unless it becomes storage of just these images, with just these findings.
    #[track_caller]
    fn expect(&self, images: &[(&str, &Image)], said: &[(&str, &str)]) {
        let images: Vec<_> = images.iter().map(|(name, image)| ((*name).to_owned(), image.kept())).collect();
        let ended = self.convert(&self.layout(), &[]).expect(0);
        assert_eq!(
            findings(&ended.summary),
            said.iter().map(owned).collect::<Vec<_>>(),
            "{:#}",
            ended.summary
        );
        assert_same_files(&forge::storage(&images), &files(&self.path("docker/registry/v2")));
    }

    /// Fails unless it is refused for this, by both commands that read all of it; with `--keep-going` it gives
    /// just these images.
    #[track_caller]
    fn expect_refused(&self, kind: &str, words: &str, sound: &[&str]) {
        let ended = self.convert(&self.layout(), &[]).expect(4);
        let errors = errors(&ended.summary);
        assert!(errors.iter().any(|(found, _)| found == kind), "no {kind}: {:#}", ended.summary);
        ended.expect_said(&[words, "hint:"]);
        assert!(!self.path("docker").exists());
        let kept = self.convert(&self.layout(), &["--keep-going"]).expect(4);
        let names: Vec<_> = kept.summary["changes"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, sound, "{:#}", kept.summary);
        bundle().arg("verify").arg(self.layout()).assert().code(4);
    }
}

fn owned((kind, image): &(&str, &str)) -> (String, String) {
    ((*kind).to_owned(), (*image).to_owned())
}

/// The kinds of findings, each with each image that it names.
fn findings(summary: &Value) -> Vec<(String, String)> {
    of_severity(summary, &["error", "warning"])
}

fn errors(summary: &Value) -> Vec<(String, String)> {
    of_severity(summary, &["error"])
}

fn of_severity(summary: &Value, severities: &[&str]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = summary["findings"].as_array().unwrap().iter();
    let mut findings: Vec<_> = list
        .filter(|finding| severities.contains(&text(&finding["severity"]).as_str()))
        .flat_map(|finding| {
            let images = finding["images"].as_array().unwrap().iter();
            let images: Vec<_> = images.map(|image| (text(&finding["kind"]), text(image))).collect();
            if images.is_empty() { vec![(text(&finding["kind"]), String::new())] } else { images }
        })
        .collect();
    findings.sort();
    findings
}
