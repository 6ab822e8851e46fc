//! A verified conversion beside the other way to fill a registry offline: `skopeo sync` into one that runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::bench::Bench;
use super::conversion::{check, fresh};
use super::disk;
use super::launch::{Words, measured};
use super::registry::Registry;
use super::runs::{Ran, take_turns};
use super::table::{Goal, Row, Table};
use crate::support::images::usual;

pub(crate) fn run(bench: &Bench, table: &mut Table) -> Result<()> {
    let made = bench.make(&usual(bench.pick(50, 10), bench.pick(1 << 20, 1 << 18)), 2 * bench.rounds + 2)?;
    let root = made.root();
    fresh(root, "docker", &[])?;
    check(root, "docker", &made.tree, "bundle")?;
    skopeo_sync(root)?;
    check(root, "registry/docker", &made.tree, "skopeo sync")?;
    let [ours, skopeo] =
        take_turns(bench.rounds, [Box::new(|| fresh(root, "docker", &[])), Box::new(|| skopeo_sync(root))])?;
    check(root, "docker", &made.tree, "bundle")?;
    check(root, "registry/docker", &made.tree, "skopeo sync")?;
    let row = Row::faster_than("to-registry", &made.data(), &ours, "skopeo sync, docker-registry", &skopeo);
    table.print(row.with_goal(Goal::AtLeast(30.0)));
    Ok(())
}

/// Pushes `root/images` into a fresh registry in `root/registry`; its start and its end take no time.
fn skopeo_sync(root: &Path) -> Result<Ran> {
    let folder = root.join("registry");
    disk::make_way(root, "registry")?;
    fs::create_dir(&folder)?;
    let registry = Registry::start(&folder)?;
    disk::sync(root)?;
    let mut command = Command::new("skopeo");
    command.args(["--insecure-policy", "sync", "--all", "--scoped", "--src", "dir", "--dest", "docker"]);
    command.args(["--dest-tls-verify=false", "images", &registry.address]).current_dir(root);
    measured(&command, Words::Progress)
}
