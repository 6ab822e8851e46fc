//! Layouts between this program and skopeo, umoci and buildah: each reads what the other wrote.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use super::{Lying, findings};
use crate::support::bundle::convert;
use crate::support::forge::layout::{REF_NAME, described};
use crate::support::forge::oci;
use crate::support::program::{program, run};
use crate::support::testdata::testdata;
use crate::support::tree::{assert_same_files, files};
use crate::support::{scratch, sha256, skopeo};

const OCI_IMAGES: [&str; 2] = ["zone-base:1.0", "platform/api:2.3.1"];

fn umoci(arguments: &[&str]) -> String {
    run(&program("umoci"), arguments)
}

#[test]
fn skopeo_and_umoci_read_each_image_by_its_whole_name() {
    let lying = Lying { folder: scratch() };
    let layout = lying.layout();
    convert("to-oci", &[], &testdata().join("images"), &layout);
    let names: Vec<_> =
        umoci(&["ls", "--layout", layout.to_str().unwrap()]).lines().map(str::to_owned).collect();
    assert_eq!(names.len(), 7, "{names:?}");
    let mut refused = 0;
    for name in &names {
        let source = format!("oci:{}:{name}", layout.display());
        let original = fs::read(testdata().join("images").join(name).join("manifest.json")).unwrap();
        let document: Value = serde_json::from_slice(&original).unwrap();
        // Both know the media types of OCI only.
        if document["mediaType"].as_str().unwrap_or_default().contains("docker") {
            refused += 1;
            let output = Command::new(program("skopeo"))
                .args(["--insecure-policy", "inspect", "--raw", &source])
                .output();
            let said = String::from_utf8(output.unwrap().stderr).unwrap();
            assert!(said.contains("no descriptor found"), "{name}: {said}");
            let image = format!("{}:{name}", layout.display());
            let output = Command::new(program("umoci")).args(["stat", "--image", &image]).output().unwrap();
            assert!(!output.status.success(), "umoci reads {name}");
            continue;
        }
        assert_eq!(skopeo::skopeo(["inspect", "--raw", &source]).as_bytes(), original, "{name}");
        let copy = scratch();
        skopeo::copy(&source, &format!("dir:{}", copy.path().display()));
        assert_same_files(&files(&testdata().join("images").join(name)), &files(copy.path()));
    }
    assert!(refused > 0 && refused < names.len());
    for name in OCI_IMAGES {
        let image = format!("{}:{name}", layout.display());
        let stat: Value = serde_json::from_str(&umoci(&["stat", "--json", "--image", &image])).unwrap();
        let layers =
            stat["history"].as_array().unwrap().iter().filter(|step| !step["layer"].is_null()).count();
        let manifest = fs::read(testdata().join("images").join(name).join("manifest.json")).unwrap();
        let manifest: Value = serde_json::from_slice(&manifest).unwrap();
        assert_eq!(layers, manifest["layers"].as_array().unwrap().len(), "{name}");
    }
    let unpacked = lying.path("unpacked");
    let image = format!("{}:{}", layout.display(), OCI_IMAGES[0]);
    umoci(&["unpack", "--rootless", "--image", &image, unpacked.to_str().unwrap()]);
    assert!(walkdir::WalkDir::new(unpacked.join("rootfs")).into_iter().count() > 10);
}

#[test]
fn a_tag_alone_is_what_it_is_asked_for_by() {
    let lying = Lying { folder: scratch() };
    let layout = lying.layout();
    convert(
        "to-oci",
        &["--ref-name", "tag", "--include", "zone-base:*"],
        &testdata().join("images"),
        &layout,
    );
    let annotations = &lying.index()["manifests"][0]["annotations"];
    assert_eq!(annotations[REF_NAME], "1.0");
    let original = fs::read(testdata().join("images/zone-base:1.0/manifest.json")).unwrap();
    let source = format!("oci:{}:1.0", layout.display());
    assert_eq!(skopeo::skopeo(["inspect", "--raw", &source]).as_bytes(), original);
    umoci(&["stat", "--image", &format!("{}:1.0", layout.display())]);
    // The whole name is there all the same.
    let back = lying.path("back");
    let summary = convert("to-dir", &[], &layout, &back);
    assert!(findings(&summary).is_empty(), "{summary}");
    assert_same_files(&files(&testdata().join("images/zone-base:1.0")), &files(&back.join("zone-base:1.0")));
}

