//! Packages written by other means than the program under test: byte for byte what it would write of a bill of
//! materials, whatever that says. So what is refused is refused for what it says, not for how it is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::support::bundle::bundle;
use crate::support::testdata::testdata;
use crate::support::{scratch, sha256};

pub(crate) const BLOCK: usize = 512;
/// 1980-01-01.
const MTIME: u64 = 315_532_800;

/// A bill of materials, with its fields in the order in which they are written.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Bill {
    pub(crate) schema: String,
    pub(crate) form: String,
    pub(crate) created_by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unpacked_by: Option<String>,
    pub(crate) totals: Totals,
    pub(crate) images: Vec<Image>,
    pub(crate) manifests: Vec<Edges>,
    pub(crate) carries: Vec<Carried>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) restores: Vec<Restored>,
    pub(crate) relies_on: Vec<Carried>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) images: Value,
    pub(crate) carries: Tally,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) restores: Option<Tally>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) deltas: Option<Tally>,
    pub(crate) relies_on: Tally,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Tally {
    pub(crate) files: Value,
    pub(crate) bytes: Value,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Image {
    pub(crate) name: String,
    pub(crate) digest: String,
    pub(crate) platforms: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Edges {
    pub(crate) digest: String,
    pub(crate) kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) platform: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) config: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) layers: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) manifests: Vec<String>,
}

/// Content that is carried, or relied on.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Carried {
    pub(crate) digest: String,
    pub(crate) size: Value,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) offset: Option<Value>,
}

/// Content that is restored from a delta.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Restored {
    pub(crate) digest: String,
    pub(crate) size: Value,
    pub(crate) delta: Carried,
    pub(crate) bases: Vec<String>,
    pub(crate) aside: Value,
}

/// A package in memory.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) bill: Bill,
    /// All content and all deltas that it may carry, by digest.
    pub(crate) contents: BTreeMap<String, Vec<u8>>,
}

/// The tar that `bundle pack` makes of the committed release.
pub(crate) fn packed(options: &[&str]) -> Vec<u8> {
    packed_from(&testdata().join("images"), options)
}

/// The tar that `bundle pack` makes of any images.
pub(crate) fn packed_from(tree: &Path, options: &[&str]) -> Vec<u8> {
    let folder = scratch();
    let path = folder.path().join("package.tar");
    bundle().args(["pack", "-q"]).args(options).arg(tree).arg(&path).assert().success();
    fs::read(path).unwrap()
}

impl Package {
    /// Reads what `bundle pack` makes of the committed release.
    pub(crate) fn of(options: &[&str]) -> Self {
        Self::read(&packed(options))
    }

    /// Reads a package.
    pub(crate) fn read(tar: &[u8]) -> Self {
        let members = members(tar);
        let bill: Bill = serde_json::from_slice(members[0].content(tar)).unwrap();
        let contents = members
            .iter()
            .filter(|member| member.name.ends_with("/data") || member.name.starts_with("deltas/"));
        let contents =
            contents.map(|member| (sha256(member.content(tar)), member.content(tar).to_vec())).collect();
        Self { bill, contents }
    }

    /// One image with one layer.
    pub(crate) fn small() -> Self {
        Self::of(&["--include", "zone-base:*"])
    }

    /// Adds content, which is then carried.
    pub(crate) fn carry(&mut self, bytes: impl Into<Vec<u8>>) -> String {
        let bytes = bytes.into();
        let digest = sha256(&bytes);
        let carried = Carried { digest: digest.clone(), size: bytes.len().into(), offset: None };
        self.contents.insert(digest.clone(), bytes);
        self.bill.carries.push(carried);
        self.bill.carries.sort_by(|a, b| a.digest.cmp(&b.digest));
        digest
    }

    /// What the bill says of content that is carried.
    pub(crate) fn carried(&mut self, digest: &str) -> &mut Carried {
        self.bill.carries.iter_mut().find(|carried| carried.digest == digest).unwrap()
    }

    /// The package with the offsets, and what it carries and relies on counted, as they have to be.
    pub(crate) fn settled(&self) -> Vec<u8> {
        let mut package = self.clone();
        package.bill.totals = package.bill.counted();
        package.located().tar()
    }

    /// The same with the offsets as they have to be.
    pub(crate) fn located(&self) -> Self {
        let mut package = self.clone();
        loop {
            let mut at = head(&package.json()).len() as u64;
            let before = at;
            let mut offsets = BTreeMap::new();
            for (header, what) in body(&package.bill) {
                at = at.saturating_add(header.len() as u64);
                if let Some((digest, size)) = what {
                    offsets.insert(digest, at);
                    at = at.saturating_add(size.checked_next_multiple_of(BLOCK as u64).unwrap_or(u64::MAX));
                }
            }
            for carried in &mut package.bill.carries {
                carried.offset = offsets.get(&carried.digest).map(|offset| json!(offset));
            }
            for Restored { delta, .. } in &mut package.bill.restores {
                delta.offset = offsets.get(&delta.digest).map(|offset| json!(offset));
            }
            if head(&package.json()).len() as u64 == before {
                return package;
            }
        }
    }

