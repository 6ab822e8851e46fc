//! What was put in place, and what would be, in a line.

use super::Planned;
use super::text::{bytes, count};
use crate::execute::Outcome;
use crate::lists::Remade;

/// What was done; `there` blobs were in their place before.
pub(super) fn placed(outcome: &Outcome, there: u64) -> String {
    let Outcome { linked, cloned, copied, restored, written_files, .. } = outcome;
    let restored = if restored.is_empty() { String::new() } else { format!("{} restored, ", restored.files) };
    format!(
        "{} linked, {} cloned, {} copied, {restored}{there} already there; {} written\n",
        linked.files,
        cloned.files,
        copied.files,
        count(*written_files, "small file"),
    )
}

/// The images that got another digest, a line each.
pub(super) fn remade(remade: &[Remade]) -> String {
    let line = |it: &Remade| {
        let from: Vec<String> = it.from.iter().map(ToString::to_string).collect();
        format!("{}: {} -> {}\n", it.image, from.join(" + "), it.to)
    };
    remade.iter().map(line).collect()
}

/// What there is to do; `there` blobs are in their place.
pub(super) fn to_place(planned: &Planned, there: u64) -> String {
    format!(
        "to place: {}, {}; {there} already there; {} to write\n",
        count(planned.blobs.files, "blob"),
        bytes(planned.blobs.bytes),
        count(planned.files, "small file"),
    )
}
