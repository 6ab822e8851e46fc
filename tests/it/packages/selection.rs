//! Packages of a part of a tree: what is chosen is carried, with all that it needs, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use super::releases::{Release, Vendor, long_name};
use super::site::Site;
use crate::support::bundle::{Ended, bundle};
use crate::support::forge::Image;
use crate::support::package::{bill, content};
use crate::support::scratch;
use crate::support::tree::modes;

/// Some images of a release, as a person lists them; one brings a document that is about it.
const LIST: &str = "\
# for the shop
shop/web:2.0          # a document is about it
docker.io/shop/base:1

zone-base:1.0
shop/nested:1
quay.io/platform/web:1.8.0
";

#[test]
fn a_package_has_the_images_of_a_list_and_no_others() {
    let vendor = Vendor::new();
    let base = vendor.tree(1);
    let listed = ["shop/web:2.0", "shop/base:1", "zone-base:1.0", "shop/nested:1", "platform/web:1.8.0"];
    fs::write(vendor.path("images.list"), LIST).unwrap();
    let list = vendor.path("images.list");
    let list = list.to_str().unwrap();
    let long = long_name();
    // Untagged documents come with the images that they are about, and only with them.
    let with_documents = |images: &[&str]| chosen(vendor.release(2), |name| images.contains(&name));
    let below_tools = |name: &str| name.starts_with("tools/") && name != "tools/clock:1.0";
    let cases: [(&[&str], &str, Release); 6] = [
        (&["--images", list], "", with_documents(&listed)),
        (&["--images", "-"], LIST, with_documents(&listed)),
        (&["--images", "-"], &long, with_documents(&[&long])),
        (&["--images", "-", "--exclude", "shop/*"], LIST, with_documents(&[listed[2], listed[4]])),
        (&["--include", "tools/*", "--exclude", "*clock*"], "", chosen(vendor.release(2), below_tools)),
        (&["--include", "shop/web:*"], "", chosen(vendor.release(2), |name| name.starts_with("shop/web:"))),
    ];
    let (mut images, mut pulls) = (0, 0);
    for (number, (options, input, expected)) in cases.into_iter().enumerate() {
        for bases in [&[][..], &[&*base]] {
            let package = vendor.path(&format!("{number}-{}.tar", bases.len()));
            let ended = pack(options, bases, &vendor.tree(2), &package, input).expect(0);
            let bill = bill(&package);
            assert_eq!(ended.summary["images"], expected.images.len());
            let named: BTreeMap<_, _> =
                expected.images.iter().map(|(name, it)| (&**name, it.digest())).collect();
            let packed = bill["images"].as_array().unwrap();
            assert_eq!(packed.len(), named.len());
            for image in packed {
                assert_eq!(image["digest"], named[image["name"].as_str().unwrap()]);
            }
            // Content that chosen images share with others is in it, that of the others alone is not.
            let there = vendor.release(1).content();
            let is_there = |digest: &String| !bases.is_empty() && there.contains_key(digest);
            let needed = expected.content().into_iter().map(|(digest, bytes)| (digest, bytes.len() as u64));
            let (relied, lacking): (BTreeMap<_, _>, BTreeMap<_, _>) =
                needed.partition(|(digest, _)| is_there(digest));
            assert_eq!(content(&bill, "carries"), lacking);
            assert_eq!(content(&bill, "relies_on"), relied);
            images += packed.len();
        }
        let package = vendor.path(&format!("{number}-0.tar"));
        let mut site = Site::new();
        site.apply(&[], &package, &expected);
        pulls += site.check();
    }
    println!("selection: {images} images, {pulls} pulls");
    assert!(images >= 36 && pulls >= 18);
}

/// The tagged images of these names, and every image that is about one of them: without a tag, or with one that is
/// made of its digest.
fn chosen(release: &Release, is_chosen: impl Fn(&str) -> bool) -> Release {
    let tagged = |name: &str| !name.contains('@') && is_chosen(name);
    let mut subjects: BTreeSet<String> = BTreeSet::new();
    let mut signatures: BTreeSet<String> = BTreeSet::new();
    for (name, image) in release.images.iter().filter(|(name, _)| tagged(name)) {
        let (repository, _) = name.rsplit_once(':').unwrap();
        for digest in image.all().into_iter().map(Image::digest) {
            signatures.insert(format!("{repository}:{}.", digest.replace(':', "-")));
            subjects.insert(digest);
        }
    }
    let is_about = |image: &Image| {
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest).unwrap();
        manifest["subject"]["digest"].as_str().is_some_and(|digest| subjects.contains(digest))
    };
    let images = release.images.iter();
    let is_signature = |name: &str| signatures.iter().any(|beginning| name.starts_with(beginning));
    let images = images
        .filter(|(name, image)| tagged(name) || name.contains('@') && is_about(image) || is_signature(name));
    Release { images: images.cloned().collect() }
}

#[test]
fn a_line_that_means_no_image_leaves_no_package() {
    let vendor = Vendor::new();
    let folder = scratch();
    for (list, words) in [
        (
            "shop/web:2.0\nshop/web:9\nmirror/zone-base:1.0\n",
            &["\n  shop/web:9\n", "\n  mirror/zone-base:1.0\n"][..],
        ),
        // What only the base has is not there.
        ("tools/migrate:1.0\n", &["\n  tools/migrate:1.0\n"]),
        ("", &["empty"]),
        ("shop/web:2.0\nshop web\n", &["line 2"]),
    ] {
        for package in ["release.tar", "release/"] {
            let package = folder.path().join(package);
            let ended = pack(&["--images", "-"], &[&vendor.tree(1)], &vendor.tree(2), &package, list);
            ended.expect(1).expect_said(words);
            assert!(modes(folder.path()).is_empty());
        }
    }
}

/// Packs with a list on standard input.
fn pack(options: &[&str], bases: &[&Path], source: &Path, package: &Path, input: &str) -> Ended {
    let mut command = bundle();
    command.args(["pack", "-q", "--format", "json"]).args(options);
    command.args(bases.iter().flat_map(|base| ["--base".as_ref(), base.as_os_str()]));
    Ended::of(&command.arg(source).arg(package).write_stdin(input).output().unwrap())
}
