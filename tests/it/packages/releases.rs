//! Three releases of one product, as a vendor makes them, known to the byte.
//!
//! They have all that makes a difference between releases: layers that are shared, lists that keep one of their
//! platforms, an index in an index, tags that are pushed again, go back or go away, names of the longest kind,
//! and signatures and documents that are about images.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::bundle::bundle;
use crate::support::compressor::Compressor;
use crate::support::forge::{self, Blob, Image, artifact, index, single};
use crate::support::layer::Layer;
use crate::support::package::pack;
use crate::support::registry::{DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST};
use crate::support::storage::blobs;
use crate::support::testdata::testdata;
use crate::support::{scratch, sha256};

/// Images by the names of their folders.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    pub(crate) images: Vec<(String, Image)>,
}

impl Release {
    pub(crate) fn of<const N: usize>(images: [(&str, Image); N]) -> Self {
        Self { images: images.map(|(name, image)| (name.to_owned(), image)).to_vec() }
    }

    /// Those of its images whose names begin so.
    pub(crate) fn below(&self, starts: &[&str]) -> Self {
        let is_below = |name: &String| starts.iter().any(|start| name.starts_with(start));
        Self { images: self.images.iter().filter(|(name, _)| is_below(name)).cloned().collect() }
    }

    /// Writes it as a tree of `dir:` images.
    pub(crate) fn write(&self, root: &Path) {
        forge::write(&forge::tree(&self.images), root);
    }

    /// All content that its images need, manifests included.
    pub(crate) fn content(&self) -> BTreeMap<String, Vec<u8>> {
        let all = self.images.iter().flat_map(|(_, image)| image.all());
        all.flat_map(|image| {
            let blobs = image.blobs.iter().map(|blob| (blob.digest.clone(), blob.bytes.clone()));
            blobs.chain([(image.digest(), image.payload.clone())]).collect::<Vec<_>>()
        })
        .collect()
    }

    /// The names of the images that need this content.
    pub(crate) fn users(&self, digest: &str) -> BTreeSet<String> {
        let needs = |image: &Image| {
            let of_one =
                |it: &&Image| it.digest() == digest || it.blobs.iter().any(|blob| blob.digest == digest);
            image.all().iter().any(of_one)
        };
        self.images.iter().filter(|(_, image)| needs(image)).map(|(name, _)| name.clone()).collect()
    }
}

/// They are always the same, and made once.
static RELEASES: OnceLock<[Release; 3]> = OnceLock::new();
/// The same, with layers that are like those of the releases before, in compressions of all kinds.
static ALIKE: OnceLock<[Release; 3]> = OnceLock::new();

/// The side that makes releases and packs them.
pub(crate) struct Vendor {
    folder: TempDir,
    releases: &'static [Release; 3],
    /// How it packs against bases.
    options: &'static [&'static str],
}

impl Vendor {
    /// Has the trees of all three releases.
    pub(crate) fn new() -> Self {
        Self::of(RELEASES.get_or_init(|| releases(|layer| layer.tar())), &[])
    }

    /// Has releases whose layers are alike, and ships what changed in them.
    pub(crate) fn with_deltas() -> Self {
        Self::of(ALIKE.get_or_init(|| releases(alike)), &["--delta"])
    }

    /// Has the trees of these releases, and packs them so against bases.
    pub(crate) fn of(releases: &'static [Release; 3], options: &'static [&'static str]) -> Self {
        let vendor = Self { folder: scratch(), releases, options };
        for version in 1..=3 {
            vendor.release(version).write(&vendor.tree(version));
        }
        vendor
    }

    /// A place for a package or whatever else.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn release(&self, version: usize) -> &Release {
        &self.releases[version - 1]
    }

    /// A release's `dir:` images.
    pub(crate) fn tree(&self, version: usize) -> PathBuf {
        self.path(&format!("v{version}"))
    }

    /// A release's packages in each form that packages have: a tar, volumes and a folder.
    pub(crate) fn forms(&self, version: usize, bases: &[&Path]) -> [PathBuf; 3] {
        [("tar", &[][..]), ("split", &["--split", "50kB"]), ("folder", &["--dir"])].map(|(form, options)| {
            let package = self.path(&format!("{version}-{}.{form}", bases.len()));
            pack(&[options, self.options_for(bases)].concat(), bases, &self.tree(version), &package);
            package
        })
    }

    /// Packs a release against bases, or whole where there are none.
    pub(crate) fn pack(&self, name: &str, bases: &[&Path], version: usize) -> PathBuf {
        let package = self.path(name);
        self.pack_tree(&[], bases, &self.tree(version), &package);
        package
    }

    /// Packs any tree as it packs its own, and with these options; returns the report.
    pub(crate) fn pack_tree(&self, more: &[&str], bases: &[&Path], tree: &Path, package: &Path) -> Value {
        pack(&[more, self.options_for(bases)].concat(), bases, tree, package)
    }

