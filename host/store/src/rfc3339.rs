//! Times as RFC 3339 text in UTC, so that people can read them in files.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// The last second of the year 9999. RFC 3339 has four digits for a year.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// Returns a time that RFC 3339 can express. Only a clock that is wrong shows another one, which then
/// becomes the first second of 1970 or the last one of 9999.
fn expressible(time: SystemTime) -> SystemTime {
    UNIX_EPOCH + time.duration_since(UNIX_EPOCH).unwrap_or_default().min(LAST)
}

/// Formats a time with seconds, such as `2026-11-26T20:42:16Z`.
pub fn seconds(time: SystemTime) -> String {
    humantime::format_rfc3339_seconds(expressible(time)).to_string()
}

/// Formats a time with milliseconds, such as `2026-11-26T20:42:16.250Z`.
pub fn millis(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(expressible(time)).to_string()
}

/// Serializes a time as RFC 3339 text, for `#[serde(with)]`.
///
/// # Errors
/// If the serializer refuses the text.
pub fn serialize<S: Serializer>(time: &SystemTime, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&humantime::format_rfc3339(expressible(*time)))
}

/// Deserializes a time from RFC 3339 text, for `#[serde(with)]`.
///
/// # Errors
/// If the text is not a time in RFC 3339.
pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SystemTime, D::Error> {
    let text = String::deserialize(from)?;
    humantime::parse_rfc3339_weak(&text).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_rfc_3339_cannot_express_is_the_nearest_that_it_can() {
        let second = Duration::from_secs(1);
        let times = [
            (UNIX_EPOCH - second, "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH, "1970-01-01T00:00:00Z"),
            (UNIX_EPOCH + LAST, "9999-12-31T23:59:59Z"),
            (UNIX_EPOCH + LAST + second, "9999-12-31T23:59:59Z"),
        ];
        for (time, expected) in times {
            assert_eq!(seconds(time), expected);
            assert_eq!(millis(time), expected.replace('Z', ".000Z"));
            let mut json = Vec::new();
            serialize(&time, &mut serde_json::Serializer::new(&mut json)).unwrap();
            let read = deserialize(&mut serde_json::Deserializer::from_slice(&json));
            assert_eq!(read.unwrap(), expressible(time));
        }
    }
}
