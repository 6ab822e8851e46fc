//! What the tests ask of skopeo. It checks the digest of all that it copies, so a copy that succeeds is a check.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;

use super::program::{program, run};
use super::registry::Registry;

/// Runs skopeo, which has to succeed, and returns what it printed to stdout.
pub(crate) fn skopeo(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let arguments = arguments.into_iter().map(|argument| argument.as_ref().to_owned());
    run(&program("skopeo"), ["--insecure-policy".into()].into_iter().chain(arguments))
}

/// Copies one image, every platform of it, from one `transport:name` to another.
pub(crate) fn copy(source: &str, destination: &str) {
    skopeo(["copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", source, destination]);
}

/// Copies the one platform that skopeo takes, for targets that have no lists.
pub(crate) fn copy_one(source: &str, destination: &str) {
    skopeo(["copy", source, destination]);
}

/// Reads the manifest of an image of the registry, byte for byte; `identifier` is `:tag` or `@digest`.
pub(crate) fn inspect_raw(registry: &Registry, repository: &str, identifier: &str) -> String {
    let source = format!("docker://{}/{repository}{identifier}", registry.address());
    skopeo(["inspect", "--raw", "--tls-verify=false", &source])
}

/// Mirrors tags of a registry, every platform of them, to `<folder>/<host:port>/<repository>:<tag>/`.
pub(crate) fn sync_to_dir<'a>(
    registry: &Registry,
    tags: impl IntoIterator<Item = (&'a str, &'a str)>,
    folder: &Path,
) {
    let mut images = serde_json::Map::new();
    for (repository, tag) in tags {
        let tags = images.entry(repository).or_insert_with(|| serde_json::json!([]));
        tags.as_array_mut().unwrap().push(tag.into());
    }
    // Every JSON document is a YAML document.
    let wanted = serde_json::json!({ registry.address(): { "tls-verify": false, "images": images } });
    let list = tempfile::NamedTempFile::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    fs::write(&list, wanted.to_string()).unwrap();
    let list = list.path().to_str().unwrap();
    let folder = folder.to_str().unwrap();
    skopeo(["sync", "--all", "--scoped", "--src", "yaml", "--dest", "dir", list, folder]);
}

/// Pushes a tree of `<repository>:<tag>/` folders, every platform of them, under the same names.
pub(crate) fn sync_to_registry(folder: &Path, registry: &Registry) {
    let folder = folder.to_str().unwrap();
    let to_registry = ["--src", "dir", "--dest", "docker", "--dest-tls-verify=false"];
    let arguments = ["sync", "--all", "--scoped"].into_iter().chain(to_registry);
    skopeo(arguments.chain([folder, registry.address()]));
}