    fn options_for(&self, bases: &[&Path]) -> &'static [&'static str] {
        if bases.is_empty() { &[] } else { self.options }
    }
}

/// Reads an image that skopeo wrote.
pub(crate) fn read(folder: &Path) -> Image {
    fn parse(folder: &Path, manifest: Vec<u8>) -> Image {
        let document: Value = serde_json::from_slice(&manifest).unwrap();
        let file = |digest: &str, end: &str| {
            fs::read(folder.join(digest.trim_start_matches("sha256:").to_owned() + end)).unwrap()
        };
        let blobs: Vec<_> = blobs(&document).iter().map(|digest| Blob::new("", file(digest, ""))).collect();
        let children = document["manifests"].as_array().into_iter().flatten();
        let children = children.map(|it| file(it["digest"].as_str().unwrap(), ".manifest.json"));
        let children = children.map(|manifest| parse(folder, manifest)).collect();
        // OCI documents need not say what they are.
        let unsaid = if document["manifests"].is_array() { OCI_INDEX } else { OCI_MANIFEST };
        let media_type = document["mediaType"].as_str().unwrap_or(unsaid);
        Image { children, ..Image::verbatim(media_type, manifest, &blobs) }
    }
    parse(folder, fs::read(folder.join("manifest.json")).unwrap())
}

/// The images of a committed tree.
fn committed(tree: &str, names: &[&str]) -> Vec<(String, Image)> {
    let image = |name: &&str| ((*name).to_owned(), read(&testdata().join(tree).join(name)));
    names.iter().map(image).collect()
}

/// How the blob of a layer is made.
type Press = fn(Layer) -> Vec<u8>;

