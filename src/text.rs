//! Names from outside as text: harmless on a terminal, valid in JSON.

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
