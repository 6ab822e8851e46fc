//! Symbolic links are no doors: nothing outside a source is read through them, nothing outside a destination written.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::run;
use crate::support::special::Special;
use crate::support::storage::Storage;
use crate::support::testdata::{copied_release, flip_bit, layer, testdata};
use crate::support::tree::{files, links};
use crate::support::verification::verify;

const WEB: &str = "platform/web:1.8.0";

/// What of `platform/web:1.8.0`, or of this blob, a conversion carried, or that it lost it in silence.
fn carried(source: &Path, blob: Option<&str>) -> Option<String> {
    let folder = crate::support::scratch();
    let is_carried = |path: &Path| {
        let is_blob = |hex| path.ends_with(Path::new(hex).join("data")) || path.ends_with(hex);
        path.ends_with("platform/web/_manifests/tags/1.8.0")
            || path.ends_with(WEB)
            || (path.is_file() && blob.is_some_and(is_blob))
    };
    for command in ["to-dir", "to-registry"] {
        let out = folder.path().join(command);
        let options = [command, "-q", "--keep-going"].map(OsStr::new);
        let said = run(options.into_iter().chain([source.as_os_str(), out.as_os_str()]));
        let mut entries = WalkDir::new(&out).into_iter().flatten();
        if let Some(entry) = entries.find(|entry| is_carried(entry.path())) {
            return Some(format!("{command} carried {}", entry.path().strip_prefix(&out).unwrap().display()));
        }
        if said.code == 0 {
            return Some(format!("{command} lost the image and said nothing"));
        }
    }
    None
}

/// The files and folders through which storage has `platform/web:1.8.0` and the blob that it alone has.
struct Ways {
    storage: Storage,
    own: String,
    /// Those by which its content and its tag are found.
    content: Vec<PathBuf>,
    /// Those by which a registry is allowed to serve it.
    leave: Vec<PathBuf>,
}

impl Ways {
    fn new() -> Self {
        let storage = Storage::new();
        let web = storage.image(WEB);
        let own = layer(&testdata().join("images").join(WEB), 2);
        let digest = format!("sha256:{own}");
        let above =
            |path: PathBuf, levels: usize| path.ancestors().take(levels).map(Path::to_owned).collect();
        let content: [Vec<_>; 3] = [
            above(storage.data(&digest), 4),
            above(storage.data(&web.digest), 2),
            above(storage.current("platform/web", "1.8.0"), 6),
        ];
        let leave: [Vec<_>; 2] = [
            above(storage.revision("platform/web", &web.digest), 4),
            above(storage.grant("platform/web", &digest), 4),
        ];
        Self { content: content.concat(), leave: leave.concat(), storage, own }
    }
}

#[test]
fn what_lies_outside_of_storage_is_not_read() {
    let Ways { storage, own, content, .. } = Ways::new();
    let aside = storage.site().join("aside");
    let mut complaints = Vec::new();
    for place in content {
        Special::LinkToItself.replace(&place, &aside);
        let is_blob = storage.data(&format!("sha256:{own}")).starts_with(&place);
        let complaint = carried(&storage.docker(), is_blob.then_some(own.as_str()));
        complaints.extend(complaint.map(|complaint| format!("{}: {complaint}", place.display())));
        Special::undo(&place, &aside);
    }
    assert!(complaints.is_empty(), "behind a symbolic link at\n{}", complaints.join("\n"));
}

#[test]
fn what_lies_outside_of_storage_is_not_called_sound() {
    let Ways { storage, content, leave, .. } = Ways::new();
    let aside = storage.site().join("aside");
    let mut complaints = Vec::new();
    for place in content.into_iter().chain(leave) {
        Special::LinkToItself.replace(&place, &aside);
        if verify(&[], &[&storage.docker()]).code != 4 {
            complaints.push(place.display().to_string());
        }
        Special::undo(&place, &aside);
    }
    assert!(complaints.is_empty(), "sound, with a symbolic link at\n{}", complaints.join("\n"));
}

#[test]
fn a_byte_that_was_not_hashed_is_not_called_sound() {
    let Ways { storage, own, .. } = Ways::new();
    let data = storage.data(&format!("sha256:{own}"));
    flip_bit(&data);
    for levels in 0..4 {
        let (place, aside) = (data.ancestors().nth(levels).unwrap(), storage.site().join("aside"));
        Special::LinkToItself.replace(place, &aside);
        let verified = verify(&[], &[&storage.docker()]);
        assert!(verified.broken().contains(WEB), "{} is a symbolic link", place.display());
        Special::undo(place, &aside);
    }
}

#[test]
fn what_lies_outside_of_a_tree_of_folders_is_not_read() {
    let (folder, images) = copied_release();
    let own = layer(&images.join(WEB), 2);
    let aside = folder.path().join("aside");
    for place in ["manifest.json", &own, "", ".."].map(|name| images.join("platform/web:1.8.0").join(name)) {
        let place =
            if place.ends_with("..") { images.join("platform") } else { place.components().collect() };
        Special::LinkToItself.replace(&place, &aside);
        let verified = verify(&[], &[&images]);
        assert_eq!(verified.code, 4, "{} is not told", place.display());
        verified.finding("not-a-file", &place);
        assert_eq!(carried(&images, Some(&own)), None);
        Special::undo(&place, &aside);
    }
}

