//! What trees weigh and share.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::Report;
use super::text::{bytes, count, short, signed_bytes, table};
use crate::finding::Finding;
use crate::reference::Reference;
use crate::stats::{ImageWeight, Patch, Saving, SharedLayer, Weight};
use crate::text::{plain, shown};

/// How many shared layers the text shows.
const MAX_LAYERS: usize = 10;
/// How many images are named beside a layer.
const MAX_IMAGES: usize = 4;

/// The result of `stats`.
#[derive(Debug, Serialize)]
pub struct Stats {
    /// `bundle.stats/1`.
    pub schema: &'static str,
    /// Each tree by itself.
    pub trees: Vec<TreeStats>,
    /// All trees together: what lies in several is unique once.
    pub total: Weight,
    /// What a patch against a base would carry, if one was named.
    pub base: Option<BaseStats>,
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
}

/// One tree.
#[derive(Debug, Serialize)]
pub struct TreeStats {
    /// Where it lies.
    #[serde(serialize_with = "crate::text::path")]
    pub path: PathBuf,
    /// How.
    pub layout: &'static str,
    /// What it weighs.
    #[serde(flatten)]
    pub weight: Weight,
    /// Each image by itself.
    pub per_image: Vec<ImageWeight>,
    /// The layers that its images share, those that save most first.
    pub shared_layers: Vec<SharedLayer>,
}

/// The comparison with a base.
#[derive(Debug, Serialize)]
pub struct BaseStats {
    /// Where the base lies.
    pub paths: Vec<String>,
    /// What a patch would carry.
    #[serde(flatten)]
    pub patch: Patch,
}

impl Report for Stats {
    fn text(&self) -> String {
        let mut parts: Vec<String> = self.trees.iter().map(tree).collect();
        if self.trees.len() > 1 {
            parts.push(format!("all together\n{}", weight(&self.total)));
        }
        parts.extend(self.base.as_ref().map(base));
        parts.join("\n")
    }
}

fn tree(tree: &TreeStats) -> String {
    let path = shown(&tree.path);
    let mut text = format!("{path} ({})\n{}", tree.layout, weight(&tree.weight));
    if !tree.per_image.is_empty() {
        let mut rows = vec![["image", "total", "shared", "own", "platforms"].map(str::to_owned).to_vec()];
        for image in &tree.per_image {
            let platforms: Vec<_> = image.platforms.iter().map(ToString::to_string).collect();
            rows.push(vec![
                plain(&image.image.to_string()),
                bytes(image.total_bytes),
                bytes(image.shared_bytes),
                bytes(image.own_bytes),
                plain(&platforms.join(", ")),
            ]);
        }
        let _ = write!(text, "\n{}", table(&rows));
    }
    if !tree.shared_layers.is_empty() {
        let mut rows = vec![["layer", "size", "saves", "shared by"].map(str::to_owned).to_vec()];
        for layer in tree.shared_layers.iter().take(MAX_LAYERS) {
            rows.push(vec![
                short(&layer.digest.to_string()),
                bytes(layer.bytes),
                bytes(layer.saved_bytes),
                names(&layer.images),
            ]);
        }
        let _ = write!(text, "\n{}", table(&rows));
    }
    text
}

fn weight(weight: &Weight) -> String {
    let Weight { images, tags, manifests, blob_files, unique_blobs, .. } = *weight;
    let platforms: Vec<_> = weight.platforms.iter().map(ToString::to_string).collect();
    let saved = |Saving { bytes, percent }| format!("{} ({percent} %) saved", signed_bytes(bytes));
    let counts =
        format!("{}, {}, {}", count(images, "image"), count(tags, "tag"), count(manifests, "manifest"));
    table(&[
        vec!["holds".to_owned(), counts],
        vec!["platforms".to_owned(), plain(&platforms.join(", "))],
        vec!["files".to_owned(), format!("{}, {unique_blobs} unique", count(blob_files, "blob file"))],
        vec![
            "separate".to_owned(),
            format!("{}, every image with its own copy", bytes(weight.logical_bytes)),
        ],
        vec!["on disk".to_owned(), format!("{}: {}", bytes(weight.disk_bytes), saved(weight.saved_now))],
        vec![
            "registry".to_owned(),
            format!("{}: {}", bytes(weight.unique_bytes), saved(weight.saved_as_registry)),
        ],
    ])
}

fn base(base: &BaseStats) -> String {
    let paths: Vec<_> = base.paths.iter().map(|path| plain(path)).collect();
    patch_text(&format!("a patch against {}", paths.join(", ")), &base.patch)
}

/// What a patch carries, and what becomes of the images.
pub(super) fn patch_text(title: &str, patch: &Patch) -> String {
    let Patch { new, reused, about_as_deltas, images } = patch;
    let mut text = format!("{title}\n");
    let _ = writeln!(text, "  carries  {}, {}", count(new.files, "new blob"), bytes(new.bytes));
    if let Some(about) = about_as_deltas {
        let _ = writeln!(text, "  deltas   about {} with pack --delta", bytes(*about));
    }
    let _ = writeln!(text, "  reuses   {}, {}", count(reused.files, "blob"), bytes(reused.bytes));
    let _ = writeln!(
        text,
        "  images   {} new, {} changed, {} re-pushed, {} unchanged, {} gone",
        images.new.len(),
        images.changed.len(),
        images.repushed.len(),
        images.unchanged.len(),
        images.gone.len(),
    );
    let list = |label: &str, images: &BTreeSet<Reference>| -> Vec<Vec<String>> {
        images.iter().map(|image| vec![label.to_owned(), plain(&image.to_string())]).collect()
    };
    let mut rows = list("new", &images.new);
    rows.extend(list("changed", &images.changed));
    rows.extend(images.repushed.iter().map(|image| {
        let digests = format!("{} -> {}", short(&image.from.to_string()), short(&image.to.to_string()));
        vec!["re-pushed".to_owned(), format!("{}  {digests}", plain(&image.image.to_string()))]
    }));
    rows.extend(list("gone", &images.gone));
    text + &table(&rows)
}

fn names(images: &BTreeSet<Reference>) -> String {
    let mut names: Vec<_> = images.iter().take(MAX_IMAGES).map(|image| plain(&image.to_string())).collect();
    if images.len() > MAX_IMAGES {
        names.push(format!("{} more", images.len() - MAX_IMAGES));
    }
    names.join(", ")
}
