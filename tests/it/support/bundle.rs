//! The program under test.

use std::path::Path;

use assert_cmd::Command;
use serde_json::Value;

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
