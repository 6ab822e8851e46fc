//! Properties that hold for every input, tried with many that nobody thought of: what parses prints back to
//! itself, no name leads out of a folder, and no tree makes the library panic.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics, and the panic names the line")]

#[path = "properties/deltas.rs"]
mod deltas;
#[path = "properties/layouts.rs"]
mod layouts;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};

use bundle::digest::{Algorithm, Digest};
use bundle::layout::{self, Dir, Layout, Oci, RefName, Registry};
use bundle::manifest;
use bundle::reference::{Host, Reference, Repository, Tag};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// So many cases, and none remembered in files.
fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { cases: number, failure_persistence: None, ..ProptestConfig::default() }
}

/// Whether a path stays below the folder that it is joined to.
fn stays_below(path: &Path) -> bool {
    path.components().all(|part| matches!(part, Component::Normal(_)))
        && !path.as_os_str().is_empty()
        && !path.to_str().is_some_and(|text| text.contains('\0'))
}

/// Pieces that names are made of, and what does not belong into any.
fn name_like() -> impl Strategy<Value = String> {
    const PIECES: &[&str] = &[
        "a", "0", "z9", "library", "A", "é", "ſ", ".", "..", "...", "_", "__", "___", "-", "--", "/", "//",
        "@", ":", "+", " ", "\n", "\0", "\\", "[", "]", "[::1]", ":5000", "sha256", "sha512:", "\u{202e}",
        "\u{1b}", "%2e", "~",
    ];
    prop_oneof![
        4 => vec(select(PIECES), 0..12).prop_map(|pieces| pieces.concat()),
        1 => ".{0,40}",
        1 => "[a-z0-9]{1,3}([._/-][a-z0-9]{1,3}){0,120}",
    ]
}

/// Digests, nearly digests, and what is none.
fn digest_like() -> impl Strategy<Value = String> {
    let algorithm =
        select(&["sha256", "sha384", "sha512", "SHA256", "md5", "sha256+b64", "", "../sha256"][..]);
    let hex = prop_oneof!["[0-9a-f]{64}", "[0-9a-f]{96}", "[0-9a-f]{128}", "[0-9a-fA-F/.]{62,66}", ".{0,70}"];
    let separator = select(&[":", "", "/", "::", ": "][..]);
    (algorithm, separator, hex).prop_map(|(algorithm, separator, hex)| format!("{algorithm}{separator}{hex}"))
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn a_digest_prints_what_it_parsed(text in digest_like()) {
        if let Ok(digest) = text.parse::<Digest>() {
            prop_assert_eq!(digest.to_string(), text);
            prop_assert_eq!(digest.hex().len(), digest.algorithm().hex_length());
            prop_assert_eq!(Digest::from_hex(digest.algorithm(), &digest.hex()), Ok(digest));
            prop_assert!(digest.hex().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        }
    }

    #[test]
    fn every_hash_has_a_name_that_is_read_back(bytes in vec(any::<u8>(), 0..200)) {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, &bytes);
            prop_assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
        }
    }

    #[test]
    fn a_repository_prints_what_it_parsed_and_stays_below(text in name_like()) {
        if let Ok(repository) = text.parse::<Repository>() {
            prop_assert_eq!(repository.to_string(), &text[..]);
            prop_assert!(stays_below(Path::new(&text)) && text.is_ascii() && text.len() <= 255);
            // The registry's own folders begin with an underscore.
            prop_assert!(text.split('/').all(|part| !part.starts_with('_') && !part.is_empty()));
        }
    }

    #[test]
    fn a_tag_prints_what_it_parsed_and_is_one_component(text in name_like()) {
        if let Ok(tag) = text.parse::<Tag>() {
            prop_assert_eq!(tag.to_string(), &text[..]);
            prop_assert!(stays_below(Path::new(&text)) && text.is_ascii() && text.len() <= 128);
            prop_assert_eq!(Path::new(&text).components().count(), 1);
        }
    }

    #[test]
    fn a_host_prints_what_it_parsed_and_is_one_component(text in name_like()) {
        if let Ok(host) = text.parse::<Host>() {
            prop_assert_eq!(host.to_string(), &text[..]);
            prop_assert!(stays_below(Path::new(&text)) && text.is_ascii());
            prop_assert_eq!(Path::new(&text).components().count(), 1);
        }
    }
}

