//! Storage with everything in it that registries hold, and what has to be left of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use walkdir::WalkDir;

use crate::support::bundle::{Ended, convert};
use crate::support::forge::schema1::{SCHEMA1, unsigned};
use crate::support::forge::{self, Blob, Image, artifact, docker, docker_layer, index, layer, oci, single};
use crate::support::package::ask;
use crate::support::registry::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, Registry};
use crate::support::tree::{assert_same_files, files};

/// What a registry has as its `rootdirectory`, and what lies in it.
pub(super) struct Site {
    path: PathBuf,
    /// Gone with the value, unless it lies in another's.
    _folder: Option<TempDir>,
    /// The images that are wanted, and what belongs to them.
    pub(super) wanted: Vec<(String, Image)>,
    /// All the others.
    pub(super) others: Vec<(String, Image)>,
}

/// How a folder is named whose image has no tag.
pub(super) fn untagged(repository: &str, image: &Image) -> String {
    format!("{repository}@{}", image.digest())
}

/// A tag that is made of a digest, with this behind it.
pub(super) fn tag_of(repository: &str, image: &Image, suffix: &str) -> String {
    format!("{repository}:{}{suffix}", image.digest().replace(':', "-"))
}

/// An artifact about an image, which it names.
pub(super) fn referrer(name: &str, subject: &Image) -> Image {
    note(name).edited(|manifest| manifest["subject"] = subject.descriptor())
}

/// An artifact that names nothing.
pub(super) fn note(name: &str) -> Image {
    let empty = Blob::new("application/vnd.oci.empty.v1+json", "{}");
    artifact(&empty, &[Blob::new("text/plain", format!("a note: {name}"))])
}

