//! The program under test.

use std::path::Path;
use std::process::Output;

use assert_cmd::Command;
use serde_json::Value;

use super::strace::HANGS;

/// The built `bundle`, ready for its arguments.
pub(crate) fn bundle() -> Command {
    Command::new(env!("CARGO_BIN_EXE_bundle"))
}

/// Runs a conversion such as `to-registry`, which has to succeed, and returns its JSON summary.
pub(crate) fn convert(command: &str, options: &[&str], source: &Path, destination: &Path) -> Value {
    let mut bundle = bundle();
    bundle.arg(command).args(options).args(["--format", "json"]).arg(source).arg(destination);
    let output = bundle.assert().success().get_output().stdout.clone();
    serde_json::from_slice(&output)
        .unwrap_or_else(|e| panic!("{command} printed no JSON: {e}\n{}", String::from_utf8_lossy(&output)))
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    /// Its JSON document; null where there is none.
    pub(crate) summary: Value,
    /// Standard error.
    pub(crate) said: String,
}

impl Ended {
    /// Of a run that came to an end of its own, whatever that was: it did not crash.
    pub(crate) fn of(output: &Output) -> Self {
        let said = String::from_utf8(output.stderr.clone()).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{}: {said}", output.status));
        assert!(!said.contains("panicked at"), "{said}");
        Self { code, summary: serde_json::from_slice(&output.stdout).unwrap_or_default(), said }
    }

    /// Fails unless it ended with this exit code.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        self
    }

    /// Fails unless standard error has all of these.
    #[track_caller]
    pub(crate) fn expect_said(&self, words: &[&str]) {
        for word in words {
            assert!(self.said.contains(word), "{word:?} is not in: {}", self.said);
        }
    }
}

/// Runs a conversion, of this program or a person's, that may end in any way.
pub(crate) fn run(
    mut bundle: Command,
    command: &str,
    options: &[&str],
    source: &Path,
    destination: &Path,
) -> Ended {
    bundle.args([command, "-q", "--format", "json"]).args(options).arg(source).arg(destination);
    Ended::of(&bundle.timeout(HANGS).output().unwrap())
}

/// How many blobs were linked, cloned and copied, says a summary.
pub(crate) fn shared(summary: &Value) -> [u64; 3] {
    ["linked", "cloned", "copied"].map(|way| summary[way]["files"].as_u64().unwrap())
}
