//! `--older-than`: what was written a moment ago may be half of a push, and stays.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::thread::sleep;
use std::time::{Duration, SystemTime};

use serde_json::json;

use super::site::{Site, prune, write};
use crate::support::bundle::convert;
use crate::support::forge::{self, oci};
use crate::support::tree::files;
use crate::support::verification::verify;

/// How far what is old and what is young are apart.
const GAP: Duration = Duration::from_secs(4);

#[test]
fn what_is_young_stays_with_all_that_it_needs() {
    let site = Site::plain();
    let garbage = site.put(b"old garbage");
    let mounted = site.put(b"old content, now mounted");
    site.upload("team/mirror", Duration::ZERO);
    sleep(GAP);
    let middle = SystemTime::now();
    sleep(GAP);
    // A tag that shares its layers with garbage that is old, a manifest without a tag, a link, a blob, an upload.
    let young =
        [("young:1".to_owned(), oci("lost")), (super::site::untagged("team/app", &oci("new")), oci("new"))];
    forge::write(&forge::tree(&young), &site.path().join("young"));
    convert("to-registry", &["--link", "copy"], &site.path().join("young"), &site.docker());
    let fresh = site.put(b"young garbage");
    // A tag that is given to a manifest that lay about without one.
    let orphan = site.others.iter().find(|(name, _)| name.starts_with("team/app@")).unwrap().1.clone();
    let again = [("team/app:again".to_owned(), orphan.clone())];
    let tag = site.root().join("repositories/team/app/_manifests/tags/again");
    write(&tag.join("current/link"), orphan.digest().as_bytes());
    write(
        &tag.join("index").join(orphan.digest().replace(':', "/")).join("link"),
        orphan.digest().as_bytes(),
    );
    // Nobody wrote the garbage lately, but somebody looked after its folder.
    let folder = site.data(&garbage).parent().unwrap().to_owned();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700)).unwrap();
    write(&site.link("team/mirror/_layers", &mounted), mounted.as_bytes());
    // Its name is new here, although nobody wrote it lately.
    let linked = crate::support::sha256(b"linked garbage");
    let elsewhere = site.path().join("elsewhere");
    write(&elsewhere, b"linked garbage");
    super::site::age_by(&elsewhere, Duration::from_secs(1_000_000));
    fs::create_dir_all(site.data(&linked).parent().unwrap()).unwrap();
    fs::hard_link(&elsewhere, site.data(&linked)).unwrap();
    site.upload("team/app", Duration::ZERO);

    let age = || format!("{}s", middle.elapsed().unwrap().as_secs());
    let foretold = site.prune_to_list(&["-n", "--older-than", &age()]).expect(0).summary;
    let mut done = site.prune_to_list(&["--older-than", &age()]).expect(0).summary;
    assert_eq!(done["too_young"]["uploads"], 1);
    assert_eq!(done["too_young"]["tags"], 2);
    assert_eq!(done["removed"]["uploads"], 1);
    for key in ["dry_run", "older_than_seconds"] {
        done[key] = foretold[key].clone();
    }
    assert_eq!(foretold, done);
    site.expect_wanted().unwrap();
    for digest in [&fresh, &mounted, &linked] {
        assert!(site.data(digest).exists());
    }
    assert!(!folder.exists());
    let left = files(&site.root());
    for (path, bytes) in forge::storage(young.iter().chain(&again)) {
        assert_eq!(left.get(&path), Some(&bytes), "{path}");
    }
    let upload = site.root().join("repositories/team/app/_uploads/0815/data");
    assert!(upload.exists() && !site.root().join("repositories/team/mirror/_uploads").exists());
    assert_eq!(verify(&[], &[&site.docker()]).code, 0);
    site.expect_served_too();

    // Nobody pushes any more.
    site.prune_to_list(&["--older-than", "0s"]).expect(0);
    site.expect_only(&site.wanted);
    assert!(elsewhere.exists());
}

#[test]
fn all_that_was_written_lately_can_stay() {
    let site = Site::plain();
    site.upload("team/app", Duration::ZERO);
    let before = files(&site.root());
    let done = prune(&["--untagged", "--older-than", "1h"], &site.docker()).expect(0).summary;
    assert_eq!(
        done["removed"],
        json!({"tags": 0, "links": 0, "uploads": 0, "blobs": {"files": 0, "bytes": 0}})
    );
    crate::support::tree::assert_same_files(&before, &files(&site.root()));
}

impl Site {
    /// The registry serves what is wanted; it may serve more.
    fn expect_served_too(&self) {
        let registry = crate::support::registry::Registry::start_readonly(self.path());
        assert_eq!(registry.manifest("young", "1").digest, oci("lost").digest());
        for blob in &oci("lost").blobs {
            assert_eq!(registry.blob("young", &blob.digest), blob.bytes);
        }
        for (name, image) in &self.wanted {
            let (repository, reference) = name.split_once('@').or_else(|| name.rsplit_once(':')).unwrap();
            assert_eq!(registry.manifest(repository, reference).digest, image.digest(), "{name}");
        }
    }
}
