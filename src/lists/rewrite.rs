//! New lists of what is wanted and here, nested ones first.

use std::collections::HashMap;

use anyhow::{Result, anyhow};
use serde_json::{Value, json};

use super::Remade;
use crate::catalog::Catalog;
use crate::digest::Digest;

/// Rewrites the lists of the images that list what is not here.
pub(super) fn rewrite(catalog: &mut Catalog) -> Result<Vec<Remade>> {
    let mut renewed: HashMap<Digest, Digest> = HashMap::new();
    let mut remade = Vec::new();
    let images: Vec<_> = catalog.images.iter().map(|(name, image)| (name.clone(), image.digest)).collect();
    for (name, image) in images {
        // Children come first, so what a list is made of is new already.
        for (digest, _) in catalog.closure(image).manifests {
            if renewed.contains_key(&digest) || !catalog.manifests[&digest].kind.is_index() {
                continue;
            }
            let to = renew(catalog, digest, &renewed)?;
            renewed.insert(digest, to);
        }
        let to = renewed.get(&image).copied().unwrap_or(image);
        if to != image {
            remade.push(Remade { image: name.clone(), from: vec![image], to });
            if let Some(image) = catalog.images.get_mut(&name) {
                image.digest = to;
            }
        }
    }
    Ok(remade)
}

/// Makes a list that has what is here of another; the other itself where that is all of it.
fn renew(catalog: &mut Catalog, list: Digest, renewed: &HashMap<Digest, Digest>) -> Result<Digest> {
    let manifest = &catalog.manifests[&list];
    let is_here = |digest: &Digest| catalog.manifests.contains_key(digest);
    let children = || manifest.manifests.iter().map(|child| child.digest);
    let is_same = |child: Digest| renewed.get(&child).is_none_or(|new| *new == child);
    if children().all(|child| is_here(&child) && is_same(child)) {
        return Ok(list);
    }
    let gone: Vec<String> =
        children().filter(|child| !is_here(child)).map(|child| child.to_string()).collect();
    let mut document: Value = serde_json::from_slice(&catalog.manifest_bytes(list)?)?;
    let entries = document.get_mut("manifests").and_then(Value::as_array_mut);
    let entries =
        entries.ok_or_else(|| anyhow!("the list {list} cannot be rewritten: it spells its keys oddly"))?;
    entries.retain(|entry| !entry["digest"].as_str().is_some_and(|it| gone.iter().any(|gone| gone == it)));
    for entry in entries {
        let digest = entry["digest"].as_str().and_then(|text| text.parse::<Digest>().ok());
        let new = digest.and_then(|digest| renewed.get(&digest).filter(|new| **new != digest));
        if let Some(new) = new {
            entry["digest"] = json!(new.to_string());
            entry["size"] = json!(catalog.manifests[new].size);
        }
    }
    Ok(catalog.add_made_up(document.to_string().into_bytes())?)
}
