//! Runs that change nothing.

use std::fs::{self, File};
use std::time::Duration;

use super::site::{Site, prune, write};
use crate::support::bundle::bundle;
use crate::support::testdata::testdata;
use crate::support::tree::{assert_same, stamps};

#[test]
fn somebody_has_to_say_what_stays() {
    let site = Site::plain();
    let before = stamps(&site.docker());
    for options in [&[][..], &["--force"], &["-n"], &["--untagged", "--older-than", "1"]] {
        prune(options, &site.docker()).expect(2);
    }
    prune(&["--include", "nobody:*"], &site.docker()).expect(1).expect_said(&["matches no image: nobody:*"]);
    // The pattern would only match what has no tag.
    prune(&["--include", "team/app?sha256:*"], &site.docker()).expect(1);
    prune(&["--exclude", "*"], &site.docker()).expect(1).expect_said(&["no image would stay"]);
    let list = site.path().join("short");
    fs::write(&list, "team/app:2\nteam/app:3\n").unwrap();
    let ended = prune(&["--images", list.to_str().unwrap()], &site.docker());
    ended.expect(1).expect_said(&["are not there:", "team/app:3"]);
    assert_same("times and inodes", &before, &stamps(&site.docker()));
}

#[test]
fn only_registry_storage_is_pruned() {
    let site = Site::plain();
    let package = site.path().join("package.tar");
    let [docker, tar] = [site.docker(), package.clone()].map(|path| path.to_str().unwrap().to_owned());
    bundle().args(["pack", "-q", &docker, &tar]).assert().success();
    for (path, layout) in [(testdata().join("images"), "`dir`"), (package, "`package`")] {
        prune(&["--untagged"], &path).expect(1).expect_said(&["no registry storage", layout, "hint:"]);
    }
    prune(&["--untagged"], &site.path().join("nowhere")).expect(3).expect_said(&["nowhere"]);
}

#[test]
fn who_is_pushing_is_not_disturbed() {
    let site = Site::plain();
    let upload = site.upload("team/app", Duration::from_secs(80_000));
    let before = stamps(&site.docker());
    for options in [&[][..], &["--force"], &["-n"]] {
        site.prune_to_list(options).expect(3).expect_said(&[
            "an upload is in progress",
            "_uploads/0815",
            "hint:",
        ]);
    }
    assert_same("times and inodes", &before, &stamps(&site.docker()));
    // One file that somebody wrote makes all of it young.
    let upload = {
        fs::remove_dir_all(upload).unwrap();
        site.upload("team/app", Duration::from_secs(90_000))
    };
    write(&upload.join("hashstates/sha256/5000"), b"state");
    site.prune_to_list(&[]).expect(3);
    site.prune_to_list(&["--older-than", "0s"]).expect(0);
    site.expect_only(&site.wanted);
}

#[test]
fn two_runs_keep_out_of_each_others_way() {
    let site = Site::plain();
    let lock = File::open(site.root()).unwrap();
    lock.lock().unwrap();
    let before = stamps(&site.docker());
    site.prune_to_list(&[]).expect(3).expect_said(&["another run", "--wait"]);
    // It writes nothing, so it may look.
    site.prune_to_list(&["-n"]).expect(0);
    assert_same("times and inodes", &before, &stamps(&site.docker()));
    let ended = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| site.prune_to_list(&["--wait"]));
        std::thread::sleep(Duration::from_millis(500));
        assert_same("times and inodes", &before, &stamps(&site.docker()));
        lock.unlock().unwrap();
        waiting.join().unwrap()
    });
    ended.expect(0);
    site.expect_only(&site.wanted);
}
