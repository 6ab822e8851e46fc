//! Whether all that a tree shows is there: followed from the names down to the bytes, and hashed, by other means
//! than the program under test. And what a tree looks like, down to which files are one inode.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use walkdir::{DirEntry, WalkDir};

use super::sha256;

/// What a tree shows: the digest of each `<repository>:<tag>`.
pub(crate) type Tags = BTreeMap<String, String>;

/// Which of the two forms a tree has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// Registry storage; the tree is what holds `registry/v2`.
    Storage,
    /// Image folders.
    Folders,
}

/// Follows everything that a tree shows, which may be nothing; says what is missing or wrong.
pub(crate) fn tags(form: Form, tree: &Path) -> Result<Tags, String> {
    match form {
        Form::Storage => Storage::new(tree).tags(),
        Form::Folders => folders(tree),
    }
}

/// Registry storage, followed as a registry follows it.
struct Storage {
    root: PathBuf,
    hashes: Hashes,
    /// What was found to be complete, by repository.
    followed: RefCell<BTreeSet<(String, String)>>,
}

impl Storage {
    fn new(docker: &Path) -> Self {
        let root = docker.join("registry/v2");
        Self { root, hashes: Hashes::default(), followed: RefCell::default() }
    }

    fn tags(&self) -> Result<Tags, String> {
        let repositories = self.root.join("repositories");
        let mut shown = Tags::new();
        let folders = walk(&repositories).map(DirEntry::into_path);
        for folder in folders.filter(|folder| folder.ends_with("_manifests/tags")) {
            let repository = folder.strip_prefix(&repositories).unwrap().to_str().unwrap();
            let repository = repository.strip_suffix("/_manifests/tags").unwrap();
            for tag in fs::read_dir(&folder).unwrap() {
                let tag = tag.unwrap().path();
                // A registry lists every folder here, whether it leads anywhere or not.
                let digest = text(&tag.join("current/link"))?;
                let name = format!("{repository}:{}", tag.file_name().unwrap().to_str().unwrap());
                self.expect_link(&tag.join("index"), &digest)?;
                self.follow(repository, &digest).map_err(|why| format!("{name}: {why}"))?;
                shown.insert(name, digest);
            }
        }
        Ok(shown)
    }

    /// A manifest, and all that it names.
    fn follow(&self, repository: &str, digest: &str) -> Result<(), String> {
        if !self.followed.borrow_mut().insert((repository.to_owned(), digest.to_owned())) {
            return Ok(());
        }
        let folder = self.root.join("repositories").join(repository);
        self.expect_link(&folder.join("_manifests/revisions"), digest)?;
        let manifest = self.data(digest)?;
        self.hashes.expect(&manifest, digest)?;
        let manifest = parsed(&manifest)?;
        for (child, size) in descriptors(&manifest["manifests"]) {
            self.expect_blob(&child, size)?;
            self.follow(repository, &child)?;
        }
        for (blob, size) in contents(&manifest) {
            self.expect_blob(&blob, size)?;
            self.expect_link(&folder.join("_layers"), &blob)?;
        }
        Ok(())
    }

    fn data(&self, digest: &str) -> Result<PathBuf, String> {
        let hex = hex(digest)?;
        Ok(self.root.join("blobs/sha256").join(&hex[..2]).join(hex).join("data"))
    }

    fn expect_blob(&self, digest: &str, size: u64) -> Result<(), String> {
        let data = self.data(digest)?;
        self.hashes.expect(&data, digest)?;
        expect_size(&data, size)
    }

    /// A link below a folder of links, in the place of its digest, that says what its place says.
    fn expect_link(&self, folder: &Path, digest: &str) -> Result<(), String> {
        let link = folder.join("sha256").join(hex(digest)?).join("link");
        let says = text(&link)?;
        if says == digest { Ok(()) } else { Err(format!("{} says {says}", link.display())) }
    }
}

/// Image folders, each followed as skopeo follows it.
fn folders(tree: &Path) -> Result<Tags, String> {
    let hashes = Hashes::default();
    let mut shown = Tags::new();
    for entry in walk(tree).filter(|entry| entry.file_name() == "manifest.json") {
        let folder = entry.path().parent().unwrap();
        let name = folder.strip_prefix(tree).unwrap().to_str().unwrap().to_owned();
        let path = entry.path();
        let follow = || -> Result<(), String> {
            let manifest = parsed(path)?;
            for (child, size) in descriptors(&manifest["manifests"]) {
                let path = folder.join(format!("{}.manifest.json", hex(&child)?));
                hashes.expect(&path, &child)?;
                expect_size(&path, size)?;
                expect_contents(folder, &parsed(&path)?, &hashes)?;
            }
            expect_contents(folder, &manifest, &hashes)
        };
        follow().map_err(|why| format!("{name}: {why}"))?;
        shown.insert(name, hashes.of(path)?);
    }
    Ok(shown)
}

fn expect_contents(folder: &Path, manifest: &Value, hashes: &Hashes) -> Result<(), String> {
    for (blob, size) in contents(manifest) {
        let path = folder.join(hex(&blob)?);
        hashes.expect(&path, &blob)?;
        expect_size(&path, size)?;
    }
    Ok(())
}

