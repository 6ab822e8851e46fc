//! The programs that the sections need: whether they are there, and in which versions.

use std::collections::BTreeSet;
use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Finds a program in `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).map(|folder| folder.join(name)).find(|candidate| candidate.is_file())
}

/// Fails unless all of these are there.
pub(crate) fn check(names: &[&str]) -> Result<()> {
    let missing: BTreeSet<_> = names.iter().filter(|name| find(name).is_none()).copied().collect();
    let missing: Vec<_> = missing.into_iter().collect();
    ensure!(
        missing.is_empty(),
        "not installed: {}\nhint: scripts/bench installs what is missing from Debian's packages",
        missing.join(", ")
    );
    Ok(())
}

/// Prints the versions of `bundle` and of these, one a line.
pub(crate) fn print_versions(names: &[&str]) -> Result<()> {
    let names: BTreeSet<_> = names.iter().copied().collect();
    for program in [env!("CARGO_BIN_EXE_bundle")].into_iter().chain(names) {
        let output = Command::new(program)
            .arg("--version")
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        println!("- {}", text.lines().next().unwrap_or(program));
    }
    Ok(())
}
