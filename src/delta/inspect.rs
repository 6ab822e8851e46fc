//! What a layer is made of, and what changed in it against another one.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read};

use serde::Serialize;

use super::plain;
use super::script::is_odd;
use crate::disk::File;

/// An entry of a layer's archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path, as it is written there, without `./` in front and `/` behind.
    pub path: String,
    /// How long its content is, in bytes.
    pub size: u64,
    /// A hash of its content, or of what it links to.
    pub content: u64,
    /// When it was modified, in seconds since 1970.
    pub time: u64,
    /// Its kind, permissions and owner.
    pub access: (u8, u32, u64, u64),
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Its content is another.
    Changed,
    /// It was not there.
    New,
    /// It was not there, but its content was, under another name.
    Moved,
    /// It is not there any more.
    Gone,
}

/// A file that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// What became of it.
    pub fate: Fate,
    /// Its path.
    pub path: String,
    /// How long it is, or was, in bytes.
    pub size: u64,
}

/// Why a layer changes from build to build although it need not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Files whose content is the same have other times.
    Times,
    /// Files whose content is the same have other owners or permissions.
    Access,
    /// The same files come in another order.
    Order,
    /// Compiled Python files changed although their sources did not: they hold the sources' times.
    Bytecode,
    /// Package managers' caches and lists, which no image needs.
    Caches,
}

/// What a cause touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Remark {
    /// The cause.
    pub cause: Cause,
    /// How many files it touches.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// What to do about it.
    pub advice: &'static str,
}

/// What changed from one layer to another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// How many bytes of files are the same, under whatever name.
    pub equal_bytes: u64,
    /// How many bytes of files there are.
    pub bytes: u64,
    /// How many files have the same content and not the same time, owner or permissions.
    pub touched: u64,
    /// The files that are not as they were, the largest first.
    pub changes: Vec<Change>,
    /// Why it changes although it need not.
    pub remarks: Vec<Remark>,
}

impl Cause {
    fn advice(self) -> &'static str {
        match self {
            Self::Times => "set SOURCE_DATE_EPOCH when building, so that times do not change",
            Self::Access => {
                "set owners and permissions where the files are copied, not in a layer of their own"
            }
            Self::Order => "build with a tool that sorts the files of a layer",
            Self::Bytecode => "compile with --invalidation-mode unchecked-hash, or remove __pycache__",
            Self::Caches => "remove package managers' caches in the step that makes them",
        }
    }
}

/// Lists the entries of a layer, as far as it is a sound archive.
///
/// # Errors
/// When it cannot be read.
pub fn entries(file: &File) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut archive = tar::Archive::new(plain::open(file)?.1);
    let mut buffer = vec![0; 64 << 10];
    for entry in archive.entries()? {
        let mut entry = match entry {
            // The rest is no archive, or is damaged.
            Err(error) if is_odd(&error) || error.kind() == io::ErrorKind::Other => break,
            entry => entry?,
        };
        let header = entry.header();
        let (kind, time) = (header.entry_type().as_byte(), header.mtime().unwrap_or_default());
        let access = (
            kind,
            header.mode().unwrap_or_default(),
            header.uid().unwrap_or_default(),
            header.gid().unwrap_or_default(),
        );
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let path = path.trim_start_matches("./").trim_end_matches('/').to_owned();
        let mut hasher = DefaultHasher::new();
        hasher.write(&entry.link_name_bytes().unwrap_or_default());
        loop {
            let count = match entry.read(&mut buffer) {
                Err(error) if is_odd(&error) => return Ok(entries),
                count => count?,
            };
            if count == 0 {
                break;
            }
            hasher.write(&buffer[..count]);
        }
        entries.push(Entry { path, size: entry.size(), content: hasher.finish(), time, access });
    }
    Ok(entries)
}

