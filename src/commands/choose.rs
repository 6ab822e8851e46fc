//! Which images a command is about, of one tree or of several, and under which names.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::catalog::{self, Catalog, Image, Resolve};
use crate::disk;
use crate::finding::{Finding, Kind, Severity};
use crate::layout::{Layout, Scan, Tree};
use crate::lists::{self, Remade};
use crate::names::{self, Named, Naming, Sources};
use crate::reference::{Identifier, Reference};
use crate::report;
use crate::select::Selection;
use crate::text::shown;

/// Which images are looked at.
pub struct Sought<'a> {
    /// Which names.
    pub selection: &'a Selection,
    /// Which platforms.
    pub lists: &'a lists::Choice,
}

/// What is to be carried elsewhere.
pub struct Wanted<'a> {
    /// Which images.
    pub sought: Sought<'a>,
    /// Whether images without a tag are left out, unless they are about one that has.
    pub tagged_only: bool,
    /// How they are named.
    pub naming: &'a Naming,
    /// Whether images of several platforms under one name become one list.
    pub joins_platforms: bool,
    /// Whether images may come that get other digests than they had in a registry.
    pub accepts_new_digests: bool,
    /// Where to write under which name each image went.
    pub mapping: Option<PathBuf>,
}

/// What was chosen.
pub(super) struct Chosen {
    /// The wanted images, under the names that they will have.
    pub(super) catalog: Catalog,
    /// What is wrong with them, as far as the scan tells.
    pub(super) findings: Vec<Finding>,
    /// How many images were left out because they have no tag.
    pub(super) untagged_left_out: u64,
    /// The images that got another digest.
    pub(super) remade: Vec<Remade>,
    /// Under which names the source had each image.
    pub(super) sources: Sources,
}

/// Leaves the wanted images of all trees, under the names that they will have in the target layout.
pub(super) fn choose(trees: Vec<Tree>, wanted: &Wanted, target: &dyn Layout) -> Result<Chosen> {
    let mut remade = Vec::new();
    let mut resolve = |catalog: &mut Catalog, name: &Reference, images: &[Image]| {
        if !wanted.joins_platforms {
            return catalog::refuse(name, images);
        }
        let (image, made) = lists::join(catalog, name, images)?;
        remade.push(made);
        Ok(image)
    };
    let (catalog, mut findings) = join(trees, wanted.naming, &mut resolve)?;
    let mut catalog = wanted.sought.select(catalog, &mut findings)?;
    if !wanted.accepts_new_digests {
        refuse_new_digests(&mut catalog, &mut findings);
    }
    let chosen = lists::choose(&mut catalog, wanted.sought.lists)?;
    findings.extend(chosen.findings);
    let Named { catalog, findings: misnamed, sources } =
        names::rename(catalog, wanted.naming, target, &mut resolve)?;
    findings.extend(misnamed);
    remade.extend(chosen.remade);
    let (catalog, untagged_left_out) = if wanted.tagged_only { tagged(catalog) } else { (catalog, 0) };
    Ok(Chosen { catalog, findings, untagged_left_out, remade, sources })
}

/// All that trees hold, of which none may rely on what is elsewhere.
fn join(mut trees: Vec<Tree>, naming: &Naming, resolve: Resolve) -> Result<(Catalog, Vec<Finding>)> {
    let patch = trees.iter().find(|tree| !tree.scan.catalog.elsewhere.is_empty());
    let patch = patch.map(|tree| tree.path.clone());
    let mut findings = Vec::new();
    for tree in &mut trees {
        names::name_bare(tree, naming.bare.as_ref());
        findings.append(&mut tree.scan.findings);
    }
    let (catalog, conflicts) = Catalog::join(trees.into_iter().map(|tree| tree.scan.catalog), resolve);
    findings.extend(conflicts);
    if let Some(patch) = patch.filter(|_| !catalog.elsewhere.is_empty()) {
        bail!(
            "{} is a patch: it relies on {} that a site has, or makes of deltas\n  hint: apply it to one, and take that as SRC",
            shown(&patch),
            report::count(catalog.elsewhere.len() as u64, "blob")
        );
    }
    Ok((catalog, findings))
}