#[test]
fn what_skopeo_and_umoci_write_is_read() {
    let lying = Lying { folder: scratch() };
    let layout = lying.layout();
    let source = format!("dir:{}", testdata().join("images").join(OCI_IMAGES[0]).display());
    for name in ["team/app:1", "localhost:5000/team/app:2", "3.0"] {
        skopeo::copy(&source, &format!("oci:{}:{name}", layout.display()));
    }
    umoci(&["new", "--image", &format!("{}:empty", layout.display())]);
    umoci(&["tag", "--image", &format!("{}:team/app:1", layout.display()), "tagged"]);
    let options = ["--host", "keep", "--repository", "lay"];
    let summary = convert("to-dir", &options, &layout, &lying.path("images"));
    assert!(findings(&summary).is_empty(), "{summary}");
    let names: Vec<_> = summary["changes"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["lay:3.0", "lay:empty", "lay:tagged", "localhost:5000/team/app:2", "team/app:1"]);
    for name in ["team/app:1", "localhost:5000/team/app:2", "lay:3.0", "lay:tagged"] {
        let made = files(&lying.path("images").join(name));
        assert_same_files(&files(&testdata().join("images").join(OCI_IMAGES[0])), &made);
    }
}

#[test]
fn skopeo_adds_to_what_was_written_and_the_other_way_round() {
    let lying = Lying { folder: scratch() };
    let layout = lying.layout();
    convert("to-oci", &["--include", "zone-base:*"], &testdata().join("images"), &layout);
    let app = format!("dir:{}", testdata().join("images").join(OCI_IMAGES[1]).display());
    skopeo::copy(&app, &format!("oci:{}:team/by-skopeo:1", layout.display()));
    let summary = convert("to-dir", &[], &layout, &lying.path("images"));
    assert_eq!(summary["changes"], json!({ "team/by-skopeo:1": "new", "zone-base:1.0": "new" }));
    let release = testdata().join("images");
    for (name, original) in [("team/by-skopeo:1", OCI_IMAGES[1]), ("zone-base:1.0", OCI_IMAGES[0])] {
        assert_same_files(&files(&release.join(original)), &files(&lying.path("images").join(name)));
    }
    // Nothing of the source was written into, although skopeo rewrites lists in place.
    assert_eq!(
        sha256(&fs::read(layout.join("oci-layout")).unwrap()),
        sha256(b"{\"imageLayoutVersion\": \"1.0.0\"}")
    );
}

#[test]
fn tags_outside_of_skopeos_grammar_are_listed_all_the_same() {
    let app = oci("app");
    for tag in ["_x", "1-", "1.", "a__b", "a..b", "a---b"] {
        let name = format!("team/app:{tag}");
        let lying = Lying::of(vec![described(&app, json!({ REF_NAME: name }))], [&app]);
        let made = lying.path("made");
        convert("to-oci", &[], &lying.layout(), &made);
        let output = Command::new(program("skopeo"))
            .args(["--insecure-policy", "inspect", "--raw", &format!("oci:{}:{name}", made.display())])
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stderr).contains("Invalid image"), "{tag}");
        assert!(umoci(&["ls", "--layout", made.to_str().unwrap()]).contains(&name));
    }
}

#[test]
fn buildah_pulls_from_a_layout() {
    // It is no part of what the tests need; where it is, it reads one image.
    let Some(buildah) =
        ["/usr/bin/buildah", "/usr/bin/podman"].map(Path::new).into_iter().find(|path| path.exists())
    else {
        return;
    };
    // It makes a name of the path, for which capital letters are none.
    let name = format!("/tmp/bundle-layout-{}", std::process::id());
    let folder = tempfile::Builder::new().prefix(&name).rand_bytes(0).tempdir_in("/").unwrap();
    let lying = Lying { folder };
    convert("to-oci", &[], &testdata().join("images"), &lying.layout());
    let source = format!("oci:{}:zone-base:1.0", lying.layout().display());
    let mut command = Command::new(buildah);
    command.args(["--storage-driver", "vfs", "--root"]).arg(lying.path("root"));
    let output =
        command.arg("--runroot").arg(lying.path("runroot")).args(["pull", "-q", &source]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let manifest = fs::read(testdata().join("images/zone-base:1.0/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    // It names an image by its configuration.
    let id = format!("sha256:{}", String::from_utf8(output.stdout).unwrap().trim());
    assert_eq!(id, manifest["config"]["digest"].as_str().unwrap());
}
