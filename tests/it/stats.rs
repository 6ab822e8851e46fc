//! `stats`, held against an independent count by `find`, `sha256sum`, `sort` and `du`.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::bundle::{bundle, convert};
use crate::support::testdata::{copied_release, testdata};

fn stats(arguments: &[&str], folder: &Path) -> Value {
    let mut command = bundle();
    command.current_dir(folder).args(["stats", "--format", "json"]).args(arguments);
    serde_json::from_slice(&command.assert().success().get_output().stdout).unwrap()
}

/// Runs a line of shell that prints one number.
fn shell(line: &str, folder: &Path) -> u64 {
    let output =
        Command::new("bash").args(["-o", "pipefail", "-c", line]).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().parse().unwrap_or_else(|_| panic!("{line} printed {text:?}"))
}

/// The lines that count a tree's content: `$CONTENT` is a `find` that prints its files, each ended by NUL.
fn count(content: &str, folder: &Path) -> [u64; 4] {
    let hashed = format!("{content} | xargs -0 sha256sum");
    [
        shell(&format!("{content} | tr -cd '\\0' | wc -c"), folder),
        shell(&format!("{hashed} | cut -c1-64 | sort -u | wc -l"), folder),
        // The first file of each digest, and what these weigh together.
        shell(
            &format!("{hashed} | sort -u -k1,1 | cut -c67- | tr '\\n' '\\0' | xargs -0 cat | wc -c"),
            folder,
        ),
        // `du` counts an inode once, however many names it has.
        shell(
            &format!("{content} | du --apparent-size --block-size=1 -c --files0-from=- | tail -1 | cut -f1"),
            folder,
        ),
    ]
}

fn counted(tree: &Value) -> [u64; 4] {
    ["blob_files", "unique_blobs", "unique_bytes", "disk_bytes"].map(|name| tree[name].as_u64().unwrap())
}

const DIR_CONTENT: &str = "find images -type f ! -name version -print0";
const REGISTRY_CONTENT: &str = "find docker -type f -name data -print0";

#[test]
fn the_numbers_agree_with_an_independent_count() {
    let (folder, images) = copied_release();
    convert("to-registry", &[], &images, &folder.path().join("docker"));
    let here = folder.path();

    let dir = stats(&["images"], here);
    assert_eq!(dir["schema"], "bundle.stats/1");
    let tree = &dir["trees"][0];
    assert_eq!(counted(tree), count(DIR_CONTENT, here));
    let manifests =
        "find images -name '*manifest.json' -print0 | xargs -0 sha256sum | cut -c1-64 | sort -u | wc -l";
    assert_eq!(tree["manifests"], shell(manifests, here));
    assert_eq!(tree["images"], shell("find images -name manifest.json | wc -l", here));
    assert_eq!(tree["tags"], tree["images"]);
    assert_eq!(tree["platforms"], serde_json::json!(["linux/amd64", "linux/arm64"]));
    // Every image its own copy is what skopeo wrote: the sum of all files, whatever inodes they share by now.
    let logical = shell(
        "find images -type f ! -name version -printf '%s\\n' | awk '{ sum += $1 } END { print sum }'",
        here,
    );
    assert_eq!(tree["logical_bytes"], logical);
    let unique = tree["unique_bytes"].as_u64().unwrap();
    assert_eq!(tree["saved_as_registry"]["bytes"], logical - unique);
    assert_eq!(tree["saved_now"]["bytes"], logical - tree["disk_bytes"].as_u64().unwrap());

    let registry = stats(&["docker"], here);
    let storage = &registry["trees"][0];
    assert_eq!(counted(storage), count(REGISTRY_CONTENT, here));
    assert_eq!(storage["unique_bytes"], unique);
    assert_eq!(storage["logical_bytes"], logical);

    // Both together: nothing new is unique, and what they share by link is on disk once.
    let both = stats(&[], here);
    assert_eq!(both["trees"].as_array().unwrap().len(), 2);
    assert_eq!(both["total"]["unique_bytes"], unique);
    let all = format!("{{ {DIR_CONTENT}; {REGISTRY_CONTENT}; }}");
    assert_eq!(counted(&both["total"]), count(&all, here));
}

