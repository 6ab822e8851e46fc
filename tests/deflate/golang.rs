//! A program in Go that compresses what it is asked to: see `golang/main.go`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

/// Where Debian puts the sources of klauspost/compress and klauspost/pgzip.
const SOURCES: &str = "/usr/share/gocode";

/// What to do if something is not installed.
const HINT: &str = "hint: scripts/install-test-programs";

/// What compresses.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Family {
    /// Go's own compress/flate.
    Go,
    /// klauspost/compress/flate.
    Klauspost,
    /// klauspost/pgzip.
    Pgzip,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) family: Family,
    pub(crate) level: i32,
    /// The length of the pieces that are written, or of pgzip's blocks; 0 leaves them as they are.
    pub(crate) pieces: usize,
    /// Whether the stream is only flushed, not ended.
    pub(crate) flushed: bool,
    pub(crate) before: &'a [u8],
}

impl Request<'_> {
    /// A whole stream, written at once.
    pub(crate) fn whole(family: Family, level: i32) -> Self {
        Self { family, level, pieces: 0, flushed: false, before: &[] }
    }
}

/// The running program.
pub(crate) struct Golang {
    process: Child,
    requests: ChildStdin,
    streams: ChildStdout,
}

impl Golang {
    /// Starts it, built by Go 1.26.
    pub(crate) fn before_1_27() -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        Self::start(PROGRAM.get_or_init(|| build("go1.26")))
    }

    /// Starts it, built by Go 1.27.
    pub(crate) fn since_1_27() -> Self {
        static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
        Self::start(PROGRAM.get_or_init(|| build("go1.27")))
    }

    fn start(program: &Path) -> Self {
        let mut command = Command::new(program);
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (requests, streams) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        Self { process, requests, streams }
    }

    /// Compresses an input: the deflate stream.
    pub(crate) fn compress(&mut self, request: Request, plain: &[u8]) -> Vec<u8> {
        let Request { family, level, pieces, flushed, before } = request;
        let [pieces, before_length, length] =
            [pieces, before.len(), plain.len()].map(|number| u32::try_from(number).unwrap());
        let level = level.cast_unsigned();
        for number in [family as u32, level, pieces, u32::from(flushed), before_length, length] {
            self.requests.write_all(&number.to_le_bytes()).unwrap();
        }
        self.requests.write_all(before).unwrap();
        self.requests.write_all(plain).unwrap();
        let mut length = [0; 4];
        self.streams.read_exact(&mut length).unwrap();
        let mut stream = vec![0; u32::from_le_bytes(length) as usize];
        self.streams.read_exact(&mut stream).unwrap();
        stream
    }
}

impl Drop for Golang {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

/// Builds the program with a Go that scripts/install-test-programs has installed.
fn build(go: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let programs = root.join("target/test-programs");
    let compiler = programs.join(go).join("bin/go");
    assert!(compiler.is_file(), "{go} is not installed\n{HINT}");
    let pgzip = Path::new(SOURCES).join("src/github.com/klauspost/pgzip");
    assert!(pgzip.is_dir(), "the sources of pgzip are not installed\n{HINT}");
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("compress-{go}"));
    // Another run may be using the one that is there.
    let fresh = program.with_file_name(format!("compress-{go}-{}", std::process::id()));
    let mut command = Command::new(compiler);
    command.args(["build", "-o"]).arg(&fresh).arg(root.join("tests/deflate/golang/main.go"));
    command.envs([("GO111MODULE", "off"), ("GOPATH", SOURCES), ("GOTOOLCHAIN", "local"), ("GOFLAGS", "")]);
    command.env("GOCACHE", programs.join("cache")).env("CGO_ENABLED", "0").env_remove("GOROOT");
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    fs::rename(&fresh, &program).unwrap();
    program
}
