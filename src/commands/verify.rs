//! `verify`: every byte and every link of a tree, and which images each fault breaks.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Ending;
use crate::audit::{Audit, audit};
use crate::digest::Digest;
use crate::disk::Share;
use crate::execute::{self, Means};
use crate::finding::{Finding, Kind};
use crate::layout::{self, Content, Entry, Stage, Tree};
use crate::plan;
use crate::present::Present;
use crate::progress::Progress;
use crate::report::{self, Checked, Findings, Format, Repaired, VerifiedTree};
use crate::verify::{self, Claim, Depth};

/// What `verify` was asked.
pub struct Verification<'a> {
    /// The trees.
    pub paths: &'a [PathBuf],
    /// Trees to take sound content from.
    pub repair_from: &'a [PathBuf],
    /// Whether to leave the hashes out.
    pub is_quick: bool,
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
    let mut report = report::Verification::of(asked.is_quick);
    for path in asked.paths {
        let (tree, audit) = check(asked, path, &mut report.repaired)?;
        report.trees.push(VerifiedTree::of(&tree));
        let Audit { findings, files, bytes, digests } = audit;
        report.checked += Checked { files, bytes, digests };
        report.findings.extend(findings);
    }
    report.sound = !report.findings.iter().any(Finding::is_error);
    eprint!("{}", Findings(&report.findings).text());
    report::print(&report, asked.format)?;
    Ok(if report.sound { Ending::Sound } else { Ending::Faulty })
}

/// Audits a tree, and again after each round of repairs, for as long as these find something to mend.
fn check(asked: &Verification, path: &Path, repaired: &mut Vec<Repaired>) -> Result<(Tree, Audit)> {
    loop {
        let tree = layout::open(path)?;
        let depth = if asked.is_quick { Depth::Sizes } else { Depth::Bytes };
        let bytes = tree.scan.catalog.blobs.values().flat_map(|blob| &blob.files);
        let bar = asked.progress.bytes("verifying", bytes.map(|file| file.size).fold(0, u64::saturating_add));
        let audit = audit(&tree, depth, &|bytes| bar.add(bytes))?;
        drop(bar);
        let mut mended = Vec::new();
        for source in asked.repair_from {
            mended.extend(repair(&tree, &audit.findings, &mended, source)?);
        }
        if mended.is_empty() {
            return Ok((tree, audit));
        }
        repaired.extend(mended);
    }
}

/// Puts sound content of another tree in the place of what is corrupt or missing.
fn repair(tree: &Tree, findings: &[Finding], mended: &[Repaired], source: &Path) -> Result<Vec<Repaired>> {
    let wanted: BTreeSet<(PathBuf, Digest)> = findings
        .iter()
        .filter(|finding| is_lost_content(finding.kind))
        .filter(|finding| mended.iter().all(|it| it.file != finding.file))
        .filter_map(|finding| Some((finding.file.strip_prefix(&tree.root).ok()?.to_owned(), finding.digest?)))
        .collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let source = layout::open(source)?;
    let catalog = &source.scan.catalog;
    let files =
        |digest: &Digest| catalog.blobs.get(digest).map(|blob| blob.files.clone()).unwrap_or_default();
    let claims: BTreeMap<Digest, Claim> = wanted
        .iter()
        .map(|(_, digest)| (*digest, Claim { sources: files(digest), ..Claim::default() }))
        .collect();
    let claims: Vec<_> = claims.into_iter().collect();
    let verdicts = verify::verify(&claims, Depth::Bytes, &|_| {});
    let mut entries = Vec::new();
    let mut repaired = Vec::new();
    for (path, digest) in wanted {
        let Some(sound) = verdicts.get(&digest).and_then(|verdict| verdict.sound.first()) else { continue };
        let is_manifest = catalog.manifests.contains_key(&digest);
        let content = if is_manifest { Content::Manifest(digest) } else { Content::Blob(digest) };
        repaired.push(Repaired { digest, file: tree.root.join(&path), from: sound.path.clone() });
        entries.push(Entry { stage: Stage::Content, path, content, names: None, whole: None });
    }
    let present: Vec<_> = entries.iter().map(|_| Present::Missing).collect();
    let plan = plan::plan(&tree.root, entries, &present, &verdicts)?;
    execute::content(&plan, &Means { share: Share::Auto, verifies: true, on_placed: &|_| {} })?;
    execute::names(&plan, catalog)?;
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
    )
}
