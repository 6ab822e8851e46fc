//! The files of an archive: where each lies, and what tells it from others.
//!
//! It is only ever a hint about what may be alike: a delta holds offsets, and what is no tar is one file.

use std::hash::{DefaultHasher, Hasher as _};
use std::io::{self, Read, Write};

use super::sketch::{self, Sketch, Sketcher};

/// In the place of the hash of a path, where there is none: of what is no archive, or ends one.
pub const NAMELESS: u32 = 0;

/// A file, folder or link in an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Where its headers begin: where the content of the one before it ended.
    pub begin: u64,
    /// Where its content begins.
    pub content: u64,
    /// How long its content is.
    pub size: u64,
    /// A hash of its path.
    pub path: u32,
    /// A hash of its path without what changes from version to version.
    pub stem: u32,
    /// A hash of its content; bytes are compared before they are taken for equal.
    pub hash: u64,
    /// What its content looks like.
    pub sketch: Sketch,
}

impl Member {
    /// Where its content ends.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.content + self.size
    }
}

/// Lists the members of an archive; `open` gives its bytes, from the beginning, as often as it is called.
///
/// # Errors
/// When it cannot be read; what is no archive is one member.
pub fn members<R: Read>(open: impl Fn() -> io::Result<R>) -> io::Result<Vec<Member>> {
    let mut plain = Counted { inner: open()?, count: 0, error: None };
    let mut members = members_of_archive(&mut plain)?;
    if members.is_empty() {
        let mut body = Body::new(u64::MAX);
        io::copy(&mut open()?, &mut body)?;
        return Ok(vec![body.member(0, 0, b"")]);
    }
    // What ends the archive, or is none, is one more.
    io::copy(&mut plain, &mut io::sink())?;
    if let Some(error) = plain.error.take() {
        return Err(error);
    }
    let end = members.last().map_or(0, Member::end);
    let mut rest = Body::new(0);
    rest.length = plain.count.saturating_sub(end);
    members.push(rest.member(end, end, b""));
    members.shrink_to_fit();
    Ok(members)
}

/// Lists members as far as they can be read as such.
fn members_of_archive(plain: &mut impl Read) -> io::Result<Vec<Member>> {
    let mut members: Vec<Member> = Vec::new();
    let mut archive = tar::Archive::new(plain);
    let mut buffer = vec![0; 64 << 10];
    for entry in archive.entries()? {
        let Ok(mut entry) = entry else { break };
        let begin = members.last().map_or(0, Member::end);
        let (content, size) = (entry.raw_file_position(), entry.size());
        if entry.header().entry_type().is_gnu_sparse() || content < begin {
            break;
        }
        let path = entry.path_bytes().into_owned();
        let mut body = Body::new(size);
        while let Ok(count @ 1..) = entry.read(&mut buffer) {
            body.write_all(&buffer[..count])?;
        }
        if body.length != size {
            break;
        }
        members.push(body.member(begin, content, &path));
    }
    Ok(members)
}

/// A member's content, while it is read.
struct Body {
    length: u64,
    hasher: DefaultHasher,
    sketcher: Option<Sketcher>,
}

impl Body {
    fn new(size: u64) -> Self {
        let sketcher = (size >= sketch::MIN_BYTES).then(Sketcher::default);
        Self { length: 0, hasher: DefaultHasher::new(), sketcher }
    }

    fn member(self, begin: u64, content: u64, path: &[u8]) -> Member {
        Member {
            begin,
            content,
            size: self.length,
            path: if path.is_empty() { NAMELESS } else { hash_of(path) },
            stem: if path.is_empty() { NAMELESS } else { hash_of(&stem(path)) },
            hash: self.hasher.finish(),
            sketch: self.sketcher.map(Sketcher::finish).unwrap_or_default(),
        }
    }
}

