//! Archives that are cut, damaged or no archives of images: each is refused, none is read by half in silence.

use std::collections::BTreeMap;

use serde_json::json;

use super::forms::{gzip, zstd};
use super::{Lying, below, findings, is_empty, named};
use crate::support::bundle::{bundle, convert};
use crate::support::forge::saved::{Saved, by_containerd, by_docker_24, by_docker_25, saved};
use crate::support::forge::{self, docker, layout, oci};
use crate::support::tar::Tar;
use crate::support::testdata::testdata;

/// Cuts an archive at so many points: it gives all images, or says that it does not.
fn cut(bytes: &[u8], images: usize, content: usize) {
    const POINTS: usize = 20;
    // One byte less at the first, an odd place at the others; and between the last members.
    let spread = (0..POINTS).map(|point| (bytes.len() - 1) * (POINTS - point) / POINTS);
    for length in spread.chain((1..=12).map(|blocks| bytes.len() - blocks * 512)) {
        let archive = Lying::new("cut.tar", &bytes[..length]);
        let ended = archive.convert(&[], "docker");
        match ended.code {
            0 => assert_eq!(ended.summary["images"], images, "cut after {length} of {}", bytes.len()),
            1 | 4 => assert!(is_empty(&archive.path("docker")), "cut after {length}: {}", ended.said),
            code => panic!("cut after {length}: {code} {}", ended.said),
        }
        assert!(ended.code != 0 || length >= content, "{length} bytes of {content} are not missed");
        assert!(!ended.said.is_empty() || ended.code == 0);
        let kept = archive.convert(&["--keep-going"], "kept");
        assert_eq!(kept.code, ended.code, "cut after {length}: {}", kept.said);
    }
}

/// How long an archive has to be to have all that its lists need: up to the end of the last file that is read.
fn content(open: &[u8]) -> usize {
    let find = |name: &[u8]| {
        let mut blocks = open.chunks(512).enumerate();
        let is_header = |block: &[u8]| block.starts_with(name) && block[name.len()] == 0;
        blocks.find(|(_, block)| is_header(block)).map_or(0, |(number, _)| number * 512 + 513)
    };
    match find(b"oci-layout") {
        0 => find(b"manifest.json"),
        version => version.max(find(b"index.json")),
    }
}

#[test]
fn an_archive_that_is_cut_anywhere_is_never_read_by_half_in_silence() {
    let images = named(&[("team/app:1", oci("app")), ("team/app:2", docker("app"))]);
    let files = layout::layout(&images);
    // The list is in front, in the middle and at the end.
    let list = |name: &&String| name.as_str() == "index.json" || name.as_str() == "oci-layout";
    let (lists, blobs): (BTreeMap<_, _>, BTreeMap<_, _>) =
        files.clone().into_iter().partition(|(name, _)| list(&name));
    let front = Tar::of(lists.iter().chain(&blobs));
    let back = Tar::of(blobs.iter().chain(&lists));
    let two = [saved("one", &["team/one:1"]), saved("two", &["team/two:2"])];
    let both = [("docker.io/team/one:1", oci("one")), ("docker.io/team/two:1", oci("two"))];
    for tar in [front, back, Tar::of(&files), by_docker_24(&two), by_docker_25(&two), by_containerd(&both)] {
        cut(&tar.clone().end(), 2, content(&tar.open()));
    }
}

#[test]
fn a_file_that_is_cut_is_named_and_no_file_of_it_is_hashed() {
    let files = layout::layout(&named(&[("team/app:1", oci("app"))]));
    let bytes = Tar::of(&files).file("last", &[b'x'; 2000]).open();
    let archive = Lying::new("cut.tar", &bytes[..bytes.len() - 512]);
    archive.expect_refused("invalid-archive", "2000 bytes of last");
}

