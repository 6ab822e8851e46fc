//! Encoders that write the deflate streams of other programs again, bit for bit.
//!
//! A gzip layer is restored from its uncompressed bytes by the very algorithm that made it. Each encoder is one
//! frozen revision of one program's behaviour: what it writes never changes, because packages rely on it. All
//! are deterministic, and take their input in pieces of any length without a trace of that in what they write.

pub mod blocks;
pub mod encoder;
pub mod gnu;
pub mod go;
pub mod klauspost;
pub mod member;
pub mod pgzip;
pub mod pigz;
pub mod zlib;
#[cfg(feature = "wrong-encoder")]
mod wrong;

/// Compresses one stream.
pub trait Deflate: Send {
    /// Takes in more of the stream; appends what is settled of the compressed stream to `out`.
    fn write(&mut self, plain: &[u8], out: &mut Vec<u8>);

    /// Appends what is settled and was kept back, to be compressed together with more.
    fn settle(&mut self, _out: &mut Vec<u8>) {}

    /// Ends the stream and appends what is left of it; nothing is written after that.
    fn finish(&mut self, out: &mut Vec<u8>);
}
