//! Decimal numbers in configuration, exact from the text to the event.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error, Visitor},
};

use crate::Fixed;

/// The digits that a binary number carries through unchanged (`f64::DIGITS`).
const EXACT_DIGITS: usize = 15;

impl Serialize for Fixed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Deserializes a decimal from either `0.001` or `"0.001"`.
///
/// A number without quotes was converted to binary before it is read here. Up to 15
/// digits that is exact; a number with more digits is refused rather than rounded.
impl<'de> Deserialize<'de> for Fixed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Text)
    }
}

impl JsonSchema for Fixed {
    fn schema_name() -> Cow<'static, str> {
        "Decimal".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": ["number", "string"],
            "pattern": r"^-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?$",
            "description": "a decimal number, exact: 0.001 or, in quotes, with more than 15 digits",
        })
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = Fixed;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number such as 0.001")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Fixed, E> {
        text.parse().map_err(|error| {
            E::custom(format!("{text:?} is {error}; expected a decimal number such as 0.001"))
        })
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Fixed, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Fixed, E> {
        self.visit_str(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Fixed, E> {
        // The shortest text that parses to this number is the text that was written.
        let text = value.to_string();
        let digits: String = text.chars().filter(char::is_ascii_digit).collect();
        if digits.trim_matches('0').len() > EXACT_DIGITS {
            return Err(E::custom(format!(
                "{text} has more digits than a plain number keeps; write it in quotes"
            )));
        }
        self.visit_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Fixed, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn numbers_and_texts_read_alike() {
        for json in ["0.001", "\"0.001\"", "1e-3"] {
            assert_eq!(read(json), Ok(Fixed::new(1, 3)), "{json}");
        }
        assert_eq!(read("1000000"), Ok(Fixed::new(1_000_000, 0)));
        assert_eq!(read("-3"), Ok(Fixed::new(-3, 0)));
        assert_eq!(read("0.00000000000000001"), Ok(Fixed::new(1, 17)));
        assert_eq!(read("\"1.000000000000000001\""), Ok(Fixed::new(1_000_000_000_000_000_001, 18)));
    }

    #[test]
    fn what_would_lose_digits_is_refused_with_the_remedy() {
        let error = read("0.1234567890123456").unwrap_err();
        assert!(error.contains("write it in quotes"), "{error}");
        let error = read("\"a lot\"").unwrap_err();
        assert!(error.contains("expected a decimal number such as 0.001"), "{error}");
        assert!(read("true").unwrap_err().contains("expected a decimal number"));
    }

    #[test]
    fn it_writes_what_it_reads() {
        let value = Fixed::new(123_450, 5);
        assert_eq!(read(&serde_json::to_string(&value).unwrap()), Ok(value));
    }
}
