//! The disk: the only module that writes, and the one that reads without being fooled.
//!
//! Nothing here ever opens an existing file for writing: its inode may be someone else's hard link. New files
//! arrive by link, by clone, or are made aside and renamed into place, and only in a [`Destination`] that this
//! process has locked. Every error carries the path that it happened at.

mod folder_path;
mod place;
mod read;
mod content;
mod folder;
mod extent;
mod window;
mod fetch;
mod mounts;
mod room;
mod scratch;
mod lock;
mod names;
mod ownership;
mod staging;
mod destination;
mod build;
mod removal;
mod share;
mod output;

use std::fs::Metadata;
use std::ops::Deref;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use triomphe::Arc;

pub use build::{Build, Within};
pub use content::{Content, Reading};
pub use destination::Destination;
pub use extent::{Extent, Part, held, parts};
pub use fetch::fetching;
pub use folder::{Folder, Kind as EntryKind, Small};
pub use folder_path::FolderPath;
pub use lock::WhenLocked;
pub use mounts::{Links, is_one_mount, resolved, volumes};
pub use names::Access;
pub use output::{Output, OutputFolder, remove_output, write_text};
pub use ownership::Ownership;
pub use place::{Below, Place};
pub use read::{Look, SYMBOLIC_LINK, link_between, look, read_beginning, read_small, what_is_no_file};
pub use room::{Habits, Room};
pub use scratch::{Scratch, ScratchReader};
pub use share::{Aside, Copy, Share, Shared};
pub use staging::{abandon, is_staging};
pub use window::with_window;

/// Which bytes on disk a name leads to: hard links of one file have one inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Inode {
    /// The device of its file system.
    pub device: u64,
    /// Its number there.
    pub number: u64,
    /// Where in it the content begins: 0, but for what lies within a package.
    pub offset: u64,
}

impl Inode {
    /// Reads it off a file's metadata.
    #[must_use]
    pub fn of(metadata: &Metadata) -> Self {
        Self { device: metadata.dev(), number: metadata.ino(), offset: 0 }
    }
}

/// A regular file, or content within one, as it was when it was looked at; all that hold it share one record.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct File(Arc<Seen>);

impl Deref for File {
    type Target = Seen;

    fn deref(&self) -> &Seen {
        &self.0
    }
}

/// What a look at a file showed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    /// Where it lies.
    pub place: Place,
    /// Where in which files it lies, if it is no file of its own.
    pub within: Option<Box<Extent>>,
    /// Its length in bytes.
    pub size: u64,
    /// What it takes on disk, in bytes.
    pub allocated: u64,
    device: u64,
    number: u64,
    /// When its content last changed, in nanoseconds since 1970.
    pub modified_ns: i64,
}

impl File {
    fn of(place: Place, metadata: &Metadata) -> Self {
        Self(Arc::new(Seen {
            place,
            within: None,
            size: metadata.len(),
            // The kernel counts blocks in units of 512 bytes, whatever the file system's are.
            allocated: metadata.blocks() * 512,
            device: metadata.dev(),
            number: metadata.ino(),
            modified_ns: metadata.mtime().wrapping_mul(1_000_000_000).wrapping_add(metadata.mtime_nsec()),
        }))
    }

    /// Which inode it is.
    #[must_use]
    pub fn inode(&self) -> Inode {
        let offset = self.within.as_ref().map_or(0, |extent| extent.offset_in_part());
        Inode { device: self.device, number: self.number, offset }
    }

    /// The path of the file, or of the one that it lies in.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.place.path()
    }
}