/// An image whose layer is to be fetched from elsewhere, and is not here.
fn foreign() -> Image {
    let foreign = docker_layer("windows")
        .described("mediaType", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
        .described("urls", serde_json::json!(["https://example.com/windows"]));
    let base = docker("foreign");
    let absent = foreign.digest.clone();
    single(DOCKER_MANIFEST, &base.blobs[0], &[foreign, docker_layer("on windows")]).without(&absent)
}

/// What is wanted, in all its forms.
fn wanted() -> Vec<(String, Image)> {
    let list = index(DOCKER_LIST, &[docker("amd64"), docker("arm64")]);
    let inner = index(OCI_INDEX, &[oci("deep amd64"), oci("deep arm64")]);
    let nested = index(OCI_INDEX, &[inner.clone(), oci("beside")]);
    let contents = referrer("contents of arm64", &list.children[1]);
    let of_contents = referrer("signature of the contents", &contents);
    let listed = referrer("of nested", &nested);
    let fallback = index(OCI_INDEX, std::slice::from_ref(&listed));
    let legacy = unsigned(&[("COPY b", &layer("shared")), ("COPY a", &layer("legacy"))]);
    let image = |name: &str, image: Image| (name.to_owned(), image);
    vec![
        image("team/app:2", list.clone()),
        image("team/app:nested", nested.clone()),
        (tag_of("team/app", &list, ".sig"), note("signature of the list")),
        (tag_of("team/app", &list.children[0], ".att"), note("attestation of a platform")),
        (tag_of("team/app", &note("signature of the list"), ".sig"), note("signature of a signature")),
        (untagged("team/app", &contents), contents.clone()),
        (untagged("team/app", &of_contents), of_contents.clone()),
        (tag_of("team/app", &inner, ""), fallback),
        image("team/app/plugin:1", oci("plugin")),
        image("team/mirror:1", oci("beside")),
        image("gone/inside:1", oci("inside")),
        image("legacy:1", legacy),
        image("windows:1", foreign()),
        image("now:1", oci("what it is now")),
    ]
}

/// What nobody wants: it shares content with what is wanted.
fn others(wanted: &[(String, Image)]) -> Vec<(String, Image)> {
    let [list, nested] = [&wanted[0].1, &wanted[1].1];
    let old = index(DOCKER_LIST, &[docker("old amd64"), list.children[1].clone()]);
    let orphan = index(OCI_INDEX, &[oci("lost"), oci("beside")]);
    let image = |name: &str, image: Image| (name.to_owned(), image);
    vec![
        image("team/app:1", old.clone()),
        (tag_of("team/app", &old, ".sig"), note("signature of the old list")),
        (tag_of("team/app", &oci("nobody"), ".sig"), note("signature of nothing")),
        // A registry looks for both kinds in the subject's own repository only.
        (tag_of("team/mirror", list, ".sig"), note("signature elsewhere")),
        (untagged("team/mirror", &referrer("elsewhere", nested)), referrer("elsewhere", nested)),
        (untagged("team/app", &referrer("of the old", &old)), referrer("of the old", &old)),
        (untagged("team/app", &orphan), orphan.clone()),
        (untagged("legacy", &oci("beside")), oci("beside")),
        image("team/app/gone:1", oci("plugin")),
        image("team/app/gone/deeper:1", oci("deeper")),
        image("gone:1", nested.clone()),
        image("gone:2", oci("gone")),
    ]
}

impl Site {
    /// All of it, with a tag that moved twice, and blobs that nobody ever named.
    pub(super) fn new() -> Self {
        Self::within(crate::support::scratch(), |_| true)
    }

    /// Only what every reader can read: without schema 1 and layers that are elsewhere, in memory.
    pub(super) fn plain() -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        Self::within(folder, |name| !["legacy", "windows"].iter().any(|it| name.starts_with(it)))
    }

    fn within(folder: TempDir, is_meant: impl Fn(&str) -> bool) -> Self {
        let (mut wanted, mut all) = (wanted(), Vec::new());
        let mut others = others(&wanted);
        wanted.retain(|(name, _)| is_meant(name));
        others.retain(|(name, _)| is_meant(name));
        for past in ["what it was", "what it was before"] {
            all.push(vec![("now:1".to_owned(), oci(past))]);
            others.push((untagged("now", &oci(past)), oci(past)));
        }
        all.push(wanted.iter().chain(&others).cloned().collect());
        let site = Self { path: folder.path().to_owned(), _folder: Some(folder), wanted, others };
        for (number, images) in all.into_iter().enumerate() {
            let tree = site.path().join(format!("images-{number}"));
            forge::write(&forge::tree(&images), &tree);
            convert("to-registry", &["--link", "copy"], &tree, &site.docker());
            fs::remove_dir_all(tree).unwrap();
        }
        site.put(b"what no repository knows");
        // A repository may serve what it does not need, as after a mount or a failed push.
        let blob = site.wanted[0].1.children[0].blobs[0].digest.clone();
        write(&site.link("team/mirror/_layers", &blob), blob.as_bytes());
        site
    }

    /// A place for a copy, in memory.
    pub(super) fn empty(wanted: &[(String, Image)], others: &[(String, Image)]) -> Self {
        let folder = tempfile::tempdir_in("/dev/shm").unwrap();
        let site = Self::at(&folder.path().join("copy"), wanted, others);
        Self { _folder: Some(folder), ..site }
    }

    /// A place for a copy in this folder, whatever was there.
    pub(super) fn at(path: &Path, wanted: &[(String, Image)], others: &[(String, Image)]) -> Self {
        if path.exists() {
            fs::remove_dir_all(path).unwrap();
        }
        fs::create_dir(path).unwrap();
        Self { path: path.to_owned(), _folder: None, wanted: wanted.to_vec(), others: others.to_vec() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// What a person names.
    pub(super) fn docker(&self) -> PathBuf {
        self.path().join("docker")
    }

    /// Where the registry's own paths start.
    pub(super) fn root(&self) -> PathBuf {
        self.docker().join("registry/v2")
    }

    /// The file of a blob or manifest.
    pub(super) fn data(&self, digest: &str) -> PathBuf {
        let (algorithm, hex) = digest.split_once(':').unwrap();
        self.root().join("blobs").join(algorithm).join(&hex[..2]).join(hex).join("data")
    }

    /// A link below a folder of links, by the repository's path.
    pub(super) fn link(&self, folder: &str, digest: &str) -> PathBuf {
        self.root().join("repositories").join(folder).join(digest.replace(':', "/")).join("link")
    }

    /// Stores a blob that no repository knows; returns its digest.
    pub(super) fn put(&self, bytes: &[u8]) -> String {
        let digest = crate::support::sha256(bytes);
        write(&self.data(&digest), bytes);
        digest
    }

    /// Leaves an upload behind whose files are so old; returns its folder.
    pub(super) fn upload(&self, repository: &str, age: Duration) -> PathBuf {
        let folder = self.root().join("repositories").join(repository).join("_uploads/0815");
        write(&folder.join("data"), &[7; 5000]);
        write(&folder.join("startedat"), b"2024-01-01T00:00:00Z");
        write(&folder.join("hashstates/sha256/0"), b"state");
        let entries = WalkDir::new(&folder).into_iter().map(|entry| entry.unwrap().into_path());
        entries.for_each(|path| age_by(&path, age));
        folder
    }

    /// A list of the tags that somebody asks for; what belongs to them is not named.
    pub(super) fn list(&self) -> PathBuf {
        let list = self.path().join("list");
        let asked = self.wanted.iter().map(|(name, _)| name.as_str());
        let asked: Vec<_> = asked.filter(|name| !name.contains('@') && !name.contains(":sha256-")).collect();
        fs::write(&list, asked.join("\n")).unwrap();
        list
    }

    /// Prunes with these options, and down to the list.
    pub(super) fn prune_to_list(&self, options: &[&str]) -> Ended {
        let list = self.list();
        prune(&[options, &["--images", list.to_str().unwrap()]].concat(), &self.docker())
    }

    /// Fails unless just these images are left, and nothing else at all.
    pub(super) fn expect_only<'a>(&self, images: impl IntoIterator<Item = &'a (String, Image)>) {
        assert_same_files(&forge::storage(images), &files(&self.root()));
        expect_no_empty_folders(&self.root());
    }

    /// Fails unless all that is wanted is there, whatever else is.
    pub(super) fn expect_wanted(&self) -> Result<(), String> {
        for (path, bytes) in forge::storage(&self.wanted) {
            match fs::read(self.root().join(&path)) {
                Ok(found) if found == bytes => {}
                other => return Err(format!("{path}: {other:?}")),
            }
        }
        Ok(())
    }

    /// Fails unless a real registry serves each image, each of its manifests and each of its blobs.
    pub(super) fn expect_served(&self) {
        let registry = Registry::start_readonly(self.path());
        for (name, image) in &self.wanted {
            let (repository, reference) = name.split_once('@').or_else(|| name.rsplit_once(':')).unwrap();
            assert_eq!(registry.manifest(repository, reference).digest, image.digest(), "{name}");
            for manifest in image.all() {
                let served = registry.manifest(repository, &manifest.digest());
                assert_eq!(served.digest, manifest.digest(), "{name}");
                // Of schema 1, it adds a signature of its own.
                assert!(served.bytes == manifest.payload || manifest.media_type == SCHEMA1, "{name}");
                for blob in &manifest.blobs {
                    assert_eq!(registry.blob(repository, &blob.digest), blob.bytes, "{name}");
                }
            }
        }
        let repository = |name: &String| name.split(['@', ':']).next().unwrap().to_owned();
        let wanted: BTreeSet<_> = self.wanted.iter().map(|(name, _)| repository(name)).collect();
        assert_eq!(registry.catalog(), wanted.into_iter().collect::<Vec<_>>());
    }
}

/// Runs `prune`, whatever comes of it.
pub(super) fn prune(options: &[&str], docker: &Path) -> Ended {
    ask(["prune", docker.to_str().unwrap()].iter().chain(options))
}

/// Writes a file and the folders above it.
pub(super) fn write(path: &Path, bytes: &[u8]) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Sets back the time at which something was written.
pub(super) fn age_by(path: &Path, age: Duration) {
    File::open(path).unwrap().set_modified(SystemTime::now() - age).unwrap();
}

/// Fails if a folder is empty that a registry does not look for.
pub(super) fn expect_no_empty_folders(root: &Path) {
    let folders = WalkDir::new(root).min_depth(2).into_iter().map(Result::unwrap);
    for entry in folders.filter(|entry| entry.file_type().is_dir()) {
        let is_empty = fs::read_dir(entry.path()).unwrap().next().is_none();
        let is_looked_for = entry.path().ends_with("_layers") || entry.path().ends_with("_manifests/tags");
        assert!(!is_empty || is_looked_for, "{} is empty", entry.path().display());
    }
}

/// The bytes of all files below a root, each inode once.
pub(super) fn bytes_on_disk(root: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    let entries = WalkDir::new(root).into_iter().map(|entry| entry.unwrap().metadata().unwrap());
    let inodes: BTreeMap<u64, u64> =
        entries.filter(fs::Metadata::is_file).map(|it| (it.ino(), it.len())).collect();
    inodes.into_values().sum()
}
