//! Text: names from outside, harmless on a terminal and valid in JSON, and hashes as digits.

use std::borrow::Cow;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serializer};

/// Text with everything escaped that could move a cursor, recolour a screen or turn a line around.
#[must_use]
pub fn plain(text: &str) -> String {
    let is_harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{61c}')
    };
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) { plain.extend(c.escape_default()) } else { plain.push(c) }
    }
    plain
}

/// The lower-case hex digits of bytes.
pub fn hex(bytes: &[u8]) -> impl Iterator<Item = u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)])
}

/// What exactly `2 * N` lower-case hex digits stand for; no name that is made of a hash knows upper case.
#[must_use]
pub fn unhex<const N: usize>(digits: &[u8]) -> Option<[u8; N]> {
    fn nibble(digit: u8) -> Option<u8> {
        match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        }
    }
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = nibble(pair[0])? << 4 | nibble(pair[1])?;
    }
    Some(bytes)
}

/// A path as text that is harmless on a terminal.
#[must_use]
pub fn shown(path: &Path) -> String {
    plain(&path.to_string_lossy())
}

/// Writes a path into a document; what is not UTF-8 in it is replaced, for JSON has no place for it.
///
/// # Errors
/// As the serializer.
pub fn path<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.to_string_lossy())
}

/// Writes several paths, as [`path`].
///
/// # Errors
/// As the serializer.
pub fn paths<S: Serializer>(paths: &[PathBuf], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(paths.iter().map(|path| path.to_string_lossy()))
}

/// Reads a value that a document spells as text.
///
/// # Errors
/// When it is no text, or the text is not such a value.
pub fn parsed<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    let text = Cow::<str>::deserialize(deserializer)?;
    text.parse().map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2J\n\u{202e}b"), "a\\u{1b}[2J\\n\\u{202e}b");
        assert_eq!(plain("größe:1"), "größe:1");
    }
}
