//! Times in files: RFC 3339, UTC, so that people can read them.

use std::time::SystemTime;

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Writes a time as RFC 3339 text, for `#[serde(with)]`.
///
/// # Errors
/// If the serializer refuses the text.
pub fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339(*time))
}

/// Reads a time from RFC 3339 text, for `#[serde(with)]`.
///
/// # Errors
/// If the text is no such time.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_rfc3339_weak(&text).map_err(D::Error::custom)
}
