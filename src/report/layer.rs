//! What a layer is, and what changed in it.

use std::fmt::Write;

use serde::Serialize;

use super::Report;
use super::text::{bytes, count, short, table};
use crate::deflate::encoder::Encoder;
use crate::delta::inspect::{Comparison, Fate};
use crate::delta::plain::Form;
use crate::digest::Digest;
use crate::reference::Reference;
use crate::text::plain;

/// How many files the text names.
const MOST_FILES: usize = 20;

/// The result of `inspect-layer`.
#[derive(Debug, Serialize)]
pub struct LayerReport {
    /// `bundle.layer/1`.
    pub schema: &'static str,
    /// The layer.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// How it is compressed: `none`, `gzip` or `zstd`.
    pub compression: &'static str,
    /// The name of the encoder that makes the beginning of its bytes, if it is one that is known.
    pub encoder: Option<&'static str>,
    /// The programs that the encoder is in.
    pub programs: Option<&'static str>,
    /// The images that have it.
    pub images: Vec<Reference>,
    /// How many files, folders and links it has.
    pub files: u64,
    /// How many bytes its files have.
    pub plain_bytes: u64,
    /// What changed; missing where nothing is like it, or nothing to compare with was given.
    pub against: Option<Against>,
}

/// The layer that another one is most like.
#[derive(Debug, Serialize)]
pub struct Against {
    /// It.
    pub base: Digest,
    /// The images that have it.
    pub images: Vec<Reference>,
    /// What changed.
    #[serde(flatten)]
    pub comparison: Comparison,
}

impl LayerReport {
    /// Starts a report on a layer.
    #[must_use]
    pub fn of(digest: Digest, size: u64, form: &Form, encoder: Option<Encoder>) -> Self {
        Self {
            schema: "bundle.layer/1",
            digest,
            size,
            compression: match form {
                Form::Bare => "none",
                Form::Gzip(_) => "gzip",
                Form::Zstd => "zstd",
            },
            encoder: encoder.map(|encoder| encoder.id),
            programs: encoder.map(|encoder| encoder.programs),
            images: Vec::new(),
            files: 0,
            plain_bytes: 0,
            against: None,
        }
    }

    fn envelope(&self) -> String {
        match (self.compression, self.encoder, self.programs) {
            ("none", ..) => "not compressed: a delta needs no encoder".to_owned(),
            ("zstd", ..) => "zstd, which nobody can write again: it is shipped whole".to_owned(),
            (_, Some(id), Some(programs)) => format!("gzip, by {id} ({programs})"),
            _ => "gzip, by an unknown encoder: it is shipped whole".to_owned(),
        }
    }
}

impl Report for LayerReport {
    fn text(&self) -> String {
        let mut text = format!("{}\n", self.digest);
        for image in &self.images {
            let _ = writeln!(text, "  of {}", plain(&image.to_string()));
        }
        let files = count(self.files, "file");
        let _ = writeln!(text, "  {}, {files} of {}", bytes(self.size), bytes(self.plain_bytes));
        let _ = writeln!(text, "  {}", self.envelope());
        let Some(Against { base, images, comparison }) = &self.against else { return text };
        let of =
            images.first().map(|image| format!(", of {}", plain(&image.to_string()))).unwrap_or_default();
        let percent = 100.0 * comparison.equal_bytes as f64 / comparison.bytes.max(1) as f64;
        let _ = writeln!(
            text,
            "most like {}{of}: {percent:.1} % of the bytes are equal",
            short(&base.to_string())
        );
        let rows = comparison.changes.iter().take(MOST_FILES).map(|change| {
            let fate = match change.fate {
                Fate::Changed => "changed",
                Fate::New => "new",
                Fate::Moved => "moved",
                Fate::Gone => "gone",
            };
            vec![format!("  {fate}"), bytes(change.size), format!(" {}", plain(&change.path))]
        });
        text += &table(&rows.collect::<Vec<_>>());
        let left = comparison.changes.len().saturating_sub(MOST_FILES) as u64;
        if left > 0 {
            let _ = writeln!(text, "  and {} more, --format json has all", count(left, "file"));
        }
        if comparison.touched > 0 {
            let touched = count(comparison.touched, "file");
            let _ =
                writeln!(text, "  {touched} with the same content and another time, owner or permissions");
        }
        for remark in &comparison.remarks {
            let touched = count(remark.files, "file");
            let _ = writeln!(text, "hint: {touched}, {}: {}", bytes(remark.bytes), remark.advice);
        }
        text
    }
}
