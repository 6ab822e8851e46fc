//! What two sides do not have in common.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::Report;
use super::stats::patch_text;
use super::text::{bytes, count, short, table};
use crate::finding::Finding;
use crate::stats::{ImageChange, Patch};
use crate::text::{plain, shown};

/// The result of `diff`.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// `bundle.difference/1`.
    pub schema: &'static str,
    /// What there was.
    #[serde(serialize_with = "crate::text::path")]
    pub old: PathBuf,
    /// What there is.
    #[serde(serialize_with = "crate::text::path")]
    pub new: PathBuf,
    /// What a patch from the one to the other would carry.
    pub patch: Patch,
    /// The images that are new or another under their name, with what of each is new.
    pub images: Vec<ImageChange>,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

impl Difference {
    /// Whether both have the same images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.images.is_empty() && self.patch.images.gone.is_empty()
    }
}

impl Report for Difference {
    fn text(&self) -> String {
        if self.is_empty() {
            return "the same images\n".to_owned();
        }
        let title = format!("from {} to {}", shown(&self.old), shown(&self.new));
        let mut text = patch_text(&title, &self.patch);
        for change in &self.images {
            let ImageChange { image, new, reused, new_layers, .. } = change;
            let _ = writeln!(
                text,
                "\n{}: {}, {} new; {}, {} reused",
                plain(&image.to_string()),
                count(new.files, "blob"),
                bytes(new.bytes),
                count(reused.files, "blob"),
                bytes(reused.bytes),
            );
            let rows = new_layers.iter();
            let rows: Vec<_> = rows
                .map(|layer| vec!["layer".to_owned(), short(&layer.digest.to_string()), bytes(layer.size)])
                .collect();
            text.push_str(&table(&rows));
        }
        text
    }
}
