//! Trees made by somebody who means harm, or by a bad day: the program ends soon, by its own will, with a finding.

mod doors;
mod manifests;
mod names;
pub(crate) mod packages;
mod pipes;
mod sizes;

use std::ffi::OsStr;
use std::time::Duration;

use crate::support::bundle::bundle;

/// What a run said.
struct Said {
    code: i32,
    stdout: String,
    stderr: String,
}

/// Runs the program, which has to end soon and with one of its own exit codes.
fn run(arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Said {
    let mut command = bundle();
    let output = command.args(arguments).timeout(Duration::from_secs(120)).output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    let Some(code) = output.status.code() else { panic!("{command:?} {}: {stderr}", output.status) };
    assert!(!stderr.contains("panicked at"), "{command:?}: {stderr}");
    assert!(matches!(code, 0 | 1 | 3 | 4), "{command:?} {code}: {stderr}");
    Said { code, stdout, stderr }
}
