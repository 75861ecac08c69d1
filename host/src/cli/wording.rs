//! Small pieces of text that several commands use.

use std::{fmt, time::Duration};

/// Returns a number with what it counts: `1 task`, `2 tasks`.
pub(super) fn count(number: impl Into<u64>, what: &str) -> String {
    match number.into() {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    }
}

/// Returns a duration in the form in which a configuration has it, to the millisecond: `1m 5s 20ms`.
pub(super) fn duration(duration: Duration) -> impl fmt::Display {
    let fraction = Duration::from_nanos(u64::from(duration.subsec_nanos() % 1_000_000));
    humantime::format_duration(match duration.saturating_sub(fraction) {
        // Otherwise nothing would be left of it.
        Duration::ZERO => duration,
        whole => whole,
    })
}

/// Returns a text of several lines as one.
pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_many_and_durations_have_one_form() {
        assert_eq!([count(0u64, "task"), count(1u64, "task")], ["0 tasks", "1 task"]);
        assert_eq!(duration(Duration::new(65, 20_999_999)).to_string(), "1m 5s 20ms");
        assert_eq!(duration(Duration::from_micros(5)).to_string(), "5us");
        assert_eq!(one_line("a text\n  of two lines"), "a text of two lines");
    }
}
