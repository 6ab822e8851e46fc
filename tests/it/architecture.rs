//! The order of the modules: each may use those above it in `src/lib.rs`, never those below.

use std::fs;
use std::path::Path;

use walkdir::WalkDir;

#[test]
fn modules_use_only_what_stands_above_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let map = fs::read_to_string(source.join("lib.rs")).unwrap();
    let modules: Vec<&str> =
        map.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(modules.len() > 10, "the code map in src/lib.rs is not read right");

    let mut uses = 0;
    for entry in WalkDir::new(&source).sort_by_file_name() {
        let path = entry.unwrap().into_path();
        let relative = path.strip_prefix(&source).unwrap().with_extension("");
        let module = relative.iter().next().and_then(|part| part.to_str()).unwrap_or_default().to_owned();
        let Some(place) = modules.iter().position(|name| **name == module) else { continue };
        if !path.is_file() {
            continue;
        }
        for used in fs::read_to_string(&path).unwrap().split("crate::").skip(1) {
            let used: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            let Some(of_used) = modules.iter().position(|name| **name == used) else {
                panic!("{} uses crate::{used}, which the code map does not have", path.display())
            };
            assert!(of_used <= place, "{} uses {used}, which stands below it", path.display());
            uses += 1;
        }
    }
    assert!(uses > 50, "only {uses} uses were read");
}

#[test]
fn only_the_disk_module_writes() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let writing = [
        "fs::write",
        "File::create",
        "fs::rename",
        "fs::remove",
        "hard_link",
        "create_dir",
        "OpenOptions",
        "set_permissions",
        "chown(",
    ];
    for entry in WalkDir::new(&source) {
        let path = entry.unwrap().into_path();
        if !path.is_file() || path.starts_with(source.join("disk")) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let found = writing.iter().find(|call| text.contains(**call));
        assert_eq!(found, None, "{} writes", path.display());
    }
}
