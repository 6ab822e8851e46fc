//! What registry storage has to hold of images, file by file: nothing less, or they are not served, and nothing
//! more.

use std::collections::BTreeMap;

use super::Image;

/// The files below `docker/registry/v2/` of storage that holds these images and no others.
pub(crate) fn storage<'a>(
    images: impl IntoIterator<Item = &'a (String, Image)>,
) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for (name, image) in images {
        let (repository, tag) = match name.split_once('@') {
            Some((repository, _)) => (repository, None),
            None => name.rsplit_once(':').map(|(repository, tag)| (repository, Some(tag))).unwrap(),
        };
        let folder = format!("repositories/{repository}");
        for image in image.all() {
            let digest = image.digest();
            files.insert(data(&digest), image.payload.clone());
            files.insert(link(&format!("{folder}/_manifests/revisions"), &digest), digest.into());
            for blob in &image.blobs {
                files.insert(data(&blob.digest), blob.bytes.clone());
                files.insert(link(&format!("{folder}/_layers"), &blob.digest), blob.digest.clone().into());
            }
        }
        if let Some(tag) = tag {
            let tag = format!("{folder}/_manifests/tags/{tag}");
            files.insert(link(&format!("{tag}/index"), &image.digest()), image.digest().into());
            files.insert(format!("{tag}/current/link"), image.digest().into());
        }
    }
    files
}

fn data(digest: &str) -> String {
    let (algorithm, hex) = digest.split_once(':').unwrap();
    format!("blobs/{algorithm}/{}/{hex}/data", &hex[..2])
}

fn link(folder: &str, digest: &str) -> String {
    format!("{folder}/{}/link", digest.replace(':', "/"))
}
