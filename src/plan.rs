//! What to do, decided before anything is written; pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use smallvec::SmallVec;

use crate::digest::Digest;
use crate::disk::{File, FolderPath, Place};
use crate::layout::{Change, Content, Entry, Names, Stage};
use crate::present::Present;
use crate::reference::Reference;
use crate::tally::Tally;
use crate::text::shown;
use crate::verify::{Verdict, Verdicts};

/// Everything that has to be done to have some entries below a root; the paths are those of the entries.
#[derive(Debug, Default)]
pub struct Plan<'e> {
    /// Where the entries' paths start.
    pub root: PathBuf,
    /// Folders to create.
    pub folders: Vec<&'e Place>,
    /// Blobs to put in place singly, each with all the places it has to be in.
    pub placements: Vec<Placement<'e>>,
    /// Small files to write, in the order in which they may appear.
    pub files: Vec<&'e Entry>,
    /// Folders that are not there and appear at once, with all that belongs into them.
    pub wholes: BTreeMap<&'e Path, Whole<'e>>,
    /// The images that will be visible, and what happens to each.
    pub images: BTreeMap<Reference, Change>,
    /// Blobs that are in their place.
    pub already_there: Tally,
}

/// What belongs into a folder that appears at once.
#[derive(Debug, Default)]
pub struct Whole<'e> {
    /// Folders to create.
    pub folders: Vec<&'e Place>,
    /// Blobs to link.
    pub links: Vec<Link<'e>>,
    /// Small files to write, in the order in which they may appear one by one.
    pub files: Vec<&'e Entry>,
}

/// A blob's place, and the file that gets this name as well.
#[derive(Debug, Clone, Copy)]
pub struct Link<'e> {
    /// Where it has to be.
    pub place: &'e Place,
    /// A file that holds it.
    pub source: &'e File,
}

/// When blobs get their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blobs {
    /// Each as soon as it is whole: a copy that was made is not lost if the run is killed.
    Singly,
    /// With the folder that they appear in, where that is missing: all of them are links, and made again in no time.
    WithFolders,
}

/// A blob and the places where it is missing.
#[derive(Debug)]
pub struct Placement<'e> {
    /// Its name.
    pub digest: Digest,
    /// Its length in bytes.
    pub size: u64,
    /// What is known of the files that may hold it.
    pub verdict: Option<&'e Verdict>,
    /// Where it has to be.
    pub targets: Targets<'e>,
}

/// Where a blob has to be; nearly always in one place or two.
pub type Targets<'e> = SmallVec<[&'e Place; 2]>;

/// Decides what has to be done, given what is there and which files are sound.
///
/// # Errors
/// When something lies in an entry's place that cannot give way.
pub fn plan<'e>(
    root: &Path,
    entries: &'e [Entry],
    present: &[Present],
    verdicts: &'e Verdicts,
    blobs: Blobs,
) -> Result<Plan<'e>> {
    let mut plan = Plan { root: root.to_owned(), ..Plan::default() };
    let mut targets: Vec<(Digest, &Place)> = Vec::new();
    let mut wholes = Wholes::new(entries, blobs);
    for (entry, present) in entries.iter().zip(present) {
        let path = || entry.place.path_in(root);
        if let Present::Blocked(what) = present {
            bail!("{what} stands in the way of {}\n  hint: move it away", shown(&path()));
        }
        if let Present::Unreadable(code) = present {
            let error = io::Error::from_raw_os_error(*code);
            return Err(error).with_context(|| format!("cannot look at {}", shown(&path())));
        }
        match entry.names() {
            Names::Nothing => {}
            Names::One(image) => {
                let change = match present {
                    Present::Missing { .. } => Change::New,
                    Present::Same => Change::Unchanged,
                    _ => Change::Moved,
                };
                plan.images.insert(image.clone(), change);
            }
            Names::Listed(images) => plan.images.extend(images.iter().cloned()),
        }
        match (present, entry.content()) {
            (Present::Same, _) => {}
            (Present::Blob(file), Content::Blob(digest)) if is_sound(verdicts.get(&digest), file) => {
                plan.already_there.add(file.size);
            }
            (present, content) => {
                let whole = wholes.of(entry, present).map(|whole| plan.wholes.entry(whole).or_default());
                match (content, whole) {
                    (Content::Folder, Some(whole)) => whole.folders.push(&entry.place),
                    (Content::Folder, None) => plan.folders.push(&entry.place),
                    (Content::Blob(digest), whole) => {
                        let sound = || verdicts.get(&digest)?.sound().first();
                        match whole.and_then(|whole| Some((whole, sound()?))) {
                            Some((whole, source)) => whole.links.push(Link { place: &entry.place, source }),
                            None => targets.push((digest, &entry.place)),
                        }
                    }
                    (_, Some(whole)) => whole.files.push(entry),
                    (_, None) => plan.files.push(entry),
                }
            }
        }
    }
    targets.sort_unstable();
    let alike = || targets.chunk_by(|(a, _), (b, _)| a == b);
    plan.placements.reserve_exact(alike().count());
    plan.placements.extend(alike().map(|targets| place(targets, verdicts)));
    Ok(plan)
}

/// Finds the folder that an entry appears with.
struct Wholes<'e> {
    blobs: Blobs,
    /// The folders that are there before anything has its name, because something lies in them by then, at whatever
    /// depth.
    filled: HashSet<&'e Path>,
    /// The folder that was asked for last, and the answer: entries come folder by folder.
    last: Option<(&'e FolderPath, Option<&'e Path>)>,
}