/// What the layer of an image is made of.
type Recipes<'a> = &'a [(&'static str, usize)];

fn layers(press: Press, media_type: &str, recipes: Recipes) -> Vec<Blob> {
    recipes.iter().map(|&(name, bytes)| Blob::new(media_type, press(Layer { name, bytes }))).collect()
}

/// A docker image with these layers; its name decides its configuration.
pub(crate) fn docker(name: &str, recipes: Recipes) -> Image {
    docker_by(|layer| layer.tar(), name, recipes)
}

fn docker_by(press: Press, name: &str, recipes: Recipes) -> Image {
    let layers = layers(press, "application/vnd.docker.image.rootfs.diff.tar", recipes);
    single(DOCKER_MANIFEST, &forge::docker(name).blobs[0], &layers)
}

/// The same as an OCI image.
pub(crate) fn oci(name: &str, recipes: Recipes) -> Image {
    oci_by(|layer| layer.tar(), name, recipes)
}

fn oci_by(press: Press, name: &str, recipes: Recipes) -> Image {
    artifact(&forge::oci(name).blobs[0], &layers(press, "application/vnd.oci.image.layer.v1.tar", recipes))
}

/// A layer whose name ends in a number is like those with other numbers; each is compressed in its own way.
fn alike(layer: Layer) -> Vec<u8> {
    let (kind, number) = layer.name.rsplit_once('-').unwrap_or((layer.name, ""));
    let mut tar = Layer { name: kind, ..layer }.tar();
    if let Ok(number) = number.parse::<usize>() {
        let length = tar.len();
        [2, 3, 5].iter().for_each(|part| tar[length / part + 600 * number] ^= 0x55);
    }
    match kind.len() % 4 {
        0 => tar,
        1 => Compressor::Gzip(6).compress(&tar),
        2 => Compressor::Pigz(6).compress(&tar),
        _ => Compressor::Zlib(6).compress(&tar),
    }
}

/// A document about an image, that a registry finds through its subject.
pub(crate) fn referrer(subject: &Image) -> Image {
    let document = Blob::new("application/spdx+json", format!("what is in {}", subject.digest()));
    artifact(&Blob::new("application/vnd.oci.empty.v1+json", "{}"), &[document])
        .edited(|manifest| manifest["subject"] = subject.descriptor())
}

/// A signature as cosign pushes it, and the tag of it.
fn signature(repository: &str, image: &Image) -> (String, Image) {
    let payload = Blob::new(
        "application/vnd.dev.cosign.simplesigning.v1+json",
        format!("a signature of {}", image.digest()),
    );
    let name = format!("{repository}:{}.sig", image.digest().replace(':', "-"));
    (name, artifact(&image.blobs[0], &[payload]))
}

/// The document about an image, under the only name that it has.
fn untagged_referrer(repository: &str, image: &Image) -> (String, Image) {
    let referrer = referrer(image);
    (format!("{repository}@{}", referrer.digest()), referrer)
}

/// A name that no header of a tar has room for.
pub(crate) fn long_name() -> String {
    format!("{}/{}:{}", "r".repeat(120), "s".repeat(90), "t".repeat(128))
}

fn releases(press: Press) -> [Release; 3] {
    const BASE: (&str, usize) = ("base", 120_000);
    const RUNTIME: (&str, usize) = ("runtime", 60_000);
    let web = ["web 1", "web 2", "web 3"].map(|name| {
        let own = match name {
            "web 1" => ("web-1", 20_000),
            "web 2" => ("web-2", 21_000),
            _ => ("web-3", 22_000),
        };
        oci_by(press, name, &[BASE, RUNTIME, own])
    });
    let base = docker_by(press, "base", &[BASE]);
    let worker = docker_by(press, "worker", &[BASE, ("worker", 30_000)]);
    let amd64 = [("amd64-1", 9_000), ("amd64-2", 9_100), ("amd64-3", 9_200)]
        .map(|own| docker_by(press, own.0, &[("data", 50_000), own]));
    let arm64 = docker_by(press, "arm64", &[("data", 50_000), ("arm64", 9_300)]);
    let multi = amd64.clone().map(|amd64| index(DOCKER_LIST, &[amd64, arm64.clone()]));
    let nested = ["a", "b"].map(|name| {
        let inner = index(OCI_INDEX, &[forge::oci(name), forge::oci("unchanged")]);
        index(OCI_INDEX, &[inner, forge::docker("outer")])
    });
    let signatures = web.clone().map(|image| signature("shop/web", &image));
    let referrers = web.clone().map(|image| untagged_referrer("shop/web", &image));
    let of_referrer = untagged_referrer("shop/web", &referrers[2].1);
    let named = |name: &str, image: &Image| (name.to_owned(), image.clone());

    let mut first = committed(
        "previous",
        &["platform/api:2.3.0", "platform/web:1.8.0", "tools/migrate:1.0", "zone-base:1.0"],
    );
    first.extend([
        named("shop/base:1", &base),
        named("shop/web:1.0", &web[0]),
        named("shop/web:latest", &web[0]),
        named("mirror/shop/web:1.0", &web[0]),
        named("shop/worker:1.0", &worker),
        named("shop/multi:1.0", &multi[0]),
        named("shop/nested:1", &nested[0]),
        named(&long_name(), &forge::oci("long")),
        signatures[0].clone(),
        referrers[0].clone(),
    ]);

    let kept = ["platform/api:2.3.0", "platform/api:2.3.1", "platform/edge/proxy:0.9.2", "tools/clock:1.0"];
    let mut second = committed("images", &["platform/web:1.8.0", "tools/report:4.0", "zone-base:1.0"]);
    second.extend(committed("images", &kept));
    second.extend([
        named("shop/base:1", &base),
        named("shop/web:1.0", &web[0]),
        named("shop/web:2.0", &web[1]),
        // Pushed again: the same name, another image.
        named("shop/web:latest", &web[1]),
        named("shop/nested:1", &nested[1]),
        named("mirror/shop/web:1.0", &web[0]),
        named("shop/worker:1.0", &worker),
        named("shop/multi:2.0", &multi[1]),
        named(&long_name(), &forge::oci("long")),
        signatures[0].clone(),
        signatures[1].clone(),
        referrers[0].clone(),
        referrers[1].clone(),
    ]);

    let mut third = committed("images", &kept);
    // Back to what it was two releases ago.
    third.extend(committed("previous", &["platform/web:1.8.0"]));
    third.extend([
        named("shop/base:1", &docker_by(press, "base", &[BASE, ("fix", 5_000)])),
        named("shop/web:2.0", &web[1]),
        named("shop/web:3.0", &web[2]),
        named("shop/web:latest", &web[2]),
        named("shop/multi:2.0", &multi[2]),
        // A platform of a list of two releases ago, now with a name of its own.
        named("shop/multi:amd64", &amd64[0]),
        named("shop/nested:1", &nested[1]),
        named(&long_name(), &forge::oci("long")),
        signatures[2].clone(),
        referrers[2].clone(),
        of_referrer,
    ]);
    [first, second, third].map(|images| Release { images })
}

/// Every file of a tree of `dir:` images by the digest of its bytes, with its length: what such a tree holds.
pub(crate) fn hashed(tree: &Path) -> BTreeMap<String, u64> {
    let files = crate::support::tree::files(tree).into_iter();
    let content = files.filter(|(path, _)| !path.ends_with("/version"));
    content.map(|(_, bytes)| (sha256(&bytes), bytes.len() as u64)).collect()
}

/// What `bundle inventory` prints of a tree that is sound.
pub(crate) fn inventory_of(tree: &Path) -> Vec<u8> {
    bundle().arg("inventory").arg(tree).assert().success().get_output().stdout.clone()
}
