//! Makes content visible: what leads to it appears in stages, and a new folder at once with all that is in it.

use std::cmp::Reverse;
use std::io;
use std::path::PathBuf;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::aside::{Built, bytes};
use super::{Outcome, own_folder};
use crate::catalog::Catalog;
use crate::disk::{Build, Destination, Share};
use crate::layout::{Entry, Stage};
use crate::plan::{Plan, Whole};
use crate::present;
use crate::text::shown;

/// Makes visible what [`content`](super::content) brought and what was [built aside](super::build): manifests and
/// grants, then revisions, children first, then names.
///
/// Before the first name appears, and at the end, all of `entries` has to be there.
///
/// # Errors
/// When the destination cannot be written, somebody removes what was written, or something changed since it was read.
pub fn names<'e>(
    plan: &Plan<'e>,
    built: Built<'_, 'e>,
    entries: &[Entry],
    catalog: &Catalog,
    destination: &Destination,
) -> Result<Outcome> {
    if plan.is_done() {
        return Ok(Outcome::default());
    }
    plan.folders.par_iter().try_for_each(|folder| destination.create_folder(&folder.path_in(&plan.root)))?;
    let mut outcome = built.check()?;
    outcome.written_files = plan.small_files().count() as u64;
    let mut unseen = Unseen::of(plan, built, catalog, destination);
    unseen.appear_until(Stage::Grant)?;
    destination.sync()?;
    if unseen.appear_until(Stage::History)? {
        destination.sync()?;
    }
    let comes_before = |entry: &&Entry| entry.stage <= Stage::History && !plan.is_in_whole(&entry.place);
    expect(plan, entries.iter().filter(comes_before), destination)?;
    unseen.appear_until(Stage::Marker)?;
    destination.sync()?;
    expect(plan, entries.iter(), destination)?;
    Ok(outcome)
}

/// What a plan has yet to make visible.
struct Unseen<'p, 'e> {
    plan: &'p Plan<'e>,
    catalog: &'p Catalog,
    destination: &'p Destination,
    /// Files that appear one by one, in the order in which they may.
    files: &'p [&'e Entry],
    /// Folders that appear at once, the last first.
    built: Vec<(&'p Whole<'e>, Build<'p>)>,
}

impl<'p, 'e> Unseen<'p, 'e> {
    fn of(
        plan: &'p Plan<'e>,
        built: Built<'p, 'e>,
        catalog: &'p Catalog,
        destination: &'p Destination,
    ) -> Self {
        let mut built = built.folders;
        built.sort_by_key(|(whole, _)| Reverse(whole.stage()));
        Self { plan, catalog, destination, files: &plan.files, built }
    }

    /// Lets everything appear that may until a stage, stage by stage; says whether that was anything.
    fn appear_until(&mut self, last: Stage) -> Result<bool> {
        let mut is_any = false;
        while let Some(stage) = self.next_stage().filter(|stage| *stage <= last) {
            let is_later = |(whole, _): &(&Whole, Build)| whole.stage() > stage;
            let built = self.built.split_off(self.built.partition_point(is_later));
            built.into_par_iter().try_for_each(|(whole, build)| self.publish(whole, build))?;
            let (now, later) = self.files.split_at(self.files.partition_point(|file| file.stage <= stage));
            self.files = later;
            self.write(now)?;
            is_any = true;
        }
        Ok(is_any)
    }

    fn next_stage(&self) -> Option<Stage> {
        let file = self.files.first().map(|file| file.stage);
        let whole = self.built.last().map(|(whole, _)| whole.stage());
        file.into_iter().chain(whole).min()
    }

    fn publish(&self, whole: &Whole, build: Build) -> Result<()> {
        if build.publish()? {
            return Ok(());
        }
        // Somebody made the folder meanwhile: then what belongs into it goes in one by one, the name last.
        for folder in &whole.folders {
            self.destination.create_folder(&folder.path_in(&self.plan.root))?;
        }
        for link in &whole.links {
            let path = link.place.path_in(&self.plan.root);
            self.destination.share(link.source, &path, Share::HardLink)?;
        }
        self.destination.sync()?;
        whole.files.chunk_by(|a, b| a.stage == b.stage).try_for_each(|files| self.write(files))
    }

    /// Writes small files, each whole or not at all, in any order.
    fn write(&self, files: &[&Entry]) -> Result<()> {
        files.par_iter().try_for_each(|file| {
            let path = file.place.path_in(&self.plan.root);
            own_folder(&file.place, &path, self.destination)?;
            self.destination.write_file(&path, &bytes(file, self.catalog)?)
        })
    }
}

/// Makes sure that nobody removes what is there while the rest is written: a name must not outlive its content.
fn expect<'e>(
    plan: &Plan,
    entries: impl Iterator<Item = &'e Entry>,
    destination: &Destination,
) -> Result<()> {
    destination.check()?;
    match present::missing(&plan.root, entries.map(|entry| &entry.place))? {
        None => Ok(()),
        Some(path) => Err(io::Error::from(io::ErrorKind::NotFound))
            .with_context(|| format!("{} was removed while the rest was being written", shown(&path))),
    }
}

/// Takes names away, each with its folder, in one step each.
///
/// # Errors
/// When the destination cannot be written.
pub fn remove<'p>(folders: impl Iterator<Item = &'p PathBuf>, destination: &Destination) -> Result<()> {
    let mut is_any = false;
    for folder in folders {
        destination.remove_folder(folder)?;
        is_any = true;
    }
    if is_any { destination.sync() } else { Ok(()) }
}
