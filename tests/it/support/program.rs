//! The real programs that the tests need.

use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Each program, and the Debian package that brings it.
const PACKAGES: [(&str, &str); 17] = [
    ("skopeo", "skopeo"),
    ("docker-registry", "docker-registry"),
    ("umoci", "umoci"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mount", "mount"),
    ("umount", "mount"),
    ("chmod", "coreutils"),
    ("sudo", "sudo"),
    ("strace", "strace"),
    ("sh", "dash"),
    ("tar", "tar"),
    ("sha256sum", "coreutils"),
    ("gzip", "gzip"),
    ("pigz", "pigz"),
    ("zstd", "zstd"),
    ("python3", "python3"),
];

/// Finds a program, or fails the test saying what to install.
pub(crate) fn program(name: &str) -> PathBuf {
    let (_, package) = PACKAGES
        .into_iter()
        .find(|(program, _)| *program == name)
        .unwrap_or_else(|| panic!("{name} has no place in PACKAGES"));
    let path = env::var_os("PATH").unwrap_or_default();
    // mkfs.xfs lies outside the PATH of an ordinary user.
    let beyond = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    env::split_paths(&path)
        .chain(beyond)
        .map(|folder| folder.join(name))
        .find(|candidate| candidate.is_file())
        .unwrap_or_else(|| {
            panic!(
                "{name} is not installed\nhint: scripts/install-test-programs, or apt-get install {package}"
            )
        })
}

/// Runs a program that has to succeed, and returns what it printed to stdout.
pub(crate) fn run(program: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> String {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).unwrap()
}
