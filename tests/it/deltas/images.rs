//! Images whose layers change a little from release to release, compressed by the real programs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use crate::packages::releases::Release;
use crate::support::compressor::Compressor;
use crate::support::forge::{self, Blob, Image, artifact, index};
use crate::support::layer::Layer;
use crate::support::registry::OCI_INDEX;

/// A file of a layer.
#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    /// When it was modified, in seconds since 1970.
    pub(super) time: u64,
}

impl File {
    pub(super) fn new(path: &str, content: impl Into<Vec<u8>>) -> Self {
        Self { path: path.to_owned(), content: content.into(), time: 1_700_000_000 }
    }
}

/// The tar of files.
pub(super) fn archive(files: &[File]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for File { path, content, time } in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(*time);
        archive.append_data(&mut header, path, content.as_slice()).unwrap();
    }
    archive.into_inner().unwrap()
}

/// A part of a real program: the one under test.
pub(super) fn program(begin: usize, length: usize) -> Vec<u8> {
    static PROGRAM: OnceLock<Vec<u8>> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let program = fs::read(env!("CARGO_BIN_EXE_bundle")).unwrap();
        // Tables compress to next to nothing, and lie elsewhere in each build.
        let dense = program.chunks(4096).filter(|page| page.iter().collect::<HashSet<_>>().len() >= 96);
        dense.flatten().copied().collect()
    });
    program[begin..][..length].to_vec()
}

/// A real text.
pub(super) fn text(name: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// What a version of a layer is made of; layers of other numbers are like this one in nothing.
fn files(number: usize, compressor: Compressor, version: usize) -> Vec<File> {
    // More than one block of those that are compressed in blocks, or differ in the length of theirs.
    let length = match compressor {
        Compressor::Umoci => 300_000,
        Compressor::Pigz(_) | Compressor::MoreMemory => 150_000,
        _ => 70_000,
    };
    let mut tool = program(number * 300_000, length);
    for (change, place) in [10_000, 30_000, 31_000, 60_000].into_iter().enumerate() {
        if change < 2 * version - 2 {
            tool[place + version] ^= 0x33;
        }
    }
    if version > 1 {
        // What is inserted moves all that follows.
        let length = tool.len();
        tool.splice(length / 3..length / 3, format!("version {version}").into_bytes());
    }
    let document = text("docs/delta.md");
    let name = if version == 1 { "etc/old" } else { "etc/new" };
    let mut files = vec![
        File::new(&format!("usr/bin/tool-{number}"), tool),
        File::new(&format!("{name}-{number}.md"), [document, vec![b'0' + number as u8; 3000]].concat()),
    ];
    if version > 2 {
        files.push(File::new(
            &format!("etc/more-{number}"),
            format!("{number}, since version 3\n").repeat(90),
        ));
    }
    files
}

/// Three releases, and what each of their layers is.
pub(super) struct Product {
    pub(super) releases: [Release; 3],
    /// The compressor of each layer that is like one of the release before.
    pub(super) alike: BTreeMap<String, Compressor>,
    /// The layers that are new in each release and not alike enough, and why.
    pub(super) new: BTreeMap<String, &'static str>,
}

/// They are always the same, and made once.
pub(super) fn product() -> &'static Product {
    static PRODUCT: OnceLock<Product> = OnceLock::new();
    PRODUCT.get_or_init(|| make(&Compressor::ALL))
}

/// The same with a few compressors, for what does not depend on them.
pub(super) fn few() -> &'static Product {
    static FEW: OnceLock<Product> = OnceLock::new();
    FEW.get_or_init(|| make(&[Compressor::None, Compressor::Gzip(6), Compressor::Zlib(6)]))
}

fn make(compressors: &[Compressor]) -> Product {
    let mut alike = BTreeMap::new();
    let mut layer = |number: usize, compressor: Compressor, version: usize| {
        let blob = Blob::new(
            compressor.media_type(),
            compressor.compress(&archive(&files(number, compressor, version))),
        );
        alike.insert(blob.digest.clone(), compressor);
        blob
    };
    let base = gzip(&Layer { name: "base", bytes: 90_000 }.tar());
    let mut new = BTreeMap::new();
    let releases = [1, 2, 3].map(|version| {
        let layers = compressors.iter().enumerate();
        let layers: Vec<_> = layers.map(|(number, compressor)| layer(number, *compressor, version)).collect();
        let (first, others_of_it) = layers.split_at(layers.len() / 3);
        let (second, third) = others_of_it.split_at(others_of_it.len() / 2);
        let mut others = others(version);
        new.extend(others.iter().map(|(why, blob)| (blob.digest.clone(), *why)));
        let others: Vec<_> = others.drain(..).map(|(_, blob)| blob).collect();
        let image = |name: &str, layers: &[Blob]| {
            let config = &forge::oci(&format!("{name} {version}")).blobs[0];
            artifact(config, &[std::slice::from_ref(&base), layers].concat())
        };
        let one = image("one", first);
        let many = index(OCI_INDEX, &[image("amd64", second), image("arm64", third)]);
        let named = |name: String, image: &Image| (name, image.clone());
        Release {
            images: vec![
                named(format!("shop/one:{version}.0"), &one),
                named("shop/one:latest".to_owned(), &one),
                named(format!("shop/many:{version}.0"), &many),
                named("mirror/many:latest".to_owned(), &many),
                named(format!("others:{version}"), &image("others", &others)),
            ],
        }
    });
    Product { releases, alike, new }
}

/// Layers that are not worth a delta, and why.
fn others(version: usize) -> Vec<(&'static str, Blob)> {
    let noise = ["noise 1", "noise 2", "noise 3"][version - 1];
    let path = ["srv/first", "opt/second", "data/third"][version - 1];
    let own = ["own 1", "own 2", "own 3"][version - 1];
    let noise = Layer { name: noise, bytes: 50_000 }.tar()[9000..].to_vec();
    let own = Layer { name: own, bytes: 40_000 }.tar()[9000..].to_vec();
    vec![
        ("small", gzip(&archive(&[File::new("etc/version", format!("{version}\n"))]))),
        // Nothing of it is as it was, under the same name or under another.
        ("not-smaller", gzip(&archive(&[File::new("usr/lib/noise", noise)]))),
        ("nothing-alike", gzip(&archive(&[File::new(path, own)]))),
    ]
}

fn gzip(plain: &[u8]) -> Blob {
    Blob::new(Compressor::Gzip(6).media_type(), Compressor::Gzip(6).compress(plain))
}

/// What becomes of a layer that is like one of the release before: nothing where it is a delta.
pub(super) fn why_whole(compressor: Compressor) -> Option<&'static str> {
    match compressor {
        Compressor::Zstd => Some("zstd"),
        Compressor::Members => Some("odd-gzip"),
        Compressor::MoreMemory | Compressor::HuffmanOnly => Some("unknown-encoder"),
        _ => None,
    }
}

/// The layers of a release.
pub(super) fn layers(release: &Release) -> BTreeSet<String> {
    let images = release.images.iter().flat_map(|(_, image)| image.all());
    images.flat_map(|image| image.blobs.iter().skip(1).map(|blob| blob.digest.clone())).collect()
}
