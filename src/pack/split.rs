//! Where a package goes: a file, standard output, or volumes with an index.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::digest::{Algorithm, Hasher};
use crate::disk::Output;
use crate::layout::package::volumes::{Index, Volume, name};

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
            Split::Every(path, most) => Self::Volumes(Box::new(Volumes {
                package: path.clone(),
                most: *most,
                finished: Vec::new(),
                current: None,
            })),
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

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Stdout(stdout) => stdout.write(bytes),
            Self::File(output) => output.write(bytes),
            Self::Volumes(volumes) => volumes.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Stdout(stdout) => stdout.flush(),
            Self::File(output) => output.flush(),
            Self::Volumes(_) => Ok(()),
        }
    }
}

impl Volumes {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.current.as_ref().is_some_and(|(_, _, written)| *written == self.most) {
            self.close();
        }
        let (output, hasher, written) = match &mut self.current {
            Some(current) => current,
            None => {
                let path = name(&self.package, self.finished.len() + 1);
                let output = Output::create(&path).map_err(io::Error::other)?;
                self.current.insert((output, Hasher::new(Algorithm::Sha256), 0))
            }
        };
        let fitting = bytes.len().min(usize::try_from(self.most - *written).unwrap_or(usize::MAX));
        let count = output.write(&bytes[..fitting])?;
        hasher.update(&bytes[..count]);
        *written += count as u64;
        Ok(count)
    }

    fn close(&mut self) {
        let Some((output, hasher, size)) = self.current.take() else { return };
        let path = name(&self.package, self.finished.len() + 1);
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        self.finished.push((output, Volume { file, size, digest: hasher.finish() }));
    }

    fn finish(mut self) -> Result<()> {
        self.close();
        let mut index = Vec::new();
        for (output, volume) in self.finished {
            output.finish()?;
            index.push(volume);
        }
        let json = serde_json::to_string_pretty(&Index::of(index))? + "\n";
        let mut output = Output::create(&self.package)?;
        write_all(&mut output, &self.package, json.as_bytes())?;
        output.finish()
    }
}

fn write_all(output: &mut Output, path: &Path, bytes: &[u8]) -> Result<()> {
    output.write_all(bytes).with_context(|| format!("cannot write {}", crate::text::shown(path)))
}
