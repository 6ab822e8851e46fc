//! Bills of materials that are well written and lie: the tar is just what such a bill makes of it.

use serde_json::{Value, json};

use super::writer::{Carried, Edges, Image, Package, Totals};
use super::{Refusal, Sites};
use crate::support::sha256;

/// A lie: what it is, the kinds of findings that it may come to, what has to be found, and how it is told.
type Lie = (&'static str, &'static [&'static str], &'static str, fn(&mut Package));

const DAMAGED: &[&str] = &["damaged-package"];
/// Content that is longer or shorter than its manifest says is not what its digest names, either.
const CONTENT: &[&str] = &["corrupt-blob", "wrong-size"];

/// Has packages refused; each lie is told of one image with one layer, unless it needs more.
fn expect_refused(lies: &[Lie], package: &Package, write: impl Fn(&Package) -> Vec<u8>) {
    let sites = Sites::new();
    let mut accepted = Vec::new();
    for (what, kinds, found, tell) in lies {
        let mut lying = package.clone();
        tell(&mut lying);
        let path = sites.package(write(&lying));
        let refused = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let Refusal { apply, verify } = sites.refuse(&path);
            for fault in [apply, verify] {
                assert!(kinds.contains(&fault.kind.as_str()) && fault.file == path, "{fault:?}");
                assert!(fault.found.contains(found), "{found:?} was to be found: {fault:?}");
            }
        }));
        if let Err(why) = refused {
            let why = why.downcast_ref::<String>().cloned().unwrap_or_default();
            accepted.push(format!("{what}: {why}"));
        }
    }
    println!("bills that lie: {}", lies.len());
    assert!(accepted.is_empty(), "{} of {}:\n{}", accepted.len(), lies.len(), accepted.join("\n"));
}

/// The digest of the only layer.
fn layer(package: &Package) -> String {
    package.bill.manifests[0].layers[0].clone()
}

fn config(package: &Package) -> String {
    package.bill.manifests[0].config.clone().unwrap()
}

/// Says of content that it has another length.
fn resize(package: &mut Package, digest: &str, size: impl Fn(u64) -> u64) {
    let carried = package.carried(digest);
    carried.size = size(carried.size.as_u64().unwrap()).into();
}

/// A list with one more manifest in it, and content of both.
fn list() -> Package {
    Package::of(&["--include", "tools/clock:*"])
}

#[test]
fn offsets_have_to_be_right() {
    const OTHER: &str = "other offsets";
    fn offset(package: &mut Package, number: usize) -> &mut Option<Value> {
        &mut package.bill.carries[number].offset
    }
    let lies: [Lie; 9] = [
        ("a block later", DAMAGED, OTHER, |it| {
            let at = offset(it, 0).as_ref().unwrap().as_u64().unwrap();
            *offset(it, 0) = Some((at + 512).into());
        }),
        ("a byte earlier", DAMAGED, OTHER, |it| {
            let at = offset(it, 1).as_ref().unwrap().as_u64().unwrap();
            *offset(it, 1) = Some((at - 1).into());
        }),
        ("in each other's place", DAMAGED, OTHER, |it| {
            let (first, second) = (offset(it, 0).clone(), offset(it, 1).clone());
            (*offset(it, 0), *offset(it, 1)) = (second, first);
        }),
        ("the same", DAMAGED, OTHER, |it| *offset(it, 0) = offset(it, 1).clone()),
        ("none", DAMAGED, OTHER, |it| *offset(it, 0) = None),
        ("nowhere at all", DAMAGED, OTHER, |it| it.bill.carries.iter_mut().for_each(|it| it.offset = None)),
        ("the beginning", DAMAGED, OTHER, |it| *offset(it, 0) = Some(0.into())),
        ("beyond all files", DAMAGED, OTHER, |it| *offset(it, 2) = Some(u64::MAX.into())),
        ("beyond this file", DAMAGED, OTHER, |it| *offset(it, 2) = Some((1_u64 << 40).into())),
    ];
    expect_refused(&lies, &Package::small(), Package::tar);
}

