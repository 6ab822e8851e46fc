//! `verify`: every byte and every link of a tree, and which images each fault breaks.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::Result;

use super::{Ending, Sought, Writing, conclude, open};
use crate::audit::{Audit, audit};
use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::disk::{self, Destination, Look, Share};
use crate::execute::{self, Means};
use crate::finding::{Finding, Kind};
use crate::layout::{self, Content, Entry, Stage, Tree};
use crate::plan::{self, Blobs};
use crate::present;
use crate::progress::Progress;
use crate::report::{self, Format, Repaired};
use crate::space;
use crate::tally::sum;
use crate::verify::{self, Claim, Depth};

/// What `verify` was asked.
pub struct Verification<'a> {
    /// The trees.
    pub paths: &'a [PathBuf],
    /// Which images, and what of them.
    pub sought: Sought<'a>,
    /// Trees to take sound content from.
    pub repair_from: &'a [PathBuf],
    /// Whether to leave the hashes out.
    pub is_quick: bool,
    /// What is asked of what is repaired.
    pub writing: Writing,
    /// Where to show progress.
    pub progress: Progress,
    /// How to report.
    pub format: Format,
}

/// Checks trees, repairs what was asked to be repaired, and reports.
///
/// # Errors
/// When a tree is not there or cannot be read.
pub fn verify(asked: &Verification) -> Result<Ending> {
    let sources = layout::open_all(asked.repair_from)?;
    let mut repaired = Vec::new();
    // Each round of repairs may bring manifests to light whose content is lost as well.
    let (trees, audit) = loop {
        let mut trees = layout::open_all(asked.paths)?;
        asked.sought.narrow(trees.iter_mut().map(|tree| &mut tree.scan))?;
        let audit = check(asked, &trees)?;
        let mended = trees.iter().map(|tree| repair(asked, tree, &audit.findings, &sources));
        let mended: Vec<_> = mended.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
        if mended.is_empty() {
            break (trees, audit);
        }
        repaired.extend(mended);
    };
    let report = report::Verification::of(&trees, audit, repaired, asked.is_quick);
    conclude(&report, &report.findings, asked.format)
}

fn check(asked: &Verification, trees: &[Tree]) -> Result<Audit> {
    let depth = if asked.is_quick { Depth::Sizes } else { Depth::Bytes };
    let blobs = trees.iter().flat_map(|tree| tree.scan.catalog.blobs.values());
    let sizes = blobs.flat_map(|blob| &blob.files).map(|file| file.size);
    let bar = asked.progress.bytes("verifying", sum(sizes));
    audit(trees, depth, &|bytes| bar.add(bytes))
}

/// Puts sound content of other trees in the place of what is corrupt or missing; the first that has it gives it.
fn repair(
    asked: &Verification,
    tree: &Tree,
    findings: &[Finding],
    sources: &[Tree],
) -> Result<Vec<Repaired>> {
    let mut wanted: BTreeSet<(PathBuf, Digest)> = findings
        .iter()
        .filter(|finding| finding.is_error() && is_lost_content(finding.kind))
        .filter(|finding| !matches!(disk::look(&finding.file), Ok(Look::Folder)))
        .filter(|finding| disk::link_between(&tree.root, &finding.file).is_none())
        .filter_map(|finding| {
            let path = finding.file.strip_prefix(&tree.root).ok()?;
            let digest = finding.digest.filter(|digest| tree.layout.content_at(path) == Some(*digest))?;
            Some((path.to_owned(), digest))
        })
        .collect();
    if wanted.is_empty() || sources.is_empty() {
        return Ok(Vec::new());
    }
    let destination = open(&tree.root, asked.writing, asked.progress)?;
    let mut repaired = Vec::new();
    for source in sources {
        let mended = repair_from(tree, &wanted, &source.scan.catalog, &destination)?;
        wanted.retain(|(path, _)| mended.iter().all(|it| it.file != tree.root.join(path)));
        repaired.extend(mended);
    }
    Ok(repaired)
}

fn repair_from(
    tree: &Tree,
    wanted: &BTreeSet<(PathBuf, Digest)>,
    source: &Catalog,
    destination: &Destination,
) -> Result<Vec<Repaired>> {
    let digests: BTreeSet<Digest> = wanted.iter().map(|(_, digest)| *digest).collect();
    let claims: Vec<_> =
        digests.into_iter().map(|digest| Claim::of(digest).by(source.files_of(&digest))).collect();
    let verdicts = verify::verify(&claims, Depth::Bytes, &|_| {});
    let mut entries = Vec::new();
    let mut repaired = Vec::new();
    for (path, digest) in wanted {
        let Some(sound) = verdicts.get(digest).and_then(|verdict| verdict.sound().first()) else { continue };
        let is_manifest = source.manifests.contains_key(digest);
        let content = if is_manifest { Content::Manifest(*digest) } else { Content::Blob(*digest) };
        repaired.push(Repaired { digest: *digest, file: tree.root.join(path), from: sound.path() });
        entries.push(Entry::new(Stage::Content, path.as_path(), content));
    }
    let present = present::nothing(&entries);
    let plan = plan::plan(&tree.root, &entries, &present, &verdicts, Blobs::Singly)?;
    // By clone or copy: what repairs a tree must not tie it to another.
    let share = Share::Reflink;
    space::check(&plan, source, share, 0)?;
    execute::content(
        &plan,
        destination,
        &Means { share, verifies: true, holds_back: false, on_placed: &|| {} },
    )?;
    let built = execute::build(&plan, source, destination, &|| {})?;
    execute::names(&plan, built, &entries, source, destination)?;
    Ok(repaired)
}

/// Whether a finding is about content that another tree may have.
fn is_lost_content(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::CorruptBlob
            | Kind::WrongSize
            | Kind::MissingBlob
            | Kind::MissingManifest
            | Kind::InvalidManifest
            | Kind::Unreadable
            | Kind::NotAFile
    )
}
