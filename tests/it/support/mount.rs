//! File systems of a chosen kind, mounted for one test.

use std::fs::File;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::program::{program, run};

/// A mounted file system, unmounted when the value is dropped.
pub(crate) struct Mount {
    folder: TempDir,
}

impl Mount {
    /// Makes a file system of this kind (`xfs`, `ext4`) in a sparse file and mounts it; needs root, as every
    /// mount does.
    pub(crate) fn new(kind: &str) -> Self {
        const BYTES: u64 = 400 << 20;
        let folder = super::scratch();
        let image = folder.path().join("image");
        File::create(&image).and_then(|file| file.set_len(BYTES)).unwrap();
        let mount = Self { folder };
        std::fs::create_dir(mount.path()).unwrap();
        run(&program(&format!("mkfs.{kind}")), ["-q".as_ref(), image.as_os_str()]);
        as_root(&["mount", "-o", "loop", image.to_str().unwrap(), mount.path().to_str().unwrap()]);
        as_root(&["chmod", "0777", mount.path().to_str().unwrap()]);
        mount
    }

    /// Its topmost folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("mounted")
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        as_root(&["umount", self.path().to_str().unwrap()]);
    }
}

fn as_root(command: &[&str]) {
    let is_root = std::os::unix::fs::MetadataExt::uid(&Path::new("/proc/self").metadata().unwrap()) == 0;
    if is_root {
        run(&program(command[0]), &command[1..]);
    } else {
        run(&program("sudo"), command);
    }
}