/// The places below a destination that can be doors to elsewhere: folders that a conversion would write into.
fn doors(command: &str) -> Vec<PathBuf> {
    let repository = "registry/v2/repositories/platform/web";
    let doors = match command {
        "to-dir" => vec!["platform".to_owned(), "platform/edge".to_owned(), WEB.to_owned()],
        _ => [
            "registry",
            "registry/v2",
            "registry/v2/blobs",
            "registry/v2/blobs/sha256",
            "registry/v2/blobs/sha256/53",
            "registry/v2/repositories",
            "registry/v2/repositories/platform",
            repository,
            &format!("{repository}/_layers"),
            &format!("{repository}/_manifests"),
            &format!("{repository}/_manifests/revisions"),
            &format!("{repository}/_manifests/tags"),
            &format!("{repository}/_manifests/tags/1.8.0"),
            &format!("{repository}/_manifests/tags/1.8.0/current"),
        ]
        .map(str::to_owned)
        .to_vec(),
    };
    doors.into_iter().map(PathBuf::from).collect()
}

#[test]
fn nothing_outside_of_the_destination_is_written() {
    let (folder, images) = copied_release();
    let mut complaints = Vec::new();
    for command in ["to-registry", "to-dir"] {
        for (number, door) in doors(command).into_iter().enumerate() {
            let [elsewhere, out] =
                ["elsewhere", "out"].map(|name| folder.path().join(format!("{command}-{number}-{name}")));
            fs::create_dir(&elsewhere).unwrap();
            fs::create_dir_all(out.join(&door).parent().unwrap()).unwrap();
            symlink(&elsewhere, out.join(&door)).unwrap();
            let said = run([command.as_ref(), "-q".as_ref(), images.as_os_str(), out.as_os_str()]);
            let written = WalkDir::new(&elsewhere).min_depth(1).into_iter().count();
            if written > 0 || said.code == 0 {
                complaints.push(format!(
                    "{command} {}: exit {}, {written} entries",
                    door.display(),
                    said.code
                ));
            }
        }
    }
    assert!(complaints.is_empty(), "written through a symbolic link:\n{}", complaints.join("\n"));
}

#[test]
fn a_link_in_a_file_s_place_is_replaced_and_not_followed() {
    let (folder, images) = copied_release();
    let hex = layer(&images.join(WEB), 2);
    let repository = "registry/v2/repositories/platform/web";
    for (command, place) in [
        ("to-registry", format!("registry/v2/blobs/sha256/{}/{hex}/data", &hex[..2])),
        ("to-registry", format!("{repository}/_layers/sha256/{hex}/link")),
        ("to-registry", format!("{repository}/_manifests/tags/1.8.0/current/link")),
        ("to-dir", format!("{WEB}/{hex}")),
        ("to-dir", format!("{WEB}/manifest.json")),
        ("to-dir", format!("{WEB}/version")),
    ] {
        let [outside, out] = ["outside", "out"].map(|name| folder.path().join(name));
        fs::write(&outside, "somebody's").unwrap();
        let file = out.join(place);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        symlink(&outside, &file).unwrap();
        let said = run([command.as_ref(), "-q".as_ref(), images.as_os_str(), out.as_os_str()]);
        assert_eq!(said.code, 0, "{}", said.stderr);
        assert_eq!(fs::read_to_string(&outside).unwrap(), "somebody's");
        assert!(fs::symlink_metadata(&file).unwrap().is_file(), "{} is not replaced", file.display());
        fs::remove_dir_all(out).unwrap();
    }
}

#[test]
fn a_repair_writes_nothing_outside_and_takes_nothing_from_outside() {
    let (folder, images) = copied_release();
    let storage = Storage::new();
    let own = layer(&images.join(WEB), 2);
    let data = storage.data(&format!("sha256:{own}"));
    flip_bit(&data);
    let (prefix, aside) = (data.ancestors().nth(2).unwrap(), storage.site().join("aside"));
    Special::LinkToItself.replace(prefix, &aside);
    let before = files(&aside);
    let repair = ["--repair-from", images.to_str().unwrap()];
    assert_eq!(verify(&repair, &[&storage.docker()]).code, 4);
    assert_eq!(files(&aside), before);
    Special::undo(prefix, &aside);

    let (blob, outside) = (images.join(WEB).join(&own), folder.path().join("outside"));
    Special::LinkToItself.replace(&blob, &outside);
    let verified = verify(&repair, &[&storage.docker()]);
    assert_eq!((verified.code, links(&outside)), (4, 1));
    assert_eq!(verified.report["repaired"], serde_json::json!([]));
}
