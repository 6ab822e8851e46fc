//! The same images and the same base give the same package, and the report tells its length.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::packages::releases::Vendor;
use crate::support::bundle::bundle;
use crate::support::package::pack;
use crate::support::program::{program, run};

use super::images::few;

#[test]
fn the_same_layers_give_the_same_bytes() {
    let vendor = Vendor::of(&few().releases, &["--delta"]);
    let [base, tree] = [1, 2].map(|version| vendor.tree(version));
    let [first, next] = ["first.tar", "next.tar"].map(|name| vendor.path(name));
    let (delta, recompress) = (["--delta"], ["--recompress"]);
    let both = ["--delta", "--recompress=3"];
    let mut packed = 0;
    for (options, bases) in
        [(&delta[..], &[base.as_path()][..]), (&recompress, &[]), (&both, &[base.as_path()])]
    {
        let report = pack(options, bases, &tree, &first);
        let expected = fs::read(&first).unwrap();
        assert_eq!(report["package_bytes"], expected.len());
        assert!(report["layers"]["deltas"].as_u64().unwrap() >= 1);
        for jobs in ["1", "4"] {
            pack(&[options, &["-j", jobs]].concat(), bases, &tree, &next);
            assert!(fs::read(&next).unwrap() == expected, "{options:?} with {jobs} threads");
            let (output, said) = to_stdout(&[options, &["-j", jobs]].concat(), bases, &tree);
            assert!(output == expected, "{options:?} to standard output");
            assert!(said.contains("delta"), "{said}");
            packed += 2;
        }
        // Foretold to the byte.
        let foretold = pack(&[options, &["--dry-run"]].concat(), bases, &tree, &next);
        for field in ["package_bytes", "layers", "carries", "restores", "deltas", "relies_on"] {
            assert_eq!(foretold[field], report[field], "{field}");
        }
    }
    println!("determinism: {packed} packages like three others");
    assert_eq!(packed, 12);
}

fn to_stdout(options: &[&str], bases: &[&Path], tree: &Path) -> (Vec<u8>, String) {
    let mut command = bundle();
    command.args(["pack", "-q"]).args(options);
    command.args(bases.iter().flat_map(|base| ["--base".as_ref(), base.as_os_str()]));
    let output = command.arg(tree).arg("-").output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    (output.stdout, said)
}

/// A folder is the files of the tar: its deltas lie where plain tar puts them.
#[test]
fn a_folder_has_the_deltas_of_the_tar() {
    let vendor = Vendor::of(&few().releases, &["--delta"]);
    let [tar, split, folder] = vendor.forms(2, &[&vendor.tree(1)]);
    let unpacked = vendor.path("unpacked");
    crate::support::package::unpack(&tar, &unpacked);
    let diff =
        format!("cd '{}' && diff -r --exclude='bundle.json*' . '{}'", folder.display(), unpacked.display());
    assert_eq!(run(&program("sh"), ["-c", &diff]), "");
    let glued = format!("cat '{0}'.* | cmp - '{1}'", split.display(), tar.display());
    run(&program("sh"), ["-c", &glued]);
    let json: Value = serde_json::from_slice(&fs::read(folder.join("bundle.json")).unwrap()).unwrap();
    let restores = json["restores"].as_array().unwrap();
    assert_eq!(restores.len(), 3);
    for restored in restores {
        assert_eq!(restored["delta"].get("offset"), None::<&Value>, "a folder has no offsets");
        let hex = restored["digest"].as_str().unwrap().trim_start_matches("sha256:");
        let delta = fs::read(folder.join(format!("deltas/sha256/{}/{hex}", &hex[..2]))).unwrap();
        assert_eq!(restored["delta"]["size"], delta.len());
        assert_eq!(restored["delta"]["digest"], crate::support::sha256(&delta));
    }
}
