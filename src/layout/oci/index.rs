//! `index.json`: the list of a layout's images. What others wrote into it stays as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::annotation::{Name, RefName, annotations};
use crate::catalog::Catalog;
use crate::digest::Digest;
use crate::layout::Change;
use crate::platforms::platforms_of_manifests;
use crate::reference::{Identifier, Reference, Repository};

/// A list of images: a document, and what it lists.
pub(super) struct Index {
    document: Map<String, Value>,
    entries: Vec<Value>,
    /// What it was read from, as long as nothing was changed.
    text: Option<String>,
}

/// What one descriptor says.
pub(super) struct Listed {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) size: Option<u64>,
    pub(super) name: Name,
}

impl Default for Index {
    fn default() -> Self {
        let document = json!({ "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json" });
        let Value::Object(document) = document else { unreachable!("an object is written above") };
        Self { document, entries: Vec::new(), text: None }
    }
}

impl Index {
    /// Reads a list.
    ///
    /// # Errors
    /// When it is none; the message says why.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut document: Map<String, Value> =
            serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if document.get("schemaVersion").and_then(Value::as_u64) != Some(2) {
            return Err("no schemaVersion 2".to_owned());
        }
        // Programs that are written in Go would read such a list; here it would be an empty one.
        if let Some(key) =
            document.keys().find(|key| *key != "manifests" && key.eq_ignore_ascii_case("manifests"))
        {
            return Err(format!("{key:?} instead of \"manifests\""));
        }
        let text = String::from_utf8(bytes.to_vec()).ok();
        match document.remove("manifests") {
            Some(Value::Array(entries)) => Ok(Self { document, entries, text }),
            Some(Value::Null) | None => Ok(Self { document, entries: Vec::new(), text }),
            Some(_) => Err("manifests that are no list".to_owned()),
        }
    }

    /// What each descriptor says, or why it says nothing.
    pub(super) fn listed(&self) -> impl Iterator<Item = Result<Listed, String>> {
        self.entries.iter().map(listed)
    }

    /// Lists the images of a catalog, each in the place of the one that has its name; tells what happens to each.
    ///
    /// What is listed by its tag alone has the name that it will be read by, of the `fallback` repository.
    pub(super) fn take_in(
        &mut self,
        catalog: &Catalog,
        ref_name: RefName,
        fallback: &Repository,
    ) -> Vec<(Reference, Change)> {
        let mut places: BTreeMap<Reference, (usize, Digest)> = BTreeMap::new();
        for (place, entry) in self.entries.iter().enumerate() {
            let Ok(Listed { digest, name, .. }) = listed(entry) else { continue };
            let name = match name {
                Name::Whole(name) => name,
                Name::Bare(Some(tag)) => {
                    Reference { host: None, repository: fallback.clone(), identifier: Identifier::Tag(tag) }
                }
                Name::Bare(None) | Name::Invalid(_) => continue,
            };
            // Readers take the first of several.
            places.entry(name).or_insert((place, digest));
        }
        let platforms = platforms_of_manifests(catalog);
        let mut changes = Vec::with_capacity(catalog.images.len());
        for (reference, image) in &catalog.images {
            let manifest = &catalog.manifests[&image.digest];
            let mut descriptor = json!({
                "mediaType": manifest.kind.media_type(),
                "digest": image.digest.to_string(),
                "size": manifest.size,
            });
            if let Some(platform) = platforms.get(&image.digest).filter(|_| !manifest.kind.is_index()) {
                descriptor["platform"] = platform.to_json();
            }
            descriptor["annotations"] = annotations(reference, ref_name);
            let change = match places.get(reference) {
                Some((place, digest)) => {
                    let is_same = *digest == image.digest;
                    // One that others described stays as they did it.
                    if !is_same {
                        self.entries[*place] = descriptor;
                    }
                    if is_same { Change::Unchanged } else { Change::Moved }
                }
                None => {
                    self.entries.push(descriptor);
                    Change::New
                }
            };
            changes.push((reference.clone(), change));
        }
        if changes.iter().any(|(_, change)| *change != Change::Unchanged) {
            self.text = None;
        }
        changes
    }

    /// The document.
    pub(super) fn to_json(&self) -> String {
        if let Some(text) = &self.text {
            return text.clone();
        }
        let mut document = self.document.clone();
        document.insert("manifests".to_owned(), Value::Array(self.entries.clone()));
        Value::Object(document).to_string()
    }
}

fn listed(entry: &Value) -> Result<Listed, String> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let digest = text("digest").ok_or("a descriptor without digest")?;
    Ok(Listed {
        digest: digest.parse().map_err(|error| format!("{error}"))?,
        media_type: text("mediaType").unwrap_or_default().to_owned(),
        size: entry.get("size").and_then(Value::as_u64),
        name: Name::of(entry.get("annotations").and_then(Value::as_object)),
    })
}
