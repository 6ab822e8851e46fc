//! Storage with a registry that serves it, the releases that go into it, and what a pull may find there.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::bundle::convert;
use crate::support::complete::is_staging;
use crate::support::forge::{self, Blob, Image, docker_layer, index, layer, single};
use crate::support::registry::{
    DOCKER_LIST, DOCKER_MANIFEST, Garbage, OCI_INDEX, OCI_MANIFEST, Registry, garbage,
};
use crate::support::sha256;
use crate::support::skopeo::skopeo;
use crate::support::storage::blobs;
use crate::support::testdata::{copy_tree, files_named, testdata};
use crate::support::verification::verify;

/// A place with storage, served by a registry from the first release on.
pub(crate) struct Site {
    pub(crate) registry: Registry,
    folder: TempDir,
    tags: Mutex<Tags>,
}

/// What a pull may find.
#[derive(Default)]
struct Tags {
    /// Every digest that a tag had, has, or may get at any moment.
    possible: BTreeMap<String, BTreeSet<String>>,
    /// The tags that a finished conversion brought, or that were seen: nothing takes them away.
    shown: BTreeSet<String>,
}

/// Images on their way into the storage.
pub(crate) struct Release {
    pub(crate) tree: PathBuf,
    /// The digest of each `<repository>:<tag>`.
    pub(crate) tags: BTreeMap<String, String>,
}

impl Site {
    /// Starts with one release.
    pub(crate) fn new() -> Self {
        let folder = crate::support::scratch();
        let tags = Mutex::default();
        let first = prepare(folder.path(), &tags, 0);
        convert("to-registry", &[], &first.tree, &folder.path().join("docker"));
        let site = Self { registry: Registry::start(folder.path()), folder, tags };
        site.settle(&first);
        site
    }

    /// What a person names.
    pub(crate) fn docker(&self) -> PathBuf {
        self.folder.path().join("docker")
    }

    /// The tags that are there.
    pub(crate) fn shown(&self) -> BTreeSet<String> {
        self.tags().shown.clone()
    }

    /// Makes the tree of a release; from now on its tags may appear.
    pub(crate) fn prepare(&self, number: usize) -> Release {
        prepare(self.folder.path(), &self.tags, number)
    }

    /// Those of a release's tags that the storage has as the release has them.
    pub(crate) fn arrived<'a>(&self, release: &'a Release) -> BTreeSet<&'a str> {
        let repositories = self.docker().join("registry/v2/repositories");
        let has_arrived = |(name, digest): &(&String, &String)| {
            let (repository, tag) = name.rsplit_once(':').unwrap();
            let link = repositories.join(repository).join("_manifests/tags").join(tag).join("current/link");
            fs::read_to_string(link).is_ok_and(|link| link == **digest)
        };
        release.tags.iter().filter(has_arrived).map(|(name, _)| name.as_str()).collect()
    }

    /// Pulls the first tag that has arrived and is not known yet, and counts.
    pub(crate) fn pull_arrived<'a>(
        &self,
        release: &'a Release,
        known: &mut BTreeSet<&'a str>,
        client: &mut Client,
        count: &AtomicUsize,
    ) {
        let Some(name) = self.arrived(release).into_iter().find(|name| !known.contains(name)) else { return };
        let (repository, tag) = name.rsplit_once(':').unwrap();
        assert_eq!(client.pull(&self.registry, repository, tag), release.tags[name], "{name}");
        count.fetch_add(1, SeqCst);
        known.insert(name);
    }

    /// Whether something lies in staging.
    pub(crate) fn has_staging(&self) -> bool {
        let mut entries = fs::read_dir(self.docker().join("registry/v2")).unwrap();
        entries.any(|entry| is_staging(entry.unwrap().file_name().to_str().unwrap()))
    }

    /// Takes note that a release is converted: every tag points where the release has it, and staging is gone.
    pub(crate) fn settle(&self, release: &Release) {
        assert!(!self.has_staging(), "something is left in staging");
        for (name, digest) in &release.tags {
            let (repository, tag) = name.rsplit_once(':').unwrap();
            assert_eq!(self.registry.manifest(repository, tag).digest, *digest, "{name}");
        }
        self.tags().shown.extend(release.tags.keys().cloned());
    }

    /// Pulls all that the registry lists, as soon as it lists it, and counts.
    pub(crate) fn pull_all(&self, client: &mut Client, count: &AtomicUsize) {
        let before = self.shown();
        let mut listed = BTreeSet::new();
        for repository in self.registry.catalog() {
            let is_known = self.tags().possible.keys().any(|name| repository_of(name) == repository);
            assert!(is_known, "the registry lists a repository {repository}");
            for tag in self.registry.tags(&repository) {
                let name = format!("{repository}:{tag}");
                let is_known = self.tags().possible.contains_key(&name);
                assert!(is_known, "the registry lists a tag {name}");
                let digest = client.pull(&self.registry, &repository, &tag);
                self.expect(&name, &digest);
                count.fetch_add(1, SeqCst);
                listed.insert(name);
            }
        }
        let gone: Vec<_> = before.difference(&listed).collect();
        assert!(gone.is_empty(), "the registry does not list any more {gone:?}");
        self.tags().shown.extend(listed);
    }

    /// Pulls an image, every platform of it, by skopeo, which checks all digests on the way.
    pub(crate) fn copy(&self, name: &str) {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let source = format!("docker://{}/{name}", self.registry.address());
        let destination = format!("dir:{}", folder.path().display());
        let copy = ["--command-timeout", "120s", "copy", "--all", "--src-tls-verify=false"];
        skopeo(copy.into_iter().chain([source.as_str(), destination.as_str()]));
        self.expect(name, &sha256(&fs::read(folder.path().join("manifest.json")).unwrap()));
    }

    fn expect(&self, name: &str, digest: &str) {
        let possible = self.tags().possible.get(name).cloned().unwrap_or_default();
        assert!(possible.contains(digest), "{name} is {digest}, not one of {possible:?}");
    }

    /// Makes sure that all is sound in the end, and that the registry would collect nothing of it as garbage.
    pub(crate) fn check(&self, client: &mut Client) {
        let verified = verify(&[], &[&self.docker()]);
        assert_eq!((verified.code, verified.findings()), (0, &[][..]), "{}", verified.said);
        let Garbage { marked_blobs, deletable_blobs, deletable_manifests } = garbage(self.folder.path());
        let there = files_named(&self.docker(), "data").len();
        assert_eq!((marked_blobs, deletable_blobs, deletable_manifests), (there, 0, 0));
        // Every tag that ever came, once more.
        let count = AtomicUsize::new(0);
        self.pull_all(client, &count);
        assert_eq!(count.into_inner(), self.tags().possible.len());
    }

    fn tags(&self) -> MutexGuard<'_, Tags> {
        self.tags.lock().unwrap()
    }
}

