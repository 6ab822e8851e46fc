//! The files of an archive, by their names, where they lie in it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use tar::EntryType;

use crate::disk::{Extent, File, Part};
use crate::finding::{self, Finding, Kind};

/// How many links are followed from a name to a file.
const MOST_LINKS: usize = 16;

/// The files of an archive.
pub(super) struct Members {
    members: BTreeMap<String, Member>,
}

enum Member {
    File(File),
    /// Another name for a file: old versions of docker save a layer that several images have once.
    Link(String),
}

impl Members {
    /// Reads the headers of an archive.
    ///
    /// # Errors
    /// A finding, when it is no archive, or not all of one.
    pub(super) fn list(path: &Path, parts: Arc<[Part]>) -> Result<Self, Finding> {
        // What the system refuses is no fault of the archive.
        let unreadable = |error: io::Error| match error.kind() {
            io::ErrorKind::Other | io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData => {
                Finding::at(Kind::InvalidArchive, path).found(error)
            }
            _ => finding::unreadable(path, &error),
        };
        let end = parts.iter().map(|part| part.size).sum();
        let mut members = BTreeMap::new();
        let mut archive = tar::Archive::new(Extent { parts: parts.clone(), offset: 0 }.open(end));
        for entry in archive.entries_with_seek().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?;
            let Some(name) = normal(&entry.path_bytes()) else { continue };
            let (offset, size) = (entry.raw_file_position(), entry.size());
            if offset.saturating_add(size) > end {
                let finding = Finding::at(Kind::InvalidArchive, path);
                return Err(finding.expected(format_args!("{size} bytes of {name}")).found("its end"));
            }
            let member = match entry.header().entry_type() {
                EntryType::Regular | EntryType::Continuous => {
                    Member::File(Extent { parts: parts.clone(), offset }.file(size))
                }
                EntryType::Symlink => {
                    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
                    let target = entry.link_name_bytes().unwrap_or_default();
                    let target = [folder.as_bytes(), &target].join(&b'/');
                    let Some(target) = normal(&target) else { continue };
                    Member::Link(target)
                }
                EntryType::Link => {
                    let Some(target) = normal(&entry.link_name_bytes().unwrap_or_default()) else { continue };
                    Member::Link(target)
                }
                _ => continue,
            };
            // Of several with one name the last counts, as when it is unpacked.
            members.insert(name, member);
        }
        Ok(Self { members })
    }

    /// The file that has a name, or that a link of this name leads to.
    pub(super) fn get(&self, name: &str) -> Option<&File> {
        let mut name = normal(name.as_bytes())?;
        for _ in 0..MOST_LINKS {
            match self.members.get(&name)? {
                Member::File(file) => return Some(file),
                Member::Link(target) => name.clone_from(target),
            }
        }
        None
    }

    /// All files, by their names.
    pub(super) fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.members.keys().filter_map(|name| Some((name.as_str(), self.get(name)?)))
    }

    /// Some of the names, for a message.
    pub(super) fn first(&self) -> String {
        let names: Vec<_> = self.members.keys().take(3).map(String::as_str).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    }
}

/// A name without `.` and `..`; none where it leads out of the archive, or is no text.
fn normal(name: &[u8]) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in std::str::from_utf8(name).ok()?.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    (!parts.is_empty()).then(|| parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside() {
        for (name, normal_name) in [
            ("./oci-layout", Some("oci-layout")),
            ("a/../b//c/", Some("b/c")),
            ("../x", None),
            ("a/../../x", None),
            ("/", None),
        ] {
            assert_eq!(normal(name.as_bytes()).as_deref(), normal_name, "{name}");
        }
        assert_eq!(normal(&[0xff]), None);
    }
}
