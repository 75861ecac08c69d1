//! Serializes times as RFC 3339 text in UTC, so that people can read them in files.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Serializes a time as RFC 3339 text, for `#[serde(with)]`.
///
/// # Errors
/// If the serializer refuses the text.
pub fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339(*time))
}

/// Deserializes a time from RFC 3339 text, for `#[serde(with)]`.
///
/// # Errors
/// If the text is not a time in RFC 3339.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_rfc3339_weak(&text).map_err(D::Error::custom)
}
