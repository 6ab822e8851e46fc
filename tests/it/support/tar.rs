//! Tar archives made byte by byte, as programs other than GNU tar write them.

const BLOCK: usize = 512;

/// An archive that is being written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// Holds these files, in this order.
    pub(crate) fn of<'a>(files: impl IntoIterator<Item = (&'a String, &'a Vec<u8>)>) -> Self {
        files.into_iter().fold(Self::default(), |tar, (name, bytes)| tar.file(name, bytes))
    }

    /// Adds a file.
    pub(crate) fn file(self, name: &str, bytes: &[u8]) -> Self {
        self.member(b'0', name, "", bytes)
    }

    /// Adds a folder.
    pub(crate) fn folder(self, name: &str) -> Self {
        self.member(b'5', name, "", b"")
    }

    /// Adds a symbolic link.
    pub(crate) fn symlink(self, name: &str, target: &str) -> Self {
        self.member(b'2', name, target, b"")
    }

    /// Adds one more name of a file.
    pub(crate) fn link(self, name: &str, target: &str) -> Self {
        self.member(b'1', name, target, b"")
    }

    /// Adds a file whose name stands in a record of its own, as in pax archives.
    pub(crate) fn pax(self, name: &str, bytes: &[u8]) -> Self {
        let record = |length: usize| format!("{length} path={name}\n");
        let mut length = record(0).len();
        while record(length).len() != length {
            length = record(length).len();
        }
        self.member(b'x', "PaxHeaders/0", "", record(length).as_bytes()).member(b'0', "cut short", "", bytes)
    }

    /// Adds any member.
    pub(crate) fn member(mut self, kind: u8, name: &str, target: &str, bytes: &[u8]) -> Self {
        assert!(name.len() <= 100 && target.len() <= 100, "{name}");
        let mut header = [0; BLOCK];
        let mut put = |at: usize, field: &[u8]| header[at..at + field.len()].copy_from_slice(field);
        put(0, name.as_bytes());
        put(100, b"0000644\0");
        put(108, b"0000000\0");
        put(116, b"0000000\0");
        put(124, format!("{:011o}\0", bytes.len()).as_bytes());
        put(136, b"00000000000\0");
        put(148, b"        ");
        put(156, &[kind]);
        put(157, target.as_bytes());
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
        header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self.bytes.extend(header);
        self.bytes.extend(bytes);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
        self
    }

    /// The archive without its end.
    pub(crate) fn open(self) -> Vec<u8> {
        self.bytes
    }

    /// The whole archive.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }
}
