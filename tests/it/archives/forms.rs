//! One archive in every form that tar has for it: the same images, to the byte.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{Lying, below, named};
use crate::support::forge::saved::{Saved, by_docker_24, by_docker_25, saved};
use crate::support::forge::{Image, docker, layout, oci};
use crate::support::program::program;
use crate::support::tar::Tar;

/// Compresses by gzip.
pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    filter("gzip", &["-n"], bytes)
}

/// Compresses by zstd.
pub(super) fn zstd(bytes: &[u8]) -> Vec<u8> {
    filter("zstd", &["-q", "-3"], bytes)
}

fn filter(name: &str, options: &[&str], bytes: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program(name));
    let mut child =
        command.args(options).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(bytes).unwrap());
        child.wait_with_output().unwrap().stdout
    })
}

/// Files by relative path.
type Files = BTreeMap<String, Vec<u8>>;

/// The files of a layout with two images, and these.
fn files() -> (Files, Vec<(String, Image)>) {
    let images = named(&[("team/app:1", oci("app")), ("team/app:2", docker("app"))]);
    (layout::layout(&images), images)
}

#[test]
fn an_oci_archive_in_every_form_of_tar() {
    let (files, images) = files();
    let dotted = below("./", &files);
    let last = files.iter().last().unwrap().0.clone();
    let long = format!("blobs/sha256/../../{}/../blobs/", "x".repeat(90));
    let linked = files.iter().fold(Tar::default(), |tar, (name, bytes)| match name.strip_prefix("blobs/") {
        Some(rest) => {
            tar.file(&format!("pool/{}", &rest[..20]), bytes).link(name, &format!("pool/{}", &rest[..20]))
        }
        None => tar.file(name, bytes),
    });
    let symbolic =
        files.iter().fold(Tar::default(), |tar, (name, bytes)| match name.strip_prefix("blobs/sha256/") {
            Some(hex) => tar
                .file(&format!("pool/{}", &hex[..20]), bytes)
                .symlink(name, &format!("../../pool/{}", &hex[..20])),
            None => tar.file(name, bytes),
        });
    let pax = files.iter().fold(Tar::default(), |tar, (name, bytes)| match name.strip_prefix("blobs/") {
        Some(rest) => tar.pax(&format!("{long}{rest}"), bytes),
        None => tar.file(name, bytes),
    });
    let twice = Tar::default().file(&last, b"what is overwritten").file("index.json", b"{}");
    let forms = [
        ("plain", Tar::of(&files).end()),
        ("with ./", Tar::of(&dotted).folder("./").end()),
        ("in reverse", Tar::of(files.iter().rev()).end()),
        ("hard links", linked.end()),
        ("symbolic links", symbolic.end()),
        ("long names", pax.end()),
        ("each name twice", files.iter().fold(twice, |tar, (name, bytes)| tar.file(name, bytes)).end()),
        ("without its end", Tar::of(&files).open()),
    ];
    for (what, bytes) in forms {
        println!("{what}");
        for (name, bytes) in [("a.tar", bytes.clone()), ("a.tgz", gzip(&bytes)), ("a.tar.zst", zstd(&bytes))]
        {
            Lying::new(name, bytes).expect(&images, &[]);
        }
    }
}

#[test]
fn gnu_tar_and_several_members_of_gzip() {
    let (files, images) = files();
    let folder = crate::support::scratch();
    crate::support::forge::write(&files, folder.path());
    for format in ["gnu", "pax", "ustar"] {
        let mut tar = Command::new(program("tar"));
        tar.args(["--format", format, "-cf", "-", "-C"]).arg(folder.path()).arg(".");
        Lying::new("a.tar", tar.output().unwrap().stdout).expect(&images, &[]);
    }
    let whole = Tar::of(&files).end();
    let (first, second) = whole.split_at(whole.len() / 3);
    Lying::new("a.tar.gz", [gzip(first), gzip(second)].concat()).expect(&images, &[]);
    Lying::new("a.tar.zst", [zstd(first), zstd(second)].concat()).expect(&images, &[]);
}

#[test]
fn what_docker_saves_in_every_form() {
    let images = [saved("one", &["team/one:1"]), saved("two", &["team/two:2"])];
    let warnings = [("new-digests", "team/one:1"), ("new-digests", "team/two:2")];
    let at_docker = [("new-digests", "docker.io/team/one:1"), ("new-digests", "docker.io/team/two:2")];
    let [one, two] = images.each_ref().map(Saved::made_up);
    let of_25 = [one.clone(), two.clone()].map(|image| image.edited(|_| ()));
    let [one_25, two_25] = of_25;
    for (bytes, expected, warnings) in [
        (by_docker_24(&images).end(), named(&[("team/one:1", one), ("team/two:2", two)]), &warnings),
        (by_docker_25(&images).end(), named(&[("team/one:1", one_25), ("team/two:2", two_25)]), &at_docker),
    ] {
        for (name, bytes) in [("s.tar", bytes.clone()), ("s.tar.gz", gzip(&bytes)), ("s.tzst", zstd(&bytes))]
        {
            Lying::new(name, bytes).expect(&expected, warnings);
        }
    }
}

#[test]
fn an_archive_whose_first_block_of_zstd_is_large() {
    // Nothing is known before all of a block is read: 128 KiB at most.
    let noise: Vec<u8> = (0_u32..60_000).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    let layer = crate::support::forge::Blob::new("application/vnd.oci.image.layer.v1.tar", noise);
    let image = crate::support::forge::artifact(&oci("app").blobs[0], &[layer]);
    let images = named(&[("team/app:1", image)]);
    let bytes = Tar::of(&layout::layout(&images)).end();
    Lying::new("a.tar.zst", zstd(&bytes)).expect(&images, &[]);
    Lying::new("a.tar.gz", gzip(&bytes)).expect(&images, &[]);
}
