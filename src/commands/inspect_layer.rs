//! `inspect-layer`: who compressed a layer, and what changed in it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::pack::with_files;
use super::{Ending, conclude};
use crate::catalog::Catalog;
use crate::delta::inspect::{self, compare, entries};
use crate::delta::library::Library;
use crate::delta::members::members;
use crate::delta::plain::{self, Form};
use crate::delta::recognise::recognise;
use crate::delta::script::is_odd;
use crate::digest::Digest;
use crate::disk::File;
use crate::layout;
use crate::layout::inventory::open_base;
use crate::report::{Against, Format, LayerReport};
use crate::text::shown;

/// What `inspect-layer` was asked.
pub struct Inspection<'a> {
    /// The tree that has the layer.
    pub source: &'a Path,
    /// The layer's digest, or the beginning of its hexadecimal part.
    pub digest: &'a str,
    /// What there was before.
    pub bases: &'a [PathBuf],
    /// How to report.
    pub format: Format,
}

/// Inspects and reports.
///
/// # Errors
/// When there is no such layer, or it cannot be read.
pub fn inspect_layer(asked: &Inspection) -> Result<Ending> {
    let catalog = layout::open(asked.source)?.scan.catalog;
    let (digest, file) = find(asked, &catalog)?;
    let cannot = || format!("cannot read {}", shown(&file.path()));
    let (form, plain) = plain::open(&file).with_context(cannot)?;
    let encoder = match &form {
        Form::Gzip(header) => recognise(&file, header, plain).with_context(cannot)?.next(),
        Form::Bare | Form::Zstd => None,
    };
    let mut report = LayerReport::of(digest, file.size, &form, encoder);
    let users = catalog.users();
    report.images = users.get(&digest).into_iter().flatten().map(|&image| image.clone()).collect();
    // What is no archive, or is damaged, is told as far as it can be read.
    let now = entries(&file).with_context(cannot)?;
    report.files = now.len() as u64;
    report.plain_bytes = now.iter().map(|entry| entry.size).sum();
    if !asked.bases.is_empty() {
        report.against = against(asked, digest, &file, &now)?;
    }
    conclude(&report, &[], asked.format)
}

/// The layer that a digest, or its beginning, names.
fn find(asked: &Inspection, catalog: &Catalog) -> Result<(Digest, File)> {
    let wanted = asked.digest.trim_start_matches("sha256:");
    let is_wanted =
        |digest: &Digest, _: &File| digest.hex().starts_with(wanted) || digest.to_string() == asked.digest;
    let mut found = with_files(&[catalog], is_wanted);
    match (found.pop(), found.len()) {
        (Some(layer), 0) => Ok(layer),
        (Some(_), others) => bail!("{} is the beginning of {} layers' digests", asked.digest, others + 1),
        (None, _) => bail!(
            "no image in {} has a layer {}\n  hint: bundle stats --format json lists layers",
            shown(asked.source),
            asked.digest
        ),
    }
}

/// The layer of the bases that it is most like, and what changed.
fn against(
    asked: &Inspection,
    digest: Digest,
    file: &File,
    now: &[inspect::Entry],
) -> Result<Option<Against>> {
    let bases = asked.bases.iter().map(|base| Ok(open_base(base)?.0)).collect::<Result<Vec<_>>>()?;
    let layers = with_files(&bases.iter().collect::<Vec<_>>(), |other, _| *other != digest);
    let cannot = || format!("cannot read {}", shown(&file.path()));
    let listed = match members(|| Ok(plain::open(file)?.1)) {
        Err(error) if is_odd(&error) => return Ok(None),
        listed => listed.with_context(cannot)?,
    };
    let library = Library::read(layers, &|_| {});
    let Some(number) = library.pair(&listed).and_then(|pairing| pairing.bases.first().copied()) else {
        return Ok(None);
    };
    let base = &library.bases[number as usize];
    let before = entries(&base.file).with_context(|| format!("cannot read {}", shown(&base.file.path())))?;
    let users = bases.iter().map(Catalog::users);
    let mut images: Vec<_> =
        users.flat_map(|users| users.get(&base.digest).cloned().unwrap_or_default()).cloned().collect();
    images.sort();
    images.dedup();
    Ok(Some(Against { base: base.digest, images, comparison: compare(&before, now) }))
}