/// Compares a layer with the one that it comes from.
#[must_use]
pub fn compare(before: &[Entry], now: &[Entry]) -> Comparison {
    let old: BTreeMap<&str, &Entry> = before.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let new: BTreeMap<&str, &Entry> = now.iter().map(|entry| (entry.path.as_str(), entry)).collect();
    let contents: BTreeMap<(u64, u64), ()> =
        before.iter().filter(|entry| entry.size > 0).map(|entry| ((entry.content, entry.size), ())).collect();
    let was_there = |entry: &Entry| contents.contains_key(&(entry.content, entry.size));
    let mut comparison = Comparison::default();
    let [mut times, mut access, mut bytecode, mut caches] = [(0, 0); 4];
    let count = |tally: &mut (u64, u64), entry: &Entry| {
        tally.0 += 1;
        tally.1 += entry.size;
    };
    for entry in new.values() {
        comparison.bytes += entry.size;
        if is_cache(&entry.path) && entry.size > 0 {
            count(&mut caches, entry);
        }
        let change = |fate| Change { fate, path: entry.path.clone(), size: entry.size };
        match old.get(entry.path.as_str()) {
            Some(was) if (was.content, was.size) == (entry.content, entry.size) => {
                comparison.equal_bytes += entry.size;
                comparison.touched += u64::from(was.time != entry.time || was.access != entry.access);
                if was.time != entry.time {
                    count(&mut times, entry);
                }
                if was.access != entry.access {
                    count(&mut access, entry);
                }
            }
            Some(_) => {
                comparison.changes.push(change(Fate::Changed));
                if source_of(&entry.path).is_some_and(|source| is_same(&old, &new, &source)) {
                    count(&mut bytecode, entry);
                }
            }
            None if was_there(entry) => {
                comparison.equal_bytes += entry.size;
                comparison.changes.push(change(Fate::Moved));
            }
            None => comparison.changes.push(change(Fate::New)),
        }
    }
    let gone = old.values().filter(|entry| !new.contains_key(entry.path.as_str()));
    comparison.changes.extend(gone.map(|entry| Change {
        fate: Fate::Gone,
        path: entry.path.clone(),
        size: entry.size,
    }));
    comparison.changes.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));

    let files = new.len() as u64;
    // Some files always have a new time; most of them only when nobody took care.
    let most = |tally: (u64, u64)| tally.0 * 2 > files;
    let remark = |cause: Cause, (files, bytes)| Remark { cause, files, bytes, advice: cause.advice() };
    let causes = [
        (most(times), Cause::Times, times),
        (most(access), Cause::Access, access),
        (is_reordered(before, now), Cause::Order, (files, comparison.bytes)),
        (bytecode.0 > 0, Cause::Bytecode, bytecode),
        (caches.1 > 1 << 20, Cause::Caches, caches),
    ];
    comparison.remarks = causes
        .into_iter()
        .filter(|(is_so, ..)| *is_so)
        .map(|(_, cause, tally)| remark(cause, tally))
        .collect();
    comparison
}

/// Whether the entries that both have come in another order.
fn is_reordered(before: &[Entry], now: &[Entry]) -> bool {
    let places: BTreeMap<&str, usize> =
        before.iter().enumerate().map(|(at, entry)| (entry.path.as_str(), at)).collect();
    let order: Vec<usize> = now.iter().filter_map(|entry| places.get(entry.path.as_str()).copied()).collect();
    !order.is_sorted()
}

/// The source of a compiled Python file: `a/__pycache__/b.cpython-311.pyc` is made of `a/b.py`.
fn source_of(path: &str) -> Option<String> {
    let (folder, name) = path.strip_suffix(".pyc")?.rsplit_once('/')?;
    let package = folder.strip_suffix("__pycache__")?;
    Some(format!("{package}{}.py", name.split('.').next()?))
}

fn is_same(old: &BTreeMap<&str, &Entry>, new: &BTreeMap<&str, &Entry>, path: &str) -> bool {
    matches!((old.get(path), new.get(path)), (Some(a), Some(b)) if a.content == b.content)
}

fn is_cache(path: &str) -> bool {
    const CACHES: [&str; 6] = [
        "var/cache/apt/",
        "var/lib/apt/lists/",
        "var/cache/apk/",
        "var/cache/dnf/",
        "root/.cache/",
        "root/.npm/",
    ];
    CACHES.iter().any(|cache| path.starts_with(cache))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, content: u64, time: u64) -> Entry {
        Entry { path: path.to_owned(), size: 1000, content, time, access: (b'0', 0o644, 0, 0) }
    }

    fn causes(comparison: &Comparison) -> Vec<Cause> {
        comparison.remarks.iter().map(|remark| remark.cause).collect()
    }

    #[test]
    fn files_and_what_became_of_them() {
        let before = [entry("a", 1, 7), entry("b", 2, 7), entry("c", 3, 7), entry("d", 4, 7)];
        let now = [entry("a", 1, 7), entry("b", 9, 7), entry("e", 3, 7), entry("f", 5, 7)];
        let comparison = compare(&before, &now);
        let fates: Vec<_> = comparison.changes.iter().map(|it| (it.path.as_str(), it.fate)).collect();
        let expected = [
            ("b", Fate::Changed),
            ("c", Fate::Gone),
            ("d", Fate::Gone),
            ("e", Fate::Moved),
            ("f", Fate::New),
        ];
        assert_eq!(fates, expected);
        assert_eq!((comparison.bytes, comparison.equal_bytes, comparison.touched), (4000, 2000, 0));
        assert_eq!(causes(&comparison), []);
    }

    #[test]
    fn causes_that_are_worth_a_word() {
        let before = [entry("a.py", 1, 7), entry("__pycache__/a.cpython-311.pyc", 2, 7), entry("b", 3, 7)];
        let later = before.clone().map(|it| Entry { time: 8, ..it });
        assert_eq!(causes(&compare(&before, &later)), [Cause::Times]);
        let other = before.clone().map(|it| Entry { access: (b'0', 0o755, 0, 0), ..it });
        assert_eq!(causes(&compare(&before, &other)), [Cause::Access]);
        let mut reversed = before.clone();
        reversed.reverse();
        assert_eq!(causes(&compare(&before, &reversed)), [Cause::Order]);
        let mut compiled = before.clone();
        compiled[1].content = 9;
        assert_eq!(causes(&compare(&before, &compiled)), [Cause::Bytecode]);
        let cache = [entry("var/lib/apt/lists/x", 5, 7)].map(|it| Entry { size: 2 << 20, ..it });
        assert_eq!(causes(&compare(&[], &cache)), [Cause::Caches]);
    }
}
