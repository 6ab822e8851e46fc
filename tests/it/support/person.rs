//! An ordinary user: root may read everything, so what is unreadable is shown to the program as somebody else.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::program::program;

/// Somebody who can run the program and has no rights that others have not.
pub(crate) struct Person {
    folder: TempDir,
}

/// Whether the tests themselves run as root.
pub(crate) fn is_root() -> bool {
    Path::new("/proc/self").metadata().unwrap().uid() == 0
}

/// A program, to be run as root.
pub(crate) fn root(path: impl AsRef<OsStr>, arguments: &[&str]) -> Command {
    let mut command = if is_root() { Command::new(&path) } else { Command::new(program("sudo")) };
    if !is_root() {
        command.arg(path);
    }
    command.args(arguments);
    command
}

/// The built `bundle`, to be run as root.
pub(crate) fn root_bundle() -> assert_cmd::Command {
    assert_cmd::Command::from_std(root(env!("CARGO_BIN_EXE_bundle"), &[]))
}

/// Gives a file or a folder to a user and a group.
pub(crate) fn give(path: &Path, user: u32, group: u32) {
    let status = root("chown", &[&format!("{user}:{group}"), path.to_str().unwrap()]).status().unwrap();
    assert!(status.success(), "{} cannot be given to {user}:{group}", path.display());
}

impl Person {
    /// Puts the program where everybody can reach it.
    pub(crate) fn new() -> Self {
        let person = Self { folder: tempfile::tempdir().unwrap() };
        fs::set_permissions(person.folder.path(), Permissions::from_mode(0o755)).unwrap();
        let program = env!("CARGO_BIN_EXE_bundle");
        if fs::hard_link(program, person.program()).is_err() {
            fs::copy(program, person.program()).unwrap();
        }
        person
    }

    /// The built `bundle`, to be run as this person.
    pub(crate) fn bundle(&self) -> assert_cmd::Command {
        const NOBODY: u32 = 65534;
        let mut command = Command::new(self.program());
        command.current_dir("/");
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        assert_cmd::Command::from_std(command)
    }

    fn program(&self) -> PathBuf {
        self.folder.path().join("bundle")
    }
}
