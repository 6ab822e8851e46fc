//! What of the wanted entries is at the destination already.

use std::path::Path;

use anyhow::{Result, bail};
use rayon::prelude::*;

use crate::digest::Digest;
use crate::disk::{self, File, Look};
use crate::layout::{Content, Entry};
use crate::manifest::MAX_MANIFEST_BYTES;

/// What lies where an entry should be.
#[derive(Debug)]
pub enum Present {
    /// Nothing.
    Missing,
    /// Just what should be there.
    Same,
    /// Something else, which has to give way.
    Different,
    /// A file where a blob should be; whether it is sound is found out by hashing.
    Blob(File),
}

/// Looks at every entry below `root`; the answers come in the entries' order.
///
/// # Errors
/// When the system refuses to say, or a folder lies where a file has to be.
pub fn look(root: &Path, entries: &[Entry]) -> Result<Vec<Present>> {
    if matches!(disk::look(root)?, Look::Missing) {
        return Ok(entries.iter().map(|_| Present::Missing).collect());
    }
    entries.par_iter().map(|entry| look_at(&root.join(&entry.path), entry.content)).collect()
}

fn look_at(path: &Path, content: Content) -> Result<Present> {
    let file = match (disk::look(path)?, content) {
        (Look::Missing, _) => return Ok(Present::Missing),
        (Look::Folder, Content::Folder) => return Ok(Present::Same),
        (Look::Folder, _) => bail!("{} is a folder where a file has to be", path.display()),
        (_, Content::Folder) => bail!("{} is a file where a folder has to be", path.display()),
        (Look::Other(_), _) => return Ok(Present::Different),
        (Look::File(file), _) => file,
    };
    let holds = |bytes: &[u8]| -> Result<bool> {
        Ok(file.size == bytes.len() as u64
            && disk::read_small(path, file.size)
                .map_err(|error| {
                    anyhow::Error::new(error).context(format!("cannot read {}", path.display()))
                })?
                .is_some_and(|found| found == bytes))
    };
    let is_same = match content {
        Content::Blob(_) => return Ok(Present::Blob(file)),
        Content::Folder => true,
        Content::Link(digest) => holds(digest.to_string().as_bytes())?,
        Content::Text(text) => holds(text.as_bytes())?,
        Content::Manifest(digest) => disk::read_small(path, MAX_MANIFEST_BYTES)
            .map_err(|error| anyhow::Error::new(error).context(format!("cannot read {}", path.display())))?
            .is_some_and(|found| Digest::of(digest.algorithm(), &found) == digest),
    };
    Ok(if is_same { Present::Same } else { Present::Different })
}
