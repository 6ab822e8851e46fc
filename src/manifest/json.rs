//! JSON as Go reads it, because the registry and skopeo are written in Go.
//!
//! Go matches object keys without regard to letter case and lets the last of several equal keys win: a
//! manifest spelled `"LAYERS"` is copied, served and kept by the real programs. A reader that is stricter
//! would see an image without layers, and lose them.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Parses a document and folds all its keys as Go's decoder compares them; bytes that are not UTF-8 become
/// U+FFFD, as there.
///
/// # Errors
/// When the bytes are not one JSON document, or nest deeper than `serde_json` allows (128 levels; Go allows
/// 10,000, which no manifest needs).
pub(super) fn parse(bytes: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_str(&String::from_utf8_lossy(bytes)).map(|Folded(value)| value)
}

/// Reads text for which `null` stands as well: Go takes it as no text.
pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Box<str>, D::Error> {
    Ok(Option::<Box<str>>::deserialize(deserializer)?.unwrap_or_default())
}

struct Folded(Value);

impl<'de> Deserialize<'de> for Folded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Fold).map(Self)
    }
}

struct Fold;

impl<'de> Visitor<'de> for Fold {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Folded(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((key, Folded(value))) = members.next_entry::<String, _>()? {
            object.insert(fold(&key), value);
        }
        Ok(Value::Object(object))
    }
}

/// Folds as Go's `encoding/json` does: by simple Unicode folding, in which `ſ` equals `s` and the Kelvin
/// sign equals `k`.
fn fold(key: &str) -> String {
    key.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_keys_and_lets_the_last_win() {
        let value = parse(br#"{"Layers":[1],"LAYERS":[{"Digest":"x"}],"layer\u017f":[2,3]}"#).unwrap();
        assert_eq!(value, serde_json::json!({ "layers": [2, 3] }));
        assert_eq!(parse(br#"{"A":{"B":null}}"#).unwrap(), serde_json::json!({ "a": { "b": null } }));
    }

    #[test]
    fn refuses_trailing_bytes_and_deep_nesting() {
        assert!(parse(b"{} {}").is_err());
        assert!(parse("[".repeat(10_000).as_bytes()).is_err());
    }
}
