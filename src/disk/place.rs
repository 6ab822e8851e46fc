//! Places: paths of which many share their beginning.
//!
//! A tree has a million of them, and nearly all are a folder, 64 hex digits, and perhaps one more name. As text each
//! would take ten times the memory of what tells it from the others.

use std::cmp::Ordering;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::FolderPath;
use crate::text::{hex, unhex};

/// A path: a folder, the name of what lies right in it, and what may lie below that.
#[derive(Clone)]
pub struct Place {
    folder: FolderPath,
    name: Name,
}

/// The name of what lies in a folder, and what is meant below that; side by side, so that they fill five words.
#[derive(Clone)]
enum Name {
    /// 64 lower-case hex digits.
    Hex([u8; 32], Below),
    Other(Box<[u8]>, Below),
}

/// What lies in a folder that holds nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Below {
    /// The folder itself is meant.
    Nothing,
    /// A registry's blob.
    Data,
    /// A registry's link.
    Link,
}

impl Below {
    /// The name of the file; empty for nothing.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Data => "data",
            Self::Link => "link",
        }
    }
}

impl Name {
    fn of(name: &OsStr, below: Below) -> Self {
        let bytes = name.as_bytes();
        match unhex(bytes) {
            Some(hash) => Self::Hex(hash, below),
            None => Self::Other(bytes.into(), below),
        }
    }

    fn below(&self) -> Below {
        match self {
            Self::Hex(_, below) | Self::Other(_, below) => *below,
        }
    }

    /// Its text, for which `buffer` has the room where it is hex.
    fn text<'n>(&'n self, buffer: &'n mut [u8; 64]) -> &'n OsStr {
        match self {
            Self::Hex(hash, _) => {
                buffer.iter_mut().zip(hex(hash)).for_each(|(place, digit)| *place = digit);
                OsStr::from_bytes(buffer)
            }
            Self::Other(name, _) => OsStr::from_bytes(name),
        }
    }

    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            // Digits have the order of what they stand for.
            (Self::Hex(a, _), Self::Hex(b, _)) => a.cmp(b),
            _ => self.text(&mut [0; 64]).cmp(other.text(&mut [0; 64])),
        }
    }
}

impl Place {
    /// What is called `name` in `folder`.
    #[must_use]
    pub fn new(folder: FolderPath, name: impl AsRef<OsStr>) -> Self {
        Self { folder, name: Name::of(name.as_ref(), Below::Nothing) }
    }

    /// What is called in `folder` by the hex digits of these bytes.
    #[must_use]
    pub fn of_digits(folder: FolderPath, bytes: &[u8]) -> Self {
        let name = match <[u8; 32]>::try_from(bytes) {
            Ok(hash) => Name::Hex(hash, Below::Nothing),
            Err(_) => Name::Other(hex(bytes).collect(), Below::Nothing),
        };
        Self { folder, name }
    }

    /// What lies in this folder.
    #[must_use]
    pub fn with(mut self, in_it: Below) -> Self {
        match &mut self.name {
            Name::Hex(_, below) | Name::Other(_, below) => *below = in_it,
        }
        self
    }

    /// The hash whose digits its name is, where it is called so.
    #[must_use]
    pub fn hash(&self) -> Option<&[u8; 32]> {
        match &self.name {
            Name::Hex(hash, _) => Some(hash),
            Name::Other(..) => None,
        }
    }

    /// The folder that others are in as well: the place's own, or the one above that.
    #[must_use]
    pub fn folder(&self) -> &FolderPath {
        &self.folder
    }

    /// Whether its own folder is one that it does not share.
    #[must_use]
    pub fn is_below(&self) -> bool {
        self.name.below() != Below::Nothing
    }

