//! Whose the created files and folders are, and who may read them.

use std::fs::{self, File, Metadata, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, fchown, lchown};
use std::path::Path;

/// What was asked for; what was not is as the system makes it, by user and umask.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Ownership {
    /// The number of the user that files and folders belong to.
    pub user: Option<u32>,
    /// The number of the group that they belong to.
    pub group: Option<u32>,
    /// The permission bits of files; folders keep those of the umask.
    pub mode: Option<u32>,
}

impl Ownership {
    /// Whether a file has all that was asked for.
    pub(super) fn is_that_of(self, file: &Metadata) -> bool {
        self.user.is_none_or(|user| file.uid() == user)
            && self.group.is_none_or(|group| file.gid() == group)
            && self.mode.is_none_or(|mode| file.mode() & 0o7777 == mode)
    }

    pub(super) fn has_owner(self) -> bool {
        self.user.is_some() || self.group.is_some()
    }

    /// Hands over a file that nobody else has a name for yet.
    pub(super) fn give_file(self, file: &File) -> io::Result<()> {
        if self.has_owner() {
            fchown(file, self.user, self.group)?;
        }
        match self.mode {
            Some(mode) => file.set_permissions(Permissions::from_mode(mode)),
            None => Ok(()),
        }
    }

    /// As [`Self::give_file`], by path.
    pub(super) fn give_path(self, path: &Path) -> io::Result<()> {
        self.give_folder(path)?;
        match self.mode {
            Some(mode) => fs::set_permissions(path, Permissions::from_mode(mode)),
            None => Ok(()),
        }
    }

    /// Hands over a folder.
    pub(super) fn give_folder(self, path: &Path) -> io::Result<()> {
        if self.has_owner() { lchown(path, self.user, self.group) } else { Ok(()) }
    }
}