impl Wanted<'_> {
    /// Writes, where that was asked for, which image came under which name: a line each of the name in the source,
    /// the name at the destination and the digest, separated by tabs.
    pub(super) fn write_mapping(&self, sources: &Sources, catalog: &Catalog) -> Result<()> {
        let Some(path) = &self.mapping else { return Ok(()) };
        let mut text = String::new();
        for (name, image) in &catalog.images {
            for source in sources.get(name).into_iter().flatten() {
                let _ = writeln!(text, "{source}\t{name}\t{}", image.digest);
            }
        }
        disk::write_text(path, &text)
    }
}

impl Sought<'_> {
    /// Leaves the images that have the names that are sought.
    fn select(&self, catalog: Catalog, findings: &mut Vec<Finding>) -> Result<Catalog> {
        self.selection.check([&catalog], findings)?;
        let catalog = self.selection.choose(catalog);
        self.leave_concerning(findings, &catalog);
        Ok(catalog)
    }

    /// Leaves the findings that are about chosen images, and as warnings those that may be about what follows them:
    /// of a signature that cannot be read nobody knows what it signs.
    fn leave_concerning(&self, findings: &mut Vec<Finding>, chosen: &Catalog) {
        let repositories: BTreeSet<_> =
            chosen.images.keys().map(|image| (&image.host, &image.repository)).collect();
        let may_follow = |image: &Reference| {
            let follows = match &image.identifier {
                Identifier::Tag(tag) => catalog::is_made_of_digest(tag),
                Identifier::Digest(_) => true,
            };
            follows
                && !self.selection.excludes(image)
                && repositories.contains(&(&image.host, &image.repository))
        };
        let of_others: Vec<Finding> = findings.extract_if(.., |it| !self.selection.concerns(it)).collect();
        let followers = of_others.into_iter().filter(|finding| finding.images.iter().any(may_follow));
        findings.extend(followers.map(|finding| Finding { severity: Severity::Warning, ..finding }));
    }

    /// Leaves what is sought of trees, each by itself, and the content that it needs.
    pub(super) fn narrow<'t>(&self, trees: impl IntoIterator<Item = &'t mut Scan>) -> Result<()> {
        if self.is_all() {
            return Ok(());
        }
        let mut trees: Vec<&mut Scan> = trees.into_iter().collect();
        let all: Vec<Finding> = trees.iter().flat_map(|scan| scan.findings.iter().cloned()).collect();
        self.selection.check(trees.iter().map(|scan| &scan.catalog), &all)?;
        for scan in &mut trees {
            scan.catalog = self.selection.choose(std::mem::take(&mut scan.catalog));
            self.leave_concerning(&mut scan.findings, &scan.catalog);
            let chosen = lists::choose(&mut scan.catalog, self.lists)?;
            scan.findings.extend(chosen.findings);
            let needed = scan.catalog.contents();
            scan.catalog.blobs.retain(|digest, _| needed.contains_key(digest));
        }
        Ok(())
    }

    /// What a base has of it: that is less than all, and no fault.
    pub(super) fn of_base(&self, base: Catalog) -> Result<Catalog> {
        let mut base = self.selection.choose(base);
        lists::choose(&mut base, self.lists)?;
        Ok(base)
    }

    /// Whether everything is sought.
    fn is_all(&self) -> bool {
        self.selection.is_all() && self.lists.is_all()
    }
}

/// Leaves out the images whose digests their archive cannot give back: nobody said that they may change.
fn refuse_new_digests(catalog: &mut Catalog, findings: &mut [Finding]) {
    for finding in findings.iter_mut().filter(|finding| finding.kind == Kind::NewDigests) {
        finding.severity = Severity::Error;
        catalog.images.retain(|image, _| !finding.images.contains(image));
    }
}

/// Leaves the images that have a tag, and those that are about them; tells how many that leaves out.
fn tagged(mut catalog: Catalog) -> (Catalog, u64) {
    let tagged = catalog.images.keys().filter(|reference| reference.is_tagged()).cloned().collect();
    let kept = catalog.with_referrers(tagged, |_| false);
    let left_out: BTreeSet<_> =
        catalog.images.keys().filter(|reference| !kept.contains(reference)).cloned().collect();
    let number = left_out.len() as u64;
    catalog.leave_out(&left_out, &BTreeSet::new());
    (catalog, number)
}
