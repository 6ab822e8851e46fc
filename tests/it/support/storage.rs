//! Registry storage made from the committed release, to be broken: where its files lie, and who stands on them.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use walkdir::WalkDir;

use super::bundle::convert;
use super::program::program;
use super::sha256;
use super::testdata::testdata;

/// Storage of the test's own: it shares no inode with `testdata/`.
pub(crate) struct Storage {
    folder: TempDir,
}

impl Storage {
    /// Holds the whole release of today.
    pub(crate) fn new() -> Self {
        Self::of(&["*"])
    }

    /// Holds those of the release's images whose names match.
    pub(crate) fn of(patterns: &[&str]) -> Self {
        Self::within(super::scratch(), patterns)
    }

    /// The same, in a folder that any user of the machine can reach and read.
    pub(crate) fn for_every_user(patterns: &[&str]) -> Self {
        let storage = Self::within(tempfile::tempdir().unwrap(), patterns);
        for entry in WalkDir::new(storage.site()) {
            let entry = entry.unwrap();
            let mode = if entry.file_type().is_dir() { 0o755 } else { 0o644 };
            fs::set_permissions(entry.path(), Permissions::from_mode(mode)).unwrap();
        }
        storage
    }

    fn within(folder: TempDir, patterns: &[&str]) -> Self {
        let storage = Self { folder };
        let chosen = patterns.iter().flat_map(|pattern| ["--include", *pattern]);
        let options: Vec<_> = ["--link", "copy"].into_iter().chain(chosen).collect();
        convert("to-registry", &options, &testdata().join("images"), &storage.docker());
        storage
    }

    /// What a registry has as its `rootdirectory`.
    pub(crate) fn site(&self) -> &Path {
        self.folder.path()
    }

    /// What a person names.
    pub(crate) fn docker(&self) -> PathBuf {
        self.site().join("docker")
    }

    /// Where the registry's own paths start.
    pub(crate) fn root(&self) -> PathBuf {
        self.docker().join("registry/v2")
    }

    /// The file of a blob or manifest.
    pub(crate) fn data(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        self.root().join("blobs").join(algorithm).join(&hex[..2]).join(hex).join("data")
    }

    /// A repository's folder.
    pub(crate) fn repository(&self, name: &str) -> PathBuf {
        self.root().join("repositories").join(name)
    }

    /// The link by which a repository may serve a blob.
    pub(crate) fn grant(&self, repository: &str, digest: &str) -> PathBuf {
        self.repository(repository).join("_layers").join(digest.replace(':', "/")).join("link")
    }

    /// The link by which a repository may serve a manifest.
    pub(crate) fn revision(&self, repository: &str, digest: &str) -> PathBuf {
        let revisions = self.repository(repository).join("_manifests/revisions");
        revisions.join(digest.replace(':', "/")).join("link")
    }

    /// A tag's folder.
    pub(crate) fn tag(&self, repository: &str, tag: &str) -> PathBuf {
        self.repository(repository).join("_manifests/tags").join(tag)
    }

    /// The link that says what a tag points at.
    pub(crate) fn current(&self, repository: &str, tag: &str) -> PathBuf {
        self.tag(repository, tag).join("current/link")
    }

    /// The link that remembers what a tag once pointed at.
    pub(crate) fn history(&self, repository: &str, tag: &str, digest: &str) -> PathBuf {
        self.tag(repository, tag).join("index").join(digest.replace(':', "/")).join("link")
    }

    /// Stores a blob that no repository knows; returns its digest.
    pub(crate) fn put(&self, bytes: &[u8]) -> String {
        let digest = sha256(bytes);
        write(&self.data(&digest), bytes);
        digest
    }

