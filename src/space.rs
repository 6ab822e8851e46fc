//! What a plan needs of the destination's disks, and whether they have it; decided before the first write.
//!
//! Hard links need nothing, clones a file each, copies their bytes as well. The folders are first counted as if
//! all of them were missing; only where that does not fit, they are looked for.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;

use crate::catalog::Catalog;
use crate::disk::{self, Habits, Links, Look, Room, Share};
use crate::layout::Content;
use crate::plan::{Placement, Plan, SmallFile};
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
struct Volume {
    folder: PathBuf,
    /// Whether that is the destination's root, which may be missing.
    is_root: bool,
    room: Room,
    links: Links,
    habits: Habits,
    demand: Demand,
    /// The folders that are needed there.
    folders: HashSet<PathBuf>,
}

/// Makes sure that there is room for all that the plan writes, and for so many bytes that are put aside meanwhile;
/// says how much that is.
///
/// # Errors
/// When there is not, or a file system refuses to say.
pub fn check(plan: &Plan, catalog: &Catalog, share: Share, aside: u64) -> Result<Demand> {
    let mut volumes = volumes(&plan.root)?;
    let top = plan.root.ancestors().find(|above| above.exists()).unwrap_or(Path::new(""));
    for placement in &plan.placements {
        for (number, targets) in by_volume(&volumes, &placement.targets) {
            let volume = &mut volumes[number];
            volume.take(placement, targets.len() as u64, share);
            targets.iter().for_each(|target| volume.add_folders(target, top));
        }
    }
    if let Some(target) = plan.placements.first().and_then(|placement| placement.targets.first())
        && aside > 0
    {
        let number = volume_of(&volumes, target);
        volumes[number].write(aside);
    }
    let small_files = plan.files.iter().chain(plan.wholes.values().flatten());
    for file in small_files {
        let number = volume_of(&volumes, &file.path);
        volumes[number].write(size(file, catalog));
        volumes[number].add_folders(&file.path, top);
    }
    for folder in &plan.folders {
        let number = volume_of(&volumes, folder);
        volumes[number].add_folders(&folder.join("below"), top);
    }
    let mut demand = Demand::default();
    for volume in &mut volumes {
        let Demand { bytes, inodes } = volume.check()?;
        demand.bytes += bytes;
        demand.inodes += inodes;
    }
    Ok(demand)
}

fn volumes(root: &Path) -> Result<Vec<Volume>> {
    let of_folder = |folder: PathBuf| {
        Ok(Volume {
            room: Room::at(&folder)?,
            links: Links::to(&folder)?,
            habits: Habits::at(&folder)?,
            demand: Demand::default(),
            folders: HashSet::new(),
            is_root: folder == root,
            folder,
        })
    };
    disk::volumes(root)?.into_iter().map(of_folder).collect()
}

fn volume_of(volumes: &[Volume], path: &Path) -> usize {
    volumes.iter().rposition(|volume| path.starts_with(&volume.folder)).unwrap_or_default()
}

fn by_volume<'t>(volumes: &[Volume], targets: &'t [PathBuf]) -> BTreeMap<usize, BTreeSet<&'t Path>> {
    let mut by_volume: BTreeMap<usize, BTreeSet<&Path>> = BTreeMap::new();
    for target in targets {
        by_volume.entry(volume_of(volumes, target)).or_default().insert(target);
    }
    by_volume
}

/// How long a small file is, in bytes.
fn size(file: &SmallFile, catalog: &Catalog) -> u64 {
    let size = match &file.content {
        Content::Link(digest) => digest.to_string().len() as u64,
        Content::Text(text) => text.len() as u64,
        Content::Inline(digest) => catalog.inline.get(digest).map_or(0, |bytes| bytes.len() as u64),
        Content::Manifest(digest) => catalog.manifests.get(digest).map_or(0, |manifest| manifest.size),
        Content::Folder | Content::Blob(_) => 0, // counted elsewhere
    };
    size.max(1)
}

impl Volume {
    /// Counts a blob that gets `targets` names here.
    fn take(&mut self, placement: &Placement, targets: u64, share: Share) {
        let source = placement.sound.iter().chain(&placement.unread).next();
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
        if self.habits.counts_names {
            self.demand.inodes += targets - files;
        }
    }

    fn write(&mut self, size: u64) {
        self.demand.inodes += 1;
        self.demand.bytes = self.demand.bytes.saturating_add(self.room.taken_by(size));
    }

    /// Takes note of the folders above `path`, up to where this file system begins, or to `top`, which is there.
    fn add_folders(&mut self, path: &Path, top: &Path) {
        let above = path.ancestors().skip(1);
        let missing = above.take_while(|folder| *folder != top && (*folder != self.folder || self.is_root));
        for folder in missing {
            if !self.folders.insert(folder.to_owned()) {
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

    fn check(&mut self) -> Result<Demand> {
        if self.demand != Demand::default() || !self.folders.is_empty() {
            // What is made aside needs a folder.
            self.demand.inodes += 1;
            self.demand.bytes = self.demand.bytes.saturating_add(self.room.block);
        }
        let demand = self.demand_with(self.folders.len() as u64);
        if self.fits(demand) {
            return Ok(demand);
        }
        self.folders.retain(|folder| !matches!(disk::look(folder), Ok(Look::Folder)));
        let demand = self.demand_with(self.folders.len() as u64);
        if self.fits(demand) {
            return Ok(demand);
        }
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
        Err(too_little(&self.folder, &short.join("\n  ")))
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
