//! `dedupe`: equal blob files become one inode, in place.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use rayon::prelude::*;

use super::{Ending, Writing, conclude, open};
use crate::digest::Digest;
use crate::disk::{Destination, File, Inode, Place, Share, Shared};
use crate::finding::{self, Finding};
use crate::layout::{self, Tree};
use crate::progress::Progress;
use crate::report::{self, Format};
use crate::tally::sum;
use crate::text::shown;
use crate::verify::{self, Claim, Depth, Verdict};

/// What `dedupe` was asked.
pub struct Deduplication<'a> {
    /// The trees.
    pub paths: &'a [PathBuf],
    /// Whether to stop when it is known what there is to do.
    pub is_dry_run: bool,
    /// Whether to wait for other runs.
    pub waits: bool,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Files that have to hold the same content, and may share an inode: on one device, with the same owner and mode.
struct Group {
    digest: Digest,
    files: Vec<File>,
}

/// Joins what is equal and reports.
///
/// # Errors
/// When a tree is not there, cannot be read or written, or is no tree of files.
pub fn dedupe(asked: &Deduplication) -> Result<Ending> {
    let trees = layout::open_all(asked.paths)?;
    if let Some(tree) = trees.iter().find(|tree| tree.root.is_file()) {
        bail!("{} is one file: there is nothing in it to link", shown(&tree.path));
    }
    let mut report = report::Deduplication::of(asked.paths, asked.is_dry_run);
    report.findings = trees.iter().flat_map(|tree| tree.scan.findings.iter().cloned()).collect();
    let destinations = match asked.is_dry_run {
        true => BTreeMap::new(),
        false => lock(asked, &trees)?,
    };
    let groups = groups(&trees, &mut report)?;
    let verdicts = check(asked, &groups);
    let bar = asked.progress.blobs("linking", groups.len() as u64);
    let joined: Vec<_> = verdicts
        .into_par_iter()
        .map(|verdict| {
            let joined = join(&verdict, &destinations);
            bar.add(1);
            joined.map(|joined| (joined, verdict))
        })
        .collect::<Result<_>>()?;
    drop(bar);
    destinations.values().try_for_each(Destination::sync)?;
    for (joined, verdict) in joined {
        report.joined += joined;
        report.findings.extend(verdict.faults().iter().cloned());
    }
    attribute(&mut report.findings, &trees);
    conclude(&report, &report.findings, asked.format)
}

/// Takes hold of every tree, always in the same order, so that two runs never wait for each other.
fn lock<'t>(asked: &Deduplication, trees: &'t [Tree]) -> Result<BTreeMap<&'t Path, Destination>> {
    let roots: BTreeSet<&Path> = trees.iter().map(|tree| tree.root.as_path()).collect();
    let writing = Writing { waits: asked.waits, ..Writing::default() };
    roots.into_iter().map(|root| Ok((root, open(root, writing, asked.progress)?))).collect()
}

/// Finds the files that may become one; manifests stay files of their own, for registries write them anew.
fn groups(trees: &[Tree], report: &mut report::Deduplication) -> Result<Vec<Group>> {
    let mut files: BTreeMap<Digest, BTreeMap<Place, File>> = BTreeMap::new();
    for tree in trees {
        let catalog = &tree.scan.catalog;
        let blobs = catalog.blobs.iter().filter(|(digest, _)| !catalog.manifests.contains_key(digest));
        for (digest, blob) in blobs {
            let own = blob.files.iter().filter(|file| file.within.is_none());
            files.entry(*digest).or_default().extend(own.map(|file| (file.place.clone(), file.clone())));
        }
    }
    let mut inodes = BTreeSet::new();
    let mut groups = Vec::new();
    for (digest, files) in files {
        report.files += files.len() as u64;
        inodes.extend(files.values().map(|file| file.inode()));
        let of_digest: BTreeSet<Inode> = files.values().map(|file| file.inode()).collect();
        if of_digest.len() < 2 {
            continue;
        }
        let mut alike: BTreeMap<_, Vec<File>> = BTreeMap::new();
        for file in files.into_values() {
            let (access, _) = file.access()?;
            alike.entry((file.inode().device, access)).or_default().push(file);
        }
        report.kept_apart += alike.len() as u64 - 1;
        groups.extend(alike.into_values().map(|files| Group { digest, files }).filter(Group::has_copies));
    }
    report.inodes = inodes.len() as u64;
    Ok(groups)
}

impl Group {
    fn has_copies(&self) -> bool {
        self.files.iter().any(|file| file.inode() != self.files[0].inode())
    }
}

/// Hashes every inode: a corrupt copy must neither spread nor be lost sight of.
fn check(asked: &Deduplication, groups: &[Group]) -> Vec<Verdict> {
    let claims: Vec<_> =
        groups.iter().map(|group| Claim::of(group.digest).by_placed(group.files.iter().cloned())).collect();
    let depth = if asked.is_dry_run { Depth::Sizes } else { Depth::Bytes };
    let mut inodes = BTreeSet::new();
    let files = groups.iter().flat_map(|group| &group.files).filter(|file| inodes.insert(file.inode()));
    let bar = asked.progress.bytes("verifying", sum(files.map(|file| file.size)));
    verify::verify_each(&claims, depth, &|bytes| bar.add(bytes))
}

/// Makes one inode of the sound files of a group, as far as the file system lets them: that with the most names.
fn join(verdict: &Verdict, destinations: &BTreeMap<&Path, Destination>) -> Result<report::Joined> {
    let mut names: HashMap<Inode, Vec<&File>> = HashMap::new();
    for file in verdict.sound() {
        names.entry(file.inode()).or_default().push(file);
    }
    let mut copies: Vec<Vec<&File>> = names.into_values().collect();
    copies.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a[0].place.cmp(&b[0].place)));
    let mut joined = report::Joined::default();
    let Some((first, others)) = copies.split_first() else { return Ok(joined) };
    let mut keeper = first[0].clone();
    for copy in others {
        let (_, links) = copy[0].access()?;
        let mut is_all = links == copy.len() as u64;
        for file in copy {
            // A dry run has no destinations, and every file is taken for one that can be linked.
            let path = file.path();
            let destination = destinations.iter().rev().find(|(root, _)| path.starts_with(root));
            let shared = match destination {
                Some((_, destination)) => destination.share(&keeper, &path, Share::Auto)?,
                None => Some(Shared::Linked),
            };
            match shared {
                Some(Shared::Linked) => joined.linked += 1,
                Some(Shared::Cloned) => joined.cloned += 1,
                None => {
                    // The inode can have no more names: this one takes over.
                    keeper = (*file).clone();
                    is_all = false;
                }
            }
        }
        if is_all {
            joined.freed += copy[0].size;
        }
    }
    Ok(joined)
}

/// Tells each finding which images stand on its file.
fn attribute(findings: &mut Vec<Finding>, trees: &[Tree]) {
    if !findings.is_empty() {
        for Tree { root, layout, scan, .. } in trees {
            for (name, image) in &scan.catalog.images {
                let entries = layout.standing(root, &scan.catalog, name, image);
                let files: BTreeSet<PathBuf> =
                    entries.iter().map(|entry| entry.place.path_in(root)).collect();
                let broken = findings.iter_mut().filter(|finding| files.contains(&finding.file));
                broken.for_each(|finding| {
                    finding.images.insert(name.clone());
                });
            }
        }
    }
    *findings = finding::settle(std::mem::take(findings));
}