/// One thing of a tree, as it looks from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// The digest of its bytes, or that it is a folder.
    pub(crate) content: String,
    pub(crate) mode: String,
    /// The first name of its inode, in the source or else in the tree.
    pub(crate) inode: String,
}

/// All that lies below a tree, by relative path, itself included.
pub(crate) type Picture = BTreeMap<String, Part>;

/// Looks at all of a tree; `source` is the tree with which it may share inodes.
pub(crate) fn picture(tree: &Path, source: &Path) -> Result<Picture, String> {
    let hashes = Hashes::default();
    let mut names: HashMap<u64, String> = HashMap::new();
    let mut picture = Picture::new();
    for (what, root) in [("source", source), ("tree", tree)] {
        for entry in WalkDir::new(root).sort_by_file_name() {
            let entry = entry.map_err(|error| error.to_string())?;
            let metadata = entry.metadata().map_err(|error| error.to_string())?;
            let path = entry.path().strip_prefix(root).unwrap().to_str().unwrap().to_owned();
            let inode = names.entry(metadata.ino()).or_insert_with(|| format!("{what}/{path}")).clone();
            if what == "source" {
                continue;
            }
            let content = match metadata.is_dir() {
                true => "a folder".to_owned(),
                false => hashes.of(entry.path())?,
            };
            let mode = format!("{:06o}", metadata.mode());
            picture.insert(path, Part { content, mode, inode });
        }
    }
    Ok(picture)
}

/// Says where two pictures differ, as far as `is_same` cares.
pub(crate) fn compare(
    expected: &Picture,
    found: &Picture,
    is_same: impl Fn(&Part, &Part) -> bool,
) -> Result<(), String> {
    let paths: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let differs = |path: &&&String| match (expected.get(**path), found.get(**path)) {
        (Some(expected), Some(found)) => !is_same(expected, found),
        _ => true,
    };
    let differing: Vec<_> = paths.iter().filter(differs).collect();
    let Some(first) = differing.first() else { return Ok(()) };
    Err(format!(
        "the tree differs at {} paths, the first is {first}: {:?} was expected, {:?} is there",
        differing.len(),
        expected.get(**first),
        found.get(**first)
    ))
}

/// The digests of files, each inode hashed once.
#[derive(Default)]
struct Hashes(RefCell<HashMap<u64, String>>);

impl Hashes {
    fn of(&self, path: &Path) -> Result<String, String> {
        let inode = fs::symlink_metadata(path).map_err(|error| at(path, error))?.ino();
        if let Some(digest) = self.0.borrow().get(&inode) {
            return Ok(digest.clone());
        }
        let digest = sha256(&read(path)?);
        self.0.borrow_mut().insert(inode, digest.clone());
        Ok(digest)
    }

    fn expect(&self, path: &Path, digest: &str) -> Result<(), String> {
        let found = self.of(path)?;
        if found == digest { Ok(()) } else { Err(format!("{} holds {found}", path.display())) }
    }
}

/// Everything below a root, which need not be there, in the order of the paths; without what is being made aside
/// at its top.
pub(crate) fn walk(root: &Path) -> impl Iterator<Item = DirEntry> {
    let is_shown = |entry: &DirEntry| entry.depth() != 1 || !is_staging(entry.file_name().to_str().unwrap());
    let walk = root.exists().then(|| WalkDir::new(root).sort_by_file_name().into_iter());
    walk.into_iter().flat_map(move |walk| walk.filter_entry(is_shown)).map(Result::unwrap)
}

/// Whether a folder's name is one of those in which files are made aside.
pub(crate) fn is_staging(name: &str) -> bool {
    name.starts_with(".bundle-") && name.ends_with(".tmp")
}

fn parsed(path: &Path) -> Result<Value, String> {
    serde_json::from_slice(&read(path)?).map_err(|error| format!("{}: {error}", path.display()))
}

/// The configuration and the layers of a manifest, with their sizes.
fn contents(manifest: &Value) -> Vec<(String, u64)> {
    let config = Some(&manifest["config"]).filter(|config| config.is_object());
    config.map(descriptor).into_iter().chain(descriptors(&manifest["layers"])).collect()
}

fn descriptors(list: &Value) -> Vec<(String, u64)> {
    list.as_array().into_iter().flatten().map(descriptor).collect()
}

fn descriptor(descriptor: &Value) -> (String, u64) {
    (descriptor["digest"].as_str().unwrap().to_owned(), descriptor["size"].as_u64().unwrap())
}

fn hex(digest: &str) -> Result<&str, String> {
    digest.strip_prefix("sha256:").filter(|hex| hex.len() == 64).ok_or(format!("{digest:?} is no digest"))
}

fn expect_size(path: &Path, size: u64) -> Result<(), String> {
    let found = fs::symlink_metadata(path).map_err(|error| at(path, error))?.len();
    if found == size { Ok(()) } else { Err(format!("{} has {found} bytes, not {size}", path.display())) }
}

fn text(path: &Path) -> Result<String, String> {
    Ok(String::from_utf8_lossy(&read(path)?).into_owned())
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| at(path, error))
}

fn at(path: &Path, error: std::io::Error) -> String {
    format!("{}: {error}", path.display())
}
