//! Packages that are damaged or lie: refused by name, and the site stays as it is, down to the last time stamp.

mod damage;
mod folders;
mod grammar;
mod lies;
mod members;
pub(crate) mod memory;
mod sites;
mod stream;
mod volumes;
pub(crate) mod writer;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::{Said, run};
use crate::support::bundle::{Ended, bundle, convert};
use crate::support::forge::{docker, index, oci, tree, write};
use crate::support::registry::OCI_INDEX;
use crate::support::scratch;
use crate::support::strace::HANGS;
use crate::support::testdata::files_named;
use crate::support::tree::{Stamp, assert_same, assert_same_files, files, stamps};

/// What a package is refused for, first of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: String,
    pub(crate) file: PathBuf,
    pub(crate) found: String,
    pub(crate) images: Vec<String>,
}

/// What the commands say of a package that all of them refuse.
#[derive(Debug)]
struct Refusal {
    apply: Fault,
    verify: Fault,
}

impl Refusal {
    /// Fails unless all commands say the same, and this.
    fn expect(&self, kind: &str, file: &Path, found: &str) {
        for fault in [&self.apply, &self.verify] {
            fault.expect(kind, file, found);
        }
    }
}

impl Fault {
    /// Fails unless it is of this kind, about this file, and says so.
    fn expect(&self, kind: &str, file: &Path, found: &str) {
        assert_eq!((self.kind.as_str(), self.file.as_path()), (kind, file), "{self:?}");
        assert!(self.found.contains(found), "{found:?} was to be found: {self:?}");
    }
}

/// Two sites that a refused package must leave as they are: one that is not there, and one that has images, but
/// nothing of what the package carries.
struct Sites {
    folder: TempDir,
    files: BTreeMap<String, Vec<u8>>,
    /// How many packages were refused, and how many of them from standard input as well.
    count: Cell<usize>,
    received: Cell<usize>,
}

impl Sites {
    fn new() -> Self {
        let folder = scratch();
        let images = [("one:1", docker("one")), ("some/others:1", index(OCI_INDEX, &[oci("a"), oci("b")]))];
        write(&tree(&images.map(|(name, image)| (name.to_owned(), image))), &folder.path().join("images"));
        let site = folder.path().join("site/docker");
        convert("to-registry", &["--link", "copy"], &folder.path().join("images"), &site);
        fs::create_dir(folder.path().join("packages")).unwrap();
        Self { files: files(&site), count: Cell::new(0), received: Cell::new(0), folder }
    }

    /// The site that has images.
    fn site(&self) -> PathBuf {
        self.folder.path().join("site/docker")
    }

    /// Where packages and their volumes lie.
    fn packages(&self) -> PathBuf {
        self.folder.path().join("packages")
    }

    /// Writes a package.
    fn package(&self, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.packages().join("release.tar");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Has a package refused by `apply` and `verify`, and now and then by those that convert.
    fn refuse(&self, package: &Path) -> Refusal {
        const CONVERTED: usize = 8;
        let apply = self.refuse_to_apply(package);
        let verify = refuse_to_verify(package);
        if self.count.get() % CONVERTED == 1 {
            refuse_to_convert(package, &verify.kind);
        }
        Refusal { apply, verify }
    }

    /// Has a package refused by `apply`, at the one site or the other, and now and then from standard input.
    fn refuse_to_apply(&self, package: &Path) -> Fault {
        const PASSED: usize = 3;
        let absent = self.folder.path().join("absent");
        let site = if self.count.get().is_multiple_of(2) { absent.join("docker") } else { self.site() };
        self.count.set(self.count.get() + 1);
        let modified = || fs::metadata(package).ok().and_then(|metadata| metadata.modified().ok());
        let before = (stamps(&self.site()), modified());
        let fault = apply_in_vain(&[], package, &site);
        assert!(!absent.exists(), "something is left of a site: {fault:?}");
        assert_eq!(modified(), before.1, "the package was written to: {fault:?}");
        expect_unchanged(&before.0, &stamps(&self.site()), &fault);
        if self.count.get().is_multiple_of(PASSED) && begins_as_packages_do(package) {
            self.refuse_to_receive(package, &site, &fault.kind);
        }
        fault
    }

    /// Has a package refused that passes by, for the same reason as where it lies.
    fn refuse_to_receive(&self, package: &Path, site: &Path, kind: &str) {
        let before = stamps(&self.site());
        let Some(fault) = receive_in_vain(package, site) else { return };
        assert_eq!(
            (fault.kind.as_str(), fault.file.as_path()),
            (kind, Path::new("standard input")),
            "{fault:?}"
        );
        assert!(!self.folder.path().join("absent").exists(), "something is left of a site: {fault:?}");
        expect_unchanged(&before, &stamps(&self.site()), &fault);
        self.received.set(self.received.get() + 1);
    }

    /// Fails unless so many packages were refused from standard input as well.
    fn expect_received(&self, least: usize) {
        println!("refused from standard input as well: {}", self.received.get());
        assert!(self.received.get() >= least, "only {} were received", self.received.get());
    }
}

impl Drop for Sites {
    /// Nobody wrote into a file and turned back its clock.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_same_files(&self.files, &files(&self.site()));
        }
    }
}

