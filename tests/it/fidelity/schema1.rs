//! Docker schema 1: the digest is that of the payload, and storage holds the payload.

use super::broken::assert_breaks;
use super::trip::Trip;
use crate::support::forge::schema1::{EMPTY_LAYER, Step, signed, unsigned};
use crate::support::forge::{Blob, Image, layer};

fn empty_layer() -> Blob {
    let empty = Blob::new("", EMPTY_LAYER);
    assert_eq!(empty.digest, "sha256:a3ed95caeb02ffe68cdd9fd84406680ae93d633cb16422d00e8a7c22955b46d4");
    empty
}

/// An image with two layers, between steps that change no file.
fn image() -> Image {
    let (empty, [base, app]) = (empty_layer(), ["base", "app"].map(layer));
    let steps: [Step; 5] =
        [("CMD", &empty), ("ENV", &empty), ("COPY app", &app), ("USER", &empty), ("COPY base", &base)];
    unsigned(&steps)
}

#[test]
fn two_signings_of_one_image_are_one_image() {
    let [first, second] = ["2015-01-01T00:00:00Z", "2016-06-01T00:00:00Z"].map(|time| signed(&image(), time));
    assert_ne!(first.manifest, second.manifest);
    assert_eq!(first.digest(), second.digest());
    Trip::of([("team/app:1", first), ("team/app:2", second)])
        .warns("schema1", "team/app:1")
        .warns("schema1", "team/app:2")
        .make();
}

#[test]
fn an_image_that_nobody_signed() {
    Trip::of([("team/app:1", image())]).warns("schema1", "team/app:1").make();
}

#[test]
fn a_layer_that_a_repeated_step_drops_may_be_missing() {
    // As skopeo does: of steps with one identifier it copies the last that is listed.
    let [base, app, dropped] = ["base", "app", "dropped"].map(layer);
    let image = |newest| unsigned(&[(newest, &dropped), ("COPY app", &app), ("COPY base", &base)]);
    let signed = |image: Image| signed(&image, "2015-01-01T00:00:00Z").without(&dropped.digest);
    Trip::of([("team/app:1", signed(image("COPY app")))]).warns("schema1", "team/app:1").make();
    assert_breaks("a missing layer", "missing-blob", &signed(image("COPY more")).files());
}

#[test]
fn a_layer_that_is_missing() {
    let image = signed(&image(), "2015-01-01T00:00:00Z");
    for missing in [layer("app").digest, empty_layer().digest] {
        assert_breaks("a missing layer", "missing-blob", &image.clone().without(&missing).files());
    }
}

#[test]
fn signatures_that_are_at_odds_with_the_file() {
    let image = signed(&image(), "2015-01-01T00:00:00Z");
    let text = String::from_utf8(image.manifest.clone()).unwrap();
    let unreadable = text.replace("\"protected\":\"", "\"protected\":\"*");
    let (body, signatures) = text.split_once("\"signatures\": [").unwrap();
    let (signature, _) = signatures.rsplit_once(']').unwrap();
    // Two signatures that agree on the payload are as good as one.
    let twice = format!("{body}\"signatures\": [{signature},{signature}]\n}}");
    let twice = Image { manifest: twice.into(), ..image.clone() };
    Trip::of([("team/app:1", twice)]).warns("schema1", "team/app:1").make();
    for manifest in [unreadable, text.replace("\"protected\"", "\"unprotected\"")] {
        let image = Image { manifest: manifest.into(), ..image.clone() };
        assert_breaks("an unreadable signature", "invalid-manifest", &image.files());
    }
}