    /// Stores a manifest under a tag, with its revision link and the links of the blobs that it names.
    pub(crate) fn push(&self, repository: &str, tag: &str, manifest: &[u8]) -> String {
        let digest = self.put(manifest);
        fs::create_dir_all(self.repository(repository).join("_layers")).unwrap();
        write(&self.revision(repository, &digest), digest.as_bytes());
        write(&self.history(repository, tag, &digest), digest.as_bytes());
        write(&self.current(repository, tag), digest.as_bytes());
        let blobs = blobs(&serde_json::from_slice(manifest).unwrap_or_default());
        for blob in blobs.into_iter().collect::<BTreeSet<_>>() {
            write(&self.grant(repository, &blob), blob.as_bytes());
        }
        digest
    }

    /// One of the tagged images.
    pub(crate) fn image(&self, name: &str) -> Image {
        self.images().into_iter().find(|image| image.name == name).unwrap()
    }

    /// All tagged images, read by other means than the program under test.
    pub(crate) fn images(&self) -> Vec<Image> {
        let repositories = self.root().join("repositories");
        let entries = WalkDir::new(&repositories).sort_by_file_name().into_iter().map(Result::unwrap);
        let currents = entries.filter(|entry| entry.path().ends_with("current/link"));
        let images = currents.map(|entry| {
            let path = entry.path().strip_prefix(&repositories).unwrap().to_str().unwrap();
            let (repository, rest) = path.split_once("/_manifests/tags/").unwrap();
            let tag = rest.split('/').next().unwrap();
            let digest = fs::read_to_string(entry.path()).unwrap();
            let mut image = Image {
                name: format!("{repository}:{tag}"),
                repository: repository.to_owned(),
                digest: digest.clone(),
                manifests: BTreeSet::new(),
                blobs: BTreeSet::new(),
            };
            self.follow(&digest, &mut image);
            image
        });
        images.collect()
    }

    fn follow(&self, digest: &str, image: &mut Image) {
        let manifest: Value = serde_json::from_slice(&fs::read(self.data(digest)).unwrap()).unwrap();
        image.manifests.insert(digest.to_owned());
        image.blobs.extend(blobs(&manifest));
        for child in digests(&manifest["manifests"]) {
            self.follow(&child, image);
        }
    }

    /// What the real registry's garbage collection would delete, or why it refuses to begin.
    pub(crate) fn collect(&self, options: &[&str]) -> Result<BTreeSet<String>, String> {
        let folder = super::scratch();
        let config = folder.path().join("config.yml");
        let storage = json!({ "filesystem": { "rootdirectory": self.site() } });
        fs::write(&config, json!({ "version": "0.1", "storage": storage }).to_string()).unwrap();
        let mut command = Command::new(program("docker-registry"));
        let output =
            command.args(["garbage-collect", "--dry-run"]).args(options).arg(&config).output().unwrap();
        if !output.status.success() {
            return Err(String::from_utf8(output.stderr).unwrap());
        }
        let lines = String::from_utf8(output.stdout).unwrap();
        let deleted = lines.lines().filter_map(|line| line.strip_prefix("blob eligible for deletion: "));
        Ok(deleted.map(str::to_owned).collect())
    }
}

/// A tagged image, and all that it stands on.
pub(crate) struct Image {
    /// `<repository>:<tag>`.
    pub(crate) name: String,
    pub(crate) repository: String,
    pub(crate) digest: String,
    /// Its own manifest and those that it lists.
    pub(crate) manifests: BTreeSet<String>,
    /// Configurations and layers.
    pub(crate) blobs: BTreeSet<String>,
}

impl Image {
    /// Whether it needs this content.
    pub(crate) fn needs(&self, digest: &str) -> bool {
        self.manifests.contains(digest) || self.blobs.contains(digest)
    }
}

/// Writes a file and the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// The digests of a manifest's configuration and layers.
pub(crate) fn blobs(manifest: &Value) -> Vec<String> {
    let config = manifest["config"]["digest"].as_str().map(str::to_owned);
    config.into_iter().chain(digests(&manifest["layers"])).collect()
}

fn digests(descriptors: &Value) -> Vec<String> {
    let descriptors = descriptors.as_array().into_iter().flatten();
    descriptors.map(|descriptor| descriptor["digest"].as_str().unwrap().to_owned()).collect()
}
