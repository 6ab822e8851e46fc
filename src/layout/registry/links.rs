//! Reads link files, and folders of them.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Algorithm, Digest};
use crate::disk::{self, Look};
use crate::finding::{self, Finding, Kind};

/// A link is 71 bytes; anything much longer is none.
const MAX_LINK_BYTES: u64 = 256;

/// Reads the digest that a link file holds; `Ok(None)` when there is no such file.
///
/// # Errors
/// A finding, when there is something that is no link.
pub(super) fn read(path: &Path) -> Result<Option<Digest>, Finding> {
    let bytes = match disk::read_small(path, MAX_LINK_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(invalid(path, "a longer file")),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(finding::unreadable(path, &error)),
    };
    let text = String::from_utf8_lossy(&bytes);
    text.parse().map(Some).map_err(|_| invalid(path, format_args!("{text:?}")))
}

fn invalid(path: &Path, found: impl ToString) -> Finding {
    Finding::at(Kind::InvalidLink, path).expected("a digest, without a newline").found(found)
}

/// One link of a folder of links.
pub(super) struct Link {
    /// The digest that its path spells.
    pub(super) name: Digest,
    /// The digest that it holds.
    pub(super) target: Digest,
    pub(super) path: PathBuf,
}

/// Reads all links of a folder `<algorithm>/<hex>/link`, in order; what is none of these is left alone.
pub(super) fn read_folder(folder: &Path, findings: &mut Vec<Finding>) -> Vec<Link> {
    let mut links = Vec::new();
    for (algorithm, folder) in subfolders(folder, findings) {
        let Some(algorithm) = Algorithm::ALL.into_iter().find(|known| known.name() == algorithm) else {
            continue;
        };
        for (hex, entry) in subfolders(&folder, findings) {
            let Ok(name) = Digest::from_hex(algorithm, &hex) else { continue };
            let path = entry.join("link");
            match read(&path) {
                Ok(Some(target)) => links.push(Link { name, target, path }),
                Ok(None) => {}
                Err(finding) => findings.push(finding.of(name)),
            }
        }
    }
    links
}

impl Link {
    /// Whether it holds another digest than its path spells; a blob that was uploaded under another algorithm
    /// is linked so by right.
    pub(super) fn is_other(&self) -> bool {
        self.name.algorithm() == self.target.algorithm() && self.name != self.target
    }

    /// What to say of a link that holds another digest.
    pub(super) fn other(&self) -> Finding {
        Finding::at(Kind::OtherLink, &self.path).of(self.name).expected(self.name).found(self.target)
    }
}

/// Whether there is a folder, and not a symbolic link to one, which may lead out of the tree.
pub(super) fn is_folder(path: &Path) -> bool {
    matches!(disk::look(path), Ok(Look::Folder))
}

/// The folders in a folder, by name; none where it does not exist.
pub(super) fn subfolders(folder: &Path, findings: &mut Vec<Finding>) -> Vec<(String, PathBuf)> {
    match disk::look(folder) {
        Ok(Look::Folder) => {}
        Ok(Look::Missing) => return Vec::new(),
        Ok(Look::File(_)) => {
            findings.push(not_a_folder(folder, "a file"));
            return Vec::new();
        }
        Ok(Look::Other(what)) => {
            findings.push(not_a_folder(folder, what));
            return Vec::new();
        }
        Err(error) => {
            findings.push(Finding::at(Kind::Unreadable, folder).found(format_args!("{error:#}")));
            return Vec::new();
        }
    }
    let entries = match fs::read_dir(folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            findings.push(Finding::at(Kind::Unreadable, folder).found(error));
            return Vec::new();
        }
    };
    let mut named = Vec::new();
    for entry in entries {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            named.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
        } else if kind.is_symlink() {
            findings.push(not_a_folder(&entry.path(), "a symbolic link"));
        }
    }
    named.sort_unstable();
    named
}

fn not_a_folder(path: &Path, found: &str) -> Finding {
    Finding::at(Kind::NotAFile, path).expected("a folder").found(found)
}
