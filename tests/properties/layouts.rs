//! OCI layouts and archives that nobody thought of: read without panic, whatever lies in them.

use std::fs;
use std::path::PathBuf;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{Thing, build, cases, check_tree, content, manifest_like, name_like, part, thing};

/// A list of images that is nearly right.
fn list() -> impl Strategy<Value = String> {
    let digests: Vec<String> = content().into_iter().map(|(digest, _)| digest.to_string()).collect();
    let media_types = [
        "application/vnd.oci.image.manifest.v1+json",
        "application/vnd.oci.image.index.v1+json",
        "application/xml",
        "",
    ];
    let name = prop_oneof![3 => "[a-z]{1,3}(/[a-z]{1,3})?(:[0-9a-z]{1,3})?", 1 => name_like()];
    let key = select(&["io.containerd.image.name", "org.opencontainers.image.ref.name", "x"][..]);
    let entry = (select(digests), select(media_types.to_vec()), 0_u64..400, key, name).prop_map(
        |(digest, media_type, size, key, name)| {
            let mut entry = serde_json::json!({ "digest": digest, "mediaType": media_type });
            entry["annotations"][key] = name.into();
            if size < 300 {
                entry["size"] = size.into();
            }
            entry.to_string()
        },
    );
    prop_oneof![
        6 => vec(entry, 0..6).prop_map(|entries| format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))),
        1 => manifest_like(),
    ]
}

/// A place in a layout, or any other.
fn place() -> impl Strategy<Value = PathBuf> {
    let mut places: Vec<String> =
        ["index.json", "oci-layout", "blobs", "sub/oci-layout", "sub/index.json"].map(str::to_owned).into();
    for (digest, _) in content() {
        places.push(format!("blobs/sha256/{}", digest.hex()));
        places.push(format!("sub/blobs/sha256/{}", digest.hex()));
    }
    prop_oneof![4 => select(places).prop_map(PathBuf::from), 1 => vec(part(), 1..5).prop_map(|parts| parts.iter().collect())]
}

/// What a layout holds: mostly each blob where it belongs.
fn whole() -> Vec<(PathBuf, Thing)> {
    let blobs = content().into_iter();
    blobs
        .map(|(digest, bytes)| (PathBuf::from(format!("blobs/sha256/{}", digest.hex())), Thing::File(bytes)))
        .chain([(PathBuf::from("oci-layout"), Thing::File(br#"{"imageLayoutVersion":"1.0.0"}"#.to_vec()))])
        .collect()
}

/// What `docker save` may have listed.
fn saved() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        3 => select(vec!["c.json".to_owned(), "l.tar".to_owned(), "../l.tar".to_owned(), "link".to_owned()]),
        1 => name_like(),
    ];
    let entry = (path.clone(), vec(path, 0..3), vec(name_like(), 0..3)).prop_map(|(config, layers, tags)| {
        serde_json::json!({ "Config": config, "Layers": layers, "RepoTags": tags }).to_string()
    });
    prop_oneof![4 => vec(entry, 0..3).prop_map(|all| format!("[{}]", all.join(","))), 1 => manifest_like()]
}

/// Some members of an archive.
fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // A name that tar has no place for is left out.
        if header.set_path(name).is_ok() {
            header.set_cksum();
            tar.append(&header, bytes.as_slice()).unwrap();
        }
    }
    tar.into_inner().unwrap()
}

/// An archive of either kind.
fn tars() -> impl Strategy<Value = Vec<u8>> {
    let files = |list: &str, text: String| {
        let mut files: Vec<(String, Vec<u8>)> = whole()
            .into_iter()
            .filter_map(|(path, thing)| match thing {
                Thing::File(bytes) => Some((path.to_str()?.to_owned(), bytes)),
                _ => None,
            })
            .collect();
        files.push((list.to_owned(), text.into_bytes()));
        files
    };
    let config = format!(r#"{{"rootfs":{{"diff_ids":["{}"]}}}}"#, content()[1].0);
    let docker = saved().prop_map(move |text| {
        vec![
            ("manifest.json".to_owned(), text.into_bytes()),
            ("c.json".to_owned(), config.clone().into_bytes()),
            ("l.tar".to_owned(), content()[1].1.clone()),
        ]
    });
    let layout = list().prop_map(move |text| files("index.json", text));
    prop_oneof![layout, docker].prop_map(|members| archive(&members))
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_layout_is_read_without_panic(list in list(), things in vec((place(), thing()), 0..12)) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        // What comes first stays, so that some places hold what does not belong there.
        build(folder.path(), &things);
        build(folder.path(), &[(PathBuf::from("index.json"), Thing::File(list.into_bytes()))]);
        build(folder.path(), &whole());
        check_tree(folder.path())?;
    }

    #[test]
    fn any_tree_with_a_layout_is_read_without_panic(things in vec((place(), thing()), 0..40)) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        fs::write(folder.path().join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        build(folder.path(), &things);
        check_tree(folder.path())?;
    }

    #[test]
    fn any_archive_is_read_without_panic(
        tar in tars(),
        changes in vec((any::<Index>(), any::<u8>()), 0..4),
        end in any::<Index>(),
        is_cut in any::<bool>(),
    ) {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut bytes = tar;
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        if is_cut {
            bytes.truncate(end.index(bytes.len()));
        }
        let path = folder.path().join("images.tar");
        fs::write(&path, bytes).unwrap();
        check_tree(&path)?;
    }
}
