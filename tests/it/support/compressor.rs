//! The programs that compress layers, and some that nobody knows.

use std::fs;
use std::io::{Seek as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::forge::{self, Blob, single};
use super::program::{program, run};
use super::registry::DOCKER_MANIFEST;
use super::scratch;
use super::skopeo::skopeo;
use super::storage::blobs;

/// What makes the blob of a layer of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Compressor {
    /// As it is.
    None,
    /// Skopeo, on its way into a folder.
    Skopeo,
    /// Umoci, as a layer of an image.
    Umoci,
    /// GNU gzip at a level.
    Gzip(u8),
    /// Pigz at a level, with more than one thread.
    Pigz(u8),
    /// Python, by zlib at a level.
    Zlib(u8),
    /// Python, by zlib with more memory than anybody gives it.
    MoreMemory,
    /// Python, by zlib without looking for repetitions.
    HuffmanOnly,
    /// Two gzip members, one behind the other.
    Members,
    /// Zstd.
    Zstd,
}

impl Compressor {
    /// All of them; GNU gzip at its default and at its best.
    pub(crate) const ALL: [Self; 11] = [
        Self::None,
        Self::Skopeo,
        Self::Umoci,
        Self::Gzip(6),
        Self::Gzip(9),
        Self::Pigz(6),
        Self::Zlib(6),
        Self::MoreMemory,
        Self::HuffmanOnly,
        Self::Members,
        Self::Zstd,
    ];

    /// Makes a blob.
    pub(crate) fn compress(self, plain: &[u8]) -> Vec<u8> {
        match self {
            Self::None => plain.to_vec(),
            Self::Skopeo => by_skopeo(plain),
            Self::Umoci => by_umoci(plain),
            Self::Gzip(level) => pipe("gzip", &["--no-name", "--stdout", &format!("-{level}")], plain),
            Self::Pigz(level) => {
                pipe("pigz", &["--no-name", "--processes", "2", "--stdout", &format!("-{level}")], plain)
            }
            Self::Zlib(level) => by_python(&format!("{level}, zlib.DEFLATED, 31"), plain),
            Self::MoreMemory => by_python("6, zlib.DEFLATED, 31, 9", plain),
            Self::HuffmanOnly => by_python("6, zlib.DEFLATED, 31, 8, zlib.Z_HUFFMAN_ONLY", plain),
            Self::Members => {
                let (first, second) = plain.split_at(plain.len() / 2);
                [first, second].map(|part| Self::Gzip(6).compress(part)).concat()
            }
            Self::Zstd => pipe("zstd", &["--stdout", "-q"], plain),
        }
    }

    /// How an OCI manifest calls such a layer.
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Self::None => "application/vnd.oci.image.layer.v1.tar",
            Self::Zstd => "application/vnd.oci.image.layer.v1.tar+zstd",
            _ => "application/vnd.oci.image.layer.v1.tar+gzip",
        }
    }
}

fn by_python(arguments: &str, plain: &[u8]) -> Vec<u8> {
    let script = format!(
        "import sys, zlib\ndeflate = zlib.compressobj({arguments})\n\
         sys.stdout.buffer.write(deflate.compress(sys.stdin.buffer.read()) + deflate.flush())"
    );
    pipe("python3", &["-c", &script], plain)
}

/// Skopeo compresses with pgzip, in blocks of a mebibyte.
fn by_skopeo(plain: &[u8]) -> Vec<u8> {
    let folder = scratch();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    let layer = Blob::new("application/vnd.docker.image.rootfs.diff.tar", plain);
    let image = single(DOCKER_MANIFEST, &forge::docker("compressed").blobs[0], &[layer]);
    forge::write(&image.files(), &from);
    let [from, there] = [&from, &to].map(|folder| format!("dir:{}", folder.display()));
    skopeo(["copy", "--dest-compress", &from, &there]);
    only_layer(&to.join("manifest.json"), |hex| to.join(hex))
}

/// Umoci compresses with pgzip, in blocks of 256 KiB.
fn by_umoci(plain: &[u8]) -> Vec<u8> {
    let folder = scratch();
    let [layout, tar] = ["layout", "layer.tar"].map(|name| folder.path().join(name));
    fs::write(&tar, plain).unwrap();
    let image = format!("{}:latest", layout.display());
    let umoci = |arguments: &[&str]| run(&program("umoci"), arguments);
    umoci(&["init", "--layout", layout.to_str().unwrap()]);
    umoci(&["new", "--image", &image]);
    umoci(&["raw", "add-layer", "--image", &image, tar.to_str().unwrap()]);
    let blob = |hex: &str| layout.join("blobs/sha256").join(hex);
    let index: Value = serde_json::from_slice(&fs::read(layout.join("index.json")).unwrap()).unwrap();
    let manifest = index["manifests"][0]["digest"].as_str().unwrap().trim_start_matches("sha256:").to_owned();
    only_layer(&blob(&manifest), blob)
}

/// The layer that is listed behind the configuration.
fn only_layer(manifest: &Path, file: impl Fn(&str) -> PathBuf) -> Vec<u8> {
    let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
    let layer = blobs(&manifest).pop().unwrap();
    fs::read(file(layer.trim_start_matches("sha256:"))).unwrap()
}

/// Runs a program, its standard input being a file.
fn pipe(name: &str, arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    file.write_all(input).unwrap();
    file.rewind().unwrap();
    let mut command = Command::new(program(name));
    // Options in the environment would not be those that are asked for.
    command.args(arguments).env_remove("GZIP").env_remove("PIGZ").stdin(file).stderr(Stdio::inherit());
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}
