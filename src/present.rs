//! What of the wanted entries is at the destination already.
//!
//! Entries that share a folder are looked at together, relative to it: a destination of a million entries costs a
//! call or two for each, and where a folder is missing, none for what would be in it.

use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::errno::Errno;

use crate::digest::Digest;
use crate::disk::{self, EntryKind, File, Folder, Look, Place, Small};
use crate::layout::{Content, Entry};
use crate::manifest::{self, MAX_MANIFEST_BYTES};
use crate::text::shown;
use crate::work;

/// What lies where an entry should be, in two words: there is one for each of a million entries.
#[derive(Debug)]
pub enum Present {
    /// Nothing.
    Missing {
        /// How many of the parts of its folder's path are there, from the root on.
        there: u32,
    },
    /// Just what should be there.
    Same,
    /// Something else, which has to give way.
    Different,
    /// Something that cannot give way: a folder in a file's place, or the other way round.
    Blocked(Box<&'static str>),
    /// Something that the system refuses to show; the code of its error.
    Unreadable(i32),
    /// A file where a blob should be; whether it is sound is found out by hashing.
    Blob(File),
}

impl Present {
    /// Nothing, in a folder that is there.
    fn missing_in(folder: &Path) -> Self {
        Self::Missing { there: parts(folder) }
    }
}

/// Nobody can follow it out of the tree if it is never followed.
fn linked() -> Present {
    blocked("a symbolic link in the place of a folder")
}

fn blocked(what: &'static str) -> Present {
    Present::Blocked(Box::new(what))
}

/// Looks at every entry below `root`; the answers come in the entries' order.
///
/// # Errors
/// When the system refuses to say what is there.
pub fn look(root: &Path, entries: &[Entry]) -> Result<Vec<Present>> {
    let mut present = nothing(entries);
    if matches!(disk::look(root)?, Look::Missing) {
        return Ok(present);
    }
    let place_of = |index: &u32| &entries[*index as usize].place;
    let mut by_folder: Vec<u32> = (0..entries.len() as u32).collect();
    by_folder.sort_by(|a, b| place_of(a).cmp_by_folder(place_of(b)));
    let folders: Vec<&[u32]> =
        by_folder.chunk_by(|a, b| place_of(a).folder() == place_of(b).folder()).collect();
    let folder_of = |inside: &[u32]| -> &Path { place_of(&inside[0]).folder() };
    let ways = ways(root, folders.iter().map(|inside| folder_of(inside)));
    let look = |inside: &&[u32]| match ways[folder_of(inside)] {
        Way::Free => look_in(root, folder_of(inside), entries, inside),
        Way::Missing => {
            let is_there = |folder: &&Path| matches!(ways[folder], Way::Free);
            let there = folder_of(inside).ancestors().find(is_there).map_or(0, parts);
            inside.iter().map(|index| (*index, Present::Missing { there })).collect()
        }
        Way::Linked => inside.iter().map(|index| (*index, linked())).collect(),
    };
    work::some_at_a_time(&folders, look, |looked| {
        looked.into_iter().for_each(|(index, found)| present[index as usize] = found);
    });
    Ok(present)
}

/// What is found where nothing is.
#[must_use]
pub fn nothing(entries: &[Entry]) -> Vec<Present> {
    entries.iter().map(|_| Present::Missing { there: 0 }).collect()
}

fn parts(folder: &Path) -> u32 {
    folder.components().count() as u32
}

/// The first of the places below `root`, folder by folder, at which nothing is.
///
/// # Errors
/// When the system refuses to say what is there.
pub fn missing<'p>(root: &Path, places: impl Iterator<Item = &'p Place>) -> Result<Option<PathBuf>> {
    let mut places: Vec<&Place> = places.collect();
    places.sort_by(|a, b| a.cmp_by_folder(b));
    let folders: Vec<&[&Place]> = places.chunk_by(|a, b| a.folder() == b.folder()).collect();
    let look = |inside: &&[&Place]| -> Result<Option<PathBuf>> {
        let folder: &Path = inside[0].folder();
        let cannot = || format!("cannot look at {}", shown(&root.join(folder)));
        let opened = match open(root, folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(root.join(folder))),
            opened => opened.with_context(cannot)?,
        };
        for place in *inside {
            if matches!(opened.look((*place).clone()).with_context(cannot)?, Look::Missing) {
                return Ok(Some(place.path_in(root)));
            }
        }
        Ok(None)
    };
    let mut missing = None;
    let mut failed = None;
    work::some_at_a_time(&folders, look, |looked| match looked {
        Ok(found) => missing = missing.take().or(found),
        Err(error) => failed = failed.take().or(Some(error)),
    });
    failed.map_or(Ok(missing), Err)
}

/// Opens one of the folders that entries share; the root may be a link that a person named.
fn open(root: &Path, folder: &Path) -> io::Result<Folder> {
    if folder.as_os_str().is_empty() { Folder::open_named(root) } else { Folder::open(root.join(folder)) }
}

/// How to get to a folder.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    /// By folders alone.
    Free,
    /// It is not there.
    Missing,
    /// A symbolic link on the way would lead whoever reads or writes out of the tree.
    Linked,
}

