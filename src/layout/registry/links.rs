//! Reads link files, and folders of them.

use std::io;
use std::path::{Path, PathBuf};

use crate::digest::{Algorithm, Digest};
use crate::disk::{self, Below, EntryKind, Folder, FolderPath, Look, Place, Small};
use crate::finding::{self, Finding, Kind};

/// A link is 71 bytes; anything much longer is none.
const MAX_LINK_BYTES: u64 = 256;

/// Reads the digest that a link file holds, by its path from a folder on; `Ok(None)` when there is no such file.
///
/// # Errors
/// A finding, when there is something that is no link.
pub(super) fn read(folder: &Folder, within: &Path) -> Result<Option<Digest>, Finding> {
    let path = || folder.path().join(within);
    match folder.read_small(within, MAX_LINK_BYTES) {
        Ok(Small::Missing) => Ok(None),
        Ok(Small::Bytes(bytes)) => {
            let text = String::from_utf8_lossy(&bytes);
            text.parse().map(Some).map_err(|_| invalid(&path(), format_args!("{text:?}")))
        }
        Ok(Small::Longer) => Err(invalid(&path(), "a longer file")),
        Ok(Small::Folder) => Err(Finding::at(Kind::NotAFile, path()).found("a folder")),
        Ok(Small::Other(what)) => Err(Finding::at(Kind::NotAFile, path()).found(what)),
        Err(error) => Err(finding::unreadable(&path(), &error)),
    }
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
    /// The folder of links that it is in.
    folder: FolderPath,
}

/// Reads all links of a folder `<algorithm>/<hex>/link`, in order; what is none of these is left alone.
pub(super) fn read_folder(folder: &Path, findings: &mut Vec<Finding>) -> Vec<Link> {
    let mut links = Vec::new();
    let Some((_, algorithms)) = subfolders(folder, findings) else { return links };
    for algorithm in Algorithm::ALL.into_iter().filter(|known| algorithms.iter().any(|it| it == known.name()))
    {
        let Some((folder, hexes)) = subfolders(&folder.join(algorithm.name()), findings) else { continue };
        links.reserve_exact(hexes.len());
        for hex in hexes {
            let Ok(name) = Digest::from_hex(algorithm, &hex) else { continue };
            let place = Place::of_digits(folder.path().clone(), name.bytes()).with(Below::Link);
            match read(&folder, &place.path_in_folder()) {
                Ok(Some(target)) => links.push(Link { name, target, folder: folder.path().clone() }),
                Ok(None) => {}
                Err(finding) => findings.push(finding.of(name)),
            }
        }
    }
    links
}

impl Link {
    /// Where it lies.
    pub(super) fn path(&self) -> PathBuf {
        Place::of_digits(self.folder.clone(), self.name.bytes()).with(Below::Link).path()
    }

    /// Whether it holds another digest than its path spells; a blob that was uploaded under another algorithm
    /// is linked so by right.
    pub(super) fn is_other(&self) -> bool {
        self.name.algorithm() == self.target.algorithm() && self.name != self.target
    }

    /// What to say of a link that holds another digest.
    pub(super) fn other(&self) -> Finding {
        Finding::at(Kind::OtherLink, self.path()).of(self.name).expected(self.name).found(self.target)
    }
}

/// Whether there is a folder, and not a symbolic link to one, which may lead out of the tree.
pub(super) fn is_folder(path: &Path) -> bool {
    matches!(disk::look(path), Ok(Look::Folder))
}

/// A folder, held open, and the folders in it, by name; nothing where it does not exist.
pub(super) fn subfolders(path: &Path, findings: &mut Vec<Finding>) -> Option<(Folder, Vec<String>)> {
    let mut folder = match Folder::open(path) {
        Ok(folder) => folder,
        Err(error) => {
            findings.extend(no_folder(path, &error));
            return None;
        }
    };
    let listed = match folder.list() {
        Ok(listed) => listed,
        Err(error) => {
            findings.push(Finding::at(Kind::Unreadable, path).found(error));
            return None;
        }
    };
    let mut names = Vec::with_capacity(listed.len());
    for (name, kind) in listed {
        match kind {
            EntryKind::Folder => names.push(name.to_string_lossy().into_owned()),
            EntryKind::Link => findings.push(not_a_folder(&path.join(name), "a symbolic link")),
            EntryKind::File | EntryKind::Other => {}
        }
    }
    Some((folder, names))
}

/// What is wrong where no folder could be opened; nothing if nothing is there.
fn no_folder(path: &Path, error: &io::Error) -> Option<Finding> {
    match disk::look(path) {
        Ok(Look::Missing) => None,
        Ok(Look::File(_)) => Some(not_a_folder(path, "a file")),
        Ok(Look::Other(what)) => Some(not_a_folder(path, what)),
        Ok(Look::Folder) => Some(Finding::at(Kind::Unreadable, path).found(error)),
        Err(error) => Some(Finding::at(Kind::Unreadable, path).found(format_args!("{error:#}"))),
    }
}

fn not_a_folder(path: &Path, found: &str) -> Finding {
    Finding::at(Kind::NotAFile, path).expected("a folder").found(found)
}
