//! Packages that were cut off, altered or lengthened on their way, and what is no package at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::stat::{Mode, SFlag, mknod};

use super::writer::{BLOCK, Found, members, packed};
use super::{Fault, Refusal, Sites, refuse_to_verify, run};
use crate::support::program::program;
use crate::support::testdata::testdata;

/// How many bytes it takes to recognise a package: its first member's name with the byte that ends it.
const RECOGNISED: usize = "bundle.json\0".len();

/// The parts of a package: each byte belongs to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Bill,
    Sums,
    Header,
    Link,
    Content,
    Padding,
    End,
}

impl Part {
    fn of(members: &[Found], offset: usize) -> Self {
        let Some(member) = members.iter().find(|member| offset < member.end()) else { return Self::End };
        match offset - member.at {
            0..BLOCK => Self::Header,
            inside if inside >= BLOCK + member.size => Self::Padding,
            _ if member.name == "bundle.json" => Self::Bill,
            _ if member.name == "bundle.json.sha256" => Self::Sums,
            _ if member.name.ends_with("/link") => Self::Link,
            _ => Self::Content,
        }
    }
}

/// Has a package refused by all commands; a file that does not begin as packages do is none to all but `apply`,
/// which was told that it is one.
fn refuse(sites: &Sites, tar: &[u8]) -> Fault {
    let package = sites.package(tar);
    if tar.get(..RECOGNISED) == Some(b"bundle.json\0") {
        let Refusal { apply, verify } = sites.refuse(&package);
        assert_eq!((&apply.kind, &apply.file), (&verify.kind, &verify.file));
        return apply;
    }
    let said = run(["verify".as_ref(), package.as_os_str()]);
    // What is still a tar is taken for an archive of images that is none.
    let is_no_tree = said.code == 1 && said.stderr.contains("holds no images");
    let is_no_archive = said.code == 4 && said.stderr.contains("no whole archive of images");
    assert!(is_no_tree || is_no_archive, "{} {}", said.code, said.stderr);
    sites.refuse_to_apply(&package)
}

#[test]
fn a_package_that_is_cut_off_is_refused_wherever_that_is() {
    let sites = Sites::new();
    let tar = packed(&[]);
    let members = members(&tar);
    let end = members.last().unwrap().end();
    assert_eq!(end + 2 * BLOCK, tar.len());
    let content = members.iter().find(|member| member.size > 100_000).unwrap();
    let folder = members.iter().find(|member| member.name.ends_with("/_layers")).unwrap();
    let link = members.last().unwrap();
    let (bill, sums) = (&members[0], &members[1]);
    let mut lengths: BTreeSet<usize> = [bill, sums, content, folder, link]
        .into_iter()
        .flat_map(|member| {
            let inside = member.at + BLOCK;
            let (half, behind) = (inside + member.size / 2, inside + member.size);
            [member.at, member.at + 1, member.at + 300, inside - 1, inside, half, behind, member.end() - 1]
        })
        .collect();
    lengths.extend([RECOGNISED - 1, RECOGNISED, end, end + 1, end + BLOCK, tar.len() - 1]);
    // Between all members, and throughout.
    lengths.extend(members.iter().step_by(9).map(|member| member.at));
    lengths.extend((0..tar.len()).step_by(tar.len() / 25));
    let mut parts: BTreeMap<Part, usize> = BTreeMap::new();
    for length in &lengths {
        let fault = refuse(&sites, &tar[..*length]);
        assert_eq!((fault.kind.as_str(), &fault.file), ("damaged-package", &sites.package(b"")), "{fault:?}");
        *parts.entry(Part::of(&members, *length)).or_default() += 1;
    }
    sites.expect_received(15);
    println!("packages cut off: {} lengths, all refused; {parts:?}", lengths.len());
    assert!(lengths.len() >= 60 && parts.len() == 7, "{parts:?}");
}

#[test]
fn a_package_with_a_flipped_bit_is_refused_wherever_it_is() {
    const SPREAD: usize = 140;
    const FROM_EACH: usize = 8;
    let sites = Sites::new();
    let tar = packed(&[]);
    let members = members(&tar);
    let mut by_part: BTreeMap<Part, Vec<usize>> = BTreeMap::new();
    for offset in 0..tar.len() {
        by_part.entry(Part::of(&members, offset)).or_default().push(offset);
    }
    let mut offsets: BTreeSet<usize> = (0..tar.len()).step_by(tar.len() / SPREAD).collect();
    for offsets_of_part in by_part.values() {
        let step = offsets_of_part.len() / FROM_EACH;
        offsets.extend((0..FROM_EACH).map(|number| offsets_of_part[number * step]));
        offsets.extend(offsets_of_part.last());
    }
    let mut kinds: BTreeMap<(Part, String), usize> = BTreeMap::new();
    for (number, offset) in offsets.iter().enumerate() {
        let mut tar = tar.clone();
        tar[*offset] ^= 1 << (number % 8);
        let fault = refuse(&sites, &tar);
        let part = Part::of(&members, *offset);
        let kind = if part == Part::Content { "corrupt-blob" } else { "damaged-package" };
        assert_eq!((fault.kind.as_str(), &fault.file), (kind, &sites.package(b"")), "{offset}: {fault:?}");
        assert_eq!(fault.images.is_empty(), part != Part::Content, "{fault:?}");
        *kinds.entry((part, fault.kind)).or_default() += 1;
    }
    sites.expect_received(50);
    println!("packages with a flipped bit: {} offsets, all refused; {kinds:?}", offsets.len());
    assert!(offsets.len() >= 180 && kinds.len() == 7, "{kinds:?}");
    assert!(kinds.values().all(|count| *count >= FROM_EACH), "{kinds:?}");
}

