//! A conversion under way: what is planned is made, and where that was done in too much trust, it is undone.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;

use super::Conversion;
use super::goal::Goal;
use crate::catalog::Catalog;
use crate::commands::{Ending, conclude};
use crate::damage::{self, Damage};
use crate::digest::Digest;
use crate::disk::{self, Destination, File, Links, Share};
use crate::execute::{self, Built, Means};
use crate::finding::{Finding, Kind};
use crate::names::Sources;
use crate::plan::{self, Blobs, Plan};
use crate::present;
use crate::report;
use crate::space;
use crate::stats::need;
use crate::tally::{Tally, sum};
use crate::verify::{self, Claims, Depth, Hashed, Verdict, Verdicts};
use crate::work;

/// A conversion, and what it works with.
pub(super) struct Run<'a> {
    pub(super) asked: &'a Conversion<'a>,
    /// Where the entries' paths start.
    pub(super) root: &'a Path,
    /// Nothing, where nothing is to be written.
    pub(super) destination: Option<Destination>,
    /// Under which names the sources had the images.
    pub(super) sources: &'a Sources,
    pub(super) started: Instant,
}

/// Why files are taken for what they claim to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trust {
    /// Nothing speaks against it yet; they are hashed meanwhile.
    Presumed,
    /// They were hashed, or nobody asked for it.
    Known,
}

