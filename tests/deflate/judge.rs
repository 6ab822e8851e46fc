//! The real programs.

use std::ffi::OsStr;
use std::io::{Seek as _, Write as _};
use std::process::{Command, Stdio};

use crate::program::program;

/// Compresses standard input, fed in pieces of the given length, on the given levels; prints each stream
/// behind its length.
const ZLIB: &str = "
import sys, zlib
plain, piece = sys.stdin.buffer.read(), int(sys.argv[1])
for level in map(int, sys.argv[2:]):
    deflate = zlib.compressobj(level, zlib.DEFLATED, -15)
    pieces = (plain[begin:begin + piece] for begin in range(0, len(plain), piece))
    stream = b''.join(map(deflate.compress, pieces)) + deflate.flush()
    sys.stdout.buffer.write(len(stream).to_bytes(4, 'little') + stream)
";

/// zlib's streams, one for each level, when it is fed pieces of a length.
pub(crate) fn zlib(levels: &[u8], plain: &[u8], piece: usize) -> Vec<Vec<u8>> {
    let mut arguments = vec!["-c".to_owned(), ZLIB.to_owned(), piece.max(1).to_string()];
    arguments.extend(levels.iter().map(u8::to_string));
    let output = run("python3", &arguments, plain);
    let mut rest = &output[..];
    let mut streams = Vec::new();
    while let Some((length, behind)) = rest.split_first_chunk() {
        let (stream, behind) = behind.split_at(u32::from_le_bytes(*length) as usize);
        streams.push(stream.to_vec());
        rest = behind;
    }
    assert_eq!(streams.len(), levels.len());
    streams
}

/// The file that GNU gzip makes.
pub(crate) fn gzip(level: u8, plain: &[u8]) -> Vec<u8> {
    run("gzip", &["--no-name", "--stdout", &format!("-{level}")], plain)
}

/// The file that pigz makes, with more than one thread on any machine.
pub(crate) fn pigz(level: u8, plain: &[u8]) -> Vec<u8> {
    run("pigz", &["--processes", "2", "--stdout", &format!("-{level}")], plain)
}

/// Runs a program, its standard input being a file.
fn run(name: &str, arguments: &[impl AsRef<OsStr>], input: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input).unwrap();
    file.rewind().unwrap();
    let mut command = Command::new(program(name));
    // Options in the environment would not be those that are asked for.
    command.args(arguments).env_remove("GZIP").env_remove("PIGZ").stdin(file).stderr(Stdio::inherit());
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", output.status);
    output.stdout
}