/// Whether a file begins with a bill of materials.
fn begins_as_packages_do(package: &Path) -> bool {
    let mut beginning = Vec::new();
    let is_file = fs::symlink_metadata(package).is_ok_and(|metadata| metadata.is_file());
    is_file
        && File::open(package).unwrap().take(12).read_to_end(&mut beginning).is_ok()
        && beginning == b"bundle.json\0"
}

/// Fails unless a site is as it was, as far as that can be seen without reading.
fn expect_unchanged(before: &BTreeMap<String, Stamp>, after: &BTreeMap<String, Stamp>, fault: &Fault) {
    // Content is hashed while it is copied, into a folder aside, which is made there and goes again.
    let is_copied = ["corrupt-blob", "damaged-volume"].contains(&fault.kind.as_str());
    let passes_by = fault.file == Path::new("standard input");
    let is_kept = |path: &str| path != "registry/v2/" || !(is_copied || passes_by);
    let kept = |stamps: &BTreeMap<String, Stamp>| -> BTreeMap<String, String> {
        let kept = stamps.iter().filter(|(path, _)| is_kept(path));
        kept.map(|(path, stamp)| (path.clone(), format!("{stamp:?}"))).collect()
    };
    assert_same(&format!("{fault:?}: stamps"), &kept(before), &kept(after));
}

/// Has a package refused as the source of a conversion.
fn refuse_to_convert(package: &Path, kind: &str) {
    for command in ["to-dir", "to-registry"] {
        let folder = scratch();
        let out = folder.path().join("out");
        let said = run([command.as_ref(), "-q".as_ref(), package.as_os_str(), out.as_os_str()]);
        // A patch is refused for what it is, before anybody looks at what it carries.
        let is_patch = said.code == 1 && said.stderr.contains("is a patch");
        assert!(said.code == 4 || is_patch, "{command}: {} {}", said.code, said.stderr);
        // Content that turns out to be bad while it is copied gets no name.
        if !["corrupt-blob", "damaged-volume"].contains(&kind) {
            assert!(!out.exists(), "{command} wrote something");
        } else if out.exists() {
            let names = ["manifest.json", "link"].map(|name| files_named(&out, name)).concat();
            assert!(names.is_empty(), "{command} made something visible: {names:?}");
        }
    }
}

/// Applies a package, which has to be refused, and tells why.
pub(crate) fn apply_in_vain(options: &[&str], package: &Path, site: &Path) -> Fault {
    let arguments = ["apply", "-q", "--format", "json"].iter().chain(options).map(OsStr::new);
    let said = run(arguments.chain([package.as_os_str(), site.as_os_str()]));
    fault_of(&said, package)
}

/// Applies a package that comes from standard input, which has to be refused; tells why, unless there is no room for
/// what it is said to hold.
pub(crate) fn receive_in_vain(package: &Path, site: &Path) -> Option<Fault> {
    let mut command = bundle();
    command.args(["apply", "-q", "--format", "json", "-"]).arg(site).pipe_stdin(package).unwrap();
    let Ended { code, summary, said } = Ended::of(&command.timeout(HANGS).output().unwrap());
    if code == 3 {
        assert!(said.contains("not enough room") && said.contains("nothing was written"), "{said}");
        return None;
    }
    Some(fault_of(&Said { code, stdout: summary.to_string(), stderr: said }, package))
}

/// Why a package was refused by `apply`.
fn fault_of(said: &Said, package: &Path) -> Fault {
    assert_eq!(said.code, 4, "{}: {}", package.display(), said.stderr);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!((&report["schema"], &report["stopped"]), (&"bundle.application/1".into(), &true.into()));
    for nothing in ["linked", "cloned", "copied"] {
        assert_eq!(report[nothing]["files"], 0, "{report:#}");
    }
    assert_eq!((&report["changes"], &report["written_files"]), (&serde_json::json!({}), &0.into()));
    // People are told on standard error, without any character that a terminal would obey.
    assert!(said.stderr.starts_with("error: ") && said.stderr.contains("hint: "), "{}", said.stderr);
    assert!(!said.stderr.contains(|c: char| c.is_control() && c != '\n'), "{:?}", said.stderr);
    first_fault(&report)
}

/// Verifies a package, which has to be refused, and tells why.
fn refuse_to_verify(package: &Path) -> Fault {
    let arguments = ["verify", "-q", "--format", "json"].map(OsStr::new);
    let said = run(arguments.into_iter().chain([package.as_os_str()]));
    assert_eq!(said.code, 4, "{}: {}", package.display(), said.stderr);
    let report: Value = serde_json::from_str(&said.stdout).unwrap();
    assert_eq!(report["sound"], false);
    first_fault(&report)
}

/// The first of the errors, all of which have a kind, a file and a severity.
fn first_fault(report: &Value) -> Fault {
    let findings = report["findings"].as_array().unwrap();
    let first = findings.iter().find(|finding| finding["severity"] == "error");
    let first = first.unwrap_or_else(|| panic!("refused without an error: {report:#}"));
    let text = |key: &str| first[key].as_str().unwrap_or_default().to_owned();
    let images = first["images"].as_array().unwrap().iter().map(|image| image.as_str().unwrap().to_owned());
    let images = images.collect();
    Fault { kind: text("kind"), file: text("file").into(), found: text("found"), images }
}
