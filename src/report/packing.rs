//! What a package has, or would have.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::Report;
use super::placed::remade;
use super::text::{bytes, count};
use crate::finding::Finding;
use crate::layout::package::{Bill, Form, Totals};
use crate::lists::Remade;
use crate::pack::deltas::Layers;

/// The result of `pack`.
#[derive(Debug, Serialize)]
pub struct Packing {
    /// `bundle.packing/1`.
    pub schema: &'static str,
    /// What was read.
    #[serde(serialize_with = "crate::text::paths")]
    pub sources: Vec<PathBuf>,
    /// What was written; none for standard output.
    pub package: Option<PathBuf>,
    /// How it lies.
    pub form: Form,
    /// Whether nothing was written.
    pub dry_run: bool,
    /// Whether there is no package, because of errors.
    pub stopped: bool,
    /// What it carries and relies on.
    #[serde(flatten)]
    pub totals: Totals,
    /// What became of the wish for deltas, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<Layers>,
    /// The images that got another digest.
    pub remade: Vec<Remade>,
    /// How many images were left out because they have no tag.
    pub untagged_left_out: u64,
    /// The length of its tar in bytes.
    pub package_bytes: u64,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

impl Packing {
    /// Starts a report on a package with this bill of materials.
    #[must_use]
    pub fn of(sources: &[PathBuf], dry_run: bool, bill: &Bill) -> Self {
        Self {
            schema: "bundle.packing/1",
            sources: sources.to_vec(),
            package: None,
            form: bill.form,
            dry_run,
            stopped: false,
            totals: bill.totals,
            layers: None,
            remade: Vec::new(),
            untagged_left_out: 0,
            package_bytes: 0,
            findings: Vec::new(),
        }
    }

    /// Whether nothing was found that forbids to write.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        !self.findings.iter().any(Finding::is_error)
    }
}

impl Report for Packing {
    fn text(&self) -> String {
        if self.stopped {
            let errors = self.findings.iter().filter(|finding| finding.is_error()).count() as u64;
            return format!("nothing was packed: {}\n", count(errors, "error"));
        }
        let Totals { images, carries, restores, deltas, relies_on } = self.totals;
        let mut text = String::new();
        let _ = writeln!(text, "{}", count(images, "image"));
        text += &remade(&self.remade);
        if self.untagged_left_out > 0 {
            let left_out = count(self.untagged_left_out, "untagged image");
            let _ = writeln!(text, "{left_out} left out, --untagged carries them");
        }
        let _ = writeln!(text, "carries    {}, {}", count(carries.files, "blob"), bytes(carries.bytes));
        if let Some(layers) = &self.layers {
            let _ = writeln!(text, "layers     {}", fates(layers));
        }
        if restores.files > 0 {
            let made_of = bytes(deltas.bytes);
            let restored = count(restores.files, "blob");
            let _ =
                writeln!(text, "restores   {restored}, {}, from deltas of {made_of}", bytes(restores.bytes));
        }
        if relies_on.files > 0 {
            let _ =
                writeln!(text, "relies on  {}, {}", count(relies_on.files, "blob"), bytes(relies_on.bytes));
        }
        match self.form {
            Form::Tar => drop(writeln!(text, "package    {}", bytes(self.package_bytes))),
            Form::Folder => {}
        }
        if restores.files > 0 {
            text.push_str("plain tar cannot unpack it, bundle apply can\n");
        }
        if self.dry_run {
            text.push_str(match self.layers {
                None => "dry run: nothing was hashed, nothing was written\n",
                Some(_) => "dry run: nothing was written\n",
            });
        }
        text
    }
}

/// How many layers became deltas, and why the others did not: `27: 24 delta, 2 unknown gzip encoder, 1 zstd`.
fn fates(layers: &Layers) -> String {
    let deltas = (layers.deltas > 0).then(|| format!("{} delta", layers.deltas));
    let whole = layers.whole.iter().map(|(why, number)| format!("{number} {why}"));
    let fates: Vec<_> = deltas.into_iter().chain(whole).collect();
    format!(
        "{}: {}",
        layers.layers,
        if fates.is_empty() { "none is new".to_owned() } else { fates.join(", ") }
    )
}