/// JSON that is nearly a manifest.
fn manifest_like() -> impl Strategy<Value = String> {
    let key = select(
        &[
            "schemaVersion",
            "SCHEMAVERSION",
            "mediaType",
            "config",
            "layers",
            "Layers",
            "manifests",
            "digest",
            "size",
            "platform",
            "urls",
            "os",
            "fsLayers",
            "blobSum",
            "history",
            "annotations",
            "signatures",
            "ſize",
            "",
        ][..],
    );
    let text = prop_oneof![
        digest_like(),
        name_like(),
        select(
            &[
                "application/vnd.docker.distribution.manifest.v2+json",
                "application/vnd.docker.distribution.manifest.list.v2+json",
                "application/vnd.oci.image.manifest.v1+json",
                "application/vnd.oci.image.index.v1+json",
                "application/vnd.oci.image.layer.nondistributable.v1.tar",
            ][..]
        )
        .prop_map(str::to_owned),
    ];
    let scalar = prop_oneof![
        text.prop_map(|text| serde_json::Value::from(text).to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        select(&["1", "2", "null", "true", "1e999", "-0", "18446744073709551616", "0.5"][..])
            .prop_map(str::to_owned),
    ];
    scalar.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            vec((key.clone(), inner), 0..6).prop_map(|members| {
                let members: Vec<_> =
                    members.into_iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

/// A manifest of the usual shape, with one byte changed.
fn spoiled_manifest() -> impl Strategy<Value = Vec<u8>> {
    let edge = |media_type: &str, seed: u8| {
        let digest = Digest::of(Algorithm::Sha256, &[seed]);
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{seed}}}"#)
    };
    let config = edge("application/vnd.oci.image.config.v1+json", 1);
    let (layer, child) = (edge("l", 2), edge("application/vnd.oci.image.manifest.v1+json", 3));
    let image = format!(r#"{{"schemaVersion":2,"config":{config},"layers":[{layer}]}}"#);
    let index = format!(r#"{{"schemaVersion":2,"manifests":[{child},{child}]}}"#);
    (select(vec![image, index]), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(text, place, byte)| {
        let mut bytes = text.into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        bytes
    })
}

/// Fails unless what was read of a manifest is sane.
fn check_manifest(bytes: &[u8]) -> Result<(), TestCaseError> {
    let Ok(manifest) = manifest::parse(bytes) else { return Ok(()) };
    for edge in manifest.blobs().chain(&manifest.manifests) {
        prop_assert_eq!(edge.digest.to_string().parse::<Digest>(), Ok(edge.digest));
        let hex = edge.digest.hex();
        prop_assert!(stays_below(Path::new(&hex)));
        prop_assert!(edge.size.is_none_or(|size| i64::try_from(size).is_ok()));
        // Only what the text spells is an edge.
        prop_assert!(String::from_utf8_lossy(bytes).contains(&hex) || bytes.contains(&b'\\'));
    }
    prop_assert!(manifest.kind.is_index() || manifest.manifests.is_empty());
    Ok(())
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn any_bytes_are_a_manifest_or_none(bytes in vec(any::<u8>(), 0..300)) {
        check_manifest(&bytes)?;
        let _ = manifest::platform_of_config(&bytes);
    }

    #[test]
    fn any_json_is_a_manifest_or_none(text in manifest_like()) {
        check_manifest(text.as_bytes())?;
        let _ = manifest::platform_of_config(text.as_bytes());
    }

    #[test]
    fn a_manifest_with_a_wrong_byte_is_a_manifest_or_none(bytes in spoiled_manifest()) {
        check_manifest(&bytes)?;
    }
}

/// One thing in a tree.
#[derive(Debug, Clone)]
enum Thing {
    Folder,
    File(Vec<u8>),
    Link(&'static str),
}

/// The digests that the random trees are made of: each is that of the content in the same place.
fn content() -> Vec<(Digest, Vec<u8>)> {
    let named = |bytes: Vec<u8>| (Digest::of(Algorithm::Sha256, &bytes), bytes);
    let (config, layer) = (named(b"{}".to_vec()), named(b"layer".to_vec()));
    let edge =
        |(digest, bytes): &(Digest, Vec<u8>)| format!(r#"{{"digest":"{digest}","size":{}}}"#, bytes.len());
    let image = named(
        format!(r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#, edge(&config), edge(&layer)).into(),
    );
    let index = named(format!(r#"{{"schemaVersion":2,"manifests":[{0},{0}]}}"#, edge(&image)).into());
    vec![config, layer, image, index]
}

/// Names that mean something somewhere, and some that mean nothing.
fn part() -> impl Strategy<Value = String> {
    let hexes: Vec<_> = content().iter().map(|(digest, _)| digest.hex()).collect();
    let mut names: Vec<String> = [
        "manifest.json",
        "version",
        "oci-layout",
        "index.json",
        "signature-1",
        "dir-put-blob1",
        "link",
        "data",
        "current",
        "index",
        "tags",
        "revisions",
        "_layers",
        "_manifests",
        "_uploads",
        "_x",
        "sha256",
        "sha512",
        "blobs",
        "repositories",
        "docker",
        "registry",
        "v2",
        "a",
        "team",
        "host:5000",
        "x:1",
        "y@sha256:1",
        "Upper:1",
        ".DS_Store",
        "link.1.tmp",
        "é",
    ]
    .map(str::to_owned)
    .into();
    for hex in &hexes {
        names.extend([
            hex[..2].to_owned(),
            hex.clone(),
            format!("{hex}.manifest.json"),
            format!("z@sha256:{hex}"),
        ]);
    }
    select(names)
}

fn thing() -> impl Strategy<Value = Thing> {
    let bytes: Vec<_> =
        content().into_iter().flat_map(|(digest, bytes)| [bytes, digest.to_string().into()]).collect();
    prop_oneof![
        2 => Just(Thing::Folder),
        6 => select(bytes).prop_map(Thing::File),
        1 => vec(any::<u8>(), 0..100).prop_map(Thing::File),
        1 => manifest_like().prop_map(|text| Thing::File(text.into())),
        1 => select(&[".", "..", "/", "nowhere", "data", "link", "manifest.json"][..]).prop_map(Thing::Link),
    ]
}

/// A path where a layout has something, with one part changed now and then.
fn place() -> impl Strategy<Value = PathBuf> {
    let mut places = Vec::new();
    for (digest, _) in content() {
        let hex = digest.hex();
        let manifests = "repositories/a/_manifests";
        places.extend([
            format!("blobs/sha256/{}/{hex}/data", &hex[..2]),
            format!("repositories/a/_layers/sha256/{hex}/link"),
            format!("{manifests}/revisions/sha256/{hex}/link"),
            format!("{manifests}/tags/1/current/link"),
            format!("{manifests}/tags/1/index/sha256/{hex}/link"),
            format!("x:1/{hex}"),
            format!("x:1/{hex}.manifest.json"),
            "x:1/manifest.json".to_owned(),
            "team/y:1/manifest.json".to_owned(),
        ]);
    }
    let changed =
        (select(places.clone()), any::<prop::sample::Index>(), part()).prop_map(|(place, index, other)| {
            let mut parts: Vec<_> = place.split('/').map(str::to_owned).collect();
            let place = index.index(parts.len());
            parts[place] = other;
            parts.iter().collect()
        });
    let random = vec(part(), 1..6).prop_map(|parts| parts.iter().collect());
    prop_oneof![4 => select(places).prop_map(PathBuf::from), 2 => changed, 1 => random]
}

/// Makes a tree, as far as one thing does not stand in another's way; nothing is made behind a symbolic link.
fn build(root: &Path, things: &[(PathBuf, Thing)]) {
    for (place, thing) in things {
        let path = root.join(place);
        let is_behind_link =
            path.ancestors().skip(1).take_while(|above| *above != root).any(Path::is_symlink);
        if is_behind_link || fs::create_dir_all(path.parent().unwrap()).is_err() {
            continue;
        }
        // What is in the way stays.
        let _ = match thing {
            Thing::Folder => fs::create_dir(&path),
            Thing::File(_) if path.is_symlink() => Ok(()),
            Thing::File(bytes) => fs::write(&path, bytes),
            Thing::Link(target) => symlink(target, &path),
        };
    }
}

/// Fails unless everything that a scan saw has a name that stays where it belongs.
fn check_tree(root: &Path) -> Result<(), TestCaseError> {
    let Ok(tree) = layout::open(root) else { return Ok(()) };
    let catalog = tree.scan.catalog;
    for (reference, image) in &catalog.images {
        let Reference { repository, .. } = reference;
        prop_assert!(stays_below(Path::new(&reference.to_string())), "{}", reference);
        prop_assert!(repository.to_string().parse().is_ok_and(|parsed: Repository| parsed == *repository));
        prop_assert!(catalog.manifests.contains_key(&image.digest));
    }
    let oci = Oci { ref_name: RefName::Whole };
    for target in [&Registry as &dyn Layout, &Dir, &oci] {
        for entry in target.entries(&catalog) {
            let path = entry.place.path();
            prop_assert!(stays_below(&path), "{}", path.display());
        }
    }
    for finding in &tree.scan.findings {
        prop_assert!(finding.file.starts_with(root), "{}", finding.file.display());
        prop_assert!(serde_json::to_string(finding).is_ok());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_tree_is_read_without_panic(things in vec((place(), thing()), 0..40)) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // Storage is recognised by both of its folders.
        for name in ["blobs", "repositories"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        build(folder.path(), &things);
        check_tree(folder.path())?;
    }

    #[test]
    fn any_tree_of_folders_is_read_without_panic(things in vec((place(), thing()), 0..40)) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        build(folder.path(), &things);
        check_tree(folder.path())?;
    }
}