    /// Its bill as a document.
    pub(crate) fn json(&self) -> Vec<u8> {
        let mut json = serde_json::to_vec_pretty(&self.bill).unwrap();
        json.push(b'\n');
        json
    }

    /// The package, with its bill as it is. Content that is said to be longer than it is ends in zeros, or, if it
    /// is said to be longer than any file here, the package ends with it.
    pub(crate) fn tar(&self) -> Vec<u8> {
        const LONGEST: u64 = 1 << 20;
        let mut tar = head(&self.json());
        for (header, what) in body(&self.bill) {
            tar.extend(header);
            let Some((digest, size)) = what else { continue };
            let start = tar.len();
            tar.extend(&self.contents[&digest]);
            if size > LONGEST {
                return tar;
            }
            tar.resize(start + size as usize, 0);
            pad(&mut tar);
        }
        tar.resize(tar.len() + 2 * BLOCK, 0);
        tar
    }
}

/// The bill and its digest, as a tar begins.
pub(crate) fn head(json: &[u8]) -> Vec<u8> {
    [file("bundle.json", json), file("bundle.json.sha256", sums(json).as_bytes())].concat()
}

/// What `sha256sum` says of a bill.
pub(crate) fn sums(json: &[u8]) -> String {
    format!("{}  bundle.json\n", &sha256(json)["sha256:".len()..])
}

/// Bytes of a package, and the digest and size of the content that follows them, if any does.
type Stretch = (Vec<u8>, Option<(String, u64)>);

/// Everything behind the head but the content.
fn body(bill: &Bill) -> Vec<Stretch> {
    let mut members: BTreeMap<(u32, PathBuf), Member> = BTreeMap::new();
    let mut add = |stage: u32, path: String, member: Member| {
        members.insert((stage, format!("docker/registry/v2/{path}").into()), member);
    };
    const HISTORY: u32 = u32::MAX - 1;
    for image in &bill.images {
        let name = &image.name;
        let (repository, tag) = match name.split_once('@') {
            Some((repository, _)) => (repository, None),
            None => name.rsplit_once(':').map(|(repository, tag)| (repository, Some(tag))).unwrap(),
        };
        let folder = format!("repositories/{repository}");
        add(0, format!("{folder}/_layers"), Member::Folder);
        add(0, format!("{folder}/_manifests/tags"), Member::Folder);
        let mut closure = Closure::default();
        closure.follow(bill, &image.digest);
        for digest in closure.heights.keys().chain(&closure.blobs) {
            let path = format!("blobs/sha256/{}/{}/data", &hex(digest)[..2], hex(digest));
            add(0, path, Member::Content(digest.clone()));
        }
        for digest in &closure.blobs {
            add(1, format!("{folder}/_layers/sha256/{}/link", hex(digest)), Member::Link(digest.clone()));
        }
        for (digest, height) in &closure.heights {
            let path = format!("{folder}/_manifests/revisions/sha256/{}/link", hex(digest));
            add(2 + height, path, Member::Link(digest.clone()));
        }
        if let Some(tag) = tag {
            let folder = format!("{folder}/_manifests/tags/{tag}");
            let link = || Member::Link(image.digest.clone());
            add(HISTORY, format!("{folder}/index/sha256/{}/link", hex(&image.digest)), link());
            add(HISTORY + 1, format!("{folder}/current/link"), link());
        }
    }
    let carried: BTreeMap<_, _> =
        bill.carries.iter().map(|it| (&it.digest, it.size.as_u64().unwrap_or_default())).collect();
    let deltas = bill.restores.iter().map(|Restored { digest, delta, .. }| {
        let size = delta.size.as_u64().unwrap_or_default();
        let path = format!("deltas/sha256/{}/{}", &hex(digest)[..2], hex(digest));
        (header(&path, b'0', size), Some((delta.digest.clone(), size)))
    });
    let members = members.into_iter().filter_map(|((_, path), member)| {
        let path = path.to_str().unwrap();
        Some(match member {
            Member::Folder => (header(path, b'5', 0), None),
            Member::Link(digest) => (file(path, digest.as_bytes()), None),
            Member::Content(digest) => {
                let size = *carried.get(&digest)?;
                (header(path, b'0', size), Some((digest, size)))
            }
        })
    });
    deltas.chain(members).collect()
}

