//! Cron expressions with a time zone.
//!
//! `croner` parses an expression and finds the civil times (the times on the clock of a wall, with
//! no zone) that match it. The mapping of civil times to instants is done here, because the rule
//! of `croner` takes a job for a fixed-time job only if its seconds, minutes and hours are single
//! values, and so loses or doubles runs of `30 2,14 * * *` on days on which the clock changes.
//!
//! The rule is that of Debian's cron(8):
//!
//! * **Fixed-time jobs** have no `*` in the fields of the minute and the hour. They run once for
//!   each civil time that matches. A time that the clock skips is run at the first instant after
//!   the skipped range (unless the clock skips the whole day), several such times as one run. A
//!   time that the clock shows twice is run when it is shown first.
//! * **Interval jobs** are all others. They follow the clock: they run at each instant at which the
//!   clock shows a matching time, so twice if it is shown twice, and not if it is skipped.

use std::{fmt, str::FromStr};

use croner::Cron;
use jiff::{
    Timestamp, ToSpan,
    civil::DateTime,
    tz::{AmbiguousOffset, Offset, TimeZone},
};

/// A cron expression that is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// The expression can't be parsed.
    #[error(
        "`{expression}` is not a cron expression: {reason}; write five fields (minute, hour, day \
         of the month, month, weekday), six with seconds first, or seven with a year last"
    )]
    Syntax {
        /// The expression, as it was written.
        expression: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The expression can be parsed, but no time matches it.
    #[error("`{expression}` never matches: no such date exists")]
    NeverMatches {
        /// The expression, as it was written.
        expression: String,
    },
    /// There is no such time zone.
    #[error(
        "there is no time zone `{zone}`; use a name of the IANA database, such as `Europe/Paris`, \
         or `UTC`"
    )]
    UnknownZone {
        /// The name of the zone.
        zone: String,
    },
}

/// The instants at which the clock of a time zone shows a time that matches a cron expression.
#[derive(Debug, Clone, PartialEq)]
pub struct CronSchedule {
    cron: Cron,
    kind: JobKind,
    zone: TimeZone,
}

/// How a job behaves when the clock is changed. See the documentation of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum JobKind {
    FixedTime,
    Interval,
}

/// What to search first in the zone's history: a time span that is longer than any change of a
/// clock, and longer than the difference of any two offsets.
const MARGIN_DAYS: i64 = 3;

