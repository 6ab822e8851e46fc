//! File systems of a chosen kind, mounted for one test.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;

use nix::fcntl::{FallocateFlags, fallocate};
use nix::sys::statvfs::statvfs;
use tempfile::TempDir;

use super::person::root;
use super::program::{program, run};

/// A mounted file system, unmounted when the value is dropped; it needs root, as every mount does.
pub(crate) struct Mount {
    point: PathBuf,
    _folder: Option<TempDir>,
}

impl Mount {
    /// Makes a file system of this kind (`xfs`, `ext4`) in a sparse file and mounts it.
    pub(crate) fn new(kind: &str) -> Self {
        const BYTES: u64 = 400 << 20;
        let folder = super::scratch();
        let image = folder.path().join("image");
        File::create(&image).and_then(|file| file.set_len(BYTES)).unwrap();
        run(&program(&format!("mkfs.{kind}")), ["-q".as_ref(), image.as_os_str()]);
        let mount = Self::within(folder, &["-o", "loop", image.to_str().unwrap()]);
        as_root(&["chmod", "0777", mount.point.to_str().unwrap()]);
        mount
    }

    /// Mounts memory with these limits, such as `size=1m,nr_inodes=100`, where everybody can reach it.
    pub(crate) fn tmpfs(limits: &str) -> Self {
        Self::within(for_everybody(), &["-t", "tmpfs", "-o", &format!("mode=0777,{limits}"), "tmpfs"])
    }

    /// The same, over a folder that is there.
    pub(crate) fn tmpfs_over(point: &Path, limits: &str) -> Self {
        Self::over(point, None, &["-t", "tmpfs", "-o", &format!("mode=0777,{limits}"), "tmpfs"])
    }

    /// Shows a folder at another place as well: the same file system, and another mount.
    pub(crate) fn bind(shown: &Path) -> Self {
        Self::within(for_everybody(), &["--bind", shown.to_str().unwrap()])
    }

    /// From now on, nobody can write below it.
    pub(crate) fn make_read_only(&self) {
        as_root(&["mount", "-o", "remount,bind,ro", self.point.to_str().unwrap()]);
    }

    /// Fills it with a file, `filler`, until just about so many bytes are left for an ordinary user.
    pub(crate) fn leave(&self, bytes: u64) {
        let filler = File::create(self.point.join("filler")).unwrap();
        let mut length = 0;
        // What the file system notes about the file takes some blocks as well, so it is asked again.
        while let too_much = free(&self.point).bytes.saturating_sub(bytes)
            && too_much > 0
        {
            let step = too_much.try_into().unwrap();
            if fallocate(&filler, FallocateFlags::empty(), length, step).is_err() {
                break;
            }
            length += step;
        }
        let left = free(&self.point).bytes;
        assert!(left <= bytes && left + 65_536 >= bytes, "{left} are left, not {bytes}");
    }

    /// Its topmost folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.point.clone()
    }

    fn within(folder: TempDir, options: &[&str]) -> Self {
        let point = folder.path().join("mounted");
        fs::create_dir(&point).unwrap();
        Self::over(&point, Some(folder), options)
    }

    fn over(point: &Path, folder: Option<TempDir>, options: &[&str]) -> Self {
        as_root(&[&["mount"], options, &[point.to_str().unwrap()]].concat());
        Self { point: point.to_owned(), _folder: folder }
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let point = self.point.to_str().unwrap();
        let unmounts = |command: &[&str]| {
            let status = root(program(command[0]), &command[1..]).stderr(Stdio::null()).status();
            status.is_ok_and(|status| status.success())
        };
        // After a failure something may still be at work there: then it goes when that ends.
        let is_gone = unmounts(&["umount", point]) || unmounts(&["umount", "--lazy", point]);
        assert!(is_gone || thread::panicking(), "{point} cannot be unmounted");
    }
}

/// What a file system has left for an ordinary user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Free {
    pub(crate) bytes: u64,
    pub(crate) inodes: u64,
}

/// Asks the file system of a path.
pub(crate) fn free(path: &Path) -> Free {
    let room = statvfs(path).unwrap();
    Free { bytes: room.blocks_available() * room.fragment_size(), inodes: room.files_available() }
}

/// Runs a program as root; it has to succeed.
fn as_root(command: &[&str]) {
    let mut command = root(program(command[0]), &command[1..]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A folder that every user of the machine can reach.
fn for_everybody() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    folder
}
