//! The harness: real programs, real images, a real registry, and trees compared file by file.
//!
//! Nothing here knows how `bundle` works inside. A program that is missing fails the test; nothing is skipped.

pub(crate) mod bundle;
pub(crate) mod complete;
pub(crate) mod compressor;
pub(crate) mod course;
pub(crate) mod forge;
pub(crate) mod held;
pub(crate) mod images;
pub(crate) mod layer;
pub(crate) mod mount;
pub(crate) mod package;
pub(crate) mod person;
pub(crate) mod program;
pub(crate) mod registry;
pub(crate) mod served;
pub(crate) mod skopeo;
pub(crate) mod special;
pub(crate) mod storage;
pub(crate) mod strace;
pub(crate) mod sweep;
pub(crate) mod tar;
pub(crate) mod testdata;
pub(crate) mod tree;
pub(crate) mod verification;

use tempfile::TempDir;

/// Makes an empty folder of the test's own, gone when the value is dropped.
///
/// It lies below the build's target folder: large enough for layers, and on the same file system for all tests.
pub(crate) fn scratch() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Names the bytes by their `sha256:…` digest, by other means than the program under test.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    use sha2::Digest as _;
    let hex: String = sha2::Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