impl CronSchedule {
    /// Parses an expression, which is meant in the civil time of a zone.
    ///
    /// An expression has five fields, six with seconds first, or seven with a year last. Names of
    /// months and weekdays, `L`, `W`, `LW`, `#`, `?`, `+` before the weekday (both day fields have
    /// to match), and the nicknames `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`,
    /// `@midnight` and `@hourly` are understood. 0 and 7 are Sunday.
    ///
    /// # Errors
    /// If the expression can't be parsed or never matches, or if there is no such zone.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, CronError> {
        let nickname = expression.trim();
        let pattern = if nickname.eq_ignore_ascii_case("@midnight") { "@daily" } else { nickname };
        let cron = Cron::from_str(pattern).map_err(|error| CronError::Syntax {
            expression: expression.to_owned(),
            reason: error.to_string().trim_end_matches('.').to_owned(),
        })?;
        let zone =
            TimeZone::get(zone).map_err(|_| CronError::UnknownZone { zone: zone.to_owned() })?;
        let schedule = Self { kind: JobKind::of(cron.as_str()), cron, zone };
        if schedule.next_civil(schedule.first_to_try(), true).is_none() {
            return Err(CronError::NeverMatches { expression: expression.to_owned() });
        }
        Ok(schedule)
    }

    /// Returns the first instant after `after` at which a run is due, or `None` if there is none
    /// before the year 5000.
    ///
    /// Instants that are asked for one after the other rise strictly.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        match self.kind {
            JobKind::FixedTime => self.next_fixed(after),
            JobKind::Interval => self.next_interval(after),
        }
    }

    /// Returns the time that the clock did not show, and in whose place a run is due at this
    /// instant, which [`next_after`](Self::next_after) returned. Returns `None` if the clock shows a
    /// time that matches.
    pub fn moved_from(&self, due: Timestamp) -> Option<DateTime> {
        let shown = self.zone.to_datetime(due);
        if self.next_civil(shown, true) == Some(shown) {
            return None;
        }
        let before = self.zone.to_offset(due.checked_sub(1.nanosecond()).ok()?);
        self.next_civil(before.to_datetime(due), true).filter(|skipped| *skipped < shown)
    }

    /// Returns the IANA name of the zone.
    pub fn zone(&self) -> &str {
        self.zone.iana_name().unwrap_or("UTC")
    }

    fn next_fixed(&self, after: Timestamp) -> Option<Timestamp> {
        // Within the second pass of a repeated range, this finds times whose first pass is over;
        // they are left out below.
        let mut civil = self.zone.to_datetime(after).with().subsec_nanosecond(0).build().ok()?;
        let mut inclusive = true;
        loop {
            civil = self.next_civil(civil, inclusive)?;
            inclusive = false;
            let instant = match self.zone.to_ambiguous_timestamp(civil).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(civil).ok()?,
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(civil).ok()?,
                AmbiguousOffset::Gap { before, after } => {
                    match self.end_of_gap(civil, before, after)? {
                        GapEnd::At(instant) => instant,
                        GapEnd::DaySkipped => {
                            civil = civil.date().tomorrow().ok()?.into();
                            inclusive = true;
                            continue;
                        }
                    }
                }
            };
            if instant > after {
                return Some(instant);
            }
        }
    }

    /// Returns the end of the range that the clock skips, and in which a civil time lies.
    fn end_of_gap(&self, civil: DateTime, before: Offset, after: Offset) -> Option<GapEnd> {
        // With the offset that holds after the change, the civil time is an instant before it.
        let from = after.to_timestamp(civil).ok()?;
        let is_end = |instant: Timestamp| {
            before.to_datetime(instant) <= civil && civil < after.to_datetime(instant)
        };
        let changes = self.zone.following(from.checked_sub(1.second()).ok()?);
        let change = changes.map(|it| it.timestamp()).find(|it| is_end(*it))?;
        let (day, next) = (civil.date(), civil.date().tomorrow().ok()?);
        let skipped =
            before.to_datetime(change) <= day.into() && after.to_datetime(change) >= next.into();
        Some(if skipped { GapEnd::DaySkipped } else { GapEnd::At(change) })
    }

    /// Searches the stretches of time in which the offset of the zone is constant.
    fn next_interval(&self, after: Timestamp) -> Option<Timestamp> {
        let (mut from, mut inclusive) = (after, false);
        loop {
            let offset = self.zone.to_offset(from);
            let civil = offset.to_datetime(from).with().subsec_nanosecond(0).build().ok()?;
            let civil = self.next_civil(civil, inclusive)?;
            let found = offset.to_timestamp(civil).ok()?;
            let end = self.zone.following(from).next().map(|change| change.timestamp());
            let Some(end) = end.filter(|end| *end <= found) else { return Some(found) };
            // A change that comes soon may set the clock back to times before `from`, which may
            // match. Later changes are of interest only if they come shortly before the time that
            // was found, because no other time in between matches, whatever the offset is.
            let (soon, shortly_before) = (
                from.checked_add(MARGIN_DAYS * 24.hours()).ok()?,
                found.checked_sub(MARGIN_DAYS * 24.hours()).ok()?,
            );
            from = if end <= soon { end } else { end.max(shortly_before) };
            inclusive = true;
        }
    }

    /// Returns the time from which to search for any time that matches.
    ///
    /// Without a year in the expression, the kind of a year decides what matches in it: whether it is
    /// a leap year, and on which weekday it begins. The last 40 years of the search have each kind.
    /// To search all 3,000 years in vain takes so long that a file of many such expressions would keep
    /// a host busy for minutes.
    fn first_to_try(&self) -> DateTime {
        let mut fields = self.cron.as_str().split_whitespace();
        let year = if fields.nth(6).is_none_or(|year| year == "*") { 4960 } else { 1970 };
        DateTime::constant(year, 1, 1, 0, 0, 0, 0)
    }

    fn next_civil(&self, from: DateTime, inclusive: bool) -> Option<DateTime> {
        self.cron.find_next_occurrence(&from, inclusive).ok()
    }
}

impl fmt::Display for CronSchedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a sentence: `Every second.`, `At every 5 minutes.`, `At 02:30, on Monday.`
        let sentence = self.cron.describe();
        let words = sentence.trim_end_matches('.').replacen("At ", "at ", 1);
        let words = words.replacen("at every", "every", 1).replacen("Every", "every", 1);
        write!(f, "{words} ({})", self.zone())
    }
}

/// The end of a range that the clock skips.
enum GapEnd {
    /// The first instant after the range.
    At(Timestamp),
    /// The range holds the whole day.
    DaySkipped,
}

impl JobKind {
    /// Returns the kind of a pattern, in which nicknames are replaced.
    fn of(pattern: &str) -> Self {
        let fields: Vec<_> = pattern.split_whitespace().collect();
        let minute = if fields.len() > 5 { 1 } else { 0 };
        let is_wild = |field: Option<&&str>| field.is_some_and(|it| it.contains('*'));
        match is_wild(fields.get(minute)) || is_wild(fields.get(minute + 1)) {
            true => Self::Interval,
            false => Self::FixedTime,
        }
    }
}

#[cfg(test)]
mod tests;