#[test]
fn sizes_have_to_be_right() {
    let lies: [Lie; 16] = [
        ("a layer, a byte shorter", CONTENT, "", |it| resize(it, &layer(it), |size| size - 1)),
        ("a layer, a byte longer", CONTENT, "", |it| resize(it, &layer(it), |size| size + 1)),
        ("a layer, a block longer", CONTENT, "", |it| resize(it, &layer(it), |size| size + 512)),
        ("an empty layer", CONTENT, "", |it| resize(it, &layer(it), |_| 0)),
        ("a config, a byte shorter", CONTENT, "", |it| resize(it, &config(it), |size| size - 1)),
        ("a config, a block longer", CONTENT, "", |it| resize(it, &config(it), |size| size + 512)),
        ("a manifest, a byte shorter", CONTENT, "", |it| {
            resize(it, &it.bill.manifests[0].digest.clone(), |size| size - 1);
        }),
        ("a manifest, a byte longer", CONTENT, "", |it| {
            resize(it, &it.bill.manifests[0].digest.clone(), |size| size + 1);
        }),
        ("an empty manifest", CONTENT, "", |it| {
            resize(it, &it.bill.manifests[0].digest.clone(), |_| 0);
        }),
        ("a layer of a terabyte", DAMAGED, "its end, at byte ", |it| resize(it, &layer(it), |_| 1 << 40)),
        ("a layer of eight exbibytes", DAMAGED, "", |it| resize(it, &layer(it), |_| i64::MAX as u64)),
        ("a layer of sixteen exbibytes", DAMAGED, "", |it| resize(it, &layer(it), |_| u64::MAX)),
        ("a layer of a block less", DAMAGED, "", |it| resize(it, &layer(it), |_| u64::MAX - 511)),
        ("a config of sixteen exbibytes", DAMAGED, "", |it| resize(it, &config(it), |_| u64::MAX)),
        ("a manifest of sixteen exbibytes", DAMAGED, "", |it| {
            resize(it, &it.bill.manifests[0].digest.clone(), |_| u64::MAX);
        }),
        ("all of eight exbibytes", DAMAGED, "", |it| {
            it.bill.carries.iter_mut().for_each(|it| it.size = (i64::MAX as u64).into());
        }),
    ];
    expect_refused(&lies, &Package::small(), Package::settled);
    // The same lies in a package that lies as if they were none.
    let lies: Vec<Lie> = lies.into_iter().map(|(what, _, _, tell)| (what, DAMAGED, "", tell)).collect();
    expect_refused(&lies, &Package::small(), |lying| {
        let mut tar = Package::small().settled();
        let [head, honest] = [lying.located(), Package::small()].map(|it| super::writer::head(&it.json()));
        tar.splice(..honest.len(), head);
        tar
    });
}

