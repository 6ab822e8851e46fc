//! Builds aside what appears at once, folder by folder. Nobody sees it there, so it can begin before all that is linked
//! was found sound; it is gone if that never gets its name.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Result, anyhow, bail};
use rayon::prelude::*;

use super::Outcome;
use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::disk::{Build, Destination};
use crate::layout::{Content, Entry};
use crate::plan::{Plan, Whole};
use crate::text::shown;

/// Folders that were built aside, with all that belongs into them; dropped, they are gone.
pub struct Built<'p, 'e> {
    pub(super) folders: Vec<(&'p Whole<'e>, Build<'p>)>,
    is_refused: bool,
}

/// Builds all folders of a plan that appear at once; `on_placed` is told of every blob that was linked.
///
/// # Errors
/// When the destination cannot be written, or a manifest changed since it was read.
pub fn build<'p, 'e>(
    plan: &'p Plan<'e>,
    catalog: &Catalog,
    destination: &'p Destination,
    on_placed: &(dyn Fn() + Sync),
) -> Result<Built<'p, 'e>> {
    let is_refused = AtomicBool::new(false);
    let build = |(folder, whole): (&&Path, &'p Whole<'e>)| {
        let build = destination.build(&plan.root, folder)?;
        whole.folders.par_iter().try_for_each(|place| build.create_folder(place))?;
        whole.links.par_iter().try_for_each(|link| {
            // What the file system refuses once, it is not asked for again.
            if !is_refused.load(Ordering::Relaxed) {
                match build.link(link.source, link.place)? {
                    true => on_placed(),
                    false => is_refused.store(true, Ordering::Relaxed),
                }
            }
            anyhow::Ok(())
        })?;
        // Side by side lie files of one folder, which is created once.
        let mut files = whole.files.clone();
        files.sort_unstable_by(|a, b| a.place.cmp_by_folder(&b.place));
        files.par_iter().try_for_each(|file| build.write_file(&file.place, &bytes(file, catalog)?))?;
        Ok((whole, build))
    };
    let folders = plan.wholes.par_iter().map(build).collect::<Result<_>>()?;
    Ok(Built { folders, is_refused: is_refused.into_inner() })
}

impl Built<'_, '_> {
    /// Whether the file system refused a link: then something is missing, and blobs have to come singly.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_refused
    }

    /// Makes sure that it is whole, and that every file that was linked still is as it was when it was looked at, and
    /// perhaps hashed; counts them.
    pub(super) fn check(&self) -> Result<Outcome> {
        if self.is_refused {
            bail!("a link was refused, and nothing took its place");
        }
        let check = |(whole, build): &(&Whole, Build)| {
            let kept = whole.links.par_iter().map(|link| {
                build.check(link.source, link.place)?;
                anyhow::Ok(u64::from(!build.is_as_asked(link.place)?))
            });
            let kept_owner = kept.try_reduce(|| 0, |a, b| Ok(a + b))?;
            let mut outcome = Outcome { kept_owner, ..Outcome::default() };
            whole.links.iter().for_each(|link| outcome.linked.add(link.source.size));
            Ok(outcome)
        };
        let add = |mut all: Outcome, one| {
            all += one;
            Ok(all)
        };
        self.folders.par_iter().map(check).try_reduce(Outcome::default, add)
    }
}

/// The bytes of a small file.
pub(super) fn bytes(file: &Entry, catalog: &Catalog) -> Result<Vec<u8>> {
    match file.content() {
        Content::Link(digest) => Ok(digest.to_string().into_bytes()),
        Content::Text(text) => Ok(text.as_bytes().to_vec()),
        Content::Manifest(digest) => catalog.manifest_bytes(digest),
        Content::Inline(digest) => inline(digest, catalog)
            .ok_or_else(|| anyhow!("no manifest carries the content of {}", shown(&file.place.path()))),
        Content::Folder | Content::Blob(_) => bail!("{} is no small file", shown(&file.place.path())),
    }
}

fn inline(digest: Digest, catalog: &Catalog) -> Option<Vec<u8>> {
    catalog.inline.get(&digest).map(|bytes| bytes.to_vec())
}