impl<'e> Wholes<'e> {
    fn new(entries: &'e [Entry], blobs: Blobs) -> Self {
        let mut filled = HashSet::from([Path::new("")]);
        for entry in entries.iter().filter(|entry| comes_singly(entry, blobs)) {
            entry.place.folder().ancestors().take_while(|folder| filled.insert(folder)).for_each(drop);
        }
        Self { blobs, filled, last: None }
    }

    /// The topmost of the folders that are missing and get nothing that comes singly.
    fn of(&mut self, entry: &'e Entry, present: &Present) -> Option<&'e Path> {
        let Present::Missing { there } = present else { return None };
        let folder = entry.place.folder();
        match self.last {
            _ if comes_singly(entry, self.blobs) => None,
            Some((last, whole)) if last.is(folder) => whole,
            _ => {
                let missing = folder.components().count().saturating_sub(*there as usize);
                let empty = folder.ancestors().take(missing).take_while(|it| !self.filled.contains(it));
                let whole = empty.last();
                self.last = Some((folder, whole));
                whole
            }
        }
    }
}

/// Whether an entry is there before anything has its name; a folder that holds nothing yet can wait.
fn comes_singly(entry: &Entry, blobs: Blobs) -> bool {
    blobs == Blobs::Singly && entry.stage == Stage::Content && entry.content() != Content::Folder
}

fn is_sound(verdict: Option<&Verdict>, file: &File) -> bool {
    verdict.is_some_and(|verdict| verdict.sound().iter().any(|sound| sound.inode() == file.inode()))
}

fn place<'e>(targets: &[(Digest, &'e Place)], verdicts: &'e Verdicts) -> Placement<'e> {
    let digest = targets[0].0;
    let verdict = verdicts.get(&digest);
    let size = verdict.and_then(Verdict::size).unwrap_or_default();
    Placement { digest, size, verdict, targets: targets.iter().map(|(_, place)| *place).collect() }
}

impl Placement<'_> {
    /// Whether it is made on the way: no file has it yet.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        self.sound().is_empty() && self.unread().iter().all(File::is_to_come)
    }

    /// Files that are known to hold it.
    #[must_use]
    pub fn sound(&self) -> &[File] {
        self.verdict.map(Verdict::sound).unwrap_or_default()
    }

    /// Files that may hold it and have to be hashed on the way.
    #[must_use]
    pub fn unread(&self) -> &[File] {
        self.verdict.map(Verdict::unread).unwrap_or_default()
    }
}

impl<'e> Whole<'e> {
    /// When it may appear: when the last of its files may.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.files.last().map_or(Stage::Content, |file| file.stage)
    }

    /// Leaves out all that is not kept; whether anything is left.
    fn keep_only(&mut self, kept: &BTreeMap<&Place, &'e Entry>) -> bool {
        self.folders.retain(|place| kept.contains_key(place));
        self.links.retain(|link| kept.contains_key(link.place));
        self.files.retain(|file| kept.contains_key(&file.place));
        !self.folders.is_empty() || !self.links.is_empty() || !self.files.is_empty()
    }
}

impl<'e> Plan<'e> {
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
        self.links().for_each(|link| tally.add(link.source.size));
        tally
    }

    /// The path at which each blob has to be that comes singly; of several, the last.
    #[must_use]
    pub fn target_paths(&self) -> BTreeMap<Digest, PathBuf> {
        let places = self.placements.iter().filter_map(|it| Some((it.digest, it.targets.last()?)));
        places.map(|(digest, place)| (digest, place.path_in(&self.root))).collect()
    }

    /// The small files that it writes.
    pub fn small_files(&self) -> impl Iterator<Item = &'e Entry> {
        self.files.iter().chain(self.wholes.values().flat_map(|whole| &whole.files)).copied()
    }

    /// The blobs that are linked with the folder that they appear in.
    pub fn links(&self) -> impl Iterator<Item = Link<'e>> {
        self.wholes.values().flat_map(|whole| &whole.links).copied()
    }

    /// The folders that it creates for their own sake.
    pub fn empty_folders(&self) -> impl Iterator<Item = &'e Place> {
        self.folders.iter().chain(self.wholes.values().flat_map(|whole| &whole.folders)).copied()
    }

    /// Whether something appears with a folder above it.
    #[must_use]
    pub fn is_in_whole(&self, place: &Place) -> bool {
        !self.wholes.is_empty() && place.folder().ancestors().any(|above| self.wholes.contains_key(above))
    }

    /// Leaves out all that was only for the sake of other entries than these.
    pub fn keep_only(&mut self, entries: &'e [Entry]) {
        let kept: BTreeMap<&Place, &Entry> = entries.iter().map(|entry| (&entry.place, entry)).collect();
        let names: BTreeSet<&Reference> = entries.iter().flat_map(|entry| entry.names().images()).collect();
        self.folders.retain(|place| kept.contains_key(place));
        self.files.retain(|file| kept.contains_key(&file.place));
        // A list of images has fewer of them.
        self.files.iter_mut().for_each(|file| *file = kept[&file.place]);
        self.wholes.retain(|_, whole| whole.keep_only(&kept));
        self.placements.retain_mut(|placement| {
            placement.targets.retain(|place| kept.contains_key(place));
            !placement.targets.is_empty()
        });
        self.images.retain(|image, _| names.contains(image));
    }
}