impl Run<'_> {
    /// Looks at what of a catalog is at the destination.
    pub(super) fn goal(&self, catalog: &Catalog) -> Result<Goal> {
        let entries = self.asked.target.entries_beside(catalog, self.root)?;
        let present = present::look(self.root, &entries)?;
        Ok(Goal { entries, present })
    }

    /// Takes every file for what it claims to hold.
    pub(super) fn presume(&self, catalog: &Catalog, goal: &Goal) -> Result<Verdicts> {
        let depth = if self.asked.hashes() { Depth::Bytes } else { Depth::Sizes };
        Ok(verify::presume(&self.claims(catalog, goal)?, depth))
    }

    /// Hashes what has to be at the destination, there or in the source.
    pub(super) fn hash(&self, verdicts: &Verdicts) -> Hashed {
        let bar = self
            .asked
            .progress
            .bytes("verifying", sum(verdicts.iter().flat_map(Verdict::sound).map(|file| file.size)));
        verdicts.hash(&|bytes| bar.add(bytes))
    }

    /// Takes in what hashing showed.
    pub(super) fn correct(
        &self,
        verdicts: &mut Verdicts,
        found: Hashed,
        catalog: &Catalog,
        goal: &Goal,
    ) -> Result<()> {
        verdicts.correct(&self.claims(catalog, goal)?, found, &|_| {});
        Ok(())
    }

    /// Which files claim to hold what has to be at the destination, the better ones first.
    fn claims<'c>(&self, catalog: &'c Catalog, goal: &Goal) -> Result<Claims<'c>> {
        let mut claims = goal.claims(catalog);
        // What has to be copied is hashed on the way; what can be shared is hashed where it lies.
        match self.asked.share {
            Share::HardLink => {}
            Share::Copy => claims.iter_mut().for_each(|claim| claim.is_copied = true),
            Share::Auto | Share::Reflink => {
                let far = self.far_sources()?;
                let is_far = |file: &File| {
                    file.within.is_some() || far.iter().any(|it| file.place.folder().starts_with(it))
                };
                for claim in claims.iter_mut() {
                    // Of several files, one that can be shared is the better one.
                    if !claim.sources.is_sorted_by_key(is_far) {
                        claim.sources.to_mut().sort_by_key(is_far);
                    }
                    claim.is_copied = claim.sources.iter().all(is_far);
                }
            }
        }
        Ok(claims)
    }

    /// The sources that lie where nothing can be shared with the destination.
    fn far_sources(&self) -> Result<Vec<&Path>> {
        let mut far = Vec::new();
        for source in self.asked.sources {
            if !disk::is_one_mount(source, self.root)? {
                far.push(source.as_path());
            }
        }
        Ok(far)
    }

    /// Plans, places and names, as far as nothing was found that forbids it. Where a file does not hold what it was
    /// presumed to, it tells what hashing showed, and nothing was changed.
    pub(super) fn attempt(
        &self,
        goal: Goal,
        catalog: &mut Catalog,
        verdicts: &Verdicts,
        trust: Trust,
        report: &mut report::Conversion,
    ) -> Result<Option<Hashed>> {
        let blobs = self.blobs(&goal, verdicts)?;
        match self.attempt_with(blobs, goal, catalog, verdicts, trust, report)? {
            Attempt::Over => Ok(None),
            Attempt::Refuted(found) => Ok(Some(found)),
            Attempt::Unlinked => {
                let goal = self.goal(catalog)?;
                self.attempt_with(Blobs::Singly, goal, catalog, verdicts, Trust::Known, report)?;
                Ok(None)
            }
        }
    }

    /// When blobs get their places: what is copied must not be lost if the run is killed.
    fn blobs(&self, goal: &Goal, verdicts: &Verdicts) -> Result<Blobs> {
        let is_linked = matches!(self.asked.share, Share::Auto | Share::HardLink);
        if !is_linked || !goal.lacks_anything() || disk::volumes(self.root)?.len() > 1 {
            return Ok(Blobs::Singly);
        }
        let links = Links::to(self.root)?;
        let can_link = |verdict: &Verdict| {
            verdict.unread().is_empty() && verdict.sound().first().is_none_or(|file| links.take(file))
        };
        Ok(if verdicts.iter().all(can_link) { Blobs::WithFolders } else { Blobs::Singly })
    }

    fn attempt_with(
        &self,
        blobs: Blobs,
        goal: Goal,
        catalog: &mut Catalog,
        verdicts: &Verdicts,
        trust: Trust,
        report: &mut report::Conversion,
    ) -> Result<Attempt> {
        let kept;
        let Goal { entries, present } = goal;
        let mut entries = entries.as_slice();
        let mut plan = plan::plan(self.root, entries, &present, verdicts, blobs)?;
        drop(present); // there is much of it, and it is in the plan
        report.plans(&plan, space::check(&plan, catalog, self.asked.share, 0)?);
        let mut hashing = self.started.elapsed();
        if let Some(destination) = self.may_write(report) {
            let built = match trust {
                Trust::Known => self.build(&plan, catalog, destination)?,
                Trust::Presumed => {
                    let build = || {
                        let built = execute::build(&plan, catalog, destination, &|| {})?;
                        // What is durable by then need not be waited for later.
                        destination.sync()?;
                        Ok(built)
                    };
                    let (found, built): (_, Result<Built>) = work::beside(|| self.hash(verdicts), build)?;
                    if !found.is_as_presumed() {
                        return Ok(Attempt::Refuted(found));
                    }
                    report.verified += found.tally();
                    built?
                }
            };
            if built.is_refused() {
                return Ok(Attempt::Unlinked);
            }
            let mut built = Some(built);
            if let Some(damage) = self.place(destination, &plan, catalog, verdicts, report)? {
                built = None;
                catalog.leave_out(&damage.broken, &damage.unsound);
                kept = self.asked.target.entries_beside(catalog, self.root)?;
                entries = &kept;
                plan.keep_only(entries);
                if self.may_write(report).is_some() {
                    built = Some(self.build(&plan, catalog, destination)?);
                }
            }
            hashing = self.started.elapsed();
            if let Some(built) = built {
                report.outcome += execute::names(&plan, built, entries, catalog, destination)?;
            }
        }
        if let Tally { bytes: bytes @ 1.., .. } = report.verified {
            let rate = report::rate(bytes, hashing);
            self.asked.progress.say(|| format!("verified {} at {rate}", report::bytes(bytes)));
        }
        report.stopped = !self.asked.is_dry_run && self.may_write(report).is_none();
        if !report.stopped {
            report.shows(&plan, need(catalog), self.sources);
        }
        Ok(Attempt::Over)
    }

    /// The destination, if there is one and nothing was found that forbids to write, or to write on.
    fn may_write(&self, report: &report::Conversion) -> Option<&Destination> {
        self.destination.as_ref().filter(|_| self.asked.may_write(&report.findings))
    }

    /// Builds aside what appears at once.
    fn build<'p, 'e>(
        &self,
        plan: &'p Plan<'e>,
        catalog: &Catalog,
        destination: &'p Destination,
    ) -> Result<Built<'p, 'e>> {
        let bar = self.asked.progress.blobs("placing", plan.links().count() as u64);
        execute::build(plan, catalog, destination, &|| bar.add(1))
    }

    /// Puts the rest of the content in place; tells the damage where a copy turned out to be unsound.
    fn place(
        &self,
        destination: &Destination,
        plan: &Plan,
        catalog: &Catalog,
        verdicts: &Verdicts,
        report: &mut report::Conversion,
    ) -> Result<Option<Damage>> {
        let Conversion { share, verifies, progress, .. } = *self.asked;
        let places = plan.placements.iter().map(|placement| placement.targets.len() as u64);
        let bar = progress.blobs("placing", places.sum());
        let means = Means { share, verifies, holds_back: false, on_placed: &|| bar.add(1) };
        let (outcome, spoiled) = execute::content(plan, destination, &means)?;
        report.verified += outcome.hashed;
        report.outcome += outcome;
        if spoiled.faults.is_empty() {
            return Ok(None);
        }
        let size_of = |digest: &Digest| {
            let is_spoiled = spoiled.digests.contains(digest);
            if is_spoiled { None } else { verdicts.size(digest) }
        };
        let damage = damage::assess(catalog, spoiled.faults, &size_of);
        report.findings.extend(damage.findings.iter().cloned());
        report.findings.sort();
        Ok(Some(damage))
    }

    /// Says what there is to say at the end.
    pub(super) fn conclude(&self, mut report: report::Conversion, catalog: &Catalog) -> Result<Ending> {
        if report.outcome.kept_owner > 0 {
            let finding = Finding::at(Kind::KeptOwner, self.root);
            report.findings.push(finding.found(format_args!("{} of them", report.outcome.kept_owner)));
            report.findings.sort();
        }
        if !report.stopped {
            self.asked.wanted.write_mapping(self.sources, catalog)?;
        }
        conclude(&report, &report.findings, self.asked.format)
    }
}

/// How an attempt ended.
enum Attempt {
    /// All that may be done is done.
    Over,
    /// A file does not hold what it was presumed to.
    Refuted(Hashed),
    /// All files hold it, but the file system refuses links that it seemed to allow.
    Unlinked,
}
