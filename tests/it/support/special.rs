//! What is no file and may lie in a file's place.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use nix::sys::stat::{Mode, SFlag, makedev, mknod};

use super::person::is_root;

/// What can take a file's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Special {
    Folder,
    /// A symbolic link to the very file whose place it takes, which lies beside it under another name.
    LinkToItself,
    DanglingLink,
    /// A pipe that nobody writes to: whoever opens it waits for ever.
    Pipe,
    Socket,
    /// A device that never ends.
    Device,
}

impl Special {
    /// All that this user can make; a device takes root.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let all =
            [Self::Folder, Self::LinkToItself, Self::DanglingLink, Self::Pipe, Self::Socket, Self::Device];
        all.into_iter().filter(|special| *special != Self::Device || is_root())
    }

    /// Puts it in a file's or folder's place; what was there goes to `aside`.
    pub(crate) fn replace(self, path: &Path, aside: &Path) {
        fs::rename(path, aside).unwrap();
        let make = |kind, device| mknod(path, kind, Mode::from_bits_truncate(0o644), device).unwrap();
        match self {
            Self::Folder => fs::create_dir(path).unwrap(),
            Self::LinkToItself => symlink(aside, path).unwrap(),
            Self::DanglingLink => symlink("nowhere", path).unwrap(),
            Self::Pipe => make(SFlag::S_IFIFO, 0),
            Self::Socket => make(SFlag::S_IFSOCK, 0),
            Self::Device => make(SFlag::S_IFCHR, makedev(1, 5)),
        }
    }

    /// Puts back what was there.
    pub(crate) fn undo(path: &Path, aside: &Path) {
        if fs::symlink_metadata(path).unwrap().is_dir() {
            fs::remove_dir(path).unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        fs::rename(aside, path).unwrap();
    }
}
