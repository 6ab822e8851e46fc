//! Digests: the only way content is named.
//!
//! A digest is parsed once, at the rim, and is a value from then on. Nothing becomes a path before it was
//! parsed here, so a hostile `sha256:../../x` ends in [`InvalidDigest`] and never in a file name.

mod lanes;
mod long;

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use ring::digest::{Context, SHA256};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha384, Sha512};

use crate::text::{hex, unhex};
use long::{Interned, Long};

pub use lanes::{BLOCK_BYTES, Kernel, LANES, Lanes, pad};

/// The hash functions that the OCI digest grammar registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// What practically every image uses.
    Sha256,
    /// Accepted by readers, hardly ever written.
    Sha384,
    /// Accepted by readers, hardly ever written.
    Sha512,
}

impl Algorithm {
    /// All of them, in the order in which a name of unknown kind is tried.
    pub const ALL: [Self; 3] = [Self::Sha256, Self::Sha384, Self::Sha512];

    /// Its name in front of the colon, and in storage paths.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// How many hex digits its digests have.
    #[must_use]
    pub fn hex_length(self) -> usize {
        match self {
            Self::Sha256 => 64,
            Self::Sha384 => 96,
            Self::Sha512 => 128,
        }
    }
}

/// Names content by its hash; prints as `sha256:…` in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(Repr);

/// There are millions of digests in memory, and hardly ever one of more than 256 bits: those are held once each, and
/// the others do not pay for them.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Repr {
    Sha256([u8; 32]),
    Long(Interned),
}

impl Digest {
    /// Hashes bytes that are in memory already.
    #[must_use]
    pub fn of(algorithm: Algorithm, bytes: &[u8]) -> Self {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// Reads the hex part of a digest whose algorithm is known from elsewhere, such as a folder's name.
    ///
    /// # Errors
    /// When it is not exactly the algorithm's number of lower-case hex digits.
    pub fn from_hex(algorithm: Algorithm, hex: &str) -> Result<Self, InvalidDigest> {
        let decoded = match algorithm {
            Algorithm::Sha256 => unhex(hex.as_bytes()).map(Self::sha256),
            Algorithm::Sha384 => unhex(hex.as_bytes()).map(|bytes| Self::long(Long::Sha384(bytes))),
            Algorithm::Sha512 => unhex(hex.as_bytes()).map(|bytes| Self::long(Long::Sha512(bytes))),
        };
        decoded.ok_or_else(|| InvalidDigest(format!("{}:{hex}", algorithm.name())))
    }

    /// The digest that a sha256 is.
    #[must_use]
    pub fn sha256(bytes: [u8; 32]) -> Self {
        Self(Repr::Sha256(bytes))
    }

    fn long(long: Long) -> Self {
        Self(Repr::Long(Interned::of(long)))
    }

    /// The hash function that it was made with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.0 {
            Repr::Sha256(_) => Algorithm::Sha256,
            Repr::Long(long) => long.get().algorithm(),
        }
    }

    /// The part behind the colon.
    #[must_use]
    pub fn hex(&self) -> String {
        hex(self.bytes()).map(char::from).collect()
    }

    /// The hash itself.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Repr::Sha256(bytes) => bytes,
            Repr::Long(long) => long.get().bytes(),
        }
    }
}

impl Ord for Digest {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            // The first bytes nearly always decide, and are compared at once.
            (Repr::Sha256(a), Repr::Sha256(b)) => beginning(a).cmp(&beginning(b)).then_with(|| a.cmp(b)),
            (Repr::Sha256(_), Repr::Long(_)) => Ordering::Less,
            (Repr::Long(_), Repr::Sha256(_)) => Ordering::Greater,
            (Repr::Long(a), Repr::Long(b)) => a.get().cmp(b.get()),
        }
    }
}

fn beginning(hash: &[u8; 32]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

impl PartialOrd for Digest {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let (name, hex) = text.split_once(':').ok_or_else(|| InvalidDigest(text.to_owned()))?;
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name);
        let algorithm = algorithm.ok_or_else(|| InvalidDigest(text.to_owned()))?;
        Self::from_hex(algorithm, hex)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm().name(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::parsed(deserializer)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Text that stood where a digest had to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidDigest(String);

impl fmt::Display for InvalidDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not a sha256, sha384 or sha512 digest in lower-case hex", self.0)
    }
}

impl std::error::Error for InvalidDigest {}

/// Makes a digest out of bytes that arrive piece by piece.
pub enum Hasher {
    /// For sha256 digests.
    Sha256(Context),
    /// For sha384 digests.
    Sha384(Sha384),
    /// For sha512 digests.
    Sha512(Sha512),
}

impl Hasher {
    /// Starts with no bytes seen.
    #[must_use]
    pub fn new(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha256 => Self::Sha256(Context::new(&SHA256)),
            Algorithm::Sha384 => Self::Sha384(Sha384::new()),
            Algorithm::Sha512 => Self::Sha512(Sha512::new()),
        }
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Sha384(hasher) => hasher.update(bytes),
            Self::Sha512(hasher) => hasher.update(bytes),
        }
    }

    /// The digest of everything taken in.
    #[must_use]
    pub fn finish(self) -> Digest {
        match self {
            Self::Sha256(hasher) => {
                let mut bytes = [0; 32];
                bytes.copy_from_slice(hasher.finish().as_ref());
                Digest::sha256(bytes)
            }
            Self::Sha384(hasher) => Digest::long(Long::Sha384(hasher.finalize().into())),
            Self::Sha512(hasher) => Digest::long(Long::Sha512(hasher.finalize().into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_what_it_parsed() {
        for algorithm in Algorithm::ALL {
            let digest = Digest::of(algorithm, b"layer");
            assert_eq!(digest.to_string().parse::<Digest>(), Ok(digest));
            assert_eq!(digest.hex().len(), algorithm.hex_length());
        }
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(Algorithm::Sha256, b"").to_string(), empty);
    }

    #[test]
    fn is_small_and_ordered_by_algorithm_and_hash() {
        assert_eq!(size_of::<Digest>(), 33);
        let texts: Vec<String> = Algorithm::ALL
            .into_iter()
            .flat_map(|algorithm| {
                ["0", "9", "a"].map(|digit| (algorithm, digit.repeat(algorithm.hex_length())))
            })
            .map(|(algorithm, hex)| format!("{}:{hex}", algorithm.name()))
            .collect();
        let mut digests: Vec<Digest> = texts.iter().rev().map(|text| text.parse().unwrap()).collect();
        digests.sort();
        assert_eq!(digests.iter().map(ToString::to_string).collect::<Vec<_>>(), texts);
        assert_eq!(digests[8], texts[8].parse().unwrap());
    }

    #[test]
    fn refuses_everything_else() {
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        for text in [
            String::new(),
            "sha256:".to_owned(),
            hex.to_owned(),
            format!("sha256:{}", hex.to_uppercase()),
            format!("sha256:{hex}\n"),
            format!("sha256:{}", &hex[1..]),
            format!("sha512:{hex}"),
            format!("md5:{}", &hex[..32]),
            "sha256:../../../../../../../../../../../../../../../../../../../etc/passwd".to_owned(),
            format!("sha256:{}é", &hex[2..]),
        ] {
            assert!(text.parse::<Digest>().is_err(), "{text:?} was accepted");
        }
    }
}
