//! Archives that are larger than all the memory that the program may have, and lists that claim to be.

use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;

use serde_json::json;

use super::Lying;
use super::forms::{gzip, zstd};
use crate::hostile::packages::memory::{with_little_memory, with_memory};
use crate::support::forge::saved::{LAYER, Saved};
use crate::support::forge::{Blob, artifact, layout, oci};
use crate::support::strace::HANGS;
use crate::support::tar::Tar;

/// The least memory that the program is given here, in bytes.
const LITTLE: u64 = 64 << 20;

/// Runs a conversion in little memory; returns the exit code and what was said.
fn convert(archive: &Lying, command: &str) -> (Option<i32>, String) {
    convert_in(LITTLE, archive, command)
}

fn convert_in(most: u64, archive: &Lying, command: &str) -> (Option<i32>, String) {
    let mut shell = with_memory(most);
    shell.args(["-j", "2"]);
    shell.args([command, "-q"].map(OsStr::new)).arg(&archive.path);
    if command != "verify" {
        shell.arg("--accept-new-digests").arg(archive.path(command));
    }
    let output = assert_cmd::Command::from_std(shell).timeout(HANGS).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// 80 MiB that are easily compressed.
fn large() -> Vec<u8> {
    (0_u32..80 << 10).flat_map(|block| [block as u8; 1024]).collect()
}

#[test]
fn layers_larger_than_memory() {
    let (layer, config) = (large(), oci("app").blobs.remove(0));
    let image = artifact(&config, &[Blob::new(LAYER, layer.clone())]);
    let files = layout::layout([&("team/app:1".to_owned(), image)]);
    let saved = Saved::of(json!(["team/app:1"]), vec![layer.clone()]);
    let list = json!([{ "Config": "c.json", "RepoTags": ["team/app:1"], "Layers": ["a.tar"] }]).to_string();
    let docker = |layer: &[u8]| {
        Tar::default()
            .file("c.json", &saved.config)
            .file("a.tar", layer)
            .file("manifest.json", list.as_bytes())
            .end()
    };
    let compressed = gzip(&layer);
    let plain = Tar::of(&files).end();
    for (what, bytes) in [
        ("plain", plain.clone()),
        ("gzip", gzip(&plain)),
        ("zstd", zstd(&plain)),
        ("docker", docker(&layer)),
        ("docker, with a compressed layer", docker(&compressed)),
    ] {
        let archive = Lying::new("large.tar", bytes);
        for command in ["verify", "to-registry"] {
            assert_eq!(
                convert(&archive, command).0,
                Some(0),
                "{what}: {command}: {}",
                convert(&archive, command).1
            );
        }
    }
}

#[test]
fn lengths_that_are_only_claimed() {
    for (what, name) in [("a list", "manifest.json"), ("a list", "index.json"), ("a version", "oci-layout")] {
        // A hole of 8 GiB, which is not there either.
        let mut tar =
            Tar::default().file(if name == "index.json" { "oci-layout" } else { "index.json" }, b"{}");
        tar = tar.file(name, b"");
        let mut bytes = tar.open();
        let header = bytes.len() - 512;
        bytes[header + 124..header + 136].copy_from_slice(b"77777777777\0");
        bytes[header + 148..header + 156].copy_from_slice(b"        ");
        let sum: u32 = bytes[header..].iter().map(|byte| u32::from(*byte)).sum();
        bytes[header + 148..header + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        let archive = Lying::new("claims.tar", &bytes);
        assert_eq!(convert(&archive, "verify").0, Some(4), "{what} {name}");
        File::options().write(true).open(&archive.path).unwrap().set_len(9 << 30).unwrap();
        let (code, said) = convert(&archive, "verify");
        assert_eq!(code, Some(4), "{what} {name}: {said}");
    }
}

#[test]
fn a_list_of_thousands_of_images_is_read_and_one_without_end_is_not() {
    const IMAGES: usize = 20_000;
    let image = oci("app");
    let entry = |number: usize| {
        layout::described(&image, json!({ layout::IMAGE_NAME: format!("team/app:{number}") }))
    };
    let mut files = layout::list((0..IMAGES).map(entry).collect());
    files.extend(layout::blobs(&image));
    let archive = Lying::new("many.tar", Tar::of(&files).end());
    let (code, said) = convert_in(200 << 20, &archive, "verify");
    assert_eq!(code, Some(0), "{said}");

    let folder = archive.path("layout");
    crate::support::forge::write(&files, &folder);
    let mut index = File::options().append(true).open(folder.join("index.json")).unwrap();
    index.write_all(&vec![b' '; 65 << 20]).unwrap();
    let output = assert_cmd::Command::from_std({
        let mut shell = with_little_memory();
        shell.arg("verify").arg(&folder);
        shell
    })
    .output()
    .unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", String::from_utf8_lossy(&output.stderr));
}