#[test]
fn a_package_with_something_behind_it_is_refused() {
    let sites = Sites::new();
    let tar = packed(&[]);
    let zeros = vec![0; 10_240];
    for more in [&b"\0"[..], b"x", &zeros[..BLOCK], &zeros, &tar] {
        let package = sites.package([&tar, more].concat());
        let found = format!("more, behind its end at byte {}", tar.len());
        sites.refuse(&package).expect("damaged-package", &package, &found);
    }
}

#[test]
fn what_is_no_package_is_not_applied() {
    let sites = Sites::new();
    let tar = packed(&[]);
    let package = sites.package(&tar);
    let mut gzip =
        Command::new(program("gzip")).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = gzip.stdin.take().unwrap();
    let compressed = std::thread::scope(|scope| {
        scope.spawn(move || input.write_all(&tar).unwrap());
        gzip.wait_with_output().unwrap().stdout
    });
    let text = b"Not Found\n".repeat(100);
    for bytes in [&b""[..], b"\0", b"{}", b"{", &compressed, &text, &[0; 10_240], &[0xff; 10_240]] {
        let fault = refuse(&sites, bytes);
        fault.expect("damaged-package", &package, "");
    }

    let path = sites.packages().join("odd");
    let make = |kind| mknod(&path, kind, Mode::from_bits_truncate(0o644), 0).unwrap();
    for what in ["a pipe", "a socket", "a link", "a link to nothing"] {
        match what {
            "a pipe" => make(SFlag::S_IFIFO),
            "a socket" => make(SFlag::S_IFSOCK),
            "a link" => symlink("/dev/zero", &path).unwrap(),
            _ => symlink("nowhere", &path).unwrap(),
        }
        sites.refuse_to_apply(&path).expect("not-a-file", &path, "");
        assert_ne!(run(["verify".as_ref(), path.as_os_str()]).code, 0, "{what}");
        fs::remove_file(&path).unwrap();
    }
    sites.refuse_to_apply(Path::new("/dev/zero")).expect("not-a-file", Path::new("/dev/zero"), "");
    assert_ne!(run(["verify", "/dev/zero"]).code, 0);
}

#[test]
fn a_package_of_a_later_format_is_named() {
    let sites = Sites::new();
    for (schema, found) in [
        ("bundle.package/2", "bundle.package/2"),
        ("bundle.package/10", "bundle.package/10"),
        ("bundle.package/\\u001b[2J", "bundle.package/\u{1b}[2J"),
        ("bundle.inventory/1", "bundle.inventory/1"),
        ("bundle.package", "bundle.package"),
        ("", "\"\""),
    ] {
        // What else a later format says, nobody knows yet.
        for rest in ["", r#", "images": 7, "more": [{"of": "it"}]"#] {
            let json = format!(r#"{{"schema": "{schema}"{rest}}}"#);
            let tar = [super::writer::head(json.as_bytes()), vec![7; 1234]].concat();
            let package = sites.package(tar);
            sites.refuse(&package).expect("unknown-package", &package, found);
            let said = run(["verify".as_ref(), package.as_os_str()]);
            assert!(said.stderr.contains("expected bundle.package/1"), "{}", said.stderr);
            assert!(said.stderr.contains("use the version of bundle that wrote it, or a newer one"));
        }
    }
    let folder = sites.packages().join("folder");
    fs::create_dir(&folder).unwrap();
    let json = br#"{"schema": "bundle.package/2"}"#;
    fs::write(folder.join("bundle.json"), json).unwrap();
    fs::write(folder.join("bundle.json.sha256"), super::writer::sums(json)).unwrap();
    sites.refuse_to_apply(&folder).expect("unknown-package", &folder, "bundle.package/2");
    refuse_to_verify(&folder).expect("unknown-package", &folder, "bundle.package/2");
}

/// Nothing is known of such a base: that it has nothing is not what it says.
#[test]
fn a_damaged_package_is_no_base() {
    let sites = Sites::new();
    let tar = packed(&[]);
    let later = super::writer::head(br#"{"schema": "bundle.package/2"}"#);
    let mut altered = tar.clone();
    altered[1000] ^= 1;
    let package = sites.packages().join("patch.tar");
    for (bytes, kind) in [
        (&tar[..tar.len() / 2], "damaged-package"),
        (&tar[..600], "damaged-package"),
        (&altered, "damaged-package"),
        (&[&tar[..], b"x"].concat(), "damaged-package"),
        (&later, "unknown-package"),
    ] {
        let base = sites.package(bytes);
        let images = testdata().join("images");
        let arguments = ["pack", "-q", "--format", "json", "--base"].map(OsStr::new).into_iter();
        let said = run(arguments.chain([base.as_os_str(), images.as_os_str(), package.as_os_str()]));
        assert_eq!(said.code, 4, "{}", said.stderr);
        let report: serde_json::Value = serde_json::from_str(&said.stdout).unwrap();
        super::first_fault(&report).expect(kind, &base, "");
        assert!(!package.exists(), "there is a package all the same");
        let arguments = ["stats", "-q", "--base"].map(OsStr::new).into_iter();
        assert_eq!(run(arguments.chain([base.as_os_str(), images.as_os_str()])).code, 4);
    }
}
