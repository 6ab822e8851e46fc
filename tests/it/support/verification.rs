//! Runs of `bundle verify`, and what every one of them has to hold.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

use super::bundle::bundle;

/// What a run said.
pub(crate) struct Verified {
    /// The exit code.
    pub(crate) code: i32,
    /// The JSON document; null where there is none.
    pub(crate) report: Value,
    /// Standard error.
    pub(crate) said: String,
}

/// Verifies trees with `--format json`.
pub(crate) fn verify(options: &[&str], paths: &[&Path]) -> Verified {
    let mut command = bundle();
    command.args(["verify", "-q", "--format", "json"]).args(options).args(paths);
    Verified::of(&mut command)
}

impl Verified {
    /// Runs a prepared `verify --format json`, and checks what holds for every run.
    pub(crate) fn of(command: &mut Command) -> Self {
        let output = command.timeout(Duration::from_secs(120)).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!said.contains("panicked at"), "{said}");
        let code = output.status.code().unwrap_or_else(|| panic!("{command:?} {}: {said}", output.status));
        if !matches!(code, 0 | 4) {
            return Self { code, report: Value::Null, said };
        }
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| {
            panic!("no JSON: {error}\n{}\n{said}", String::from_utf8_lossy(&output.stdout))
        });
        let verified = Self { code, report, said };
        verified.check();
        verified
    }

    fn check(&self) {
        let report = &self.report;
        assert_eq!(report["schema"], "bundle.verification/1");
        assert_eq!(report["version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(report["sound"], self.errors().is_empty(), "{report:#}");
        assert_eq!(self.code, if self.errors().is_empty() { 0 } else { 4 });
        for finding in self.findings() {
            assert!(matches!(finding["severity"].as_str(), Some("error" | "warning")), "{finding:#}");
            assert!(finding["kind"].is_string() && finding["file"].is_string(), "{finding:#}");
            assert!(finding["images"].as_array().unwrap().is_sorted_by_key(|name| name.as_str()));
        }
    }

    /// Everything that it found.
    pub(crate) fn findings(&self) -> &[Value] {
        self.report["findings"].as_array().unwrap()
    }

    /// What of it makes the trees unsound.
    pub(crate) fn errors(&self) -> Vec<&Value> {
        self.findings().iter().filter(|finding| finding["severity"] == "error").collect()
    }

    /// The kinds of its findings, each once.
    pub(crate) fn kinds(&self) -> BTreeSet<&str> {
        self.findings().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
    }

    /// The images that errors name.
    pub(crate) fn broken(&self) -> BTreeSet<&str> {
        self.errors().into_iter().flat_map(images).collect()
    }

    /// The images that warnings name.
    pub(crate) fn warned(&self) -> BTreeSet<&str> {
        self.findings().iter().filter(|finding| finding["severity"] == "warning").flat_map(images).collect()
    }

    /// How many inodes were looked at, how many bytes were hashed, and how many digests were held to.
    pub(crate) fn checked(&self) -> [u64; 3] {
        ["files", "bytes", "digests"].map(|count| self.report["checked"][count].as_u64().unwrap())
    }

    /// The one finding of this kind about this file.
    pub(crate) fn finding(&self, kind: &str, file: &Path) -> &Value {
        let about = |finding: &&Value| finding["kind"] == kind && finding["file"] == file.to_str().unwrap();
        let found: Vec<_> = self.findings().iter().filter(about).collect();
        let [finding] = found[..] else {
            panic!("{} findings {kind} of {}: {:#}", found.len(), file.display(), self.report["findings"])
        };
        finding
    }
}

/// The images that a finding names.
pub(crate) fn images(finding: &Value) -> impl Iterator<Item = &str> {
    finding["images"].as_array().unwrap().iter().map(|image| image.as_str().unwrap())
}