impl Write for Body {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.write(bytes);
        self.sketcher.iter_mut().for_each(|sketcher| sketcher.update(bytes));
        self.length += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A hash of a path, short because a site has millions: two paths that share one by chance do no harm.
fn hash_of(path: &[u8]) -> u32 {
    let mut hasher = DefaultHasher::new();
    hasher.write(path);
    (hasher.finish() as u32).max(NAMELESS + 1)
}

/// A path without numbers and long hexadecimal words: `lib/libz.so.1.2.13` and `lib/libz.so.1.3.1` have one stem.
fn stem(path: &[u8]) -> Vec<u8> {
    const LONG_WORD: usize = 8;
    let mut stem = Vec::with_capacity(path.len());
    for word in path.chunk_by(|a, b| a.is_ascii_alphanumeric() == b.is_ascii_alphanumeric()) {
        let is_hex = word.iter().all(u8::is_ascii_hexdigit);
        let has_digit = word.iter().any(u8::is_ascii_digit);
        if is_hex && has_digit && word.len() >= LONG_WORD {
            stem.push(b'#');
            continue;
        }
        for run in word.chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit()) {
            if run[0].is_ascii_digit() { stem.push(b'#') } else { stem.extend_from_slice(run) }
        }
    }
    // 1.2 and 1.2.3 are both versions.
    let mut short: Vec<u8> = Vec::with_capacity(stem.len());
    for byte in stem {
        short.push(byte);
        if short.ends_with(b"#.#") {
            short.truncate(short.len() - 2);
        }
    }
    short
}

/// Counts what is read, and keeps the error that an archive's reader may swallow.
struct Counted<R> {
    inner: R,
    count: u64,
    error: Option<io::Error>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.error.is_some() {
            return Ok(0);
        }
        match self.inner.read(buffer) {
            Ok(count) => {
                self.count += count as u64;
                Ok(count)
            }
            Err(error) => {
                self.error = Some(error);
                Ok(0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn archive(files: &[(&str, &[u8])]) -> Vec<u8> {
        let mut tar = tar::Builder::new(Vec::new());
        for (path, bytes) in files {
            let mut header = tar::Header::new_ustar();
            header.set_size(bytes.len() as u64);
            tar.append_data(&mut header, path, *bytes).unwrap();
        }
        tar.into_inner().unwrap()
    }

    #[test]
    fn members_cover_the_archive() {
        let long = "long/".repeat(40) + "name";
        let big = vec![7; 10_000];
        let tar = archive(&[("a", b"one"), (&long, &big), ("b", b""), ("c", b"one")]);
        let members = members(|| Ok(tar.as_slice())).unwrap();
        assert_eq!(members.len(), 5);
        assert_eq!(members.iter().map(|member| member.size).take(4).collect::<Vec<_>>(), [3, 10_000, 0, 3]);
        assert_eq!(members[0].hash, members[3].hash);
        assert_eq!(&tar[members[1].content as usize..][..10_000], big);
        assert!(members.windows(2).all(|pair| pair[0].end() == pair[1].begin));
        assert_eq!(members[4].end(), tar.len() as u64);
    }

    #[test]
    fn what_is_no_archive_is_one_member() {
        for bytes in [b"".as_slice(), b"text", &[7; 5000]] {
            let members = members(|| Ok(bytes)).unwrap();
            assert_eq!((members.len(), members[0].size), (1, bytes.len() as u64));
        }
        let cut = &archive(&[("a", &[1; 3000]), ("b", &[2; 3000])])[..5000];
        let members = members(|| Ok(cut)).unwrap();
        assert_eq!(members.last().unwrap().end(), 5000);
    }

    #[test]
    fn stems_have_no_versions() {
        let same = [
            ("lib/libz.so.1.2.13", "lib/libz.so.1.3.1"),
            ("lib/libz.so.1.2", "lib/libz.so.1.3.1"),
            ("numpy-1.26.0.dist-info/METADATA", "numpy-2.0.0.dist-info/METADATA"),
            ("libopenblas-r0-f650aae0.3.3.so", "libopenblas-r0-01191904.3.so"),
        ];
        for (a, b) in same {
            assert_eq!(stem(a.as_bytes()), stem(b.as_bytes()), "{a} {b}");
        }
        assert_ne!(stem(b"bin/cafe"), stem(b"bin/face"));
    }
}
