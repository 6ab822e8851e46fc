//! What a real registry makes of storage: it lists and serves what is there, and deletes nothing that is needed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::complete::Tags;
use super::program::program;
use super::registry::Registry;
use super::{scratch, sha256};

/// A real registry lists just these tags and serves all of them, and its garbage collection spares all that they
/// need.
pub(crate) fn expect_served(docker: &Path, shown: &Tags) -> Result<(), String> {
    let site = docker.parent().unwrap();
    let registry = Registry::start_readonly(site);
    let mut listed = BTreeSet::new();
    for repository in registry.catalog() {
        listed.extend(registry.tags(&repository).into_iter().map(|tag| format!("{repository}:{tag}")));
    }
    let expected: BTreeSet<_> = shown.keys().cloned().collect();
    if listed != expected {
        return Err(format!("the registry lists {listed:?}, but {expected:?} are there"));
    }
    let mut needed = BTreeMap::new();
    for (name, digest) in shown {
        let (repository, tag) = name.rsplit_once(':').unwrap();
        follow(&registry, repository, tag, digest, &mut needed).map_err(|why| format!("{name}: {why}"))?;
    }
    // Without both of these folders it ends in an error, as it does over a registry that nobody pushed to.
    let is_new = ["repositories", "blobs"].iter().any(|top| !docker.join("registry/v2").join(top).exists());
    let garbage = match garbage(site) {
        Err(why) if is_new && shown.is_empty() && why.contains("Path not found") => return Ok(()),
        garbage => garbage?,
    };
    match garbage.iter().find(|digest| needed.contains_key(*digest)) {
        Some(digest) => Err(format!("garbage collection would delete {digest} of {}", needed[digest])),
        None => Ok(()),
    }
}

/// Fetches a manifest and all that it names.
fn follow(
    registry: &Registry,
    repository: &str,
    reference: &str,
    digest: &str,
    needed: &mut BTreeMap<String, String>,
) -> Result<(), String> {
    let served = registry.manifest(repository, reference);
    if served.digest != digest || sha256(&served.bytes) != digest {
        return Err(format!("{reference} is served as {}", served.digest));
    }
    needed.insert(digest.to_owned(), repository.to_owned());
    let manifest: Value = serde_json::from_slice(&served.bytes).unwrap();
    let digests = |list: &Value| -> Vec<String> {
        let list = list.as_array().into_iter().flatten();
        list.map(|descriptor| descriptor["digest"].as_str().unwrap().to_owned()).collect()
    };
    for child in digests(&manifest["manifests"]) {
        follow(registry, repository, &child, &child, needed)?;
    }
    let config = manifest["config"]["digest"].as_str().map(str::to_owned);
    for blob in digests(&manifest["layers"]).into_iter().chain(config) {
        if sha256(&registry.blob(repository, &blob)) != blob {
            return Err(format!("{blob} is served with other bytes"));
        }
        needed.insert(blob, repository.to_owned());
    }
    Ok(())
}

/// What the registry's garbage collection would delete, or why it fails.
fn garbage(site: &Path) -> Result<BTreeSet<String>, String> {
    let folder = scratch();
    let config = folder.path().join("config.yml");
    let storage = json!({ "filesystem": { "rootdirectory": site } });
    fs::write(&config, json!({ "version": "0.1", "storage": storage }).to_string()).unwrap();
    let mut command = Command::new(program("docker-registry"));
    let output = command.args(["garbage-collect", "--dry-run"]).arg(&config).output().unwrap();
    if !output.status.success() {
        return Err(format!("garbage collection: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let lines = String::from_utf8(output.stdout).unwrap();
    let deleted = lines.lines().filter_map(|line| line.strip_prefix("blob eligible for deletion: "));
    Ok(deleted.map(str::to_owned).collect())
}