#[test]
fn linked_copies_are_on_disk_once() {
    let (folder, images) = copied_release();
    convert("to-registry", &[], &images, &folder.path().join("docker"));
    std::fs::remove_dir_all(&images).unwrap();
    convert("to-dir", &[], &folder.path().join("docker"), &images);
    let tree = &stats(&["images"], folder.path())["trees"][0];
    assert_eq!(counted(tree), count(DIR_CONTENT, folder.path()));
    assert!(tree["disk_bytes"].as_u64().unwrap() < tree["logical_bytes"].as_u64().unwrap() / 2);
}

#[test]
fn what_an_image_shares_and_what_only_it_has_add_up() {
    let stats = stats(&["images"], &testdata());
    let tree = &stats["trees"][0];
    let images = tree["per_image"].as_array().unwrap();
    let number = |value: &Value, name: &str| value[name].as_u64().unwrap();
    for image in images {
        assert_eq!(number(image, "total_bytes"), number(image, "shared_bytes") + number(image, "own_bytes"));
    }
    assert_eq!(
        images.iter().map(|image| number(image, "total_bytes")).sum::<u64>(),
        number(tree, "logical_bytes")
    );
    // Unique bytes are what each image has for itself, and each shared content once.
    let base = images.iter().find(|image| image["image"] == "zone-base:1.0").unwrap();
    assert!(number(base, "shared_bytes") > number(base, "own_bytes"));
    let layers = tree["shared_layers"].as_array().unwrap();
    for layer in layers {
        let sharing = layer["images"].as_array().unwrap().len() as u64;
        assert_eq!(number(layer, "saved_bytes"), number(layer, "bytes") * (sharing - 1));
    }
    assert!(layers.is_sorted_by_key(|layer| std::cmp::Reverse(number(layer, "saved_bytes"))));
}

#[test]
fn a_base_tells_what_a_patch_would_carry() {
    let patch = &stats(&["images", "--base", "previous"], &testdata())["base"];
    let new = "comm -23 <(find images -type f ! -name version -print0 | xargs -0 sha256sum | cut -c1-64 | sort -u) \
               <(find previous -type f ! -name version -print0 | xargs -0 sha256sum | cut -c1-64 | sort -u)";
    assert_eq!(patch["new"]["files"], shell(&format!("{new} | wc -l"), &testdata()));
    let bytes = format!(
        "join <({new}) <(find images -type f ! -name version -print0 | xargs -0 sha256sum | sort -u -k1,1) \
         | cut -d' ' -f2 | tr '\\n' '\\0' | xargs -0 cat | wc -c"
    );
    assert_eq!(patch["new"]["bytes"], shell(&bytes, &testdata()));
    let whole = &stats(&["images"], &testdata())["trees"][0];
    let sum = patch["new"]["bytes"].as_u64().unwrap() + patch["reused"]["bytes"].as_u64().unwrap();
    assert_eq!(whole["unique_bytes"], sum);

    let images = &patch["images"];
    assert_eq!(
        images["new"],
        serde_json::json!(["platform/edge/proxy:0.9.2", "tools/clock:1.0", "tools/report:4.0"])
    );
    assert_eq!(images["changed"], serde_json::json!(["platform/api:2.3.1"]));
    assert_eq!(images["repushed"][0]["image"], "platform/web:1.8.0");
    assert_eq!(images["unchanged"], serde_json::json!(["platform/api:2.3.0", "zone-base:1.0"]));
    assert_eq!(images["gone"], serde_json::json!(["tools/migrate:1.0"]));

    let nothing = &stats(&["images", "--base", "images"], &testdata())["base"];
    assert_eq!(nothing["new"]["files"], 0);
}

#[test]
fn a_pattern_has_to_match_an_image_but_not_one_of_the_base() {
    let patch = &stats(&["images", "--include", "tools/clock:*", "--base", "previous"], &testdata())["base"];
    assert_eq!(patch["images"]["new"], serde_json::json!(["tools/clock:1.0"]));
    assert_eq!(patch["images"]["gone"], serde_json::json!([]));
    let both = stats(&["images", "previous", "--include", "tools/migrate:*"], &testdata());
    assert_eq!(both["total"]["images"], 1);
}

#[test]
fn a_missing_blob_is_seen_without_hashing() {
    let (folder, images) = copied_release();
    let hex = crate::support::testdata::layer(&images.join("platform/web:1.8.0"), 2);
    std::fs::remove_file(images.join("platform/web:1.8.0").join(hex)).unwrap();
    let mut command = bundle();
    let output = command.arg("stats").arg(folder.path().join("images")).output().unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(String::from_utf8(output.stderr).unwrap().contains("missing blob"));
}
