//! What is asked of everything that a command writes.

use clap::{Args, ValueEnum};

use crate::commands::Writing;
use crate::disk::{Ownership, Share};

/// What is asked of everything that is written.
#[derive(Debug, Args)]
pub(super) struct Write {
    /// Whose the created files and folders are, in numbers; hard links keep their owner
    #[arg(long, value_name = "UID[:GID]", value_parser = owner)]
    chown: Option<(Option<u32>, Option<u32>)>,
    /// The permission bits of the created files, in octal; folders follow the umask, hard links keep theirs
    #[arg(long, value_name = "MODE", value_parser = mode)]
    chmod: Option<u32>,
    /// Wait while another run writes to the same tree, instead of giving up
    #[arg(long)]
    wait: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum LinkArg {
    /// By hard link, else by clone, else by copy
    Auto,
    /// By hard link or not at all
    Hardlink,
    /// By clone, else by copy
    Reflink,
    /// By copy
    Copy,
}

impl Write {
    pub(super) fn writing(&self) -> Writing {
        let (user, group) = self.chown.unwrap_or_default();
        Writing { ownership: Ownership { user, group, mode: self.chmod }, waits: self.wait }
    }
}

/// Reads `UID`, `UID:GID` or `:GID`.
fn owner(text: &str) -> Result<(Option<u32>, Option<u32>), String> {
    let (user, group) = text.split_once(':').unwrap_or((text, ""));
    let number = |text: &str| match text {
        "" => Ok(None),
        // The largest number means "leave it as it is" to the system.
        number => match number.parse() {
            Ok(u32::MAX) | Err(_) => Err(format!("{number:?} is no number of a user or group")),
            Ok(number) => Ok(Some(number)),
        },
    };
    match (number(user)?, number(group)?) {
        (None, None) => Err("neither a user nor a group".to_owned()),
        owner => Ok(owner),
    }
}

/// Reads permission bits, such as `0644`.
fn mode(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o777 => Ok(mode),
        _ => Err("expected permission bits in octal, such as 0644".to_owned()),
    }
}

impl From<LinkArg> for Share {
    fn from(link: LinkArg) -> Self {
        match link {
            LinkArg::Auto => Self::Auto,
            LinkArg::Hardlink => Self::HardLink,
            LinkArg::Reflink => Self::Reflink,
            LinkArg::Copy => Self::Copy,
        }
    }
}
