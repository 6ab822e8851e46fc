//! Content that lies within other files: a run of bytes of one file, or of several that follow one another.

use std::cmp::Ordering;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail};

use super::read::open;
use super::{Inode, Look, Scratch, Seen, look};
use crate::text::shown;

/// One of the files that follow one another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// Where it lies.
    pub path: PathBuf,
    /// How many bytes come before it.
    pub start: u64,
    /// Its length in bytes.
    pub size: u64,
    inode: Inode,
    modified_ns: i64,
    held: Option<Held>,
}

/// A file without a name, which nobody else can change.
#[derive(Debug, Clone)]
struct Held(Arc<File>);

/// A place in files that follow one another as if they were one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Extent {
    /// The files, in their order; at least one.
    pub parts: Arc<[Part]>,
    /// Where it begins, counted from the first file's first byte.
    pub offset: u64,
}

/// Looks at files that follow one another.
///
/// # Errors
/// When one of them is not there, or is no regular file.
pub fn parts(paths: &[PathBuf]) -> Result<Arc<[Part]>> {
    let mut start = 0;
    let mut parts = Vec::with_capacity(paths.len());
    for path in paths {
        let file = match look(path)? {
            Look::File(file) => file,
            Look::Missing => {
                let missing = io::Error::from(io::ErrorKind::NotFound);
                return Err(missing).with_context(|| format!("cannot read {}", shown(path)));
            }
            Look::Folder => bail!("{} is a folder", shown(path)),
            Look::Other(what) => bail!("{} is {what}", shown(path)),
        };
        let (inode, size, modified_ns) = (file.inode(), file.size, file.modified_ns);
        parts.push(Part { path: path.clone(), start, size, inode, modified_ns, held: None });
        start += size;
    }
    Ok(parts.into())
}

/// What was put aside, as content of the file at `path`, which it was made of.
///
/// # Errors
/// When the system does not say how long it is.
pub fn held(path: &Path, scratch: Scratch) -> io::Result<Arc<[Part]>> {
    let file = scratch.into_file();
    let seen = super::File::of(path.into(), &file.metadata()?);
    let (inode, size, modified_ns) = (seen.inode(), seen.size, seen.modified_ns);
    let held = Some(Held(Arc::new(file)));
    Ok([Part { path: path.to_owned(), start: 0, size, inode, modified_ns, held }].into())
}

// Its inode says which one it is.
impl PartialEq for Held {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Held {}

impl PartialOrd for Held {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Held {
    fn cmp(&self, _: &Self) -> Ordering {
        Ordering::Equal
    }
}

impl super::File {
    /// Content that is still to come, of which only the length is known; it cannot be read.
    #[must_use]
    pub fn to_come(size: u64) -> Self {
        let nowhere = Extent { parts: Arc::new([]), offset: 0 };
        let place = Path::new("").into();
        Self(triomphe::Arc::new(Seen {
            place,
            within: Some(Box::new(nowhere)),
            size,
            allocated: 0,
            device: 0,
            number: 0,
            modified_ns: 0,
        }))
    }

    /// Whether it is still to come.
    #[must_use]
    pub fn is_to_come(&self) -> bool {
        self.within.as_ref().is_some_and(|extent| extent.parts.is_empty())
    }
}

impl Extent {
    /// The content of `size` bytes that begins here, as a file.
    #[must_use]
    pub fn file(&self, size: u64) -> super::File {
        let part = self.part();
        super::File(triomphe::Arc::new(Seen {
            place: part.path.as_path().into(),
            within: Some(Box::new(self.clone())),
            size,
            allocated: size,
            device: part.inode.device,
            number: part.inode.number,
            modified_ns: part.modified_ns,
        }))
    }

    /// Opens `size` bytes for reading; nothing is opened before the first of them is read.
    #[must_use]
    pub fn open(&self, size: u64) -> Reader {
        Reader { extent: self.clone(), left: size, file: None }
    }

    /// The files that `size` bytes lie in, with where in each; but what was put aside, which is in memory.
    pub(super) fn runs(&self, size: u64) -> Vec<(PathBuf, Range<u64>)> {
        let end = self.offset.saturating_add(size);
        let run = |part: &Part| {
            let from = self.offset.max(part.start) - part.start;
            let until = end.min(part.start + part.size).saturating_sub(part.start);
            (part.held.is_none() && from < until).then(|| (part.path.clone(), from..until))
        };
        self.parts.iter().filter_map(run).collect()
    }

