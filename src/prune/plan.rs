//! What goes, given what stays: every holding is needed, too young, in doubt or garbage.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::doubt::{Doubt, doubt, images_in_doubt};
use super::{History, Plan, Removal, Wanted, keep};
use crate::catalog::{Catalog, Image, Past};
use crate::digest::Digest;
use crate::disk::Inode;
use crate::finding::Finding;
use crate::layout::registry::{Holding, Holdings, Part, skeleton};
use crate::layout::{Content, Layout, Registry};
use crate::reference::{Reference, Repository};

/// Decides what goes of the storage at `root`, which the catalog, the findings and the holdings describe.
///
/// # Errors
/// When a person wants images that are not there, or none.
pub fn plan(
    mut catalog: Catalog,
    findings: &[Finding],
    holdings: &Holdings,
    wanted: &Wanted,
    root: &Path,
) -> Result<Plan> {
    let untagged: BTreeSet<Reference> =
        catalog.images.keys().filter(|name| !name.is_tagged()).cloned().collect();
    keep::name_all(&mut catalog, holdings);
    catalog.orphans.clear();

    let asked = keep::wanted(&catalog, findings, holdings, wanted)?;
    let kept = keep::with_followers(&catalog, asked, wanted);
    let sure = Stay::of(&mut catalog, &kept, wanted.history, &Doubt::default());
    let young = keep::young(holdings, wanted.young_from_ns);
    let kept = keep::with_followers(&catalog, kept.into_iter().chain(young).collect(), wanted);
    let settled = Stay::of(&mut catalog, &kept, wanted.history, &Doubt::default());
    let doubt = doubt(&catalog, findings, holdings, &kept, root);
    let (kept, doubted) = match doubt.is_none() {
        true => (kept, None),
        false => {
            let unsure = images_in_doubt(&catalog, &doubt);
            let unsure = unsure.filter(|name| !wanted.selection.excludes(name)).cloned();
            let all = keep::with_followers(&catalog, kept.into_iter().chain(unsure).collect(), wanted);
            let stay = Stay::of(&mut catalog, &all, wanted.history, &doubt);
            (all, Some(stay))
        }
    };

    let targets = young_targets(&catalog, holdings, wanted.young_from_ns);
    let fate = |holding: &Holding| {
        let is_young = wanted.young_from_ns.is_some_and(|from| holding.changed_ns > from)
            || matches!(&holding.part, Part::Blob(digest) if targets.contains(digest));
        match () {
            () if sure.has(holding) => Fate::Needed,
            () if settled.has(holding) || is_young => Fate::Young,
            () if doubted.as_ref().is_some_and(|stay| stay.has(holding) || doubt.has(holding)) => {
                Fate::Doubted
            }
            () => Fate::Gone,
        }
    };
    let mut plan = Plan::default();
    let of_tags = holdings.holdings.iter().filter_map(|holding| Some((holding.part.tag()?, holding)));
    plan.tags = of_tags.filter(|(_, holding)| fate(holding) == Fate::Gone).map(|(name, _)| name).collect();
    let mut gone = Vec::new();
    let mut folders = HashSet::new();
    let mut staying: BTreeSet<&Repository> = BTreeSet::new();
    for holding in &holdings.holdings {
        // What a tag was goes with it.
        if let Part::History(repository, tag, _) = &holding.part
            && plan.tags.contains(&keep::tagged(repository, tag))
        {
            continue;
        }
        match fate(holding) {
            Fate::Needed => {}
            Fate::Young => plan.young.add(holding),
            Fate::Doubted => plan.doubted.add(holding),
            Fate::Gone => {
                plan.gone.add(holding);
                gone.push(holding);
                continue;
            }
        }
        staying.extend(holding.part.repository());
        keep_folders(&holding.path, &mut folders);
    }
    let skeletons: Vec<PathBuf> = staying.iter().flat_map(|name| skeleton(name)).collect();
    skeletons.iter().for_each(|folder| keep_folders(&folder.join("any"), &mut folders));

    let with_something: BTreeSet<&Repository> =
        gone.iter().filter_map(|holding| holding.part.repository()).collect();
    plan.repositories = with_something.difference(&staying).count() as u64;
    plan.freed = freed(&gone);
    let lost = gone.iter().filter_map(|holding| match &holding.part {
        Part::Revision(name, digest) if !catalog.manifests.contains_key(digest) => {
            Some(keep::untagged(name, *digest))
        }
        _ => None,
    });
    plan.untagged = untagged.difference(&kept).cloned().chain(lost).collect();
    plan.removal = removal(&catalog, &gone, holdings, &folders, wanted);
    plan.kept = kept.into_iter().filter(|name| name.is_tagged() || untagged.contains(name)).collect();
    Ok(plan)
}

/// What becomes of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It stays: an image needs it.
    Needed,
    /// It stays: it, or what needs it, is too young to be removed.
    Young,
    /// It stays: a damaged image may need it.
    Doubted,
    /// It goes.
    Gone,
}

/// What has to stay for some images: paths below the root.
struct Stay {
    paths: HashSet<PathBuf>,
    tags: BTreeSet<Reference>,
}

