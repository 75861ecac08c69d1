//! The time of the system's clock.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;

/// Returns the time of the system's clock, or the nearest one that can be shown as a date.
///
/// `Timestamp::now` panics if the clock is set beyond the year 9999.
pub fn now() -> Timestamp {
    let system = SystemTime::now();
    Timestamp::try_from(system).unwrap_or(match system < UNIX_EPOCH {
        true => Timestamp::MIN,
        false => Timestamp::MAX,
    })
}
