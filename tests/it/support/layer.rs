//! Layers: tars with something that compresses and something that does not, the same bytes every time.

/// A recipe for a layer: equal recipes give equal bytes, so images that share one share its blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Layer {
    /// Names its files, and decides what is in them.
    pub(crate) name: &'static str,
    /// The size of its incompressible file; the layer's blob comes out slightly larger.
    pub(crate) bytes: usize,
}

impl Layer {
    /// The layer as an uncompressed tar.
    pub(crate) fn tar(&self) -> Vec<u8> {
        let text = format!("This line belongs to the layer {}.\n", self.name).repeat(200);
        let mut tar = Vec::new();
        append(&mut tar, &format!("usr/share/{}.txt", self.name), text.as_bytes());
        append(&mut tar, &format!("usr/lib/{}.bin", self.name), &noise(self.name, self.bytes));
        // Two empty blocks end a tar.
        tar.extend([0; 2 * BLOCK_BYTES]);
        tar
    }
}

const BLOCK_BYTES: usize = 512;

/// Appends one file in the ustar format of POSIX.1-1988.
fn append(tar: &mut Vec<u8>, path: &str, content: &[u8]) {
    let mut header = [0; BLOCK_BYTES];
    let mut put = |offset: usize, field: &[u8]| header[offset..offset + field.len()].copy_from_slice(field);
    put(0, path.as_bytes());
    put(100, b"0000644\0"); // mode
    put(108, b"0000000\0"); // owner
    put(116, b"0000000\0"); // group
    put(124, format!("{:011o}\0", content.len()).as_bytes());
    put(136, b"14544214600\0"); // modified, 2024-01-01 in UTC
    put(148, b"        "); // the checksum counts itself as spaces
    put(156, b"0"); // an ordinary file
    put(257, b"ustar\x0000");
    let checksum: u32 = header.iter().map(|&byte| u32::from(byte)).sum();
    header[148..156].copy_from_slice(format!("{checksum:06o}\0 ").as_bytes());

    tar.extend(header);
    tar.extend(content);
    tar.resize(tar.len().next_multiple_of(BLOCK_BYTES), 0);
}

/// Pseudo-random bytes that gzip cannot shrink (the SplitMix64 generator).
fn noise(seed: &str, bytes: usize) -> Vec<u8> {
    let mut state = seed.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mut noise = Vec::with_capacity(bytes + 8);
    while noise.len() < bytes {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        noise.extend((mixed ^ (mixed >> 31)).to_le_bytes());
    }
    noise.truncate(bytes);
    noise
}
