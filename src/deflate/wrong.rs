//! An encoder that writes one byte wrong: with it, no layer may become a delta, and no delta a layer.

use super::Deflate;

/// Does what another one does, but for the last byte.
pub(super) struct Wrong(pub(super) Box<dyn Deflate>);

impl Deflate for Wrong {
    fn write(&mut self, plain: &[u8], out: &mut Vec<u8>) {
        self.0.write(plain, out);
    }

    fn settle(&mut self, out: &mut Vec<u8>) {
        self.0.settle(out);
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.0.finish(out);
        if let Some(last) = out.last_mut() {
            *last ^= 1;
        }
    }
}
