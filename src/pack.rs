//! Writes packages: content is hashed on all cores, a batch ahead of the one thread that writes it.
//!
//! A batch is small enough to be still in memory when it is written, so content is read from the disk once.
//! Nothing has its name before everything was found sound and is written.

pub mod deltas;
mod split;

use std::collections::HashMap;
use std::io;
use std::path::Path;

use anyhow::{Context, Result, bail};

pub use deltas::Deltas;
pub use split::{Split, Writer};

use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::disk::{Copy, OutputFolder, Share};
use crate::execute::{self, Means, Spoiled};
use crate::hash::OnBytes;
use crate::layout::package::skeleton::{Piece, STORAGE, delta_path, head_files};
use crate::layout::package::{Bill, Restored};
use crate::layout::{Content, Layout, Registry};
use crate::plan::{self, Blobs};
use crate::present;
use crate::text::shown;
use crate::verify::{self, Claim, Depth, Verdicts};

/// How much is hashed ahead, in bytes and in pieces.
const BATCH: (u64, usize) = (128 << 20, 256);

/// The claims of all content that a package carries, in the order of its pieces.
fn claims<'c>(catalog: &'c Catalog, pieces: &[Piece]) -> Vec<Claim<'c>> {
    let content = pieces.iter().filter_map(|piece| match piece {
        Piece::Content(digest, size) => Some((digest, size)),
        Piece::Bytes(_) | Piece::Delta(..) => None,
    });
    content.map(|(digest, size)| claim(catalog, *digest, *size)).collect()
}

/// The claim of content that has so many bytes.
fn claim(catalog: &Catalog, digest: Digest, size: u64) -> Claim<'_> {
    let mut claim = Claim::of(digest).by(catalog.files_of(&digest));
    claim.says(Some(size));
    claim
}

/// Writes a package as a stream. Where something is not sound, the rest is checked all the same, and nothing
/// more is written.
///
/// # Errors
/// When the output cannot be written, or a file changes between being hashed and being written.
pub fn stream(
    pieces: &[Piece],
    catalog: &Catalog,
    deltas: &Deltas,
    output: &mut Writer,
    on_bytes: OnBytes,
) -> Result<Spoiled> {
    let mut spoiled = Spoiled::default();
    let mut rest = pieces;
    while !rest.is_empty() {
        let (batch, next) = rest.split_at(batch(rest));
        rest = next;
        let mut claims = claims(catalog, batch);
        claims.retain(|claim| !is_inline(catalog, claim));
        let verdicts = verify::verify(&claims, Depth::Bytes, on_bytes);
        spoiled.add(&verdicts);
        if spoiled.digests.is_empty() {
            write(batch, catalog, deltas, &verdicts, output)?;
        }
    }
    Ok(spoiled)
}

/// How many of the pieces make a batch.
fn batch(pieces: &[Piece]) -> usize {
    let (most_bytes, most_pieces) = BATCH;
    let mut bytes = 0;
    let fitting = pieces.iter().take_while(|piece| {
        let fits = bytes < most_bytes;
        bytes += piece.size();
        fits
    });
    fitting.take(most_pieces).count()
}

/// Whether content is held by no file, but by a manifest.
fn is_inline(catalog: &Catalog, claim: &Claim) -> bool {
    claim.sources.is_empty() && catalog.inline.contains_key(&claim.digest)
}

fn write(
    pieces: &[Piece],
    catalog: &Catalog,
    deltas: &Deltas,
    verdicts: &Verdicts,
    output: &mut Writer,
) -> Result<()> {
    for piece in pieces {
        let (digest, size) = match piece {
            Piece::Bytes(bytes) => {
                output.put(bytes)?;
                continue;
            }
            Piece::Delta(digest, _) => {
                deltas.read(digest, |bytes| output.put(bytes))?;
                continue;
            }
            Piece::Content(digest, size) => (digest, *size),
        };
        let file = verdicts.get(digest).and_then(|verdict| verdict.sound().first());
        let Some(file) = file else {
            let inline = catalog.inline.get(digest).map(|bytes| &**bytes).unwrap_or_default();
            output.put(inline)?;
            continue;
        };
        let mut write_error = None;
        let read = file.stream(|bytes| {
            output.put(bytes).map_err(|error| {
                write_error = Some(error);
                io::ErrorKind::Other.into()
            })
        });
        if let Some(error) = write_error {
            return Err(error);
        }
        let length = read.with_context(|| format!("cannot read {}", shown(&file.path())))?;
        // It was hashed a moment ago: what was written is what was hashed, if nobody touched it since.
        file.check_unchanged().with_context(|| format!("cannot pack {}", shown(&file.path())))?;
        if length != size {
            bail!("{} has {length} bytes instead of {size}", shown(&file.path()));
        }
    }
    Ok(())
}

/// Writes a package as a folder: its content is shared with the source, where the file system can.
///
/// # Errors
/// When the folder cannot be written.
pub fn folder(
    bill: &Bill,
    catalog: &Catalog,
    deltas: &Deltas,
    output: &OutputFolder,
    on_bytes: OnBytes,
) -> Result<Spoiled> {
    let carried: HashMap<Digest, u64> = bill.carries.iter().map(|it| (it.digest, it.size)).collect();
    let described = bill.catalog(Path::new("")).map_err(anyhow::Error::msg)?;
    let mut entries = Vec::new();
    for entry in Registry.entries(&described) {
        entries.push(match entry.content() {
            Content::Blob(digest) | Content::Manifest(digest) if !carried.contains_key(&digest) => continue,
            Content::Blob(digest) if catalog.inline.contains_key(&digest) => {
                entry.holding(Content::Inline(digest))
            }
            _ => entry,
        });
    }
    let claims = entries.iter().filter_map(|entry| match entry.content() {
        Content::Blob(digest) => Some(claim(catalog, digest, carried[&digest])),
        _ => None,
    });
    let verdicts = verify::verify(&claims.collect::<Vec<_>>(), Depth::Bytes, on_bytes);
    let mut spoiled = Spoiled::default();
    spoiled.add(&verdicts);
    if !spoiled.digests.is_empty() {
        return Ok(spoiled);
    }
    let present = present::nothing(&entries);
    let plan = plan::plan(&output.root().join(STORAGE), &entries, &present, &verdicts, Blobs::Singly)?;
    let means = Means { share: Share::Auto, verifies: true, holds_back: false, on_placed: &|| {} };
    execute::content(&plan, output.destination(), &means)?;
    let built = execute::build(&plan, catalog, output.destination(), &|| {})?;
    execute::names(&plan, built, &entries, catalog, output.destination())?;
    for Restored { digest, delta, .. } in &bill.restores {
        let place = output.root().join(delta_path(digest));
        let copied =
            output.destination().copy(|sink| deltas.stream(&delta.digest, sink), &place, |_| {}, |_| true)?;
        match copied {
            Copy::Done(aside) => drop(output.destination().place(aside)?),
            Copy::Refused => bail!("cannot write {}", shown(&place)),
            Copy::Unreadable(error) => {
                return Err(error).with_context(|| format!("cannot write {}", shown(&place)));
            }
        }
    }
    // The bill comes last: a folder that has none is no package.
    for (name, bytes) in head_files(bill).map_err(anyhow::Error::msg)? {
        output.destination().write_file(&output.root().join(name), &bytes)?;
    }
    Ok(spoiled)
}
