//! The path of a folder, as all that lies in it shares it.

use std::ffi::OsStr;
use std::ops::Deref;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use triomphe::ThinArc;

/// A path that many share, one word wide: a million records hold one each.
#[derive(Clone, PartialEq, Eq)]
pub struct FolderPath(ThinArc<(), u8>);

impl FolderPath {
    /// Whether this and another are one record, not merely the same path.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.0.as_ptr() == other.0.as_ptr()
    }
}

impl Deref for FolderPath {
    type Target = Path;

    fn deref(&self) -> &Path {
        Path::new(OsStr::from_bytes(&self.0.slice))
    }
}

impl AsRef<Path> for FolderPath {
    fn as_ref(&self) -> &Path {
        self
    }
}

impl From<&Path> for FolderPath {
    fn from(path: &Path) -> Self {
        Self(ThinArc::from_header_and_slice((), path.as_os_str().as_bytes()))
    }
}

impl From<PathBuf> for FolderPath {
    fn from(path: PathBuf) -> Self {
        path.as_path().into()
    }
}

impl std::fmt::Debug for FolderPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (**self).fmt(f)
    }
}
