//! The base check: whether a site has what a package relies on.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};

use super::Application;
use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::disk::{self, File, Look};
use crate::finding::{Finding, Kind};
use crate::layout::package::{Bill, check_manifest};
use crate::layout::{Content, Entry};
use crate::manifest::MAX_MANIFEST_BYTES;
use crate::present::Present;
use crate::tally::sum;
use crate::text::shown;
use crate::verify::{self, Claim, Depth};

/// What the package relies on and the destination does not have.
pub(super) fn lacking(
    asked: &Application,
    bill: &Bill,
    described: &Catalog,
    root: &Path,
    entries: &[Entry],
    present: &[Present],
) -> Result<Vec<Finding>> {
    let relied: BTreeMap<Digest, u64> =
        bill.relies_on.iter().map(|content| (content.digest, content.size)).collect();
    let mut lacking = Vec::new();
    let mut claims = Vec::new();
    for (entry, present) in entries.iter().zip(present) {
        let (Content::Blob(digest) | Content::Manifest(digest)) = entry.content() else { continue };
        let Some(&size) = relied.get(&digest) else { continue };
        let path = entry.place.path_in(root);
        let lack = Finding::at(Kind::MissingBase, &path).of(digest).expected(format_args!("{size} bytes"));
        match (present, disk::look(&path)?) {
            (Present::Blocked(what), _) => lacking.push(lack.found(what)),
            (_, Look::File(file)) if file.size == size => {
                lacking.extend(contradiction(asked, &file, digest, described)?);
                claims.push(Claim::of(digest).by_placed([file]));
            }
            (_, Look::File(file)) => lacking.push(lack.found(format_args!("{} bytes", file.size))),
            (_, Look::Missing) => lacking.push(lack.found("nothing")),
            (_, Look::Folder) => lacking.push(lack.found("a folder")),
            (_, Look::Other(what)) => lacking.push(lack.found(what)),
        }
    }
    if asked.verifies_base && !asked.is_dry_run {
        let bytes = sum(claims.iter().flat_map(|claim| &claim.placed).map(|file| file.size));
        let bar = asked.progress.bytes("verifying", bytes);
        let verdicts = verify::verify(&claims, Depth::Bytes, &|bytes| bar.add(bytes));
        let faults = verdicts.faults().cloned();
        lacking.extend(faults.map(|fault| Finding { kind: Kind::MissingBase, ..fault }));
    }
    Ok(lacking)
}

/// What the bill says wrong of a manifest that the destination has: it would lay out an image that is not whole.
fn contradiction(
    asked: &Application,
    file: &File,
    digest: Digest,
    described: &Catalog,
) -> Result<Option<Finding>> {
    let Some(listed) = described.manifests.get(&digest) else { return Ok(None) };
    let bytes = file.read_small(MAX_MANIFEST_BYTES);
    let bytes = bytes.with_context(|| format!("cannot read {}", shown(&file.path())))?.unwrap_or_default();
    let lack = Finding::at(Kind::MissingBase, file.path()).of(digest).expected(digest);
    let found = Digest::of(digest.algorithm(), &bytes);
    if found != digest {
        return Ok(Some(lack.found(found)));
    }
    Ok(check_manifest(asked.package, digest, &bytes, listed).err())
}
