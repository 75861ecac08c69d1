//! Names of instruments, stored inline in an event.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

/// The name of an instrument, such as `BTCUSDT` or `BTCUSDT@usdm`: at most 24 bytes.
///
/// The event contains the name itself, so plugins need not agree on numeric ids.
#[derive(
    Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, FromBytes, IntoBytes, Immutable, KnownLayout,
)]
#[repr(C)]
pub struct Instrument([u8; 24]);

/// An error that is returned for a name that is empty, too long, or holds a zero byte.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("instrument name {0:?}: expected 1 to 24 bytes of text")]
pub struct InstrumentError(String);

impl Instrument {
    /// The instrument of this name.
    ///
    /// # Errors
    /// If the name is empty, longer than 24 bytes, or holds a zero byte.
    pub fn new(name: &str) -> Result<Self, InstrumentError> {
        let bytes = name.as_bytes();
        if bytes.is_empty() || bytes.len() > 24 || bytes.contains(&0) {
            return Err(InstrumentError(name.to_owned()));
        }
        let mut inline = [0; 24];
        inline[..bytes.len()].copy_from_slice(bytes);
        Ok(Self(inline))
    }

    /// The name; bytes that are not UTF-8, which only a broken plugin sends, read as `?`.
    pub fn as_str(&self) -> &str {
        let end = self.0.iter().position(|&byte| byte == 0).unwrap_or(self.0.len());
        std::str::from_utf8(&self.0[..end]).unwrap_or("?")
    }
}

impl fmt::Display for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Instrument {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl Serialize for Instrument {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Instrument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::new(&name).map_err(D::Error::custom)
    }
}

impl schemars::JsonSchema for Instrument {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instrument".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "minLength": 1, "maxLength": 24 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_text_and_a_wrong_one_is_refused() {
        assert_eq!(Instrument::new("BTCUSDT").unwrap().as_str(), "BTCUSDT");
        assert_eq!(Instrument::new(&"x".repeat(24)).unwrap().as_str().len(), 24);
        for wrong in ["", "a\0b", &"x".repeat(25)] {
            assert!(Instrument::new(wrong).is_err(), "{wrong:?}");
        }
    }
}
