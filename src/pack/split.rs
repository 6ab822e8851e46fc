//! Where a package goes: a file, standard output, or volumes with an index.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::digest::{Algorithm, Hasher};
use crate::disk::{self, Output};
use crate::layout::package::volumes::{self, Index, Volume, is_index, name};
use crate::text::shown;

/// With more, a shell would not list them in their order, and a process may not have that many files open.
const MOST_VOLUMES: u64 = 999;

/// Into which files a package goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Split {
    /// To standard output.
    Stdout,
    /// Into one file.
    No(PathBuf),
    /// Into volumes of this many bytes, and an index of the given name.
    Every(PathBuf, u64),
}

impl Split {
    /// Makes sure that a package of this many bytes does not become too many files.
    ///
    /// # Errors
    /// When it would; the message says which size does.
    pub fn check(&self, length: u64) -> Result<()> {
        let Self::Every(package, most) = self else { return Ok(()) };
        let count = length.div_ceil(*most);
        if count <= MOST_VOLUMES {
            return Ok(());
        }
        let package = shown(package);
        let enough = length.div_ceil(MOST_VOLUMES);
        bail!("{package} would have {count} volumes, {MOST_VOLUMES} at most\n  hint: --split {enough}")
    }
}

/// Writes a package's bytes.
pub enum Writer {
    /// To standard output.
    Stdout(io::StdoutLock<'static>),
    /// Into one file.
    File(Output),
    /// Into volumes.
    Volumes(Box<Volumes>),
}

/// Volumes that are being written.
pub struct Volumes {
    package: PathBuf,
    index: Output,
    most: u64,
    finished: Vec<(Output, Volume)>,
    current: Option<(Output, Hasher, u64)>,
}

impl Writer {
    /// Begins to write.
    ///
    /// # Errors
    /// When a file cannot be created.
    pub fn create(split: &Split) -> Result<Self> {
        Ok(match split {
            Split::Stdout => Self::Stdout(io::stdout().lock()),
            Split::No(path) => Self::File(Output::create(path)?),
            Split::Every(path, most) => Self::Volumes(Box::new(Volumes::create(path, *most)?)),
        })
    }

    /// Writes these bytes.
    ///
    /// # Errors
    /// When they cannot be written; it says where.
    pub fn put(&mut self, bytes: &[u8]) -> Result<()> {
        let written = match self {
            Self::Stdout(stdout) => stdout.write_all(bytes),
            Self::File(output) => output.write_all(bytes),
            Self::Volumes(volumes) => return volumes.put(bytes),
        };
        written.with_context(|| match self {
            Self::File(output) => format!("cannot write {}", shown(output.path())),
            _ => "cannot write to standard output".to_owned(),
        })
    }

    /// Makes all of it durable and gives it its name; of volumes, the index gets its name last.
    ///
    /// # Errors
    /// When the disk reports that something could not be written.
    pub fn finish(self) -> Result<()> {
        match self {
            Self::Stdout(mut stdout) => stdout.flush().context("cannot write to standard output"),
            Self::File(output) => output.finish(),
            Self::Volumes(volumes) => volumes.finish(),
        }
    }
}

impl Volumes {
    fn create(package: &Path, most: u64) -> Result<Self> {
        let index = Output::create(package)?;
        Ok(Self { package: package.to_owned(), index, most, finished: Vec::new(), current: None })
    }

    fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            bytes = &bytes[self.write(bytes)?..];
        }
        Ok(())
    }

    /// Writes as many of these bytes as fit into the current volume.
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        if self.current.as_ref().is_some_and(|(_, _, written)| *written == self.most) {
            self.close();
        }
        let (output, hasher, written) = match &mut self.current {
            Some(current) => current,
            None => {
                let path = name(&self.package, self.finished.len() + 1);
                let output = Output::create(&path)?;
                self.current.insert((output, Hasher::new(Algorithm::Sha256), 0))
            }
        };
        let fitting = bytes.len().min(usize::try_from(self.most - *written).unwrap_or(usize::MAX));
        let bytes = &bytes[..fitting];
        output.write_all(bytes).with_context(|| format!("cannot write {}", shown(output.path())))?;
        hasher.update(bytes);
        *written += fitting as u64;
        Ok(fitting)
    }

    fn close(&mut self) {
        let Some((output, hasher, size)) = self.current.take() else { return };
        let path = name(&self.package, self.finished.len() + 1);
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.finished.push((output, Volume { file, size, digest: hasher.finish() }));
    }

    fn finish(mut self) -> Result<()> {
        self.close();
        let (outputs, described): (Vec<_>, Vec<_>) = self.finished.into_iter().unzip();
        let count = described.len();
        let json = serde_json::to_string_pretty(&Index::of(described))? + "\n";
        let cannot = || format!("cannot write {}", shown(&self.package));
        self.index.write_all(json.as_bytes()).with_context(cannot)?;
        outputs.iter().chain([&self.index]).try_for_each(Output::sync)?;
        let before = volumes::of(&self.package);
        if is_index(&self.package) {
            // Its volumes give way to these one by one: it must not outlive the first.
            self.index.make_way()?;
        }
        outputs.into_iter().try_for_each(Output::finish)?;
        // Where there were more, the others would still look like a part of it.
        for left in before.into_iter().skip(count) {
            disk::remove_output(&left)?;
        }
        self.index.finish()
    }
}
