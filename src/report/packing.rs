//! What a package has, or would have.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Report;
use super::text::{bytes, count};
use crate::finding::Finding;
use crate::layout::package::{Bill, Form, Totals};

/// The result of `pack`.
#[derive(Debug, Serialize)]
pub struct Packing {
    /// `bundle.packing/1`.
    pub schema: &'static str,
    /// What was read.
    #[serde(serialize_with = "crate::text::path")]
    pub source: PathBuf,
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
    pub fn of(source: &Path, dry_run: bool, bill: &Bill) -> Self {
        Self {
            schema: "bundle.packing/1",
            source: source.to_owned(),
            package: None,
            form: bill.form,
            dry_run,
            stopped: false,
            totals: bill.totals,
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
        let Totals { images, carries, relies_on } = self.totals;
        let mut text = String::new();
        let _ = writeln!(text, "{}", count(images, "image"));
        if self.untagged_left_out > 0 {
            let left_out = count(self.untagged_left_out, "untagged image");
            let _ = writeln!(text, "{left_out} left out, --untagged carries them");
        }
        let _ = writeln!(text, "carries    {}, {}", count(carries.files, "blob"), bytes(carries.bytes));
        if relies_on.files > 0 {
            let _ =
                writeln!(text, "relies on  {}, {}", count(relies_on.files, "blob"), bytes(relies_on.bytes));
        }
        match self.form {
            Form::Tar => drop(writeln!(text, "package    {}", bytes(self.package_bytes))),
            Form::Folder => {}
        }
        if self.dry_run {
            text.push_str("dry run: nothing was hashed, nothing was written\n");
        }
        text
    }
}
