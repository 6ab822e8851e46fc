//! The bytes of a package but for its content: a tar whose every header follows from the bill of materials.
//!
//! ```text
//! bundle.json                                  the bill of materials
//! bundle.json.sha256                           its digest, as sha256sum writes and checks it
//! deltas/<algorithm>/<two digits>/<digits>     the deltas that it carries, named as what they restore
//! docker/registry/v2/blobs/…/data              the content that is carried, manifests included
//! docker/registry/v2/repositories/…            folders and links, in the order in which they may appear
//! ```
//!
//! The format is POSIX ustar; names that do not fit there are GNU long names. Owner, modes and times are always
//! the same, so the same bill gives the same bytes, and whoever reads a package compares instead of parsing:
//! a header that this program would not write is refused, whatever it says.

use std::io;
use std::path::{Path, PathBuf};

use tar::{EntryType, Header};

use super::bill::{Bill, Carried};
use crate::digest::{Algorithm, Digest};
use crate::layout::{Content, Layout, Registry};

/// Where registry storage lies in a package.
pub const STORAGE: &str = "docker/registry/v2";
/// The name of the bill of materials.
pub const BILL: &str = "bundle.json";
/// The name of its digest.
pub const BILL_DIGEST: &str = "bundle.json.sha256";
/// Where deltas lie in a package.
pub(super) const DELTAS: &str = "deltas";
/// The unit of a tar, in bytes.
pub(super) const BLOCK: u64 = 512;

/// 1980-01-01: a time that no unpacking program finds strange.
const MTIME: u64 = 315_532_800;

/// One stretch of a package.
#[derive(Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The content of this name and length.
    Content(Digest, u64),
    /// The delta of this name and length.
    Delta(Digest, u64),
}

impl Piece {
    /// Its length in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Content(_, size) | Self::Delta(_, size) => *size,
        }
    }
}

/// A package's stretches, in their order; the bill's offsets are set to where its content then lies.
///
/// # Errors
/// When the bill contradicts itself; the message says how.
pub fn pieces(bill: &mut Bill) -> Result<Vec<Piece>, String> {
    let body = body(bill)?;
    // The bill tells where content begins, and its own length moves that; it grows only, so this ends.
    let mut head = Vec::new();
    loop {
        let start: u64 = head.iter().map(Piece::size).sum();
        set_offsets(bill, start, &body);
        let next = self::head(bill)?;
        let is_settled = next.iter().map(Piece::size).sum::<u64>() == start;
        head = next;
        if is_settled {
            break;
        }
    }
    head.extend(body);
    Ok(head)
}

/// The bill of materials and its digest.
fn head(bill: &Bill) -> Result<Vec<Piece>, String> {
    head_files(bill)?.into_iter().map(|(name, bytes)| file(Path::new(name), &bytes)).collect()
}

/// The files of the bill of materials and of its digest, by name.
///
/// # Errors
/// When the bill cannot be written as a document.
pub fn head_files(bill: &Bill) -> Result<[(&'static str, Vec<u8>); 2], String> {
    let mut json = serde_json::to_vec_pretty(bill).map_err(|error| error.to_string())?;
    json.push(b'\n');
    let digest = Digest::of(Algorithm::Sha256, &json).hex();
    Ok([(BILL, json), (BILL_DIGEST, format!("{digest}  {BILL}\n").into_bytes())])
}

/// Everything behind the head.
fn body(bill: &Bill) -> Result<Vec<Piece>, String> {
    let catalog = bill.catalog(Path::new(""))?;
    let carried: std::collections::BTreeMap<Digest, u64> =
        bill.carries.iter().map(|carried| (carried.digest, carried.size)).collect();
    let mut pieces = Vec::new();
    for restored in &bill.restores {
        let Carried { digest, size, .. } = restored.delta;
        pieces.push(Piece::Bytes(header(&delta_path(&restored.digest), EntryType::Regular, size)?));
        pieces.push(Piece::Delta(digest, size));
        pieces.push(Piece::Bytes(vec![0; padding(size) as usize]));
    }
    for entry in Registry.entries(&catalog) {
        let path = entry.place.path_in(Path::new(STORAGE));
        match entry.content() {
            Content::Folder => pieces.push(Piece::Bytes(header(&path, EntryType::Directory, 0)?)),
            Content::Link(digest) => pieces.push(file(&path, digest.to_string().as_bytes())?),
            Content::Text(text) => pieces.push(file(&path, text.as_bytes())?),
            Content::Blob(digest) | Content::Manifest(digest) | Content::Inline(digest) => {
                let Some(&size) = carried.get(&digest) else { continue };
                pieces.push(Piece::Bytes(header(&path, EntryType::Regular, size)?));
                pieces.push(Piece::Content(digest, size));
                pieces.push(Piece::Bytes(vec![0; padding(size) as usize]));
            }
        }
    }
    // Two empty blocks end a tar.
    pieces.push(Piece::Bytes(vec![0; 2 * BLOCK as usize]));
    Ok(pieces)
}

/// Where the delta that restores content lies in a package.
pub fn delta_path(restored: &Digest) -> PathBuf {
    let hex = restored.hex();
    [DELTAS, restored.algorithm().name(), &hex[..2], &hex].iter().collect()
}

fn set_offsets(bill: &mut Bill, start: u64, body: &[Piece]) {
    let mut offset = start;
    let mut offsets = std::collections::BTreeMap::new();
    for piece in body {
        if let Piece::Content(digest, _) | Piece::Delta(digest, _) = piece {
            offsets.insert(*digest, offset);
        }
        offset += piece.size();
    }
    let deltas = bill.restores.iter_mut().map(|restored| &mut restored.delta);
    for carried in bill.carries.iter_mut().chain(deltas) {
        carried.offset = offsets.get(&carried.digest).copied();
    }
}

fn file(path: &Path, bytes: &[u8]) -> Result<Piece, String> {
    let size = bytes.len() as u64;
    let mut piece = header(path, EntryType::Regular, size)?;
    piece.extend_from_slice(bytes);
    piece.resize(piece.len() + padding(size) as usize, 0);
    Ok(Piece::Bytes(piece))
}

/// How many empty bytes follow a file of `size` bytes.
pub(super) fn padding(size: u64) -> u64 {
    size.next_multiple_of(BLOCK) - size
}

/// The header of one file or folder, with another in front of it where the name is too long for one.
fn header(path: &Path, kind: EntryType, size: u64) -> Result<Vec<u8>, String> {
    let mut header = Header::new_ustar();
    header.set_entry_type(kind);
    header.set_size(size);
    header.set_mode(if kind == EntryType::Directory { 0o755 } else { 0o644 });
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(MTIME);
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_data(&mut header, path, io::empty()).map_err(|error| error.to_string())?;
    let mut bytes = tar.into_inner().map_err(|error| error.to_string())?;
    // The library ends the tar, and this is not its end.
    bytes.truncate(bytes.len() - 2 * BLOCK as usize);
    Ok(bytes)
}
