//! Destinations that somebody removes while they are written: never a success with something missing.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::support::complete::{Form, tags, walk};
use crate::support::course::{Course, staging};

/// What is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Removal {
    /// The whole destination.
    Whole,
    /// The whole destination, and an empty folder takes its place.
    Replaced,
    /// Some of what is in it, or else of what is made aside.
    Part,
}

/// How a run ended whose destination was removed.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// With an error.
    Refused,
    /// With success, and nothing is missing.
    Complete,
}

/// Removes what is to be removed, as far as it is there; says whether that had its place.
fn remove(removal: Removal, course: &Course, destination: &Path) -> bool {
    let root = course.root(destination);
    let part = match course.form {
        Form::Storage => root.join("blobs"),
        Form::Folders => root.join("platform"),
    };
    let (removed, has_place) = match removal {
        Removal::Whole | Removal::Replaced => (destination.to_owned(), true),
        Removal::Part if part.exists() => (part, true),
        Removal::Part => (first_aside(&root).unwrap_or(part), false),
    };
    if let Err(error) = fs::remove_dir_all(&removed) {
        assert_eq!(error.kind(), io::ErrorKind::NotFound, "{error}");
    }
    if removal == Removal::Replaced {
        fs::create_dir(destination).unwrap();
    }
    has_place
}

/// The first of the folders that are being made aside.
fn first_aside(root: &Path) -> Option<PathBuf> {
    let inside =
        |folder: &Path| fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    staging(root).iter().flat_map(|staging| inside(staging)).filter(|path| path.is_dir()).min()
}

/// How many names a tree shows, whatever is behind them.
fn names(course: &Course, destination: &Path) -> usize {
    let file = match course.form {
        Form::Storage => "current",
        Form::Folders => "manifest.json",
    };
    walk(&course.root(destination)).filter(|entry| entry.file_name() == file).count()
}

/// Removes it at so many points of a run.
fn remove_everywhere(course: &Course, removal: Removal, count: usize) {
    let form = course.form;
    let gives_names: Vec<_> = course.calls_after_content().map(|call| (&call.name, call.number)).collect();
    let points: Vec<_> = course.points(count).into_iter().enumerate().collect();
    let ends = course.at_each(&points, |(number, call), destination| {
        let place = format!("{removal:?} before {} {}", call.name, call.number);
        let held = course.hold(call, destination);
        let had_place = remove(removal, course, destination);
        let left = names(course, destination);
        let ended = held.go_on();
        let end = match ended.code {
            0 => {
                assert_eq!(tags(form, destination).as_ref(), Ok(&course.after), "{place}");
                End::Complete
            }
            3 => {
                ended.expect_said(&[destination.to_str().unwrap()]);
                let says_why =
                    ["was removed", "No such file or directory"].iter().any(|why| ended.said.contains(why));
                assert!(says_why, "{place}: {}", ended.said);
                End::Refused
            }
            code => panic!("{place}: exit {code}: {}", ended.said),
        };
        // What had its name before a part was removed may have lost its content. A run that gives names has looked
        // at the content just before; what is removed from then on, it finds missing in the end.
        if removal != Removal::Part || end == End::Complete || !had_place {
            course.expect_sound(destination);
        } else if !gives_names.contains(&(&call.name, call.number)) {
            assert_eq!(names(course, destination), left, "{place}: {}", ended.said);
        }
        if number.is_multiple_of(3) {
            course.expect_done_by_another_run(destination);
        }
        end
    });
    course.expect_source_untouched();
    let refused = ends.iter().filter(|end| **end == End::Refused).count();
    println!(
        "{} {removal:?}: {} removals, {refused} errors, {} complete all the same, 0 incomplete",
        course.command,
        ends.len(),
        ends.len() - refused
    );
    assert!(ends.len() >= 60 && refused >= 40, "{refused} of {}", ends.len());
}

#[test]
fn a_run_notices_that_its_storage_is_removed() {
    let course = Course::to_registry();
    remove_everywhere(&course, Removal::Whole, 70);
    remove_everywhere(&course, Removal::Replaced, 60);
    remove_everywhere(&course, Removal::Part, 60);
}

#[test]
fn a_run_notices_that_its_image_folders_are_removed() {
    let course = Course::to_dir();
    remove_everywhere(&course, Removal::Whole, 70);
    remove_everywhere(&course, Removal::Replaced, 60);
    remove_everywhere(&course, Removal::Part, 60);
}