    /// Fails if one of the files is not as it was when it was looked at.
    pub(super) fn check_unchanged(&self) -> io::Result<()> {
        for part in self.parts.iter().filter(|part| part.held.is_none()) {
            let now = super::File::of(part.path.as_path().into(), &std::fs::symlink_metadata(&part.path)?);
            if (now.inode(), now.size, now.modified_ns) != (part.inode, part.size, part.modified_ns) {
                return Err(io::Error::other("it was changed while it was being read"));
            }
        }
        Ok(())
    }

    /// Where it begins in the first of its files.
    pub(super) fn offset_in_part(&self) -> u64 {
        self.parts.get(self.first()).map_or(0, |part| self.offset - part.start)
    }

    /// The file in which it begins.
    #[must_use]
    pub fn part(&self) -> &Part {
        &self.parts[self.first()]
    }

    fn first(&self) -> usize {
        self.parts.partition_point(|part| part.start <= self.offset).saturating_sub(1)
    }
}

/// Reads an extent, from file to file.
pub struct Reader {
    extent: Extent,
    left: u64,
    /// The part that is being read, and how much of it is left.
    file: Option<(Opened, u64)>,
}

/// An open part: of a file with a name, opened for this reader alone, or of one that all readers share.
enum Opened {
    Own(File),
    Shared(Arc<File>),
}

impl Reader {
    /// Goes on behind `count` bytes that are not read.
    pub fn skip(&mut self, count: u64) {
        self.extent.offset = self.extent.offset.saturating_add(count);
        self.left = self.left.saturating_sub(count);
        self.file = self.file.take().and_then(|(mut file, left)| {
            let left = left.checked_sub(count)?;
            if let Opened::Own(file) = &mut file {
                file.seek_relative(i64::try_from(count).ok()?).ok()?;
            }
            Some((file, left))
        });
    }

    fn open(part: &Part, at: u64) -> io::Result<(Opened, u64)> {
        let file = match &part.held {
            Some(Held(file)) => Opened::Shared(file.clone()),
            None => {
                let mut file = open(&part.path)?;
                file.seek(SeekFrom::Start(at))?;
                Opened::Own(file)
            }
        };
        Ok((file, part.size.saturating_sub(at)))
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 || buffer.is_empty() {
            return Ok(0);
        }
        let part = self.extent.part();
        let at = self.extent.offset - part.start;
        let (file, left_of_part) = match &mut self.file {
            Some(file) if file.1 > 0 => file,
            file => file.insert(Self::open(part, at)?),
        };
        let most = self.left.min(*left_of_part).min(buffer.len() as u64) as usize;
        let buffer = &mut buffer[..most];
        let count = match file {
            Opened::Own(file) => file.read(buffer)?,
            Opened::Shared(file) => file.read_at(buffer, at)?,
        };
        self.left -= count as u64;
        *left_of_part -= count as u64;
        self.extent.offset += count as u64;
        Ok(count)
    }
}

impl Seek for Reader {
    /// Goes forward; that is all that reading an archive needs.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let SeekFrom::Current(by) = to else { return Err(io::ErrorKind::Unsupported.into()) };
        self.skip(u64::try_from(by).map_err(|_| io::ErrorKind::Unsupported)?);
        Ok(self.extent.offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_lies_in_every_file_that_it_touches() {
        let inode = Inode { device: 0, number: 0, offset: 0 };
        let part = |name: &str, start, size| Part {
            path: name.into(),
            start,
            size,
            inode,
            modified_ns: 0,
            held: None,
        };
        let parts: Arc<[Part]> = [part("a", 0, 10), part("b", 10, 20), part("c", 30, 5)].into();
        for (offset, size, expected) in [
            (0, 10, &[("a", 0..10)][..]),
            (3, 4, &[("a", 3..7)]),
            (5, 10, &[("a", 5..10), ("b", 0..5)]),
            (10, 20, &[("b", 0..20)]),
            (9, 26, &[("a", 9..10), ("b", 0..20), ("c", 0..5)]),
            (30, 99, &[("c", 0..5)]),
        ] {
            let runs = Extent { parts: parts.clone(), offset }.runs(size);
            let expected: Vec<_> =
                expected.iter().map(|(path, range)| (PathBuf::from(path), range.clone())).collect();
            assert_eq!(runs, expected, "{size} bytes from {offset} on");
        }
    }
}
