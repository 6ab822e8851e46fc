//! Packages: made by the program under test, and looked at by plain tar and by nobody's help.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::bundle::{bundle, convert};
use super::program::{program, run};

/// What a run of the program said.
#[derive(Debug)]
pub(crate) struct Said {
    /// The exit code.
    pub(crate) code: i32,
    /// Standard output as a JSON document; null where it is none.
    pub(crate) report: Value,
    /// Standard error.
    pub(crate) said: String,
}

/// Runs the program with `--format json`, whatever comes of it.
pub(crate) fn ask(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    let mut command = bundle();
    command.args(arguments).args(["-q", "--format", "json"]);
    let output = command.timeout(Duration::from_secs(120)).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!said.contains("panicked at"), "{said}");
    let code = output.status.code().unwrap_or_else(|| panic!("{command:?} {}: {said}", output.status));
    Said { code, report: serde_json::from_slice(&output.stdout).unwrap_or_default(), said }
}

/// Runs the program, which has to succeed, and returns its JSON report.
pub(crate) fn report(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Value {
    let Said { code, report, said } = ask(arguments);
    assert!(code == 0 && !report.is_null(), "exit {code}: {said}");
    report
}

/// Packs a tree against bases, or whole where there are none, and returns the JSON report.
pub(crate) fn pack(options: &[&str], bases: &[&Path], source: &Path, package: &Path) -> Value {
    let bases = bases.iter().flat_map(|base| ["--base", base.to_str().unwrap()]);
    convert("pack", &options.iter().copied().chain(bases).collect::<Vec<_>>(), source, package)
}

/// The bill of materials of a tar, as plain tar finds it.
pub(crate) fn bill(package: &Path) -> Value {
    let json = run(&program("tar"), ["-xOf".as_ref(), package.as_os_str(), "bundle.json".as_ref()]);
    serde_json::from_str(&json).unwrap()
}

/// The content that a bill of materials lists as `carries` or `relies_on`, with its sizes.
pub(crate) fn content(bill: &Value, list: &str) -> BTreeMap<String, u64> {
    let listed = bill[list].as_array().unwrap().iter();
    let listed: Vec<_> = listed
        .map(|it| (it["digest"].as_str().unwrap().to_owned(), it["size"].as_u64().unwrap()))
        .collect();
    let content: BTreeMap<_, _> = listed.iter().cloned().collect();
    assert_eq!(content.len(), listed.len(), "{list} has something twice");
    content
}

/// An entry of a tar, as `tar -tv` shows it.
#[derive(Debug)]
pub(crate) struct Member {
    /// Where it begins, in blocks of 512 bytes.
    pub(crate) block: u64,
    /// Whether it has two blocks more, with a name that is too long for a header.
    pub(crate) is_long: bool,
    /// As `ls` writes them.
    pub(crate) permissions: String,
    /// Owner and group, in numbers.
    pub(crate) owner: String,
    pub(crate) size: u64,
    /// When it was modified, in UTC.
    pub(crate) time: String,
    pub(crate) path: String,
}

impl Member {
    /// Where what follows it begins, in bytes.
    pub(crate) fn end(&self) -> u64 {
        (self.block + 1 + 2 * u64::from(self.is_long) + self.size.div_ceil(512)) * 512
    }
}

/// The entries of a tar, in their order.
pub(crate) fn members(package: &Path) -> Vec<Member> {
    let mut tar = Command::new(program("tar"));
    tar.env("TZ", "UTC").args(["--numeric-owner", "-tvRf"]).arg(package);
    let output = tar.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).unwrap();
    let bytes = fs::read(package).unwrap();
    let member = |line: &str| {
        // block 20: -rw-r--r-- 0/0 78 1980-01-01 00:00 bundle.json.sha256
        let (block, rest) = line.strip_prefix("block ")?.split_once(": ")?;
        let words: Vec<_> = rest.split_whitespace().collect();
        let [permissions, owner, size, day, time, path] = words[..] else { return None };
        let block = block.parse().ok()?;
        Some(Member {
            block,
            // The kind of a header.
            is_long: bytes[usize::try_from(block).unwrap() * 512 + 156] == b'L',
            permissions: permissions.to_owned(),
            owner: owner.to_owned(),
            size: size.parse().ok()?,
            time: format!("{day} {time}"),
            path: path.to_owned(),
        })
    };
    let shown = lines.lines().filter(|line| !line.contains("Block of NULs"));
    shown.map(|line| member(line).unwrap_or_else(|| panic!("tar shows {line:?}"))).collect()
}

/// Unpacks a tar with plain tar.
pub(crate) fn unpack(package: &Path, root: &Path) {
    fs::create_dir_all(root).unwrap();
    run(&program("tar"), ["-xf".as_ref(), package.as_os_str(), "-C".as_ref(), root.as_os_str()]);
}

/// The volumes of a split package, as a shell lists `<package>.*`.
pub(crate) fn volumes(package: &Path) -> Vec<PathBuf> {
    let start = format!("{}.", package.file_name().unwrap().to_str().unwrap());
    let entries = fs::read_dir(package.parent().unwrap()).unwrap().map(|entry| entry.unwrap());
    let volumes = entries.filter(|entry| entry.file_name().to_str().unwrap().starts_with(&start));
    let volumes: BTreeSet<_> = volumes.map(|entry| entry.path()).collect();
    volumes.into_iter().collect()
}
