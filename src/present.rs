//! What of the wanted entries is at the destination already.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use anyhow::Result;
use nix::errno::Errno;
use rayon::prelude::*;

use crate::digest::Digest;
use crate::disk::{self, File, Look};
use crate::layout::{Content, Entry};
use crate::manifest::{self, MAX_MANIFEST_BYTES};

/// What lies where an entry should be.
#[derive(Debug)]
pub enum Present {
    /// Nothing.
    Missing,
    /// Just what should be there.
    Same,
    /// Something else, which has to give way.
    Different,
    /// Something that cannot give way: a folder in a file's place, or the other way round.
    Blocked(&'static str),
    /// Something that the system refuses to show; the code of its error.
    Unreadable(i32),
    /// A file where a blob should be; whether it is sound is found out by hashing.
    Blob(File),
}

/// Looks at every entry below `root`; the answers come in the entries' order.
///
/// # Errors
/// When the system refuses to say what is there.
pub fn look(root: &Path, entries: &[Entry]) -> Result<Vec<Present>> {
    if matches!(disk::look(root)?, Look::Missing) {
        return Ok(entries.iter().map(|_| Present::Missing).collect());
    }
    let links = links_among_folders(root, entries);
    let look = |entry: &Entry| {
        // A symbolic link on the way would lead whoever reads or writes out of the tree.
        match entry.path.ancestors().skip(1).find(|folder| links.contains(*folder)) {
            Some(_) => Present::Blocked("a symbolic link in the place of a folder"),
            None => look_at(&root.join(&entry.path), &entry.content),
        }
    };
    Ok(entries.par_iter().map(look).collect())
}

/// Those of the entries' folders, below the root, that are symbolic links.
fn links_among_folders<'e>(root: &Path, entries: &'e [Entry]) -> HashSet<&'e Path> {
    let mut folders = HashSet::new();
    for entry in entries {
        let above = entry.path.ancestors().skip(1).take_while(|folder| !folder.as_os_str().is_empty());
        for folder in above {
            if !folders.insert(folder) {
                break;
            }
        }
    }
    folders.into_par_iter().filter(|folder| root.join(folder).is_symlink()).collect()
}

fn look_at(path: &Path, content: &Content) -> Present {
    let look = match disk::look(path) {
        Ok(look) => look,
        Err(error) => return unreadable(error.root_cause().downcast_ref()),
    };
    match (look, content) {
        (Look::Missing, _) => return Present::Missing,
        (Look::Folder, Content::Folder) => return Present::Same,
        (Look::Folder, _) => return Present::Blocked("a folder"),
        (Look::File(_), Content::Folder) => return Present::Blocked("a file"),
        (Look::Other(what), Content::Folder) => return Present::Blocked(what),
        (Look::Other(_), _) => return Present::Different,
        (Look::File(file), Content::Blob(_)) => return Present::Blob(file),
        (Look::File(_), _) => {}
    }
    let most = match content {
        Content::Text(text) => text.len() as u64,
        _ => MAX_MANIFEST_BYTES,
    };
    let bytes = match disk::read_small(path, most) {
        Ok(bytes) => bytes,
        Err(error) => return unreadable(Some(&error)),
    };
    let is_same = bytes.is_some_and(|bytes| match content {
        Content::Link(digest) => bytes == digest.to_string().as_bytes(),
        Content::Text(text) => bytes == text.as_bytes(),
        Content::Manifest(digest) | Content::Inline(digest) => {
            Digest::of(digest.algorithm(), &manifest::payload(&bytes)) == *digest
        }
        Content::Folder | Content::Blob(_) => false, // looked at above
    });
    if is_same { Present::Same } else { Present::Different }
}

fn unreadable(error: Option<&io::Error>) -> Present {
    Present::Unreadable(error.and_then(io::Error::raw_os_error).unwrap_or(Errno::EIO as i32))
}
