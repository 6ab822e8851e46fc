//! What a plan needs of the destination's disks, and whether they have it; decided before the first write.
//!
//! Hard links need nothing, clones a file each, copies their bytes as well. The folders are first counted as if
//! all of them were missing; only where that does not fit, they are looked for.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use smallvec::SmallVec;

use crate::catalog::Catalog;
use crate::disk::{self, Habits, Links, Look, Place, Room, Share};
use crate::layout::{Content, Entry};
use crate::plan::{Placement, Plan};
use crate::text::shown;

/// What is needed of one file system, or of all of them.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Demand {
    /// Space, in bytes, in whole blocks.
    pub bytes: u64,
    /// Files and folders.
    pub inodes: u64,
}

/// One file system of the destination.
struct Volume<'p> {
    folder: PathBuf,
    /// The same, below the destination's root; empty for the root, which may be missing.
    below_root: PathBuf,
    room: Room,
    links: Links,
    habits: Habits,
    demand: Demand,
    /// The folders that are needed there and hold several things, below the root.
    folders: HashSet<&'p Path>,
    /// How many are needed besides, each for one file alone.
    own_folders: u64,
}

/// The file systems of a destination, the one of the root first.
struct Volumes<'p> {
    root: &'p Path,
    /// The folder above the root, or the root, that is there.
    top: &'p Path,
    volumes: Vec<Volume<'p>>,
}

/// Makes sure that there is room for all that the plan writes, and for so many bytes that are put aside meanwhile;
/// says how much that is.
///
/// # Errors
/// When there is not, or a file system refuses to say.
pub fn check(plan: &Plan, catalog: &Catalog, share: Share, aside: u64) -> Result<Demand> {
    let folders: Vec<(&Place, PathBuf)> = plan.empty_folders().map(|place| (place, place.path())).collect();
    let mut volumes = Volumes::of(&plan.root)?;
    for placement in &plan.placements {
        for (number, targets) in volumes.among(&placement.targets) {
            volumes.volumes[number].take(placement, targets, share);
        }
        placement.targets.iter().for_each(|target| volumes.volume(target).add_folders_of(target));
    }
    for link in plan.links() {
        volumes.volume(link.place).link(1);
        volumes.volume(link.place).add_folders_of(link.place);
    }
    if let Some(target) = plan.placements.first().and_then(|placement| placement.targets.first())
        && aside > 0
    {
        volumes.volume(target).write(aside);
    }
    for file in plan.small_files() {
        let volume = volumes.volume(&file.place);
        volume.write(size(file, catalog));
        volume.add_folders_of(&file.place);
    }
    for (place, path) in &folders {
        volumes.volume(place).add_folders(path);
    }
    volumes.check(plan)
}

impl<'p> Volumes<'p> {
    fn of(root: &'p Path) -> Result<Self> {
        let of_folder = |folder: PathBuf| {
            Ok(Volume {
                room: Room::at(&folder)?,
                links: Links::to(&folder)?,
                habits: Habits::at(&folder)?,
                demand: Demand::default(),
                folders: HashSet::new(),
                own_folders: 0,
                below_root: folder.strip_prefix(root).unwrap_or(Path::new("")).to_owned(),
                folder,
            })
        };
        let volumes = disk::volumes(root)?.into_iter().map(of_folder).collect::<Result<_>>()?;
        let top = root.ancestors().find(|above| above.exists()).unwrap_or(Path::new(""));
        Ok(Self { root, top, volumes })
    }

    fn number_of(&self, place: &Place) -> usize {
        if self.volumes.len() == 1 {
            return 0;
        }
        let path = place.path();
        self.volumes.iter().rposition(|volume| path.starts_with(&volume.below_root)).unwrap_or_default()
    }

    fn volume(&mut self, place: &Place) -> &mut Volume<'p> {
        let number = self.number_of(place);
        &mut self.volumes[number]
    }

    /// How many of the places are on each.
    fn among(&self, places: &[&Place]) -> SmallVec<[(usize, u64); 1]> {
        let mut among: SmallVec<[(usize, u64); 1]> = SmallVec::new();
        for place in places {
            let number = self.number_of(place);
            match among.iter_mut().find(|(of, _)| *of == number) {
                Some((_, count)) => *count += 1,
                None => among.push((number, 1)),
            }
        }
        among
    }

    /// Makes sure that everything fits everywhere.
    fn check(&mut self, plan: &Plan) -> Result<Demand> {
        let mut all = Demand::default();
        for number in 0..self.volumes.len() {
            let demand = self.check_one(number, plan)?;
            all.bytes += demand.bytes;
            all.inodes += demand.inodes;
        }
        Ok(all)
    }

    fn check_one(&mut self, number: usize, plan: &Plan) -> Result<Demand> {
        let above_root = self.root.ancestors().take_while(|folder| *folder != self.top).count() as u64;
        let volume = &mut self.volumes[number];
        let is_used = volume.demand != Demand::default() || !volume.folders.is_empty();
        if is_used {
            // What is made aside needs a folder.
            volume.demand.inodes += 1;
            volume.demand.bytes = volume.demand.bytes.saturating_add(volume.room.block);
        }
        let above_root = if is_used && number == 0 { above_root } else { 0 };
        let demand = volume.demand_with(above_root + volume.folders.len() as u64 + volume.own_folders);
        if volume.fits(demand) {
            return Ok(demand);
        }
        let is_missing = |folder: &Path| !matches!(disk::look(&self.root.join(folder)), Ok(Look::Folder));
        volume.folders.retain(|folder| is_missing(folder));
        let (volume, folders) = (&self.volumes[number], self.volumes[number].folders.len() as u64);
        let files = plan.placements.iter().flat_map(|placement| placement.targets.iter().copied());
        let files = files.chain(plan.links().map(|link| link.place));
        let files = files.chain(plan.small_files().map(|file| &file.place));
        let own = files.filter(|place| place.is_below() && self.number_of(place) == number);
        let own = own.filter(|place| place.path().parent().is_some_and(is_missing)).count() as u64;
        let demand = volume.demand_with(above_root + folders + own);
        if volume.fits(demand) { Ok(demand) } else { Err(volume.lacks(demand)) }
    }
}

