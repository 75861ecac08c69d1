//! The only module that uses serde_yaml, which decides the values of a document.
//!
//! serde_yaml is no longer developed. A replacement must provide [`parse`] and [`resolve_plain`].

use std::fmt;

use serde::de::{Deserialize, Deserializer, EnumAccess, Error, IgnoredAny};
use serde::de::{MapAccess, SeqAccess, Visitor};

use super::diagnostic::Position;

/// A value as serde_yaml parses it. A mapping has all keys in their order, duplicates included.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    Scalar(Scalar),
    Text(String),
    Sequence(Vec<Raw>),
    Mapping(Vec<(Raw, Raw)>),
}

/// A scalar that is not text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    /// A whole number that does not fit into 64 bits.
    Huge,
}

/// Why a text is not a YAML document.
#[derive(Debug)]
pub(super) struct SyntaxError {
    pub(super) position: Option<Position>,
    pub(super) message: String,
}

/// Parses the text of a YAML document.
pub(super) fn parse(text: &str) -> Result<Raw, SyntaxError> {
    serde_yaml::from_str(text).map_err(in_words)
}

/// Returns why a text is not a YAML document, if it is none. Aliases are not followed.
pub(super) fn syntax_error(text: &str) -> Option<SyntaxError> {
    serde_yaml::from_str::<IgnoredAny>(text).err().map(in_words)
}

fn in_words(error: serde_yaml::Error) -> SyntaxError {
    let position =
        error.location().map(|place| Position { line: place.line(), column: place.column() });
    let mut message = error.to_string();
    if let Some(Position { line, column }) = position {
        // The diagnostic begins with this position. A second position in the message is kept.
        message = message.replacen(&format!(" at line {line} column {column}"), "", 1);
    }
    SyntaxError { position, message }
}

/// Resolves a text like a plain scalar: as a number, a boolean or null. Returns `None` if it is
/// text.
///
/// A text that would be anything else in YAML (`- a`, `a: b`, `"a"`, `# a`) is text here.
pub(super) fn resolve_plain(text: &str) -> Option<Scalar> {
    let plain = text.trim();
    let is_harmless = |it: char| it.is_ascii_alphanumeric() || "+-._~".contains(it);
    let is_marker = |it: char| "-.".contains(it);
    if plain.is_empty() {
        return Some(Scalar::Null);
    }
    // Most texts begin like no number, `null`, `true` or `false`, and need no parser.
    let may_be_more = |first: char| !first.is_ascii_alphabetic() || "nNtTfF".contains(first);
    if !plain.starts_with(may_be_more)
        || !plain.chars().all(is_harmless)
        || plain.chars().all(is_marker)
    {
        return None;
    }
    match parse(plain) {
        Ok(Raw::Scalar(scalar)) => Some(scalar),
        Ok(Raw::Text(_) | Raw::Sequence(_) | Raw::Mapping(_)) | Err(_) => None,
    }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Null))
    }

    fn visit_none<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Unsigned(value)))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Signed(value)))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Huge))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Huge))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(Scalar::Float(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Raw::Sequence(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Raw, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Raw::Mapping(entries))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Raw, A::Error> {
        Err(A::Error::custom("a configuration has no use for YAML tags such as `!name`"))
    }
}
