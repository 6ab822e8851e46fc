//! Findings in words.

use std::fmt::Write;

use super::text::count;
use crate::finding::Finding;
use crate::text::{plain, shown};

/// How many images a finding names before it only counts the others.
const MAX_NAMED: usize = 10;

/// Findings, in the order in which they are printed.
pub struct Findings<'f>(pub &'f [Finding]);

impl Findings<'_> {
    /// What people read: a paragraph for each.
    #[must_use]
    pub fn text(&self) -> String {
        self.0.iter().map(paragraph).collect()
    }
}

fn paragraph(finding: &Finding) -> String {
    let severity = if finding.is_error() { "error" } else { "warning" };
    let healed = if finding.healed { ", healed by another copy" } else { "" };
    let file = shown(&finding.file);
    let mut text = format!("{severity}: {}{healed}: {file}\n", finding.kind.words());
    let images: Vec<_> = finding.images.iter().take(MAX_NAMED).map(ToString::to_string).collect();
    let mut images = images.join(", ");
    if finding.images.len() > MAX_NAMED {
        let others = (finding.images.len() - MAX_NAMED) as u64;
        let _ = write!(images, " and {}", count(others, "other"));
    }
    let affected = if finding.is_error() { "breaks" } else { "image" };
    let hint = if finding.healed { "" } else { finding.kind.hint() };
    for (label, value) in [
        ("expected", finding.expected.as_deref().unwrap_or_default()),
        ("found", finding.found.as_deref().unwrap_or_default()),
        (affected, &images),
        ("hint:", hint),
    ] {
        if !value.is_empty() {
            let _ = writeln!(text, "  {label:<8} {}", plain(value));
        }
    }
    text
}
