//! What a patch would carry if its layers became deltas, estimated.

use anyhow::{Context, Result};

use super::pack::with_files;
use crate::catalog::Catalog;
use crate::delta::estimate::estimate;
use crate::delta::library::Library;
use crate::progress::Progress;
use crate::stats::Patch;
use crate::tally::sum;
use crate::text::shown;
use crate::work;

/// Tells a patch about how many bytes it would carry with deltas of what all bases have.
pub(super) fn add_estimate(
    patch: &mut Patch,
    catalogs: &[&Catalog],
    bases: &[&Catalog],
    progress: Progress,
) -> Result<()> {
    let is_everywhere = |digest: &_| bases.iter().all(|base| base.blobs.contains_key(digest));
    let layers = with_files(catalogs, |digest, _| !is_everywhere(digest));
    let known = with_files(bases, |digest, _| is_everywhere(digest));
    let bar = progress.bytes("comparing", sum(layers.iter().chain(&known).map(|(_, file)| file.size)));
    let library = Library::read(known, &|bytes| bar.add(bytes));
    let estimates = work::largest_first(
        &layers,
        |(_, file)| file.size,
        |(_, file)| {
            let estimated =
                estimate(file, &library).with_context(|| format!("cannot read {}", shown(&file.path())));
            bar.add(file.size);
            estimated
        },
    );
    let mut about = patch.new.bytes;
    for ((_, file), estimate) in layers.iter().zip(estimates) {
        about = about.saturating_sub(file.size).saturating_add(estimate?);
    }
    patch.about_as_deltas = Some(about);
    Ok(())
}
