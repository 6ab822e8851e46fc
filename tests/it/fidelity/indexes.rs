//! Lists and indexes: whole, sparse, nested, with attestations, and with blobs among their entries.

use serde_json::{Value, json};

use super::trip::Trip;
use crate::support::forge::schema1::{signed, unsigned};
use crate::support::forge::{Blob, Image, artifact, docker, index, layer, oci};
use crate::support::registry::{DOCKER_LIST, OCI_INDEX};

#[test]
fn a_docker_list() {
    Trip::of([("team/app:1", index(DOCKER_LIST, &[docker("amd64"), docker("arm64")]))]).make();
}

#[test]
fn a_child_that_is_listed_twice_or_has_a_name_of_its_own() {
    let child = oci("arm64");
    let list = index(OCI_INDEX, &[oci("amd64"), child.clone(), child.clone()]);
    let tagged = [("team/app:1", list.clone()), ("team/app:arm64", child.clone())];
    Trip::of(tagged.clone()).make();
    // Its digest is no name of its own: the list leads to it.
    let untagged = format!("team/app@{}", child.digest());
    Trip::of([("team/app:1", list.clone()), (&untagged, child.clone())])
        .results_in([("team/app:1", list)])
        .lists(&untagged, child)
        .make();
}

#[test]
fn a_list_with_a_child_of_schema_1() {
    let layer = layer("old");
    let old = signed(&unsigned(&[("COPY old", &layer)]), "2015-01-01T00:00:00Z");
    let list = index(DOCKER_LIST, &[docker("amd64"), old]);
    Trip::of([("team/app:1", list)])
        .warns("schema1", "team/app:1")
        // The registry signs the child anew, and skopeo would change the list to fit.
        .skopeo_refuses("team/app:1", "preserve digests")
        .make();
}

#[test]
fn an_oci_index_with_and_without_its_media_type() {
    let children = [oci("amd64"), oci("arm64")];
    let unnamed = index(OCI_INDEX, &children).edited(|manifest| {
        manifest.as_object_mut().unwrap().remove("mediaType");
    });
    Trip::of([("team/app:named", index(OCI_INDEX, &children)), ("team/app:unnamed", unnamed)]).make();
}

#[test]
fn an_index_with_an_attestation() {
    let image = oci("amd64");
    let subject = image.digest();
    let statement = Blob::new("application/vnd.in-toto+json", format!("a statement about {subject}"));
    let attestation = artifact(&image.blobs[0], &[statement]);
    let index = index(OCI_INDEX, &[image, attestation]).edited(|index| {
        let entry = &mut index["manifests"][1];
        entry["platform"] = json!({ "architecture": "unknown", "os": "unknown" });
        entry["annotations"] = json!({
            "vnd.docker.reference.digest": subject,
            "vnd.docker.reference.type": "attestation-manifest",
        });
    });
    Trip::of([("team/app:1", index)]).make();
}

#[test]
fn an_index_in_an_index_in_an_index() {
    let innermost = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let inner = index(OCI_INDEX, &[innermost, oci("s390x")]);
    let outer = index(OCI_INDEX, &[inner, docker("amd64")]);
    Trip::of([("team/app:1", outer)]).skopeo_refuses("team/app:1", "manifest list").make();
}

#[test]
fn a_sparse_index() {
    let whole = index(OCI_INDEX, &[oci("amd64"), oci("arm64")]);
    let [amd64, arm64] = ["amd64", "arm64"].map(|name| oci(name).digest());
    let one_of_two = whole.clone().without(&arm64);
    let none = whole.without(&amd64).without(&arm64);
    Trip::of([("team/app:index-only", none)])
        .warns("sparse-index", "team/app:index-only")
        .skopeo_refuses("team/app:index-only", "manifest unknown")
        .make();
    Trip::of([("team/app:one-of-two", one_of_two)])
        .warns("sparse-index", "team/app:one-of-two")
        .skopeo_refuses("team/app:one-of-two", "manifest unknown")
        .make();
}

#[test]
fn an_index_without_entries() {
    Trip::of([("team/app:1", index(OCI_INDEX, &[]))]).make();
}

#[test]
fn a_build_cache_lists_its_layers_like_manifests() {
    let config = Blob::new("application/vnd.buildkit.cacheconfig.v0", r#"{"layers":[],"records":[]}"#);
    let blobs = [layer("one"), layer("two"), config];
    let entries: Vec<Value> = blobs.iter().map(|blob| blob.descriptor.clone()).collect();
    let document = json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries });
    let cache = Image::of(OCI_INDEX, &document, &blobs);
    Trip::of([("team/app:cache", cache)]).skopeo_refuses("team/app:cache", "reading manifest").make();
}
