//! A generated tree of `dir:` images, as skopeo would have written it.
//!
//! ```text
//! images/team-3/service-17:1.0.17/<hex>            four layers and a config, the image's own copies
//! images/team-3/service-17:1.0.17/manifest.json
//! images/team-3/service-17:1.0.17/version
//! ```
//!
//! Ten images share a base layer and four share a runtime layer; the other two layers are the image's own. The content
//! is pseudo-random, as compressed layers look to anyone who does not unpack them, and the same in every run.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use super::storage::Storage;

/// How many images stand on one base layer.
const IMAGES_PER_BASE: usize = 10;
/// How many images share one runtime layer.
const IMAGES_PER_RUNTIME: usize = 4;
/// The size of a layer that holds a few files of settings.
const SETTINGS_BYTES: usize = 16 * 1024;

/// What was generated.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    /// Images in it.
    pub(crate) images: usize,
    /// Layer files in it, the copies counted.
    pub(crate) layers: usize,
    /// Size of all files of content in bytes, the copies counted.
    pub(crate) bytes: u64,
    /// What registry storage made of it must hold.
    pub(crate) storage: Storage,
}

/// Writes `root/images` with that many images, whose own layer has that many bytes.
pub(crate) fn generate(root: &Path, images: usize, layer_bytes: usize) -> Result<Tree> {
    let mut tree = Tree::default();
    for number in 0..images {
        // The kind of layer is in the seed: no two layers are equal by accident.
        let layers = [
            noise(1_000_000 + number / IMAGES_PER_BASE, layer_bytes * 2),
            noise(2_000_000 + number / IMAGES_PER_RUNTIME, layer_bytes * 3 / 2),
            noise(3_000_000 + number, layer_bytes),
            noise(4_000_000 + number, SETTINGS_BYTES),
        ];
        write_image(root, number, &layers, &mut tree)
            .with_context(|| format!("cannot write image {number}"))?;
    }
    Ok(tree)
}

fn write_image(root: &Path, number: usize, layers: &[Vec<u8>], tree: &mut Tree) -> Result<()> {
    let (repository, tag) = (format!("team-{}/service-{number}", number % 7), format!("1.0.{number}"));
    let directory = root.join("images").join(format!("{repository}:{tag}"));
    fs::create_dir_all(&directory)?;

    let mut layer_descriptors = Vec::new();
    let mut diff_ids = Vec::new();
    for layer in layers {
        let hex = write_blob(&directory, layer, tree)?;
        layer_descriptors.push(descriptor("application/vnd.oci.image.layer.v1.tar", &hex, layer.len()));
        diff_ids.push(format!(r#""sha256:{hex}""#));
    }
    let config = format!(
        r#"{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":[{}]}}}}"#,
        diff_ids.join(",")
    );
    let config_hex = write_blob(&directory, config.as_bytes(), tree)?;
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{},"layers":[{}]}}"#,
        descriptor("application/vnd.oci.image.config.v1+json", &config_hex, config.len()),
        layer_descriptors.join(",")
    );
    let manifest_hex = add(manifest.as_bytes(), tree);
    fs::write(directory.join("manifest.json"), manifest)?;
    fs::write(directory.join("version"), "Directory Transport Version: 1.1\n")?;

    tree.images += 1;
    tree.layers += layers.len();
    tree.storage.tags.insert(format!("{repository}:{tag}"), format!("sha256:{manifest_hex}"));
    Ok(())
}

/// Writes a file named by its digest, and returns the hex of it.
fn write_blob(directory: &Path, content: &[u8], tree: &mut Tree) -> Result<String> {
    let hex = add(content, tree);
    fs::write(directory.join(&hex), content)?;
    Ok(hex)
}

/// Counts content that storage must hold, and returns its digest in hex.
fn add(content: &[u8], tree: &mut Tree) -> String {
    let hex = Sha256::digest(content).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}"); // writing to a string never fails
        hex
    });
    let size = content.len() as u64;
    tree.bytes += size;
    tree.storage.blobs.insert(hex.clone(), size);
    hex
}

fn descriptor(media_type: &str, hex: &str, size: usize) -> String {
    format!(r#"{{"mediaType":"{media_type}","digest":"sha256:{hex}","size":{size}}}"#)
}

/// Bytes that no compressor can shorten (SplitMix64), the same for the same seed.
fn noise(seed: usize, bytes: usize) -> Vec<u8> {
    let mut state = seed as u64;
    let words = std::iter::repeat_with(|| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = state;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)).to_le_bytes()
    });
    words.flatten().take(bytes).collect()
}
