//! What cannot be asked for, and who may not ask.

use std::path::Path;

use super::{CONVERSIONS, owners, with_release};
use crate::support::bundle::{bundle, run};
use crate::support::mount::Mount;
use crate::support::person::Person;
use crate::support::testdata::{copied_release, files_named};

#[test]
fn a_command_line_that_makes_no_sense_is_refused() {
    let (folder, images) = copied_release();
    for options in [
        ["--chown", "root"],
        ["--chown", ":"],
        ["--chown", ""],
        ["--chown", "1234:users"],
        ["--chown", "1:2:3"],
        ["--chown", "-1"],
        ["--chown", "4294967295"],
        ["--chown", "4294967296"],
        ["--chmod", "999"],
        ["--chmod", "7777"],
        ["--chmod", "1000"],
        ["--chmod", ""],
        ["--chmod", "u+rw"],
        ["--chmod", "-1"],
    ] {
        let destination = folder.path().join("docker");
        let ended = run(bundle(), "to-registry", &options, &images, &destination);
        assert_eq!(ended.code, 2, "{options:?}: {}", ended.said);
        ended.expect_said(&["error: ", "--help"]);
        assert!(!destination.exists());
    }
}

#[test]
fn who_may_not_give_files_away_makes_none() {
    let person = Person::new();
    for (command, source, _) in CONVERSIONS {
        let disk = with_release(Mount::tmpfs("size=16m"));
        let source = disk.path().join(source);
        let destination = disk.path().join("new/docker");
        for user in ["1234", "0", "0:0", ":1234"] {
            let ended = run(person.bundle(), command, &["--chown", user], &source, &destination).expect(3);
            ended.expect_said(&[
                "error: cannot ",
                disk.path().join("new").to_str().unwrap(),
                "Operation not permitted",
            ]);
            assert!(!disk.path().join("new").exists());
        }
        // Into a tree of their own, too.
        let pattern = ["--include", "zone-base:*", "--link", "copy"];
        run(person.bundle(), command, &pattern, &source, &destination).expect(0);
        let before = owners(&destination);
        let ended = run(person.bundle(), command, &["--chown", "1234"], &source, &destination).expect(3);
        ended.expect_said(&["error: cannot ", destination.to_str().unwrap(), "Operation not permitted"]);
        let shown =
            |tree: &Path| files_named(tree, "current").len() + files_named(tree, "manifest.json").len();
        assert_eq!(shown(&destination), 1);
        assert!(before.iter().all(|(path, owner)| owners(&destination).get(path) == Some(owner)));
        // Who asks for what is so anyway may ask.
        let own = before[Path::new("")];
        let options = ["--chown", &format!("{}:{}", own.user, own.group), "--link", "copy"];
        run(person.bundle(), command, &options, &source, &destination).expect(0);
    }
}