/// How to get to each of the folders below `root`, and to those above them.
fn ways<'e>(root: &Path, folders: impl Iterator<Item = &'e Path>) -> HashMap<&'e Path, Way> {
    let mut ways: HashMap<&Path, Way> = HashMap::from([(Path::new(""), Way::Free)]);
    let mut on_the_way = Vec::new();
    for folder in folders {
        on_the_way.extend(folder.ancestors().take_while(|above| !ways.contains_key(above)));
        while let Some(folder) = on_the_way.pop() {
            let above = folder.parent().and_then(|above| ways.get(above)).copied().unwrap_or(Way::Free);
            let way = match above {
                Way::Free => way_to(&root.join(folder)),
                above => above,
            };
            ways.insert(folder, way);
        }
    }
    ways
}

fn way_to(folder: &Path) -> Way {
    match disk::look(folder) {
        Ok(Look::Other(disk::SYMBOLIC_LINK)) => Way::Linked,
        Ok(Look::Missing | Look::File(_) | Look::Other(_)) => Way::Missing,
        // What the system refuses to show is told of each entry.
        Ok(Look::Folder) | Err(_) => Way::Free,
    }
}

/// Looks at the entries in one folder.
fn look_in(root: &Path, folder: &Path, entries: &[Entry], inside: &[u32]) -> Vec<(u32, Present)> {
    let mut opened = match open(root, folder) {
        Ok(opened) => opened,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => return inside.iter().map(|index| (*index, unreadable(&error))).collect(),
    };
    let links = match links_in(&mut opened, entries, inside) {
        Ok(links) => links,
        Err(error) => return inside.iter().map(|index| (*index, unreadable(&error))).collect(),
    };
    let look = |index: &u32| {
        let entry = &entries[*index as usize];
        let within = entry.place.path_in_folder();
        let is_linked = entry.place.is_below()
            && within
                .parent()
                .is_some_and(|own| links.binary_search_by(|it| (**it).cmp(own.as_os_str())).is_ok());
        (*index, if is_linked { linked() } else { look_at(&opened, entry, &within) })
    };
    inside.iter().map(look).collect()
}

/// From how many entries on it is less work to list a folder than to look at what each of them lies below; what else
/// is in the folder, which may be far more, has to be listed as well.
const WORTH_A_LIST: usize = 8;

/// The symbolic links right in a folder, in order, that entries would lie below.
fn links_in(folder: &mut Folder, entries: &[Entry], inside: &[u32]) -> io::Result<Vec<OsString>> {
    let below = inside.iter().map(|index| &entries[*index as usize].place).filter(|place| place.is_below());
    if below.clone().count() >= WORTH_A_LIST {
        let links = folder.list()?.into_iter().filter(|(_, kind)| *kind == EntryKind::Link);
        return Ok(links.map(|(name, _)| name).collect());
    }
    let mut links = Vec::new();
    for own in below.filter_map(|place| place.path_in_folder().parent().map(Path::to_owned)) {
        if folder.kind(&own)? == Some(EntryKind::Link) {
            links.push(own.into_os_string());
        }
    }
    Ok(links)
}

fn look_at(folder: &Folder, entry: &Entry, within: &Path) -> Present {
    // Nearly always what is there is what should be: then nothing else has to be asked.
    let is_there = |bytes: &[u8]| folder.holds(within, bytes);
    let content = entry.content();
    let most = match &content {
        Content::Folder | Content::Blob(_) => return look_whole(folder, entry, &content),
        Content::Text(text) if is_there(text.as_bytes()) => return Present::Same,
        Content::Link(digest) if is_there(digest.to_string().as_bytes()) => return Present::Same,
        Content::Text(text) => text.len() as u64,
        Content::Link(digest) => digest.to_string().len() as u64,
        Content::Manifest(_) | Content::Inline(_) => MAX_MANIFEST_BYTES,
    };
    let bytes = match folder.read_small(within, most) {
        Ok(Small::Bytes(bytes)) => bytes,
        Ok(Small::Missing) => return Present::missing_in(entry.place.folder()),
        Ok(Small::Longer | Small::Other(_)) => return Present::Different,
        Ok(Small::Folder) => return blocked("a folder"),
        Err(error) => return unreadable(&error),
    };
    let is_same = match &content {
        Content::Link(digest) => bytes == digest.to_string().as_bytes(),
        Content::Text(text) => bytes == text.as_bytes(),
        Content::Manifest(digest) | Content::Inline(digest) => {
            Digest::of(digest.algorithm(), &manifest::payload(&bytes)) == *digest
        }
        Content::Folder | Content::Blob(_) => false, // looked at above
    };
    if is_same { Present::Same } else { Present::Different }
}

/// Looks at what should be a folder or a blob, without reading it.
fn look_whole(folder: &Folder, entry: &Entry, content: &Content) -> Present {
    match (folder.look(entry.place.in_folder(folder.path().clone())), content) {
        (Err(error), _) => unreadable(&error),
        (Ok(Look::Missing), _) => Present::missing_in(entry.place.folder()),
        (Ok(Look::Folder), Content::Folder) => Present::Same,
        (Ok(Look::Folder), _) => blocked("a folder"),
        (Ok(Look::File(_)), Content::Folder) => blocked("a file"),
        (Ok(Look::Other(what)), Content::Folder) => blocked(what),
        (Ok(Look::Other(_)), _) => Present::Different,
        (Ok(Look::File(file)), _) => Present::Blob(file),
    }
}

fn unreadable(error: &io::Error) -> Present {
    Present::Unreadable(error.raw_os_error().unwrap_or(Errno::EIO as i32))
}
