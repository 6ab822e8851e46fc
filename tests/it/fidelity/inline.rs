//! Content that a manifest carries in itself, as `data`, beside the blob or instead of it.

use super::broken::assert_breaks;
use super::trip::Trip;
use crate::support::forge::{Blob, Image, artifact, base64};

/// An artifact whose config is carried as `data`, and that config.
fn image(data: &str) -> (Image, Blob) {
    let config = Blob::new("application/vnd.example.config.v1+json", r#"{"is it":"here?"}"#);
    let config = config.described("data", data);
    let content =
        Blob::new("application/vnd.example.content", "content").described("data", base64(b"content"));
    (artifact(&config, &[content]), config)
}

#[test]
fn content_in_the_manifest_beside_its_file() {
    let (image, _) = image(&base64(br#"{"is it":"here?"}"#));
    Trip::of([("team/app:1", image)]).make();
}

#[test]
fn content_that_only_the_manifest_has_gets_its_file() {
    let (whole, config) = image(&base64(br#"{"is it":"here?"}"#));
    let sparse = whole.clone().without(&config.digest);
    // Skopeo finds no file in such a folder, so the folder itself is not sound.
    let trip = Trip { is_whole: false, ..Trip::of([("team/app:1", sparse)]) };
    trip.results_in([("team/app:1", whole)]).make();
}

#[test]
fn wrong_content_in_the_manifest_is_no_content() {
    let (wrong, config) = image(&base64(br#"{"is it":"false"}"#));
    let (unreadable, _) = image("no base64");
    // Beside the file it does no harm.
    Trip::of([("team/app:1", wrong.clone())]).make();
    Trip::of([("team/app:1", unreadable.clone())]).skopeo_refuses("team/app:1", "illegal base64").make();
    for image in [wrong, unreadable] {
        assert_breaks("wrong data", "missing-blob", &image.without(&config.digest).files());
    }
}