/// What somebody who pulls by plain HTTP has already: the sizes of blobs, by repository and digest.
#[derive(Default)]
pub(crate) struct Client(HashMap<(String, String), u64>);

impl Client {
    /// Pulls an image, every platform of it, down to the bytes; returns its digest. What is here already is not
    /// fetched once more, but it has to be there.
    fn pull(&mut self, registry: &Registry, repository: &str, reference: &str) -> String {
        let served = registry.manifest(repository, reference);
        let name = format!("{repository} {reference}");
        assert_eq!(served.digest, sha256(&served.bytes), "{name}");
        let manifest: Value = serde_json::from_slice(&served.bytes).unwrap();
        for child in manifest["manifests"].as_array().into_iter().flatten() {
            let child = child["digest"].as_str().unwrap();
            assert_eq!(self.pull(registry, repository, child), child, "{name}");
        }
        for blob in blobs(&manifest) {
            let Self(sizes) = self;
            match sizes.entry((repository.to_owned(), blob.clone())) {
                Entry::Occupied(size) => assert_eq!(registry.blob_size(repository, &blob), *size.get()),
                Entry::Vacant(size) => {
                    let bytes = registry.blob(repository, &blob);
                    assert_eq!(sha256(&bytes), blob, "{name}");
                    size.insert(bytes.len() as u64);
                }
            }
        }
        served.digest
    }
}

/// Writes the tree of a release: forged images next to one of the two committed releases in turn.
fn prepare(site: &Path, tags: &Mutex<Tags>, number: usize) -> Release {
    let tree = site.join(format!("releases/{number}"));
    copy_tree(&testdata().join(["previous", "images"][number % 2]), &tree);
    forge::write(&forge::tree(&forged(number)), &tree);
    let manifests = files_named(&tree, "manifest.json").into_iter();
    let digests: BTreeMap<_, _> = manifests
        .map(|path| {
            let name = path.parent().unwrap().strip_prefix(&tree).unwrap();
            (name.to_str().unwrap().to_owned(), sha256(&fs::read(&path).unwrap()))
        })
        .collect();
    let mut tags = tags.lock().unwrap();
    for (name, digest) in &digests {
        tags.possible.entry(name.clone()).or_default().insert(digest.clone());
    }
    Release { tree, tags: digests }
}

/// Tags that every fourth release moves back to the same image, tags that every release moves to a new one, and
/// tags that are new; single images and lists of both families.
fn forged(number: usize) -> Vec<(String, Image)> {
    let turn = number % 4;
    let platforms = |media_type, name: &str| {
        ["amd64", "arm64"].map(|platform| image(media_type, &format!("{name} for {platform}")))
    };
    let single = image(OCI_MANIFEST, &format!("image {number}"));
    let list = index(OCI_INDEX, &platforms(OCI_MANIFEST, &format!("list {number}")));
    let images = [
        ("shop/web:stable", image(DOCKER_MANIFEST, &format!("web {turn}"))),
        ("shop/all:stable", index(DOCKER_LIST, &platforms(DOCKER_MANIFEST, &format!("all {turn}")))),
        ("shop/web:latest", single.clone()),
        ("shop/all:latest", list.clone()),
        ("shop/all:1.N", list),
        ("shop/nightly/nN:1.0", single),
    ];
    images.map(|(name, image)| (name.replace('N', &number.to_string()), image)).into()
}

/// An image with a layer of its own, and one that all share.
fn image(media_type: &str, name: &str) -> Image {
    let (kind, layer): (_, fn(&str) -> Blob) = match media_type {
        DOCKER_MANIFEST => ("application/vnd.docker.container.image.v1+json", docker_layer),
        _ => ("application/vnd.oci.image.config.v1+json", layer),
    };
    let rootfs = json!({ "type": "layers", "diff_ids": [] });
    let config = json!({ "architecture": "amd64", "os": "linux", "author": name, "rootfs": rootfs });
    single(media_type, &Blob::new(kind, config.to_string()), &[layer("below all"), layer(name)])
}

fn repository_of(name: &str) -> &str {
    name.rsplit_once(':').unwrap().0
}
