//! A registry that serves storage all the while: `bundle to-registry` adds images and moves tags below it, or is
//! killed at that, and no pull ever fails.

mod site;

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use site::{Client, Release, Site};

use crate::support::bundle::convert;

/// How the conversions run, in turn.
const OPTIONS: [&[&str]; 5] = [&[], &["-j", "1"], &["--link", "copy"], &[], &["--link", "copy", "-j", "1"]];

/// If so many releases do not bring it about, something is wrong.
const MOST_RELEASES: usize = 1000;

#[test]
fn no_pull_fails_while_images_come_and_tags_move() {
    const ENOUGH: [usize; 3] = [30, 500, 50];
    let site = Site::new();
    let from_the_start = site.shown();
    let [mut client, mut watcher] = [Client::default(), Client::default()];
    let (by_http, by_skopeo) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = |conversions| [conversions, by_http.load(SeqCst), by_skopeo.load(SeqCst)];
    let mut conversions = 0;
    let is_over = AtomicBool::new(false);
    let is_on = || !is_over.load(SeqCst);
    thread::scope(|scope| {
        let _end = End(&is_over);
        let http = scope.spawn(|| {
            while is_on() {
                site.pull_all(&mut client, &by_http);
            }
        });
        let skopeo = scope.spawn(|| {
            for name in from_the_start.iter().cycle().take_while(|_| is_on()) {
                site.copy(name);
                by_skopeo.fetch_add(1, SeqCst);
            }
        });
        for number in 1..MOST_RELEASES {
            let is_enough = is_enough(counts(conversions), ENOUGH);
            if is_enough || http.is_finished() || skopeo.is_finished() {
                break;
            }
            let release = site.prepare(number);
            let mut known = site.arrived(&release);
            let options = OPTIONS[number % OPTIONS.len()];
            is_killed(&site, &release, options, || {
                site.pull_arrived(&release, &mut known, &mut watcher, &by_http);
                false
            });
            site.settle(&release);
            // What was linked stays.
            fs::remove_dir_all(&release.tree).unwrap();
            conversions += 1;
        }
    });
    let counts = counts(conversions);
    let [conversions, by_http, by_skopeo] = counts;
    println!(
        "live: {conversions} conversions, {by_http} pulls by HTTP and {by_skopeo} by skopeo, none failed"
    );
    assert!(is_enough(counts, ENOUGH));
    site.check(&mut client);
}

#[test]
fn no_pull_fails_while_conversions_are_killed() {
    /// Killed runs, those that had something in staging, those that left some names moved and others not; pulls.
    const ENOUGH: [usize; 4] = [60, 30, 5, 300];
    let site = Site::new();
    let mut client = Client::default();
    let (pulls, passes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let mut random = Random(2024);
    let [mut killed, mut writing, mut naming, mut whole] = [0; 4];
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _end = End(&is_over);
        let puller = scope.spawn(|| {
            while !is_over.load(SeqCst) {
                site.pull_all(&mut client, &pulls);
                passes.fetch_add(1, SeqCst);
            }
        });
        let mut unfinished: Vec<Release> = Vec::new();
        for number in 1..MOST_RELEASES {
            let is_enough = is_enough([killed, writing, naming, pulls.load(SeqCst)], ENOUGH);
            if is_enough || puller.is_finished() {
                break;
            }
            let release = site.prepare(number);
            // It is begun again and again, until everything was pulled meanwhile; then the next one comes.
            let whole_pass = passes.load(SeqCst) + 2;
            let mut is_whole = false;
            while !is_whole && passes.load(SeqCst) < whole_pass && !puller.is_finished() {
                let before = site.arrived(&release).len();
                let mut moment = Moment::any(&mut random);
                let options = OPTIONS[killed % OPTIONS.len()];
                is_whole = !is_killed(&site, &release, options, || moment.has_come(&site, &release, before));
                if !is_whole {
                    killed += 1;
                    writing += usize::from(site.has_staging());
                    let after = site.arrived(&release).len();
                    naming += usize::from(before < after && after < release.tags.len());
                }
            }
            if is_whole {
                site.settle(&release);
                whole += 1;
            } else {
                unfinished.push(release);
            }
        }
        for release in unfinished.iter().take_while(|_| !puller.is_finished()) {
            convert("to-registry", &[], &release.tree, &site.docker());
            site.settle(release);
            whole += 1;
        }
    });
    let pulls = pulls.load(SeqCst);
    println!(
        "live: {killed} conversions killed, {writing} of them while writing and {naming} between names, \
         {whole} whole; {pulls} pulls by HTTP, none failed"
    );
    assert!(is_enough([killed, writing, naming, pulls], ENOUGH));
    site.check(&mut client);
}

fn is_enough<const N: usize>(counts: [usize; N], enough: [usize; N]) -> bool {
    counts.iter().zip(enough).all(|(count, enough)| *count >= enough)
}

/// Ends the pullers when the writer is done, or fails.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}

/// When a run is killed: counted in work, not in time.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// When the registry has answered so many requests since the start.
    Answers(usize),
    /// When something was seen in staging so many times.
    Writing(usize),
    /// When a name was seen to have arrived so many times.
    Naming(usize),
}

impl Moment {
    fn any(random: &mut Random) -> Self {
        match random.below(3) {
            0 => Self::Answers(random.below(16)),
            1 => Self::Writing(1 << random.below(10)),
            _ => Self::Naming(1 << random.below(6)),
        }
    }

    /// Looks once; says whether it has come.
    fn has_come(&mut self, site: &Site, release: &Release, before: usize) -> bool {
        let (left, is_one) = match self {
            Self::Answers(left) => {
                site.registry.tags("shop/web");
                (left, true)
            }
            Self::Writing(left) => (left, site.has_staging()),
            Self::Naming(left) => (left, site.arrived(release).len() > before),
        };
        *left = left.saturating_sub(usize::from(is_one));
        *left == 0
    }
}

/// Converts, and looks on all the while, until there is nothing to see or `is_over` says so: then comes
/// `kill -9`. Says whether that was before the end.
fn is_killed(site: &Site, release: &Release, options: &[&str], mut is_over: impl FnMut() -> bool) -> bool {
    const SIGKILL: i32 = 9;
    let mut command = Command::new(env!("CARGO_BIN_EXE_bundle"));
    command.args(["to-registry", "-q"]).args(options).arg(&release.tree).arg(site.docker());
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let mut process = Process(child);
    let started = Instant::now();
    while process.0.try_wait().unwrap().is_none() && !is_over() {
        assert!(started.elapsed() < Duration::from_secs(120), "bundle hangs");
        thread::yield_now();
    }
    process.0.kill().unwrap();
    let status = process.0.wait().unwrap();
    let is_killed = status.signal() == Some(SIGKILL);
    assert!(is_killed || status.success(), "{status}");
    is_killed
}

/// A process that ends with its owner.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The moments of the kills, the same in every run of the test.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        // Knuth's MMIX.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}
