//! Keys and pins, as they are written.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess};
use serde::de::{Unexpected, Visitor};

use crate::plugin::{Key, Pin};

/// A key, or the name of a file with one.
#[derive(Debug)]
pub(super) enum WrittenKey {
    Here(Key),
    File(String),
}

impl<'de> Deserialize<'de> for WrittenKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        match Key::parse(&text) {
            Ok(key) => Ok(Self::Here(key)),
            // A key that lost a character is no name of a file.
            Err(_) if text.trim().is_empty() || (text.starts_with("RW") && text.len() > 40) => {
                let expected = "a minisign public key, or the path of a file with one";
                Err(D::Error::invalid_value(Unexpected::Str(&text), &expected))
            }
            Err(_) => Ok(Self::File(text)),
        }
    }
}

/// `{ libhello.so: HASH }`, with a list of hashes where several builds are good, or `[HASH]`.
#[derive(Debug, Default)]
pub(super) struct Pins(pub(super) Vec<Pin>);

impl<'de> Deserialize<'de> for Pins {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PinsVisitor { file: None })
    }
}

/// The pins of one file, or, without one, of all.
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
