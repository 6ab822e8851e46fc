//! Which images, and under which names.

use std::path::PathBuf;
use std::{fs, io};

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};

use crate::names::HostRule;
use crate::select::Selection;
use crate::text::shown;

#[derive(Debug, Args)]
pub(super) struct Select {
    /// Only the images that this file lists, one a line, `#` for comments; `-` for standard input
    #[arg(long, value_name = "FILE")]
    images: Option<PathBuf>,
    /// Only images whose <repository>:<tag> matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    include: Vec<String>,
    /// No images whose <repository>:<tag> matches; may be repeated
    #[arg(long, value_name = "GLOB")]
    exclude: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum HostArg {
    /// Leave it out
    Strip,
    /// Keep it where the target's names can hold it
    Keep,
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

impl From<HostArg> for HostRule {
    fn from(host: HostArg) -> Self {
        match host {
            HostArg::Strip => Self::Strip,
            HostArg::Keep => Self::Keep,
        }
    }
}