#[test]
fn a_compressed_archive_that_is_cut_anywhere_is_refused() {
    let two = [saved("one", &["team/one:1"]), saved("two", &["team/two:2"])];
    let bytes = by_docker_24(&two).end();
    for compressed in [gzip(&bytes), zstd(&bytes)] {
        for point in 1..20 {
            let archive = Lying::new("cut", &compressed[..compressed.len() * point / 20]);
            let ended = archive.convert(&[], "docker");
            assert!([1, 4].contains(&ended.code), "{point}: {} {}", ended.code, ended.said);
            assert!(is_empty(&archive.path("docker")));
        }
        let archive = Lying::new("cut.gz", &compressed[..compressed.len() - 3]);
        archive.expect_refused("invalid-archive", "no whole archive");
        let mut damaged = compressed.clone();
        let middle = damaged.len() / 2;
        damaged[middle] ^= 0x10;
        let ended = Lying::new("damaged", damaged).convert(&[], "docker");
        assert!([1, 4].contains(&ended.code), "{} {}", ended.code, ended.said);
    }
}

#[test]
fn what_the_lists_name_and_the_archive_lacks() {
    let two = [saved("one", &["team/one:1"]), saved("two", &["team/two:2"])];
    let list = |config: &str, layer: &str| {
        let sound = json!({ "Config": "c.json", "RepoTags": ["team/sound:1"], "Layers": ["a.tar", "b.tar"] });
        json!([{ "Config": config, "RepoTags": ["team/one:1"], "Layers": ["a.tar", layer] }, sound])
            .to_string()
    };
    for (config, layer) in
        [("nowhere.json", "b.tar"), ("c.json", "nowhere.tar"), ("../c.json", "b.tar"), ("c.json", "")]
    {
        let tar = Tar::default().file("manifest.json", list(config, layer).as_bytes());
        let tar = tar.file("c.json", &two[0].config);
        let tar = tar.file("a.tar", &two[0].layers[0]).file("b.tar", &two[0].layers[1]);
        let archive = Lying::new("saved.tar", tar.end());
        archive.expect_refused("invalid-archive", "team/one:1");
        let ended = archive.convert(&["--keep-going"], "kept").expect(4);
        assert_eq!(ended.summary["changes"], json!({ "team/sound:1": "new" }));
    }
    let images = named(&[("team/app:1", oci("app")), ("team/sound:1", docker("sound"))]);
    let whole = layout::layout(&images);
    for (digest, kind) in [
        (oci("app").digest(), "missing-manifest"),
        (oci("app").blobs[0].digest.clone(), "missing-blob"),
        (oci("app").blobs[2].digest.clone(), "missing-blob"),
    ] {
        let mut files = whole.clone();
        files.remove(&format!("blobs/{}", digest.replace(':', "/"))).unwrap();
        let archive = Lying::new("layout.tar", Tar::of(&files).end());
        archive.expect_refused(kind, "team/app:1");
        let ended = archive.convert(&["--keep-going"], "kept").expect(4);
        assert_eq!(ended.summary["changes"], json!({ "team/sound:1": "new" }));
    }
}

#[test]
fn bytes_that_are_not_those_of_their_digest() {
    let images = named(&[("team/app:1", oci("app")), ("team/sound:1", docker("sound"))]);
    for place in 0..3 {
        let mut files = layout::layout(&images);
        let path = format!("blobs/{}", oci("app").blobs[place].digest.replace(':', "/"));
        files.get_mut(&path).unwrap()[3] ^= 1;
        let archive = Lying::new("layout.tar", Tar::of(&files).end());
        archive.expect_refused("corrupt-blob", "team/app:1");
        let ended = archive.convert(&["--keep-going"], "kept").expect(4);
        assert_eq!(ended.summary["changes"], json!({ "team/sound:1": "new" }));
    }
}

