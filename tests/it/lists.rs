//! Lists of images: which ones they choose, and that a line that chooses none is not overlooked.

use std::fs;
use std::process::Output;

use serde_json::Value;

use crate::support::bundle::bundle;
use crate::support::scratch;
use crate::support::testdata::testdata;
use crate::support::tree::files;

const LIST: &str = "\
# release 2
platform/web:1.8.0
  docker.io/zone-base:1.0   # as docker spells it
quay.io/tools/clock:1.0

";

fn to_dir(list: &str, input: &str) -> (Output, tempfile::TempDir) {
    let folder = scratch();
    fs::write(folder.path().join("images.list"), LIST).unwrap();
    let mut command = bundle();
    command.current_dir(folder.path()).args(["to-dir", "--format", "json", "--images", list]);
    let output =
        command.arg(testdata().join("images")).arg("there").write_stdin(input.to_owned()).output().unwrap();
    (output, folder)
}

#[test]
fn only_what_is_listed_is_carried() {
    for (list, input) in [("images.list", ""), ("-", LIST)] {
        let (output, folder) = to_dir(list, input);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let changes: Vec<_> = report["changes"].as_object().unwrap().keys().cloned().collect();
        assert_eq!(changes, ["platform/web:1.8.0", "tools/clock:1.0", "zone-base:1.0"]);
        let manifests = files(&folder.path().join("there")).into_keys();
        assert_eq!(manifests.filter(|path| path.ends_with("/manifest.json")).count(), 3);
    }
}

#[test]
fn lines_that_mean_no_image_are_all_named_and_nothing_is_written() {
    let (output, folder) = to_dir("-", "platform/web:1.8.0\nplatform/web:9\nzone-base\n");
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    for line in ["platform/web:9", "zone-base"] {
        assert!(said.contains(&format!("\n  {line}\n")), "{said}");
    }
    assert!(!said.contains("1.8.0"), "{said}");
    assert!(!folder.path().join("there").exists());
    for (input, word) in [("", "empty"), ("a\nA:1\n", "line 2"), ("a b:1\n", "line 1")] {
        let (output, _) = to_dir("-", input);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(word), "{said}");
    }
}
