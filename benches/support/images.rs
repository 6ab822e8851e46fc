//! A generated tree of `dir:` images, as skopeo would have written it.
//!
//! ```text
//! images/team-3/service-17:1.0.17/<hex>            the layers and a config, the image's own copies
//! images/team-3/service-17:1.0.17/manifest.json
//! images/team-3/service-17:1.0.17/version
//! ```
//!
//! Layers begin as gzip does, or skopeo would compress them on their way to a registry; behind that they are
//! pseudo-random, as compressed layers look to anyone who does not unpack them, and the same in every run.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::{Context as _, Result};
use rayon::prelude::*;
use sha2::{Digest as _, Sha256};

use super::storage::Storage;

/// How many images stand on one base layer.
const IMAGES_PER_BASE: u64 = 10;
/// How many images share one runtime layer.
const IMAGES_PER_RUNTIME: u64 = 4;
/// The size of a layer that holds a few files of settings.
const SETTINGS_BYTES: u64 = 16 * 1024;
/// What gzip writes first: its magic number, the method, no flags, no time, and Unix.
const GZIP_HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
/// How much of a layer is in memory at once.
const PIECE_BYTES: u64 = 1 << 20;

/// A layer to be written; the same seed and size give the same bytes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Layer {
    /// What its bytes are made of.
    pub(crate) seed: u64,
    /// Its size.
    pub(crate) bytes: u64,
}

/// An image to be written.
#[derive(Debug)]
pub(crate) struct Image {
    /// `repository:tag`.
    pub(crate) name: String,
    /// Its layers, in order.
    pub(crate) layers: Vec<Layer>,
}

/// What was written.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Images in it.
    pub(crate) images: usize,
    /// Files of content in it, the copies counted: manifests, configs and layers.
    pub(crate) files: usize,
    /// Size of these files in bytes.
    pub(crate) bytes: u64,
    /// What registry storage made of it must hold.
    pub(crate) storage: Storage,
}

/// One image that was written: its name, and the digest in hex and the size of each of its files, the manifest last.
struct Written {
    name: String,
    files: Vec<(String, u64)>,
}

/// Plans that many images of a usual company, whose own layer has that many bytes.
///
/// Ten images share a base layer and four share a runtime layer; the other two layers are the image's own.
pub(crate) fn usual(images: usize, layer_bytes: u64) -> Vec<Image> {
    let image = |number: u64| Image {
        name: format!("team-{}/service-{number}:1.0.{number}", number % 7),
        // The kind of layer is in the seed: no two layers are equal by accident.
        layers: vec![
            Layer { seed: 1_000_000 + number / IMAGES_PER_BASE, bytes: layer_bytes * 2 },
            Layer { seed: 2_000_000 + number / IMAGES_PER_RUNTIME, bytes: layer_bytes * 3 / 2 },
            Layer { seed: 3_000_000 + number, bytes: layer_bytes },
            Layer { seed: 4_000_000 + number, bytes: SETTINGS_BYTES },
        ],
    };
    (0..images as u64).map(image).collect()
}

/// Writes `root/images` with that many usual images, whose own layer has that many bytes.
pub(crate) fn generate(root: &Path, images: usize, layer_bytes: usize) -> Result<Tree> {
    write(root, &usual(images, layer_bytes as u64))
}

/// Writes `root/images` with these images.
pub(crate) fn write(root: &Path, images: &[Image]) -> Result<Tree> {
    let write =
        |image| write_image(root, image).with_context(|| format!("cannot write image {}", image.name));
    let written: Vec<Written> = images.par_iter().map(write).collect::<Result<_>>()?;
    let mut tree = Tree::default();
    for Written { name, files } in written {
        tree.images += 1;
        tree.files += files.len();
        tree.bytes += files.iter().map(|(_, size)| size).sum::<u64>();
        if let Some((hex, _)) = files.last() {
            tree.storage.tags.insert(name, format!("sha256:{hex}"));
        }
        tree.storage.blobs.extend(files);
    }
    Ok(tree)
}

fn write_image(root: &Path, image: &Image) -> Result<Written> {
    let folder = root.join("images").join(&image.name);
    fs::create_dir_all(&folder)?;

    let mut files = Vec::new();
    let mut layers = Vec::new();
    let mut diff_ids = Vec::new();
    for layer in &image.layers {
        let hex = write_layer(&folder, *layer)?;
        layers.push(descriptor("application/vnd.oci.image.layer.v1.tar+gzip", &hex, layer.bytes));
        diff_ids.push(format!(r#""sha256:{hex}""#));
        files.push((hex, layer.bytes));
    }
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let config_hex = hex_of(Sha256::new_with_prefix(&config));
    fs::write(folder.join(&config_hex), &config)?;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        descriptor("application/vnd.oci.image.config.v1+json", &config_hex, config.len() as u64),
        layers.join(",")
    );
    fs::write(folder.join("manifest.json"), &manifest)?;
    fs::write(folder.join("version"), "Directory Transport Version: 1.1\n")?;
    files.push((config_hex, config.len() as u64));
    files.push((hex_of(Sha256::new_with_prefix(&manifest)), manifest.len() as u64));
    Ok(Written { name: image.name.clone(), files })
}

/// Writes a layer under its digest, piece by piece, and returns the hex of that.
fn write_layer(folder: &Path, layer: Layer) -> io::Result<String> {
    let making = folder.join("layer-in-the-making");
    let mut file = File::create(&making)?;
    let mut hasher = Sha256::new();
    let mut noise = Noise(layer.seed);
    let mut piece = vec![0; layer.bytes.min(PIECE_BYTES) as usize];
    let mut left = layer.bytes;
    while left > 0 {
        let piece = &mut piece[..left.min(PIECE_BYTES) as usize];
        noise.fill(piece);
        if left == layer.bytes {
            let header = GZIP_HEADER.len().min(piece.len());
            piece[..header].copy_from_slice(&GZIP_HEADER[..header]);
        }
        hasher.update(&*piece);
        file.write_all(piece)?;
        left -= piece.len() as u64;
    }
    let hex = hex_of(hasher);
    fs::rename(making, folder.join(&hex))?;
    Ok(hex)
}

fn hex_of(hasher: Sha256) -> String {
    hasher.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a string never fails
        hex
    })
}

fn descriptor(media_type: &str, hex: &str, size: u64) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{hex}","size":{size}}}"#)
}

/// Bytes that no compressor can shorten (SplitMix64), the same for the same seed.
struct Noise(u64);

impl Noise {
    fn fill(&mut self, bytes: &mut [u8]) {
        for piece in bytes.chunks_mut(8) {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut word = self.0;
            word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            piece.copy_from_slice(&(word ^ (word >> 31)).to_le_bytes()[..piece.len()]);
        }
    }
}