    /// The path.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.path_in(Path::new(""))
    }

    /// The path, below `root`.
    #[must_use]
    pub fn path_in(&self, root: &Path) -> PathBuf {
        let length = root.as_os_str().len() + self.folder.as_os_str().len() + 64 + 4 + 3;
        let mut path = PathBuf::from(OsString::from_vec(Vec::with_capacity(length)));
        path.push(root);
        path.push(&self.folder);
        path.push(self.name.text(&mut [0; 64]));
        if self.is_below() {
            path.push(self.name.below().name());
        }
        path
    }

    /// The order of their folders, and in each that of the names.
    #[must_use]
    pub fn cmp_by_folder(&self, other: &Self) -> Ordering {
        if self.folder.is(&other.folder) {
            return self.cmp_in_folder(other);
        }
        let folders = self.folder.as_os_str().cmp(other.folder.as_os_str());
        folders.then_with(|| self.cmp_in_folder(other))
    }

    fn cmp_in_folder(&self, other: &Self) -> Ordering {
        self.name.cmp(&other.name).then_with(|| self.name.below().cmp(&other.name.below()))
    }

    /// The same in another folder.
    #[must_use]
    pub fn in_folder(&self, folder: FolderPath) -> Self {
        Self { folder, ..self.clone() }
    }

    /// The path from its folder on.
    #[must_use]
    pub fn path_in_folder(&self) -> PathBuf {
        let mut path = PathBuf::from(self.name.text(&mut [0; 64]));
        if self.is_below() {
            path.push(self.name.below().name());
        }
        path
    }
}

impl From<&Path> for Place {
    fn from(path: &Path) -> Self {
        let folder = FolderPath::from(path.parent().unwrap_or(Path::new("")));
        Self::new(folder, path.file_name().unwrap_or(path.as_os_str()))
    }
}

impl From<&str> for Place {
    fn from(path: &str) -> Self {
        Path::new(path).into()
    }
}

/// The order of their paths, however these are divided.
impl Ord for Place {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.folder.is(&other.folder) {
            return self.cmp_in_folder(other);
        }
        let (a, b) = (self.folder.as_os_str().as_bytes(), other.folder.as_os_str().as_bytes());
        match a.iter().zip(b).position(|(a, b)| a != b) {
            None if a.len() == b.len() => self.cmp_in_folder(other),
            // Where neither a name ends nor something stands that paths may have or not, bytes decide.
            Some(at) if !matches!(a[at], b'/' | b'.') && !matches!(b[at], b'/' | b'.') => a[at].cmp(&b[at]),
            _ => self.path().cmp(&other.path()),
        }
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Place {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Place {}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_small() {
        assert_eq!(size_of::<Place>(), 48);
    }

    #[test]
    fn places_that_digits_name_are_those_that_their_text_names() {
        for bytes in [&[0xa5; 32][..], &[0x5a; 64]] {
            let digits = String::from_utf8(hex(bytes).collect()).unwrap();
            let place = Place::of_digits(Path::new("a").into(), bytes);
            assert_eq!(place, Place::new(Path::new("a").into(), &digits));
            assert_eq!(place.path(), Path::new("a").join(&digits));
        }
    }

    #[test]
    fn places_are_ordered_as_their_paths_are() {
        let hex = |digit: &str| digit.repeat(64);
        let folders = ["", "a", "a/b", "a.b", "a-b", "a//b/.", "a/b/c", "b"];
        let names = [hex("0"), hex("f"), format!("{}.json", hex("0")), "x".to_owned(), hex("A")];
        let mut places = Vec::new();
        for folder in folders {
            for name in &names {
                for below in [Below::Nothing, Below::Data, Below::Link] {
                    let place = Place::new(Path::new(folder).into(), name).with(below);
                    let mut path = Path::new(folder).join(name);
                    if below != Below::Nothing {
                        path.push(below.name());
                    }
                    assert_eq!(place.path(), path);
                    assert_eq!(place.path_in(Path::new("root")), Path::new("root").join(&path));
                    assert_eq!(Place::from(&*path), place, "it is divided in another way");
                    places.push(place);
                }
            }
        }
        for a in &places {
            for b in &places {
                assert_eq!(a.cmp(b), a.path().cmp(&b.path()), "{a:?} {b:?}");
            }
        }
    }
}
