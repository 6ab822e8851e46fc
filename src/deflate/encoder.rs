//! The encoders by name. A name is a contract: what it stands for writes the same bytes forever.

use super::Deflate;
use super::klauspost::{self, Level, Revision};
use super::pgzip::{self, Block};
use super::{gnu, go, pigz, zlib};

/// An encoder of one program, in one revision, at one level.
#[derive(Clone, Copy)]
pub struct Encoder {
    /// Its name.
    pub id: &'static str,
    /// Where it is met.
    pub programs: &'static str,
    start: fn() -> Option<Box<dyn Deflate>>,
}

/// Declares encoders: each with its name, where it is met, and how it begins.
macro_rules! encoders {
    ($($id:literal, $programs:literal, $start:expr;)*) => {
        &[$(Encoder { id: $id, programs: $programs, start: || $start },)*]
    };
}

/// All encoders, the most widely used first: where several write the same, the first one is named.
///
/// The number in a name is the first release that is known to write so; a level or block size follows it.
pub static ENCODERS: &[Encoder] = encoders! {
    "pgzip-1.15.10-1m", "Podman, Buildah, skopeo",
        Some(pgzip::encoder(Revision::V1_15_10, Block::Mib1, Level::Default));
    "pgzip-1.15.10-256k", "umoci",
        Some(pgzip::encoder(Revision::V1_15_10, Block::Kib256, Level::Default));
    "go-1.19", "Docker, BuildKit, containerd, built by Go up to 1.26", Some(go::default_before_1_27());
    "go-1.27", "Docker, BuildKit, containerd, built by Go from 1.27 on", Some(go::default_since_1_27());
    "pgzip-1.18.2-1m", "newer Podman, Buildah, skopeo, apko",
        Some(pgzip::encoder(Revision::V1_18_2, Block::Mib1, Level::Default));
    "pgzip-1.18.2-256k", "newer umoci",
        Some(pgzip::encoder(Revision::V1_18_2, Block::Kib256, Level::Default));
    "pgzip-1.18.1-1m", "Podman, Buildah, skopeo with klauspost/compress 1.18.1",
        Some(pgzip::encoder(Revision::V1_18_1, Block::Mib1, Level::Default));
    "pgzip-1.18.1-256k", "umoci with klauspost/compress 1.18.1",
        Some(pgzip::encoder(Revision::V1_18_1, Block::Kib256, Level::Default));
    "go-1.19-fast", "crane, ko, kaniko, built by Go up to 1.26", Some(go::best_speed_before_1_27());
    "go-1.27-fast", "crane, ko, kaniko, built by Go from 1.27 on", Some(go::best_speed_since_1_27());
    "pgzip-1.15.10-1m-fast", "pgzip at best speed",
        Some(pgzip::encoder(Revision::V1_15_10, Block::Mib1, Level::BestSpeed));
    "pgzip-1.18.2-1m-fast", "newer pgzip at best speed",
        Some(pgzip::encoder(Revision::V1_18_2, Block::Mib1, Level::BestSpeed));
    "klauspost-1.15.10", "klauspost/compress", Some(klauspost::encoder(Revision::V1_15_10, Level::Default));
    "klauspost-1.18.2", "newer klauspost/compress", Some(klauspost::encoder(Revision::V1_18_2, Level::Default));
    "klauspost-1.15.10-fast", "klauspost/compress at best speed",
        Some(klauspost::encoder(Revision::V1_15_10, Level::BestSpeed));
    "klauspost-1.18.2-fast", "newer klauspost/compress at best speed",
        Some(klauspost::encoder(Revision::V1_18_2, Level::BestSpeed));
    "zlib-6", "Python and others, by zlib", zlib::encoder(6);
    "gzip-6", "GNU gzip", gnu::encoder(6);
    "pigz-6", "pigz", pigz::encoder(6);
    "zlib-9", "Python and others, by zlib -9", zlib::encoder(9);
    "gzip-9", "GNU gzip -9", gnu::encoder(9);
    "pigz-9", "pigz -9", pigz::encoder(9);
    "zlib-1", "Python and others, by zlib -1", zlib::encoder(1);
    "gzip-1", "GNU gzip -1", gnu::encoder(1);
    "pigz-1", "pigz -1", pigz::encoder(1);
    "zlib-2", "zlib -2", zlib::encoder(2);
    "zlib-3", "zlib -3", zlib::encoder(3);
    "zlib-4", "zlib -4", zlib::encoder(4);
    "zlib-5", "zlib -5", zlib::encoder(5);
    "zlib-7", "zlib -7", zlib::encoder(7);
    "zlib-8", "zlib -8", zlib::encoder(8);
    "gzip-2", "GNU gzip -2", gnu::encoder(2);
    "gzip-3", "GNU gzip -3", gnu::encoder(3);
    "gzip-4", "GNU gzip -4", gnu::encoder(4);
    "gzip-5", "GNU gzip -5", gnu::encoder(5);
    "gzip-7", "GNU gzip -7", gnu::encoder(7);
    "gzip-8", "GNU gzip -8", gnu::encoder(8);
    "pigz-2", "pigz -2", pigz::encoder(2);
    "pigz-3", "pigz -3", pigz::encoder(3);
    "pigz-4", "pigz -4", pigz::encoder(4);
    "pigz-5", "pigz -5", pigz::encoder(5);
    "pigz-7", "pigz -7", pigz::encoder(7);
    "pigz-8", "pigz -8", pigz::encoder(8);
};

impl Encoder {
    /// The encoder of this name.
    #[must_use]
    pub fn named(id: &str) -> Option<Self> {
        ENCODERS.iter().find(|encoder| encoder.id == id).copied()
    }

    /// Begins a stream.
    #[must_use]
    pub fn start(self) -> Option<Box<dyn Deflate>> {
        let deflate = (self.start)();
        #[cfg(feature = "wrong-encoder")]
        let deflate = deflate.map(|right| Box::new(super::wrong::Wrong(right)) as Box<dyn Deflate>);
        deflate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once_and_begins_a_stream() {
        for (number, encoder) in ENCODERS.iter().enumerate() {
            assert!(ENCODERS[..number].iter().all(|other| other.id != encoder.id), "{}", encoder.id);
            assert!(encoder.start().is_some(), "{}", encoder.id);
        }
    }

    #[test]
    fn the_description_of_the_format_has_all_of_them() {
        let described = include_str!("../../docs/delta.md");
        let rows: Vec<&str> =
            described.lines().filter(|line| line.starts_with("| `") && line.contains(" | ")).collect();
        let rows = rows.into_iter().skip_while(|row| !row.contains(ENCODERS[0].id));
        let expected = ENCODERS.iter().map(|encoder| format!("| `{}` | {} |", encoder.id, encoder.programs));
        assert!(rows.eq(expected));
    }
}
