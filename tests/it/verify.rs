//! `verify`: what is wrong with a tree, found byte by byte, and which images it costs.

mod content;
mod folders;
mod forbidden;
mod links;
mod lint;
mod repair;
mod sound;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::support::verification::{Verified, images, verify};

/// Fails unless a full and a quick run both find this fault, and it breaks just these images.
fn assert_breaks(tree: &Path, kind: &str, file: &Path, expected: &BTreeSet<&str>) -> Value {
    let full = assert_found(&[], tree, kind, file, expected);
    let quick = assert_found(&["--quick"], tree, kind, file, expected);
    assert_eq!(quick.report["quick"], true);
    assert_eq!(quick.checked()[1], 0, "a quick run hashes nothing");
    full.finding(kind, file).clone()
}

/// Fails unless a run finds this fault, and all that it finds breaks just these images.
fn assert_found(
    options: &[&str],
    tree: &Path,
    kind: &str,
    file: &Path,
    expected: &BTreeSet<&str>,
) -> Verified {
    let verified = verify(options, &[tree]);
    let finding = verified.finding(kind, file);
    assert_eq!(finding["severity"], "error");
    assert_eq!(&images(finding).collect::<BTreeSet<_>>(), expected, "{finding:#}");
    assert_eq!(&verified.broken(), expected, "{:#}", verified.report["findings"]);
    verified
}

/// Fails unless this is told, about these images, and the tree is called sound all the same.
fn assert_warns(tree: &Path, kind: &str, file: &Path, expected: &[&str]) -> Value {
    for options in [&[][..], &["--quick"]] {
        let verified = verify(options, &[tree]);
        let finding = verified.finding(kind, file);
        assert_eq!(images(finding).collect::<Vec<_>>(), expected, "{finding:#}");
        assert_eq!(verified.code, 0, "{:#}", verified.report["findings"]);
        assert_eq!(verified.kinds(), BTreeSet::from([kind]));
    }
    verify(&[], &[tree]).finding(kind, file).clone()
}

fn set<'a>(names: impl IntoIterator<Item = &'a str>) -> BTreeSet<&'a str> {
    names.into_iter().collect()
}
