//! Which images, what of them, and under which names.

use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::commands::{Sought, Wanted};
use crate::lists::{self, Choice, Rule};
use crate::names::{Bare, HostRule, Naming, Rename};
use crate::reference::Repository;
use crate::select::Selection;
use crate::text::shown;

/// Which images: the same on every command that is about some of a tree's.
#[derive(Debug, Args)]
pub(super) struct Select {
    /// Only the images that this file lists, one a line, `#` for comments; `-` for standard input
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,
    /// Only images whose <repository>:<tag> matches, with its host or without; may be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No images whose <repository>:<tag> matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

/// Which images, and what of them: the same on every command that reads images.
#[derive(Debug, Args)]
pub(super) struct Choose {
    #[command(flatten)]
    select: Select,
    /// Only what runs on these platforms, such as linux/amd64,linux/arm64
    #[arg(long, value_name = "PLATFORM,...", value_delimiter = ',')]
    platform: Vec<lists::Wanted>,
    /// What becomes of a list of several platforms
    #[arg(long, value_enum, default_value_t = IndexArg::Keep)]
    index: IndexArg,
}

/// Under which names: the same on every command that carries images elsewhere.
#[derive(Debug, Args)]
pub(super) struct Name {
    /// What becomes of a registry's host in front of a name, such as docker.io/ or localhost:5000/
    #[arg(long, value_enum, default_value_t = HostArg::Strip)]
    host: HostArg,
    /// Put a project in front of every name
    #[arg(long, value_name = "PROJECT/", value_parser = project)]
    prefix: Option<Repository>,
    /// Replace how names begin, in whole parts, with their host or without; the first that fits counts
    #[arg(long, value_name = "FROM=TO")]
    rename: Vec<Rename>,
    /// What images are called that an OCI layout or archive gives a tag alone, or nothing
    #[arg(long, value_name = "NAME[:TAG]")]
    repository: Option<Bare>,
    /// Write a line for each image: its name in SRC, its name at the destination and its digest
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Make one list of the images that several SRC have for different platforms under one name
    #[arg(long)]
    merge_platforms: bool,
    /// Carry images of docker archives, although their digests are other ones than in a registry
    #[arg(long)]
    accept_new_digests: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum HostArg {
    /// Leave it out
    Strip,
    /// Keep it where the target's names can hold it
    Keep,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum IndexArg {
    /// It stays, with its digest; content of other platforms is left out
    Keep,
    /// A new list, with a new digest, has what is wanted and here
    Rewrite,
    /// The one image that is wanted takes its place
    Unwrap,
}

/// What a person selected, read.
pub(super) struct Selected {
    selection: Selection,
    lists: Choice,
}

impl Selected {
    pub(super) fn sought(&self) -> Sought<'_> {
        Sought { selection: &self.selection, lists: &self.lists }
    }
}

impl Select {
    pub(super) fn read(&self) -> Result<Selection> {
        let list = match &self.images {
            None => None,
            Some(path) if path.as_os_str() == "-" => {
                Some(io::read_to_string(io::stdin()).context("cannot read standard input")?)
            }
            Some(path) => {
                Some(fs::read_to_string(path).with_context(|| format!("cannot read {}", shown(path)))?)
            }
        };
        Selection::parse(list.as_deref(), &self.include, &self.exclude)
    }
}

impl Choose {
    pub(super) fn read(&self) -> Result<Selected> {
        Ok(Selected {
            selection: self.select.read()?,
            lists: Choice { platforms: self.platform.clone(), rule: self.index.into() },
        })
    }
}

impl Name {
    pub(super) fn naming(&self) -> Naming {
        Naming {
            hosts: self.host.into(),
            renames: self.rename.clone(),
            prefix: self.prefix.clone(),
            bare: self.repository.clone(),
        }
    }

    pub(super) fn wanted<'a>(
        &self,
        selected: &'a Selected,
        naming: &'a Naming,
        tagged_only: bool,
    ) -> Wanted<'a> {
        Wanted {
            sought: selected.sought(),
            tagged_only,
            naming,
            joins_platforms: self.merge_platforms,
            accepts_new_digests: self.accept_new_digests,
            mapping: self.mapping.clone(),
        }
    }
}

impl From<HostArg> for HostRule {
    fn from(host: HostArg) -> Self {
        match host {
            HostArg::Strip => Self::Strip,
            HostArg::Keep => Self::Keep,
        }
    }
}

impl From<IndexArg> for Rule {
    fn from(index: IndexArg) -> Self {
        match index {
            IndexArg::Keep => Self::Keep,
            IndexArg::Rewrite => Self::Rewrite,
            IndexArg::Unwrap => Self::Unwrap,
        }
    }
}

/// Reads a project, with a slash at its end or without.
fn project(text: &str) -> Result<Repository, String> {
    text.trim_end_matches('/').parse().map_err(|error| format!("{error}"))
}
