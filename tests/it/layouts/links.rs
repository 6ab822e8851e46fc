//! What of a layout shares its inode with the source: blobs do, whatever programs rewrite in place does not.

use std::fs;

use crate::support::bundle::{convert, shared};
use crate::support::testdata::copied_release;
use crate::support::tree::{files, inode, links};

#[test]
fn blobs_are_shared_and_manifests_and_lists_are_not() {
    let (folder, images) = copied_release();
    let path = |name: &str| folder.path().join(name);
    convert("to-registry", &["--link", "copy"], &images, &path("docker"));
    let tar = path("layout.tar");
    for (number, source) in [images.clone(), path("docker"), path("layout-0")].into_iter().enumerate() {
        let made = path(&format!("layout-{number}"));
        let summary = convert("to-oci", &[], &source, &made);
        let blobs = files(&made.join("blobs/sha256"));
        let mut linked = 0;
        for (name, bytes) in &blobs {
            let path = made.join("blobs/sha256").join(name);
            let is_manifest = serde_json::from_slice::<serde_json::Value>(bytes)
                .is_ok_and(|document| document.get("schemaVersion").is_some());
            if is_manifest {
                assert_eq!(links(&path), 1, "{name} is a hard link");
            } else {
                linked += 1;
                let inodes: Vec<_> = walkdir::WalkDir::new(&source)
                    .into_iter()
                    .map(|entry| entry.unwrap().into_path())
                    .filter(|file| file.is_file() && fs::read(file).unwrap() == *bytes)
                    .map(|file| inode(&file))
                    .collect();
                assert!(inodes.contains(&inode(&path)), "{name} is no hard link");
            }
        }
        assert_eq!(shared(&summary), [linked, 0, 0]);
        for name in ["index.json", "oci-layout"] {
            assert_eq!(links(&made.join(name)), 1, "{name} is a hard link");
        }
    }
    // Nothing of an archive can be shared.
    crate::support::program::run(
        &crate::support::program::program("tar"),
        ["-cf".as_ref(), tar.as_os_str(), "-C".as_ref(), path("layout-0").as_os_str(), ".".as_ref()],
    );
    let summary = convert("to-oci", &[], &tar, &path("of-archive"));
    assert_eq!(shared(&summary), [0, 0, 17]);
    crate::support::tree::assert_same_files(&files(&path("layout-0")), &files(&path("of-archive")));
    assert!(
        walkdir::WalkDir::new(path("of-archive"))
            .into_iter()
            .map(Result::unwrap)
            .all(|entry| !entry.file_type().is_file() || links(entry.path()) == 1)
    );
}