/// How long a small file is, in bytes.
fn size(file: &Entry, catalog: &Catalog) -> u64 {
    let size = match file.content() {
        Content::Link(digest) => digest.to_string().len() as u64,
        Content::Text(text) => text.len() as u64,
        Content::Inline(digest) => catalog.inline.get(&digest).map_or(0, |bytes| bytes.len() as u64),
        Content::Manifest(digest) => catalog.manifests.get(&digest).map_or(0, |manifest| manifest.size),
        Content::Folder | Content::Blob(_) => 0, // counted elsewhere
    };
    size.max(1)
}

impl<'p> Volume<'p> {
    /// Counts a blob that gets `targets` names here.
    fn take(&mut self, placement: &Placement, targets: u64, share: Share) {
        let source = placement.sound().iter().chain(placement.unread()).next();
        let can_link = source.is_some_and(|source| self.links.take(source));
        let is_near = source.is_some_and(|source| source.within.is_none() && self.links.is_on_device(source));
        let clones = self.habits.clones && is_near && share != Share::Copy;
        let files = match share {
            Share::Auto | Share::HardLink if can_link => 0,
            // The first copy lies here: the others can be links to it.
            Share::Auto | Share::HardLink => 1,
            Share::Reflink | Share::Copy => targets,
        };
        for number in 0..files {
            // With `reflink`, what was copied once can be cloned from then on.
            let is_clone = clones || (share == Share::Reflink && self.habits.clones && number > 0);
            self.write(if is_clone { 0 } else { placement.size });
        }
        self.link(targets - files);
    }

    /// Counts so many more names of files that lie here.
    fn link(&mut self, names: u64) {
        if self.habits.counts_names {
            self.demand.inodes += names;
        }
    }

    fn write(&mut self, size: u64) {
        self.demand.inodes += 1;
        self.demand.bytes = self.demand.bytes.saturating_add(self.room.taken_by(size));
    }

    /// Takes note of the folders that a file is in, up to where this file system begins.
    fn add_folders_of(&mut self, place: &'p Place) {
        self.own_folders += u64::from(place.is_below());
        self.add_folders(place.folder());
    }

    /// Takes note of a folder and those above it, up to where this file system begins.
    fn add_folders(&mut self, folder: &'p Path) {
        for folder in folder.ancestors().take_while(|folder| **folder != *self.below_root) {
            if !self.folders.insert(folder) {
                break;
            }
        }
    }

    fn demand_with(&self, folders: u64) -> Demand {
        let Demand { bytes, inodes } = self.demand;
        Demand { bytes: bytes.saturating_add(folders * self.room.block), inodes: inodes + folders }
    }

    fn fits(&self, demand: Demand) -> bool {
        demand.bytes <= self.room.bytes && self.room.inodes.is_none_or(|inodes| demand.inodes <= inodes)
    }

    /// Says what is too little for a demand.
    fn lacks(&self, demand: Demand) -> anyhow::Error {
        let Room { bytes, inodes, .. } = self.room;
        let mut short = Vec::new();
        if demand.bytes > bytes {
            let missing = demand.bytes - bytes;
            short.push(format!("{} bytes are needed, {bytes} are free, {missing} are missing", demand.bytes));
        }
        if let Some(inodes) = inodes.filter(|inodes| demand.inodes > *inodes) {
            let missing = demand.inodes - inodes;
            short.push(format!(
                "{} files and folders are to be made, {inodes} more can be (inodes), {missing} are missing",
                demand.inodes
            ));
        }
        too_little(&self.folder, &short.join("\n  "))
    }
}

/// Makes sure that there is room for one file of this many bytes.
///
/// # Errors
/// When there is not, or the file system refuses to say.
pub fn check_bytes(path: &Path, needed: u64) -> Result<()> {
    let Room { bytes, .. } = Room::at(path)?;
    if needed <= bytes {
        return Ok(());
    }
    let missing = needed - bytes;
    Err(too_little(path, &format!("{needed} bytes are needed, {bytes} are free, {missing} are missing")))
}

fn too_little(path: &Path, short: &str) -> anyhow::Error {
    let full = io::Error::new(io::ErrorKind::StorageFull, format!("{short}\n  nothing was written"));
    anyhow::Error::new(full).context(format!("not enough room at {}", shown(path)))
}
