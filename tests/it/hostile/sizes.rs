//! A blob that is larger than memory has to be.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::storage::{Storage, write};

const BYTES: u64 = 5 << 30;
/// What `sha256sum` says of so many zeros.
const DIGEST: &str = "sha256:7f06c62352aebd8125b2a1841e2b9e1ffcbed602f381c3dcb3200200e383d1d5";

#[test]
fn five_gibibytes_take_no_more_memory_than_five_bytes() {
    let storage = Storage::of(&["zone-base:*"]);
    let base = storage.image("zone-base:1.0");
    let mut image: Value = serde_json::from_slice(&fs::read(storage.data(&base.digest)).unwrap()).unwrap();
    image["layers"] =
        json!([{ "mediaType": image["layers"][0]["mediaType"], "digest": DIGEST, "size": BYTES }]);
    write(&storage.data(DIGEST), b"");
    File::options().write(true).open(storage.data(DIGEST)).unwrap().set_len(BYTES).unwrap();
    storage.push("large", "1", image.to_string().as_bytes());

    let (report, most) = verify_and_watch(&storage.docker());
    assert_eq!(report["sound"], true, "{:#}", report["findings"]);
    assert!(report["checked"]["bytes"].as_u64().unwrap() > BYTES);
    assert!(most < 64 << 20, "{most} bytes were in memory");
}

/// Verifies a tree; returns the report, and the most memory that the program had at once, in bytes.
fn verify_and_watch(tree: &Path) -> (Value, u64) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(["verify", "-q", "--format", "json"]).arg(tree).stdout(Stdio::piped());
    let mut process = command.spawn().unwrap();
    let status = format!("/proc/{}/status", process.id());
    let mut most = 0;
    while process.try_wait().unwrap().is_none() {
        // The system itself remembers the peak, so that looking now and then is enough.
        let text = fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.split_whitespace().next());
        most = peak.map_or(most, |kilobytes| kilobytes.parse::<u64>().unwrap() << 10);
        thread::sleep(Duration::from_millis(20));
    }
    let output = process.wait_with_output().unwrap();
    assert!(most > 0, "the program was gone before it was looked at");
    (serde_json::from_slice(&output.stdout).unwrap(), most)
}