#[test]
fn tars_that_are_no_archives_of_images() {
    let image = ("team/app:1".to_owned(), docker("app"));
    let tree = Tar::of(&forge::tree([&image])).end();
    let folder = Tar::of(&docker("app").files()).end();
    let layout = layout::layout([&image]);
    let [v1, text, nothing] = [
        Tar::default().file("repositories", b"{}").end(),
        Tar::default().file("README", b"a text").end(),
        Tar::default().folder("empty/").end(),
    ];
    let docker_list = |list: &str| Tar::default().file("manifest.json", list.as_bytes()).end();
    for (what, bytes, words) in [
        ("image folders", tree, "team/app:1/"),
        ("one image folder", folder, "manifest.json"),
        ("a layout in a folder", Tar::of(&below("layout/", &layout)).end(), "layout/"),
        ("docker 1.9", v1, "repositories"),
        ("a text", text, "README"),
        ("nothing", nothing, "found    nothing"),
        ("a list that is none", docker_list("{}"), "manifest.json"),
        ("a list that is cut", docker_list("[{"), "manifest.json"),
        ("a list of numbers", docker_list("[1]"), "manifest.json"),
        (
            "a config that leads out",
            docker_list(r#"[{"Config":"../../etc/passwd","RepoTags":["a:1"]}]"#),
            "../../etc/passwd",
        ),
    ] {
        println!("{what}");
        for bytes in [gzip(&bytes), bytes] {
            Lying::new("some.tar", bytes).expect_refused("invalid-archive", words);
        }
    }
    // An archive that lists no image is one all the same.
    for bytes in [docker_list("[]"), Tar::of(&layout::list(Vec::new())).end()] {
        let ended = Lying::new("empty.tar", bytes).convert(&[], "docker").expect(0);
        assert_eq!((&ended.summary["images"], findings(&ended.summary)), (&json!(0), Vec::new()));
    }
}

#[test]
fn a_package_that_somebody_compressed_is_named_for_what_it_is() {
    let archive = Lying::new("unused", "");
    let package = archive.path("package.tar");
    convert("pack", &["--include", "zone-base:*"], &testdata().join("images"), &package);
    let bytes = std::fs::read(&package).unwrap();
    for bytes in [gzip(&bytes), zstd(&bytes)] {
        Lying::new("package.tar.gz", bytes).expect_refused("invalid-archive", "bundle.json");
    }
}

#[test]
fn links_that_lead_in_circles_or_out_of_the_archive() {
    let image = Saved::of(json!(["team/app:1"]), vec![Tar::default().file("a", b"").end()]);
    let list =
        json!([{ "Config": "c.json", "RepoTags": ["team/app:1"], "Layers": ["layer.tar"] }]).to_string();
    let tar = Tar::default().file("manifest.json", list.as_bytes()).file("c.json", &image.config);
    for tar in [
        tar.clone().symlink("layer.tar", "layer.tar"),
        tar.clone().symlink("layer.tar", "b").symlink("b", "layer.tar"),
        tar.clone().link("layer.tar", "layer.tar"),
        tar.clone().symlink("layer.tar", "/etc/hostname"),
        tar.clone().symlink("layer.tar", "../../../../../../etc/hostname"),
        tar.clone().link("layer.tar", "../layer.tar"),
        tar.clone().folder("layer.tar"),
        tar.clone().member(b'3', "layer.tar", "", b""),
        tar.clone().member(b'6', "layer.tar", "", b""),
    ] {
        Lying::new("saved.tar", tar.end()).expect_refused("invalid-archive", "layer.tar");
    }
}

#[test]
fn an_archive_is_read_and_nothing_else() {
    let images = named(&[("team/app:1", oci("app"))]);
    let bytes = Tar::of(&layout::layout(&images)).end();
    let archive = Lying::new("layout.tar", &bytes);
    for arguments in [
        vec!["to-registry".as_ref(), archive.path.as_os_str(), archive.path.as_os_str()],
        vec!["dedupe".as_ref(), archive.path.as_os_str()],
        vec!["to-oci".as_ref(), archive.path.as_os_str(), archive.path.as_os_str()],
    ] {
        let output = bundle().args(&arguments).output().unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty(), "{arguments:?}");
        assert!(!String::from_utf8_lossy(&output.stderr).contains("panicked"));
    }
    for command in ["stats", "inventory", "verify"] {
        bundle().arg(command).arg(&archive.path).assert().success();
    }
    assert_eq!(std::fs::read(&archive.path).unwrap(), bytes);
}
