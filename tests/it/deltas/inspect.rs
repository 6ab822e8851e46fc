//! `inspect-layer`: who compressed a layer, what changed in it, and what to do about it.

use std::path::Path;

use serde_json::{Value, json};

use super::images::{File, archive, few, product, program, text};
use crate::packages::releases::{Release, Vendor};
use crate::support::bundle::bundle;
use crate::support::compressor::Compressor;
use crate::support::forge::{self, Blob, artifact};
use crate::support::package::report;
use crate::support::scratch;

fn inspect(tree: &Path, digest: &str, base: Option<&Path>) -> Value {
    let base = base.into_iter().flat_map(|base| ["--base".as_ref(), base.as_os_str()]);
    report(["inspect-layer".as_ref(), tree.as_os_str(), digest.as_ref()].into_iter().chain(base))
}

fn inspect_in_words(tree: &Path, digest: &str, base: &Path) -> String {
    let mut command = bundle();
    command.args(["inspect-layer", "-q"]).arg(tree).arg(digest).arg("--base").arg(base);
    String::from_utf8(command.assert().success().get_output().stdout.clone()).unwrap()
}

#[test]
fn the_programs_that_compress_layers_are_told() {
    let product = product();
    let vendor = Vendor::of(&product.releases, &["--delta"]);
    let (tree, base) = (vendor.tree(3), vendor.tree(2));
    let mut inspected = 0;
    for (digest, compressor) in &product.alike {
        if !super::images::layers(vendor.release(3)).contains(digest) {
            continue;
        }
        let report = inspect(&tree, &digest["sha256:".len()..][..20], Some(&base));
        assert_eq!(
            (&report["schema"], &report["digest"]),
            (&"bundle.layer/1".into(), &digest.as_str().into())
        );
        let encoder = report["encoder"].as_str().unwrap_or("none");
        let (compression, is_right) = match compressor {
            Compressor::None => ("none", encoder == "none"),
            Compressor::Zstd => ("zstd", encoder == "none"),
            Compressor::Skopeo => ("gzip", encoder.starts_with("pgzip-") && encoder.ends_with("-1m")),
            Compressor::Umoci => ("gzip", encoder.starts_with("pgzip-") && encoder.ends_with("-256k")),
            // What fits into one block is the same from both.
            Compressor::Gzip(level) => {
                ("gzip", [format!("gzip-{level}"), format!("zlib-{level}")].contains(&encoder.to_owned()))
            }
            Compressor::Pigz(level) => ("gzip", encoder == format!("pigz-{level}")),
            Compressor::Zlib(level) => ("gzip", encoder == format!("zlib-{level}")),
            Compressor::MoreMemory | Compressor::HuffmanOnly | Compressor::Members => {
                ("gzip", encoder == "none")
            }
        };
        assert!(is_right, "{compressor:?}: {encoder}");
        assert_eq!(report["compression"], compression, "{compressor:?}");
        inspected += 1;
        if *compressor == Compressor::Members {
            // What cannot be read to its end is compared with nothing.
            assert_eq!(report["against"], Value::Null);
            continue;
        }
        let mut changes: Vec<_> = report["against"]["changes"].as_array().unwrap().iter().collect();
        changes.sort_by_key(|change| change["path"].as_str().unwrap());
        let said: Vec<_> = changes
            .iter()
            .map(|it| {
                (it["fate"].as_str().unwrap(), it["path"].as_str().unwrap().rsplit_once('-').unwrap().0)
            })
            .collect();
        assert_eq!(said, [("new", "etc/more"), ("changed", "usr/bin/tool")], "{compressor:?}");
        assert_eq!(report["against"]["remarks"], json!([]));
    }
    println!("inspected: {inspected} layers");
    assert_eq!(inspected, 11);
}

/// An image with one layer of these files.
fn image(files: &[File]) -> (Release, String) {
    let blob = Compressor::Gzip(6).compress(&archive(files));
    let layer = Blob::new(Compressor::Gzip(6).media_type(), blob);
    let digest = layer.digest.clone();
    (Release::of([("app:1", artifact(&forge::oci("app").blobs[0], &[layer]))]), digest)
}

/// What is remarked of files that became others, with all advice that is given in words.
fn remarks(before: &[File], now: &[File]) -> (Vec<String>, String) {
    let folder = scratch();
    let [base, tree] = ["before", "now"].map(|name| folder.path().join(name));
    image(before).0.write(&base);
    let (release, digest) = image(now);
    release.write(&tree);
    let report = inspect(&tree, &digest, Some(&base));
    let remarks = report["against"]["remarks"].as_array().unwrap();
    let causes = remarks.iter().map(|remark| remark["cause"].as_str().unwrap().to_owned()).collect();
    (causes, inspect_in_words(&tree, &digest, &base))
}

#[test]
fn what_need_not_change_is_remarked() {
    let (module, compiled) = (text("src/lib.rs"), program(0, 9_000));
    let before = [
        File::new("app/main.py", module.clone()),
        File::new("app/__pycache__/main.cpython-311.pyc", compiled.clone()),
        File::new("app/data", program(20_000, 50_000)),
    ];
    let none: [String; 0] = [];
    assert_eq!(remarks(&before, &[&before[..], &[File::new("app/new", "new")]].concat()).0, none);

    let later = before.clone().map(|file| File { time: file.time + 3600, ..file });
    let (causes, said) = remarks(&before, &later);
    assert_eq!(causes, ["times"]);
    assert!(said.contains("SOURCE_DATE_EPOCH"), "{said}");
    assert!(said.contains("100.0 % of the bytes are equal"), "{said}");
    assert!(said.contains("3 files with the same content and another time"), "{said}");

    let mut recompiled = before.clone();
    recompiled[1].content[8] ^= 1;
    let (causes, said) = remarks(&before, &recompiled);
    assert_eq!(causes, ["bytecode"]);
    assert!(
        said.contains("unchecked-hash") && said.contains("app/__pycache__/main.cpython-311.pyc"),
        "{said}"
    );
    // Where the source changed as well, that is as it should be.
    recompiled[0].content.extend(b"# more\n");
    assert_eq!(remarks(&before, &recompiled).0, none);

    let mut reversed = before.clone();
    reversed.reverse();
    assert_eq!(remarks(&before, &reversed).0, ["order"]);
}

#[test]
fn a_layer_that_is_not_there_is_told() {
    let vendor = Vendor::of(&few().releases, &["--delta"]);
    let mut command = bundle();
    command.args(["inspect-layer", "-q"]).arg(vendor.tree(1)).arg("sha256:0123");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("no image in") && said.contains("0123"), "{said}");
}
