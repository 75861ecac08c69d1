//! Keys and pins as they are written in the configuration.

use std::borrow::Cow;
use std::fmt;

use data_encoding::BASE64;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};
use serde::de::{Unexpected, Visitor};

/// A build that is trusted because of its hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin {
    /// The name of the file, without folders. It tells people which file is meant; only the hash
    /// decides what is trusted.
    pub file: Option<String>,
    /// The SHA-256 of the file, in lower-case hexadecimal.
    pub hash: String,
}

impl Pin {
    /// Creates a pin. Returns `None` if `hash` is not a SHA-256 in hexadecimal.
    pub fn new(file: Option<String>, hash: &str) -> Option<Self> {
        let is_hash = hash.len() == 64 && hash.bytes().all(|it| it.is_ascii_hexdigit());
        is_hash.then(|| Self { file, hash: hash.to_ascii_lowercase() })
    }
}

/// Returns `true` if a text is a minisign public key: base64 of 42 bytes that begin with `Ed`
/// (<https://jedisct1.github.io/minisign/#public-key-format>).
fn is_key(text: &str) -> bool {
    let key = key_line(text).and_then(|line| BASE64.decode(line.as_bytes()).ok());
    key.is_some_and(|key| key.len() == 42 && key.starts_with(b"Ed"))
}

/// Finds the line of a minisign public key: the only line of the text, or the one after the comment
/// that `minisign -G` writes. The line is not decoded.
pub fn key_line(text: &str) -> Option<&str> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match (lines.next(), lines.next(), lines.next()) {
        (Some(line), None, None) => Some(line),
        (Some(comment), Some(line), None) if comment.starts_with("untrusted comment:") => {
            Some(line)
        }
        _ => None,
    }
}

/// A key, or the name of a file with one.
#[derive(Debug)]
pub(super) enum WrittenKey {
    Here(String),
    File(String),
}

impl<'de> Deserialize<'de> for WrittenKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match text {
            key if is_key(&key) => Ok(Self::Here(key)),
            // A key that lost a character must not be taken for the name of a file.
            text if text.trim().is_empty() || (text.starts_with("RW") && text.len() > 40) => {
                let expected = "a minisign public key, or the path of a file with one";
                Err(D::Error::invalid_value(Unexpected::Str(&text), &expected))
            }
            file => Ok(Self::File(file)),
        }
    }
}

impl JsonSchema for WrittenKey {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Key".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "minLength": 1 })
    }
}

impl JsonSchema for Pins {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Pins".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let hash = json_schema!({ "type": "string", "pattern": "^[0-9A-Fa-f]{64}$" });
        let hashes = json_schema!({ "type": "array", "items": hash });
        let of_file = json_schema!({ "anyOf": [hash, hashes] });
        let by_file = json_schema!({ "type": "object", "additionalProperties": of_file });
        json_schema!({
            "anyOf": [by_file, hashes, hash],
            "x-value": "a list of hashes, or a mapping from the name of a file to one hash or several"
        })
    }
}

/// Pins as `{ libhello.so: HASH }` or `[HASH]`. A list of hashes pins several builds of a file.
#[derive(Debug, Default)]
pub(super) struct Pins(pub(super) Vec<Pin>);

impl<'de> Deserialize<'de> for Pins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PinsVisitor { file: None })
    }
}

/// Reads the pins of one file, or of all files.
struct PinsVisitor {
    file: Option<String>,
}

impl<'de> Visitor<'de> for PinsVisitor {
    type Value = Pins;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a SHA-256, 64 hexadecimal digits as `sha256sum FILE` prints them")
    }

    fn visit_unit<E>(self) -> Result<Pins, E> {
        Ok(Pins::default())
    }

    fn visit_str<E: Error>(self, hash: &str) -> Result<Pins, E> {
        match Pin::new(self.file.clone(), hash) {
            Some(pin) => Ok(Pins(vec![pin])),
            None => Err(E::invalid_value(Unexpected::Str(hash), &self)),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Pins, A::Error> {
        let mut pins = Vec::new();
        while let Some(more) = items.next_element_seed(PinsVisitor { file: self.file.clone() })? {
            pins.extend(more.0);
        }
        Ok(Pins(pins))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pins, A::Error> {
        if self.file.is_some() {
            return Err(A::Error::invalid_type(Unexpected::Map, &self));
        }
        let mut pins = Vec::new();
        while let Some(file) = map.next_key::<String>()? {
            pins.extend(map.next_value_seed(PinsVisitor { file: Some(file) })?.0);
        }
        Ok(Pins(pins))
    }
}

impl<'de> DeserializeSeed<'de> for PinsVisitor {
    type Value = Pins;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Pins, D::Error> {
        deserializer.deserialize_any(self)
    }
}
