//! The base check: whether a site has what a package relies on.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Result;

use super::Application;
use crate::digest::Digest;
use crate::disk::{self, Look};
use crate::finding::{Finding, Kind};
use crate::layout::package::Bill;
use crate::layout::{Content, Entry};
use crate::present::Present;
use crate::tally::sum;
use crate::verify::{self, Claim, Depth};

/// What the package relies on and the destination does not have.
pub(super) fn lacking(
    asked: &Application,
    bill: &Bill,
    root: &Path,
    entries: &[Entry],
    present: &[Present],
) -> Result<Vec<Finding>> {
    let relied: BTreeMap<Digest, u64> =
        bill.relies_on.iter().map(|content| (content.digest, content.size)).collect();
    let mut lacking = Vec::new();
    let mut claims = Vec::new();
    for (entry, present) in entries.iter().zip(present) {
        let (Content::Blob(digest) | Content::Manifest(digest)) = entry.content else { continue };
        let Some(&size) = relied.get(&digest) else { continue };
        let path = root.join(&entry.path);
        let lack = Finding::at(Kind::MissingBase, &path).of(digest).expected(format_args!("{size} bytes"));
        match (present, disk::look(&path)?) {
            (Present::Blocked(what), _) => lacking.push(lack.found(what)),
            (_, Look::File(file)) if file.size == size => {
                claims.push((digest, Claim { placed: vec![file], ..Claim::default() }));
            }
            (_, Look::File(file)) => lacking.push(lack.found(format_args!("{} bytes", file.size))),
            (_, Look::Missing) => lacking.push(lack.found("nothing")),
            (_, Look::Folder) => lacking.push(lack.found("a folder")),
            (_, Look::Other(what)) => lacking.push(lack.found(what)),
        }
    }
    if asked.verifies_base && !asked.is_dry_run {
        let bytes = sum(claims.iter().flat_map(|(_, claim)| &claim.placed).map(|file| file.size));
        let bar = asked.progress.bytes("verifying", bytes);
        let verdicts = verify::verify(&claims, Depth::Bytes, &|bytes| bar.add(bytes));
        let faults = verdicts.into_values().flat_map(|verdict| verdict.faults);
        lacking.extend(faults.map(|fault| Finding { kind: Kind::MissingBase, ..fault }));
    }
    Ok(lacking)
}
