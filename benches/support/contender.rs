//! The ways to convert that are compared, each a process of its own from its start to its end.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// One way to make registry storage of the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contender {
    /// `bundle` as it is meant: every byte hashed.
    Verified,
    /// `bundle` doing no more than the published procedure does.
    Unverified,
    /// The shell procedure.
    Published,
}

impl Contender {
    /// All of them, in the order of the table.
    pub(crate) const ALL: [Self; 3] = [Self::Verified, Self::Unverified, Self::Published];

    /// What the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Verified => "bundle to-registry",
            Self::Unverified => "bundle to-registry --no-verify",
            Self::Published => "published procedure",
        }
    }

    /// Where its storage goes.
    pub(crate) fn destination(self, root: &Path) -> PathBuf {
        root.join(self.destination_name())
    }

    /// Converts `root/images` into a fresh destination, and returns how long the process ran.
    pub(crate) fn convert(self, root: &Path) -> Result<Duration> {
        let destination = self.destination(root);
        if destination.exists() {
            fs::remove_dir_all(&destination).with_context(|| destination.display().to_string())?;
        }
        // Else this run would wait for the disk on behalf of the one before.
        nix::unistd::syncfs(File::open(root)?).context("syncfs")?;

        let mut command = self.command();
        command.current_dir(root);
        let start = Instant::now();
        run(&mut command)?;
        Ok(start.elapsed())
    }

    fn destination_name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Unverified => "unverified",
            Self::Published => "published",
        }
    }

    /// Paths are relative: the published procedure takes no others.
    fn command(self) -> Command {
        let mut command = match self {
            Self::Verified | Self::Unverified => Command::new(env!("CARGO_BIN_EXE_bundle")),
            Self::Published => {
                Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/published-procedure"))
            }
        };
        match self {
            Self::Verified => command.args(["to-registry", "--quiet"]),
            Self::Unverified => command.args(["to-registry", "--quiet", "--no-verify"]),
            Self::Published => &mut command,
        };
        command.args(["images", self.destination_name()]);
        command
    }
}

/// Runs a command to its end; an exit code or a word on stderr is an error, for the shell procedure ignores its own.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let words = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success() && words.is_empty(), "{command:?}: {}\n{words}", output.status);
    Ok(())
}
