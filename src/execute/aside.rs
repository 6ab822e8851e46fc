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
use crate::plan::{Link, Plan, Whole};
use crate::text::shown;

/// How many files one thread makes in a folder before another one helps.
const AT_A_TIME: usize = 16;

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
        links_by_folder(whole).try_for_each(|links| {
            let within = build.within(links[0].place.folder(), links.len())?;
            links.par_iter().with_min_len(AT_A_TIME).try_for_each(|link| {
                // What the file system refuses once, it is not asked for again.
                if !is_refused.load(Ordering::Relaxed) {
                    match within.link(link.source, link.place)? {
                        true => on_placed(),
                        false => is_refused.store(true, Ordering::Relaxed),
                    }
                }
                anyhow::Ok(())
            })
        })?;
        let mut files = whole.files.clone();
        files.sort_unstable_by(|a, b| a.place.cmp_by_folder(&b.place));
        files.par_chunk_by(|a, b| a.place.folder() == b.place.folder()).try_for_each(|files| {
            let within = build.within(files[0].place.folder(), files.len())?;
            let write = |file: &&Entry| within.write_file(&file.place, &bytes(file, catalog)?);
            files.par_iter().with_min_len(AT_A_TIME).try_for_each(write)
        })?;
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
        let add = |a: u64, b: u64| anyhow::Ok(a + b);
        let check = |(whole, build): &(&Whole, Build)| {
            let kept = links_by_folder(whole).map(|links| {
                let within = build.within(links[0].place.folder(), links.len())?;
                let check = |link: &Link| {
                    within.check(link.source, link.place)?;
                    Ok(u64::from(!within.is_as_asked(link.place)?))
                };
                links.par_iter().with_min_len(AT_A_TIME).map(check).try_reduce(|| 0, add)
            });
            let mut outcome = Outcome { kept_owner: kept.try_reduce(|| 0, add)?, ..Outcome::default() };
            whole.links.iter().for_each(|link| outcome.linked.add(link.source.size));
            Ok(outcome)
        };
        let add_up = |mut all: Outcome, one| {
            all += one;
            Ok(all)
        };
        self.folders.par_iter().map(check).try_reduce(Outcome::default, add_up)
    }
}

/// The links that lie side by side in one folder, which is gone to once for all of them.
fn links_by_folder<'w, 'e>(whole: &'w Whole<'e>) -> impl ParallelIterator<Item = &'w [Link<'e>]> {
    whole.links.par_chunk_by(|a, b| a.place.folder() == b.place.folder())
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
