//! What to do, decided before anything is written; pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::digest::Digest;
use crate::disk::File;
use crate::layout::{Change, Content, Entry, Names, Stage};
use crate::present::Present;
use crate::reference::Reference;
use crate::tally::Tally;
use crate::text::shown;
use crate::verify::Verdict;

/// Everything that has to be done to have some entries below a root.
#[derive(Debug, Default)]
pub struct Plan {
    /// Where the entries' paths start.
    pub root: PathBuf,
    /// Folders to create.
    pub folders: Vec<PathBuf>,
    /// Blobs to put in place, each with all the places it has to be in.
    pub placements: Vec<Placement>,
    /// Small files to write, in the order in which they may appear.
    pub files: Vec<SmallFile>,
    /// Folders that have to appear whole, with their files.
    pub wholes: BTreeMap<PathBuf, Vec<SmallFile>>,
    /// The images that will be visible, and what happens to each.
    pub images: BTreeMap<Reference, Change>,
    /// Blobs that are in their place.
    pub already_there: Tally,
}

/// A blob and the places where it is missing.
#[derive(Debug)]
pub struct Placement {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// Files that are known to hold it.
    pub sound: Vec<File>,
    /// Files that may hold it and have to be hashed on the way.
    pub unread: Vec<File>,
    /// Where it has to be.
    pub targets: Vec<PathBuf>,
}

/// A small file to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmallFile {
    /// When.
    pub stage: Stage,
    /// Where.
    pub path: PathBuf,
    /// With what.
    pub content: Content,
}

/// Decides what has to be done, given what is there and which files are sound.
///
/// # Errors
/// When something lies in an entry's place that cannot give way.
pub fn plan(
    root: &Path,
    entries: &[Entry],
    present: &[Present],
    verdicts: &HashMap<Digest, Verdict>,
) -> Result<Plan> {
    let mut plan = Plan { root: root.to_owned(), ..Plan::default() };
    let mut placements: BTreeMap<Digest, Vec<PathBuf>> = BTreeMap::new();
    // A folder appears whole only where nothing of it is there.
    let begun: HashSet<PathBuf> = entries
        .iter()
        .zip(present)
        .filter(|(_, present)| !matches!(present, Present::Missing))
        .filter_map(|(entry, _)| entry.whole.clone())
        .collect();
    for (entry, present) in entries.iter().zip(present) {
        let path = root.join(&entry.path);
        if let Present::Blocked(what) = present {
            bail!("{what} stands in the way of {}\n  hint: move it away", shown(&path));
        }
        if let Present::Unreadable(code) = present {
            let error = io::Error::from_raw_os_error(*code);
            return Err(error).with_context(|| format!("cannot look at {}", shown(&path)));
        }
        match &entry.names {
            Names::Nothing => {}
            Names::One(image) => {
                let change = match present {
                    Present::Missing => Change::New,
                    Present::Same => Change::Unchanged,
                    _ => Change::Moved,
                };
                plan.images.insert(image.clone(), change);
            }
            Names::Listed(images) => plan.images.extend(images.iter().cloned()),
        }
        match (present, &entry.content) {
            (Present::Same, _) => {}
            (Present::Blob(file), Content::Blob(digest)) if is_sound(verdicts.get(digest), file) => {
                plan.already_there.add(file.size);
            }
            (_, Content::Blob(digest)) => placements.entry(*digest).or_default().push(path),
            (_, Content::Folder) => plan.folders.push(path),
            (_, content) => {
                let file = SmallFile { stage: entry.stage, path, content: content.clone() };
                match &entry.whole {
                    Some(whole) if !begun.contains(whole) => {
                        plan.wholes.entry(root.join(whole)).or_default().push(file);
                    }
                    _ => plan.files.push(file),
                }
            }
        }
    }
    plan.placements = placements.into_iter().map(|placement| place(placement, verdicts)).collect();
    Ok(plan)
}

fn is_sound(verdict: Option<&Verdict>, file: &File) -> bool {
    verdict.is_some_and(|verdict| verdict.sound.iter().any(|sound| sound.inode == file.inode))
}

fn place((digest, targets): (Digest, Vec<PathBuf>), verdicts: &HashMap<Digest, Verdict>) -> Placement {
    let (sound, unread) = verdicts
        .get(&digest)
        .map(|verdict| (verdict.sound.clone(), verdict.unread.clone()))
        .unwrap_or_default();
    let size = sound.iter().chain(&unread).map(|file| file.size).next().unwrap_or_default();
    Placement { digest, size, sound, unread, targets }
}

impl Placement {
    /// Whether it is made on the way: no file has it yet.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        self.sound.is_empty() && self.unread.iter().all(File::is_to_come)
    }
}

impl Plan {
    /// Whether nothing is left to do.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.folders.is_empty()
            && self.placements.is_empty()
            && self.files.is_empty()
            && self.wholes.is_empty()
    }

    /// The blobs that it puts in place, each place counted.
    #[must_use]
    pub fn blobs(&self) -> Tally {
        let mut tally = Tally::default();
        for Placement { size, targets, .. } in &self.placements {
            targets.iter().for_each(|_| tally.add(*size));
        }
        tally
    }

    /// How many small files it writes.
    #[must_use]
    pub fn small_files(&self) -> u64 {
        (self.files.len() + self.wholes.values().map(Vec::len).sum::<usize>()) as u64
    }

    /// Leaves out all that was only for the sake of other entries than these.
    pub fn keep_only(&mut self, entries: &[Entry]) {
        let kept: BTreeMap<PathBuf, &Content> =
            entries.iter().map(|entry| (self.root.join(&entry.path), &entry.content)).collect();
        let names: BTreeSet<&Reference> = entries.iter().flat_map(|entry| entry.names.images()).collect();
        self.folders.retain(|path| kept.contains_key(path));
        self.files.retain(|file| kept.contains_key(&file.path));
        // A list of images has fewer of them.
        self.files.iter_mut().for_each(|file| file.content = kept[&file.path].clone());
        self.wholes.retain(|_, files| files.iter().all(|file| kept.contains_key(&file.path)));
        self.placements.retain_mut(|placement| {
            placement.targets.retain(|path| kept.contains_key(path));
            !placement.targets.is_empty()
        });
        self.images.retain(|image, _| names.contains(image));
    }
}