#[test]
fn what_is_named_has_to_be_there_and_once() {
    let lies: [Lie; 13] = [
        ("content twice", DAMAGED, "there twice", |it| {
            let first = it.bill.carries[0].clone();
            it.bill.carries.insert(0, first);
        }),
        ("content carried and relied on", DAMAGED, "there twice", |it| {
            let first = Carried { offset: None, ..it.bill.carries[0].clone() };
            it.bill.relies_on.push(first);
        }),
        ("content relied on twice", DAMAGED, "there twice", |it| {
            let layer = layer(it);
            it.bill.carries.retain(|carried| carried.digest != layer);
            let relied = Carried { digest: layer, size: 1.into(), offset: None };
            it.bill.relies_on = vec![relied; 2];
        }),
        ("an image without manifest", DAMAGED, "not described", |it| it.bill.manifests.clear()),
        ("an image with another's manifest", DAMAGED, "not described", |it| {
            it.bill.images[0].digest = sha256(b"another");
        }),
        ("an image twice", DAMAGED, "there twice", |it| {
            let image = it.bill.images[0].clone();
            it.bill.images.push(image);
        }),
        ("a name for two images", DAMAGED, "there twice", |it| {
            let digest = it.carry("{}");
            let edges = Edges { digest: digest.clone(), ..it.bill.manifests[0].clone() };
            it.bill.manifests.push(edges);
            let image = Image { digest, ..it.bill.images[0].clone() };
            it.bill.images.push(image);
        }),
        ("a manifest twice", DAMAGED, "described twice", |it| {
            let edges = it.bill.manifests[0].clone();
            it.bill.manifests.push(edges);
        }),
        ("a layer without length", DAMAGED, "nothing says how long", |it| {
            let layer = layer(it);
            it.bill.carries.retain(|carried| carried.digest != layer);
        }),
        ("a manifest without length", DAMAGED, "nothing says how long", |it| {
            let manifest = it.bill.manifests[0].digest.clone();
            it.bill.carries.retain(|carried| carried.digest != manifest);
        }),
        ("a child without description", DAMAGED, "not described", |it| {
            let child = it.carry("{}");
            it.bill.manifests[0].manifests.push(child);
        }),
        ("an image that is a layer", &["invalid-manifest"], "", |it| {
            let layer = layer(it);
            let edges = Edges { digest: layer.clone(), ..it.bill.manifests[0].clone() };
            it.bill.manifests = vec![Edges { config: None, layers: Vec::new(), ..edges }];
            let image = Image { digest: layer.clone(), ..it.bill.images[0].clone() };
            it.bill.images = vec![image];
            it.bill.carries.retain(|carried| carried.digest == layer);
        }),
        ("a package that is a folder", DAMAGED, "of a folder", |it| it.bill.form = "folder".to_owned()),
    ];
    expect_refused(&lies, &Package::small(), Package::settled);
}

#[test]
fn what_a_manifest_needs_has_to_be_what_it_says() {
    let lies: [Lie; 9] = [
        ("a layer less", DAMAGED, "leaves out content", |it| {
            let layer = layer(it);
            it.bill.manifests[0].layers.clear();
            it.bill.carries.retain(|carried| carried.digest != layer);
        }),
        ("no config", DAMAGED, "leaves out content", |it| {
            let config = config(it);
            it.bill.manifests[0].config = None;
            it.bill.carries.retain(|carried| carried.digest != config);
        }),
        ("a layer more", DAMAGED, "names content that is none", |it| {
            let more = it.carry("more");
            it.bill.manifests[0].layers.push(more);
        }),
        ("another layer", DAMAGED, "of sha256:", |it| {
            let (layer, other) = (layer(it), it.carry("another layer"));
            it.bill.manifests[0].layers = vec![other];
            it.bill.carries.retain(|carried| carried.digest != layer);
        }),
        ("another config", DAMAGED, "of sha256:", |it| {
            let (config, other) = (config(it), it.carry("another config"));
            it.bill.manifests[0].config = Some(other);
            it.bill.carries.retain(|carried| carried.digest != config);
        }),
        ("itself", DAMAGED, "names manifests that are none", |it| {
            let itself = it.bill.manifests[0].digest.clone();
            it.bill.manifests[0].manifests.push(itself);
        }),
        ("a child", DAMAGED, "names manifests that are none", |it| {
            let mut list = list();
            it.contents.append(&mut list.contents);
            it.bill.carries.append(&mut list.bill.carries);
            it.bill.carries.sort_by(|a, b| a.digest.cmp(&b.digest));
            it.bill.carries.dedup_by(|a, b| a.digest == b.digest);
            let children = list.bill.manifests.iter().map(|edges| edges.digest.clone()).collect();
            it.bill.manifests[0].manifests = children;
            it.bill.manifests.append(&mut list.bill.manifests);
        }),
        ("other bytes than a manifest's", &["corrupt-blob"], "sha256:", |it| {
            let manifest = it.bill.manifests[0].digest.clone();
            it.contents.get_mut(&manifest).unwrap()[10] ^= 1;
        }),
        ("other bytes than a layer's", &["corrupt-blob"], "sha256:", |it| {
            let layer = layer(it);
            it.contents.get_mut(&layer).unwrap()[10] ^= 1;
        }),
    ];
    expect_refused(&lies, &Package::small(), Package::settled);
}