impl Stay {
    /// It is what a conversion of these images writes; of repositories in doubt, all leave to serve blobs, too.
    fn of(catalog: &mut Catalog, kept: &BTreeSet<Reference>, history: History, doubt: &Doubt) -> Self {
        let mut images: BTreeMap<Reference, Image> = BTreeMap::new();
        for name in kept {
            let Some(image) = catalog.images.get(name) else { continue };
            let past = if history == History::Whole { image.history.clone() } else { Past::new() };
            images.insert(name.clone(), Image { history: past, ..image.clone() });
        }
        let mut needed: HashMap<&Repository, HashSet<Digest>> = HashMap::new();
        for (name, image) in &images {
            let blobs = catalog.closure(image.digest).blobs.into_keys();
            needed.entry(&name.repository).or_default().extend(blobs);
        }
        let of_repository = |(repository, grants): (&Repository, &BTreeMap<Digest, Digest>)| {
            let is_doubted = doubt.repositories.contains(repository);
            let needed = needed.get(repository);
            let is_needed = |name: &Digest| is_doubted || needed.is_some_and(|it| it.contains(name));
            let grants: BTreeMap<_, _> = grants.iter().filter(|(name, _)| is_needed(name)).collect();
            let grants = grants.into_iter().map(|(name, target)| (*name, *target)).collect();
            (is_doubted || needed.is_some()).then(|| (repository.clone(), grants))
        };
        let grants = catalog.grants.iter().filter_map(of_repository).collect();
        let tags = kept.iter().filter(|name| name.is_tagged()).cloned().collect();
        let (all_images, all_grants) =
            (std::mem::replace(&mut catalog.images, images), std::mem::replace(&mut catalog.grants, grants));
        let entries = Registry.entries(catalog);
        (catalog.images, catalog.grants) = (all_images, all_grants);
        let files = entries.into_iter().filter(|entry| entry.content() != Content::Folder);
        Self { paths: files.map(|entry| entry.place.path()).collect(), tags }
    }

    fn has(&self, holding: &Holding) -> bool {
        match &holding.part {
            Part::Tag(repository, tag) => self.tags.contains(&keep::tagged(repository, tag)),
            _ => self.paths.contains(&holding.path),
        }
    }
}

impl Doubt {
    /// Whether something stays that leads to nothing that is known.
    fn has(&self, holding: &Holding) -> bool {
        match &holding.part {
            Part::Revision(repository, _) | Part::Layer(repository, _) | Part::History(repository, ..) => {
                self.repositories.contains(repository)
            }
            Part::Blob(digest) => self.is_everywhere || self.content.contains(digest),
            Part::Tag(..) | Part::Upload(_) => false,
        }
    }
}

/// What links lead to that are too young to be removed: an upload may just have been found to be there already.
fn young_targets(catalog: &Catalog, holdings: &Holdings, young_from_ns: Option<i64>) -> HashSet<Digest> {
    let Some(young_from_ns) = young_from_ns else { return HashSet::new() };
    let young = holdings.holdings.iter().filter(|holding| holding.changed_ns > young_from_ns);
    let targets = young.filter_map(|holding| match &holding.part {
        Part::Layer(repository, name) => {
            Some(catalog.grants.get(repository).and_then(|grants| grants.get(name)).copied().unwrap_or(*name))
        }
        Part::Revision(_, digest) | Part::History(_, _, digest) => Some(*digest),
        _ => None,
    });
    targets.collect()
}

/// Notes the folders above a path.
fn keep_folders(path: &Path, folders: &mut HashSet<PathBuf>) {
    for folder in path.ancestors().skip(1) {
        if !folders.insert(folder.to_owned()) {
            break;
        }
    }
}

/// Bytes of the inodes all of whose names go.
fn freed(gone: &[&Holding]) -> u64 {
    let mut names: HashMap<Inode, u64> = HashMap::new();
    let files = || gone.iter().flat_map(|holding| &holding.files);
    files().for_each(|file| *names.entry(file.inode).or_default() += 1);
    let mut freed = 0;
    for file in files() {
        if names.remove(&file.inode).is_some_and(|names| names >= file.links) {
            freed += file.size;
        }
    }
    freed
}

/// Puts what goes into its order.
fn removal(
    catalog: &Catalog,
    gone: &[&Holding],
    holdings: &Holdings,
    folders: &HashSet<PathBuf>,
    wanted: &Wanted,
) -> Removal {
    let heights = heights(catalog, gone);
    let mut removal = Removal::default();
    for holding in gone {
        let path = holding.path.clone();
        match &holding.part {
            Part::Tag(..) => removal.tags.push(path),
            Part::History(..) => removal.history.push(path),
            Part::Revision(_, digest) => {
                let height = heights.get(digest).copied().unwrap_or_default();
                removal.revisions.entry(height).or_default().push(path);
            }
            Part::Layer(..) => removal.layers.push(path),
            Part::Upload(_) => removal.uploads.push(path),
            Part::Blob(_) => removal.blobs.push(path),
        }
    }
    let garbage = holdings.folders.iter().filter(|folder| {
        let is_young = wanted.young_from_ns.is_some_and(|from| folder.changed_ns > from);
        !is_young && !folders.contains(&folder.path)
    });
    removal.folders = garbage.map(|folder| folder.path.clone()).collect();
    removal.folders.sort_by_cached_key(|path| std::cmp::Reverse(path.components().count()));
    removal
}

/// How far above their farthest children the manifests stand whose links go.
fn heights(catalog: &Catalog, gone: &[&Holding]) -> HashMap<Digest, u32> {
    let mut heights = HashMap::new();
    let revisions = || gone.iter().filter_map(|holding| holding.part.revision());
    let children = |digest| catalog.manifests.get(&digest).into_iter().flat_map(|it| &it.manifests);
    let listed: HashSet<Digest> = revisions().flat_map(children).map(|child| child.digest).collect();
    // Those that nothing lists come first: what they list is then known.
    let (roots, others): (Vec<_>, Vec<_>) = revisions().partition(|digest| !listed.contains(digest));
    for digest in roots.into_iter().chain(others) {
        if !heights.contains_key(&digest) {
            heights.extend(catalog.closure(digest).manifests);
        }
    }
    heights
}
