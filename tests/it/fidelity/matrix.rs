//! The way of every valid image through OCI layouts: to them from both other forms, and from them to all three,
//! from an archive of one too.
//!
//! A layout holds the images and nothing else, so equality ends where another form holds more: what a tag once
//! pointed at and what a repository may serve beyond its images' needs stay in storage, signature files in
//! folders. A result that was made of either has none of that.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use tempfile::TempDir;

use super::trip::{Trip, expected, findings};
use crate::support::bundle::{bundle, convert};
use crate::support::forge::{self, Image, layout};
use crate::support::program::{program, run};
use crate::support::registry::{OCI_INDEX, OCI_MANIFEST};
use crate::support::scratch;
use crate::support::tree::{assert_same_files, files};

impl Trip {
    /// Goes on from the trees of the trip, `images` and `docker`; what is made is gone afterwards, with its links.
    pub(super) fn makes_layouts(&self, made: &TempDir) {
        let folder = scratch();
        let (from, to) = (|name: &str| made.path().join(name), |name: &str| folder.path().join(name));
        let listed = layout::layout(&self.result);
        let goes = |command: &str, source: &Path, name: &str, warnings: &[(&'static str, String)]| {
            let first = convert(command, &[], source, &to(name));
            assert_eq!(findings(&first), expected(warnings), "{name}: {first}");
            let again = convert(command, &[], source, &to(name));
            let written = ["linked", "cloned", "copied"].map(|way| again[way]["files"].as_u64().unwrap());
            assert_eq!((written, &again["written_files"]), ([0; 3], &json!(0)), "{name} again: {again}");
            assert_eq!(again["images"], first["images"]);
        };
        goes("to-oci", &from("docker"), "layout", &self.warnings_back);
        assert_same_files(&listed, &files(&to("layout")));
        goes("to-oci", &from("images"), "of-folders", &self.warnings);
        assert_same_files(&layout::layout(&self.listed), &files(&to("of-folders")));

        goes("to-oci", &to("layout"), "copy", &self.warnings_back);
        assert_same_files(&listed, &files(&to("copy")));
        goes("to-dir", &to("layout"), "folders", &self.warnings_back);
        assert_same_files(&forge::tree(&self.result), &files(&to("folders")));
        goes("to-registry", &to("layout"), "storage", &self.warnings_back);
        assert_same_files(&forge::storage(&self.result), &files(&to("storage/registry/v2")));

        let archive = to("layout.tar");
        run(
            &program("tar"),
            ["-cf".as_ref(), archive.as_os_str(), "-C".as_ref(), to("layout").as_os_str(), ".".as_ref()],
        );
        goes("to-registry", &archive, "of-archive", &self.warnings_back);
        assert_same_files(&forge::storage(&self.result), &files(&to("of-archive/registry/v2")));

        for tree in ["layout", "of-folders", "copy", "folders", "storage", "layout.tar"] {
            bundle().arg("verify").arg(to(tree)).assert().code(0);
        }
        // Where there are dozens, they differ in nothing that skopeo looks at.
        for (name, image) in self.result.iter().take(12) {
            self.assert_read_by_skopeo(&to("layout"), name, image);
        }
    }

    /// Skopeo finds the image by its whole name, and copies it to the same files; or refuses it for what it is.
    fn assert_read_by_skopeo(&self, layout: &Path, name: &str, image: &Image) {
        let source = format!("oci:{}:{name}", layout.display());
        let copy = scratch();
        let said = |arguments: &[&str]| -> Result<Vec<u8>, String> {
            let output =
                Command::new(program("skopeo")).arg("--insecure-policy").args(arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            if output.status.success() { Ok(output.stdout) } else { Err(said) }
        };
        let inspected = said(&["inspect", "--raw", &source]);
        // Its grammar of these names has fewer tags than registries have.
        if !is_name_of_skopeo(name) {
            assert!(
                inspected.as_ref().is_err_and(|said| said.contains("Invalid image")),
                "{name}: {inspected:?}"
            );
            return;
        }
        if ![OCI_MANIFEST, OCI_INDEX].contains(&image.media_type.as_str()) {
            assert!(
                inspected.as_ref().is_err_and(|said| said.contains("no descriptor found")),
                "{name}: {inspected:?}"
            );
            return;
        }
        assert_eq!(inspected.as_deref(), Ok(image.payload.as_slice()), "{name}");
        let is_fetched = String::from_utf8_lossy(&image.payload).contains("http://127.0.0.1:1/");
        let copied = said(&[
            "copy",
            "--all",
            "--preserve-digests",
            &source,
            &format!("dir:{}", copy.path().display()),
        ]);
        match (&copied, self.refusals.contains_key(name)) {
            (Ok(_), false) => assert_same_files(&image.files(), &files(copy.path())),
            (Err(_), true) => {}
            // Of a layout it fetches such a layer from where it says, even if it is here.
            (Err(said), _) if is_fetched => assert!(said.contains("external blob"), "{name}: {said}"),
            _ => panic!("{name}: {copied:?}, and of a registry {:?}", self.refusals.get(name)),
        }
    }
}

/// `component("/"component)*`, component = `[A-Za-z0-9]+(([-._:@+]|--)[A-Za-z0-9]+)*`.
fn is_name_of_skopeo(name: &str) -> bool {
    let is_component = |part: &str| {
        let is_word = |byte: &u8| byte.is_ascii_alphanumeric();
        let bytes = part.as_bytes();
        let separators = bytes.split(is_word).filter(|separator| !separator.is_empty());
        bytes.first().is_some_and(is_word)
            && bytes.last().is_some_and(is_word)
            && separators.into_iter().all(|it| it.len() == 1 && b"-._:@+".contains(&it[0]) || it == b"--")
    };
    name.split('/').all(is_component)
}
