//! The README's examples run as they are printed, and print what the README says.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::scratch;
use crate::support::testdata::{copy_tree, testdata};

/// A command of the README, and what it prints there.
struct Example {
    command: String,
    printed: String,
}

/// The examples: in blocks of `console`, a line that begins with `$ `, and those below it.
fn examples(readme: &str) -> Vec<Example> {
    let mut examples: Vec<Example> = Vec::new();
    let mut is_console = false;
    for line in readme.lines() {
        match (line, line.strip_prefix("$ ")) {
            ("```console", _) => is_console = true,
            ("```", _) => is_console = false,
            (_, Some(command)) if is_console => {
                examples.push(Example { command: command.to_owned(), printed: String::new() });
            }
            _ if is_console => examples.last_mut().unwrap().printed += &format!("{line}\n"),
            _ => {}
        }
    }
    examples
}

/// What differs between two machines: the speed.
fn without_speed(text: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(" at ") {
        Some((verified, speed)) if speed.ends_with("/s") => format!("{verified} at SPEED\n"),
        _ => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn the_examples_print_what_the_readme_says() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let examples = examples(&fs::read_to_string(root.join("README.md")).unwrap());
    assert!(examples.len() >= 8, "the README's examples are not found");
    let folder = scratch();
    copy_tree(&testdata(), &folder.path().join("testdata"));
    let program = Path::new(env!("CARGO_BIN_EXE_bundle")).parent().unwrap().to_owned();
    let path = env::join_paths([program].into_iter().chain(env::split_paths(&env::var_os("PATH").unwrap())));
    let path = path.unwrap();
    for Example { command, printed } in examples {
        if command == "scripts/test" {
            continue; // which is what runs this
        }
        let built = command.replace("cargo run --quiet --release --", "bundle");
        let line = format!("exec 2>&1; {built}");
        let output =
            Command::new("bash").args(["-c", &line]).env("PATH", &path).current_dir(folder.path()).output();
        let output = String::from_utf8(output.unwrap().stdout).unwrap();
        assert_eq!(without_speed(&output), without_speed(&printed), "$ {command}");
    }
}

#[test]
fn every_command_and_option_of_the_help_is_in_the_readme() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let commands = [
        "to-registry",
        "to-dir",
        "to-oci",
        "pack",
        "apply",
        "inventory",
        "diff",
        "verify",
        "stats",
        "dedupe",
        "prune",
        "inspect-layer",
    ];
    for command in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_bundle")).args([command, "--help"]).output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        let options = help.split(|c: char| !c.is_alphanumeric() && c != '-');
        for option in options.filter(|word| word.starts_with("--") && word.len() > 2) {
            assert!(readme.contains(option), "{option} of `bundle {command}` is not in the README");
        }
        assert!(readme.contains(&format!("bundle {command}")));
    }
}