#[test]
fn lists_go_in_no_circle_and_list_what_they_list() {
    fn index(package: &mut Package) -> &mut Edges {
        package.bill.manifests.iter_mut().find(|edges| !edges.manifests.is_empty()).unwrap()
    }
    let lies: [Lie; 4] = [
        ("a list of itself", DAMAGED, "names manifests that are none", |it| {
            let itself = index(it).digest.clone();
            index(it).manifests.push(itself);
        }),
        ("a circle of two", DAMAGED, "names manifests that are none", |it| {
            let (list, child) = (index(it).digest.clone(), index(it).manifests[0].clone());
            let edges = it.bill.manifests.iter_mut().find(|edges| edges.digest == child).unwrap();
            edges.manifests.push(list);
        }),
        ("a circle of children", DAMAGED, "", |it| {
            let children = index(it).manifests.clone();
            for (child, other) in children.iter().zip(children.iter().rev()) {
                let edges = it.bill.manifests.iter_mut().find(|edges| edges.digest == *child).unwrap();
                edges.manifests.push(other.clone());
            }
        }),
        ("a list with a layer", DAMAGED, "names content that is none", |it| {
            let more = it.carry("more");
            index(it).layers.push(more);
        }),
    ];
    expect_refused(&lies, &list(), Package::settled);
}

#[test]
fn a_package_is_counted_right() {
    let lies: [Lie; 8] = [
        ("more images", DAMAGED, "", |it| it.bill.totals.images = 2.into()),
        ("no images", DAMAGED, "", |it| it.bill.totals.images = 0.into()),
        ("more files", DAMAGED, "", |it| it.bill.totals.carries.files = 99.into()),
        ("more bytes", DAMAGED, "", |it| it.bill.totals.carries.bytes = u64::MAX.into()),
        ("fewer bytes", DAMAGED, "", |it| it.bill.totals.carries.bytes = 0.into()),
        ("files that are relied on", DAMAGED, "", |it| it.bill.totals.relies_on.files = u64::MAX.into()),
        ("bytes that are relied on", DAMAGED, "", |it| it.bill.totals.relies_on.bytes = 1.into()),
        ("nothing", DAMAGED, "", |it| {
            let nothing = json!({ "files": 0, "bytes": 0 });
            let totals = json!({ "images": 0, "carries": nothing, "relies_on": nothing });
            it.bill.totals = serde_json::from_value::<Totals>(totals).unwrap();
        }),
    ];
    expect_refused(&lies, &Package::small(), |lying| lying.located().tar());
}

#[test]
fn what_no_image_needs_is_neither_carried_nor_relied_on() {
    let lies: [Lie; 3] = [
        // It would pass for something that a site has, and the next patch would leave it out.
        ("content that is carried, without being there", DAMAGED, "", |it| {
            it.carry("needed by nobody");
        }),
        ("content that is relied on", DAMAGED, "", |it| {
            let digest = sha256(b"needed by nobody");
            it.bill.relies_on.push(Carried { digest, size: 16.into(), offset: None });
        }),
        ("a manifest without name", DAMAGED, "", |it| {
            let digest = it.carry("{}");
            let edges = Edges { digest, ..it.bill.manifests[0].clone() };
            it.bill.manifests.push(edges);
        }),
    ];
    expect_refused(&lies, &Package::small(), Package::settled);
}
