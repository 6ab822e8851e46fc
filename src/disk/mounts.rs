//! Mounts: where one file system ends and another begins.
//!
//! Linux refuses to link or rename from one mount to another even where both show the same file system, as bind
//! mounts do; the device of a file alone does not tell. The mounts are those of `/proc/self/mountinfo`, proc(5).

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::stat::makedev;
use nix::unistd::{AccessFlags, Uid, access, geteuid};

use super::{File, Inode};
use crate::text::shown;

/// One line of the table.
#[derive(Debug, PartialEq, Eq)]
struct Mount {
    device: u64,
    point: PathBuf,
}

/// All mounts; none where the system does not show them.
fn mounts() -> Vec<Mount> {
    let table = fs::read("/proc/self/mountinfo").unwrap_or_default();
    table.split(|byte| *byte == b'\n').filter_map(parse).collect()
}

fn parse(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ').skip(2);
    let (major, minor) = std::str::from_utf8(fields.next()?).ok()?.split_once(':')?;
    let device = makedev(major.parse().ok()?, minor.parse().ok()?);
    let point = fields.nth(1)?;
    Some(Mount { device, point: PathBuf::from(OsString::from_vec(unescaped(point))) })
}

/// Spaces and the like are written as a backslash and three octal digits.
fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let [first, tail @ ..] = rest {
        let octal = tail.get(..3).and_then(|digits| std::str::from_utf8(digits).ok());
        match octal.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(byte) if *first == b'\\' => {
                bytes.push(byte);
                rest = &tail[3..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    bytes
}

/// The path as the kernel sees it; of one that does not exist yet, what exists of it is resolved.
///
/// # Errors
/// When nothing of it can be looked at.
pub fn resolved(path: &Path) -> Result<PathBuf> {
    let path = std::path::absolute(path).with_context(|| format!("cannot look at {}", shown(path)))?;
    let existing = path
        .ancestors()
        .find_map(|above| Some((above, fs::canonicalize(above).ok()?)))
        .with_context(|| format!("cannot look at {}", shown(&path)))?;
    let (above, real) = existing;
    let rest = path.strip_prefix(above).unwrap_or(Path::new(""));
    Ok(if rest.as_os_str().is_empty() { real } else { real.join(rest) })
}

/// Where the mount begins that `path` is on, or will be on once it is created.
///
/// # Errors
/// When no folder above it can be looked at.
fn mount_of(path: &Path) -> Result<PathBuf> {
    let path = resolved(path)?;
    let points = mounts().into_iter().map(|mount| mount.point).filter(|point| path.starts_with(point));
    Ok(points.max_by_key(|point| point.components().count()).unwrap_or_else(|| PathBuf::from("/")))
}

/// Whether both paths are, or will be, on one mount of one device, so that files can be linked between them.
///
/// # Errors
/// When no folder above one of them can be looked at.
pub fn is_one_mount(a: &Path, b: &Path) -> Result<bool> {
    Ok(device_of(a)? == device_of(b)? && mount_of(a)? == mount_of(b)?)
}

/// The folders below `root` at which other mounts begin, after `root` itself.
///
/// # Errors
/// When no folder above `root` can be looked at.
pub fn volumes(root: &Path) -> Result<Vec<PathBuf>> {
    let real = resolved(root)?;
    let below = mounts().into_iter().filter_map(|mount| {
        let rest = mount.point.strip_prefix(&real).ok()?;
        (!rest.as_os_str().is_empty()).then(|| root.join(rest))
    });
    let mut volumes: Vec<PathBuf> = below.collect();
    volumes.sort();
    volumes.dedup();
    volumes.insert(0, root.to_owned());
    Ok(volumes)
}

/// The one of these volumes, of which the first holds all others, that `path` is on.
pub(super) fn volume_of<'v, V>(path: &Path, volumes: &'v [V], folder: impl Fn(&V) -> &Path) -> &'v V {
    volumes.iter().rev().find(|volume| path.starts_with(folder(volume))).unwrap_or(&volumes[0])
}

/// The device that `path` is on, or will be on once it is created.
///
/// # Errors
/// When no folder above it can be looked at.
fn device_of(path: &Path) -> Result<u64> {
    let path = resolved(path)?;
    let existing = path.ancestors().find_map(|ancestor| fs::metadata(ancestor).ok());
    let metadata = existing.with_context(|| format!("cannot look at {}", shown(&path)))?;
    Ok(Inode::of(&metadata).device)
}

/// What files can be linked to a folder, as far as that can be known without trying.
pub struct Links {
    device: u64,
    mount: PathBuf,
    /// Whether the device is mounted more than once, so that a file's own mount has to be found out.
    is_ambiguous: bool,
    /// Who links.
    user: Uid,
}

impl Links {
    /// Looks at a folder, which need not exist yet.
    ///
    /// # Errors
    /// When no folder above it can be looked at.
    pub fn to(folder: &Path) -> Result<Self> {
        let device = device_of(folder)?;
        let is_ambiguous = mounts().iter().filter(|mount| mount.device == device).count() > 1;
        Ok(Self { device, mount: mount_of(folder)?, is_ambiguous, user: geteuid() })
    }

    /// Whether `file` lies on the same device.
    #[must_use]
    pub fn is_on_device(&self, file: &File) -> bool {
        file.inode().device == self.device
    }

    /// Whether `file` can get a name there. Limits that only show when they are reached do not count.
    #[must_use]
    pub fn take(&self, file: &File) -> bool {
        file.within.is_none()
            && self.is_on_device(file)
            && (!self.is_ambiguous || mount_of(&file.path()).is_ok_and(|mount| mount == self.mount))
            && is_permitted(file, self.user)
    }
}

/// Whether this process, which is this user's, may link the file: where hard links are protected, only the owner and those who may
/// write it are allowed to, proc(5) on `/proc/sys/fs/protected_hardlinks`.
fn is_permitted(file: &File, user: Uid) -> bool {
    use std::os::unix::fs::MetadataExt;
    user.is_root()
        || fs::metadata(file.path()).is_ok_and(|metadata| metadata.uid() == user.as_raw())
        || access(&file.path(), AccessFlags::R_OK | AccessFlags::W_OK).is_ok()
        || fs::read("/proc/sys/fs/protected_hardlinks").is_ok_and(|setting| setting.starts_with(b"0"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_table_is_read_with_its_escapes() {
        let line =
            br"36 35 98:1 /mnt1 /mnt/a\040b\134c rw,noatime master:1 - ext3 /dev/root rw,errors=continue";
        let expected = Mount { device: makedev(98, 1), point: PathBuf::from(r"/mnt/a b\c") };
        assert_eq!(parse(line), Some(expected));
        assert_eq!(parse(b""), None);
    }

    #[test]
    fn memory_is_another_mount_than_the_root() {
        assert!(!is_one_mount(Path::new("/dev/shm"), Path::new("/")).unwrap());
        assert!(is_one_mount(Path::new("/dev/shm/not/there"), Path::new("/dev/shm")).unwrap());
    }
}