impl Bill {
    /// The totals as they have to be.
    pub(crate) fn counted(&self) -> Totals {
        let tally = |sizes: &mut dyn Iterator<Item = &Value>| {
            let sizes: Vec<_> = sizes.map(|size| size.as_u64().unwrap_or_default()).collect();
            let bytes = sizes.iter().copied().fold(0, u64::saturating_add);
            Tally { files: sizes.len().into(), bytes: bytes.into() }
        };
        let has_deltas = !self.restores.is_empty();
        Totals {
            images: self.images.len().into(),
            carries: tally(&mut self.carries.iter().map(|it| &it.size)),
            restores: has_deltas.then(|| tally(&mut self.restores.iter().map(|it| &it.size))),
            deltas: has_deltas.then(|| tally(&mut self.restores.iter().map(|it| &it.delta.size))),
            relies_on: tally(&mut self.relies_on.iter().map(|it| &it.size)),
        }
    }
}

enum Member {
    Folder,
    Link(String),
    Content(String),
}

/// What an image stands on, as the bill says.
#[derive(Default)]
struct Closure {
    entered: BTreeSet<String>,
    heights: BTreeMap<String, u32>,
    blobs: BTreeSet<String>,
}

impl Closure {
    fn follow(&mut self, bill: &Bill, digest: &str) {
        let Some(edges) = bill.manifests.iter().find(|edges| edges.digest == digest) else { return };
        if !self.entered.insert(digest.to_owned()) {
            return;
        }
        edges.manifests.iter().for_each(|child| self.follow(bill, child));
        let children = edges.manifests.iter().filter_map(|child| self.heights.get(child));
        let height = children.max().map_or(0, |height| height + 1);
        self.heights.insert(digest.to_owned(), height);
        self.blobs.extend(edges.config.iter().chain(&edges.layers).cloned());
    }
}

fn hex(digest: &str) -> &str {
    digest.strip_prefix("sha256:").unwrap()
}

/// A whole member: header, content and padding.
pub(crate) fn file(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut member = header(name, b'0', bytes.len() as u64);
    member.extend(bytes);
    pad(&mut member);
    member
}

fn pad(tar: &mut Vec<u8>) {
    tar.resize(tar.len().next_multiple_of(BLOCK), 0);
}

/// A member's header as POSIX ustar has it.
pub(crate) fn header(name: &str, kind: u8, size: u64) -> Vec<u8> {
    let (prefix, name) = match name.len() {
        0..=100 => ("", name),
        // As much as fits of the folders goes before.
        _ => {
            name.match_indices('/').rev().find(|(at, _)| *at <= 155).map(|(at, _)| name.split_at(at)).unwrap()
        }
    };
    let name = if prefix.is_empty() { name } else { &name[1..] };
    let mut header = vec![0; BLOCK];
    let mut put = |at: usize, bytes: &[u8]| header[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, name.as_bytes());
    put(100, if kind == b'5' { b"0000755" } else { b"0000644" });
    put(108, b"0000000");
    put(116, b"0000000");
    match size {
        0..0o100_000_000_000 => put(124, format!("{size:011o}").as_bytes()),
        // Beyond eight gibibytes, in base 256.
        _ => put(124, &[&[0x80, 0, 0, 0][..], &size.to_be_bytes()].concat()),
    }
    put(136, format!("{MTIME:011o}").as_bytes());
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    put(345, prefix.as_bytes());
    seal(&mut header);
    header
}

/// Writes a header's checksum.
pub(crate) fn seal(header: &mut [u8]) {
    header[148..156].fill(b' ');
    let sum: u32 = header[..BLOCK].iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:07o}\0").as_bytes());
}

/// A member of a tar, and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) name: String,
    /// Where its header begins.
    pub(crate) at: usize,
    pub(crate) size: usize,
}

impl Found {
    pub(crate) fn content<'t>(&self, tar: &'t [u8]) -> &'t [u8] {
        &tar[self.at + BLOCK..][..self.size]
    }

    /// Where its padding ends.
    pub(crate) fn end(&self) -> usize {
        self.at + BLOCK + self.size.next_multiple_of(BLOCK)
    }
}

/// The members of a tar.
pub(crate) fn members(tar: &[u8]) -> Vec<Found> {
    let mut members: Vec<Found> = Vec::new();
    loop {
        let at = members.last().map_or(0, Found::end);
        let header = &tar[at..at + BLOCK];
        if header[0] == 0 {
            return members;
        }
        let text = |range: std::ops::Range<usize>| {
            let field = header[range].split(|byte| *byte == 0).next().unwrap();
            String::from_utf8(field.to_vec()).unwrap()
        };
        let slash = if header[345] == 0 { "" } else { "/" };
        let name = text(345..500) + slash + &text(0..100);
        let size = usize::from_str_radix(&text(124..136), 8).unwrap();
        members.push(Found { name, at, size });
    }
}

#[test]
fn what_is_written_here_is_what_the_program_writes() {
    let previous = testdata().join("previous");
    for options in [&[][..], &["--base", previous.to_str().unwrap()], &["--include", "zone-base:*"]] {
        let package = Package::of(options);
        let tar = packed(options);
        assert!(package.settled() == tar, "{options:?}");
        assert!(package.tar() == tar, "{options:?}");
    }
}
