//! When the runs of a task are due by time.

use std::{fmt, sync::Arc, time::Duration};

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use super::CronSchedule;

/// The times at which runs of a task are due, before jitter.
#[derive(Debug, Clone, PartialEq)]
pub enum Recurrence {
    /// Once, at this instant.
    Once(Timestamp),
    /// At `anchor`, and at each multiple of the interval before and after it.
    Every {
        /// The time between two runs; positive.
        interval: SignedDuration,
        /// The instant from which intervals are counted, which survives restarts.
        anchor: Timestamp,
    },
    /// At the times that match a cron expression, which takes some kilobytes.
    Cron(Arc<CronSchedule>),
}

/// When the runs of a task are due: the recurrence, within a span of time, spread by jitter.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// The times at which runs are due.
    pub recurrence: Recurrence,
    /// When the schedule begins and ends; `None` if it does neither. In a box, because most schedules
    /// have none, and there may be very many of them.
    pub span: Option<Box<Span>>,
    /// The longest delay by which a start is put off, so that tasks with equal times do not all
    /// begin at once. A start is never put off beyond the next time at which a run is due.
    pub jitter: Duration,
}

/// When a schedule begins and ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// No run is due before this instant.
    pub from: Option<Timestamp>,
    /// No run is due after this instant.
    pub until: Option<Timestamp>,
}

impl Span {
    /// Returns the span as a timing keeps it: `None` without a beginning and an end.
    pub fn boxed(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// One time at which a run is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct DueTime {
    /// The time at which the run is due by the recurrence. It identifies the run among the runs
    /// of its task.
    pub nominal: Timestamp,
    /// The time at which the run is to begin, which is `nominal` put off by jitter.
    pub start: Timestamp,
}

impl Timing {
    /// Makes a timing without jitter and without bounds.
    pub fn new(recurrence: Recurrence) -> Self {
        Self { recurrence, span: None, jitter: Duration::ZERO }
    }

    /// Returns the first time after `after` at which a run of `task` is due, or `None` if there is
    /// none.
    ///
    /// The jitter is a hash of the task and the nominal time, so each host and each start of a
    /// host finds the same.
    pub fn next_after(&self, after: Timestamp, task: &str) -> Option<DueTime> {
        let nominal = self.nominal_after(after)?;
        if self.jitter.is_zero() {
            return Some(DueTime { nominal, start: nominal });
        }
        let jitter = SignedDuration::try_from(self.jitter).unwrap_or(SignedDuration::MAX);
        let spread = match self.nominal_after(nominal) {
            Some(next) => jitter.min(next.duration_since(nominal)),
            None => jitter,
        };
        let nanoseconds = spread.as_nanos().unsigned_abs().max(1);
        let delay = (u128::from(spread_hash(task, nominal)) * nanoseconds) >> 64;
        let delay = SignedDuration::from_nanos(i64::try_from(delay).unwrap_or(i64::MAX));
        Some(DueTime { nominal, start: nominal.checked_add(delay).unwrap_or(nominal) })
    }

    /// Returns the IANA name of the time zone in which the schedule is meant.
    pub fn zone(&self) -> &str {
        match &self.recurrence {
            Recurrence::Cron(cron) => cron.zone(),
            Recurrence::Once(_) | Recurrence::Every { .. } => "UTC",
        }
    }

    /// Returns the first nominal time after `after`.
    pub fn nominal_after(&self, after: Timestamp) -> Option<Timestamp> {
        // The bound belongs to the span: a run that is due exactly then takes place.
        let Span { from, until } = self.span.as_deref().copied().unwrap_or_default();
        let after = match from {
            Some(from) if from > after => from.checked_sub(SignedDuration::from_nanos(1)).ok()?,
            _ => after,
        };
        let next = match &self.recurrence {
            Recurrence::Once(at) => Some(*at).filter(|at| *at > after),
            Recurrence::Every { interval, anchor } => every(*interval, *anchor, after),
            Recurrence::Cron(cron) => cron.next_after(after),
        };
        next.filter(|at| until.is_none_or(|until| *at <= until))
    }
}

/// Returns the first instant after `after` that is a multiple of the interval from the anchor. It can
/// be before the anchor: that of a task which came into service while the clock was ahead is in the
/// future once the clock is right.
pub(crate) fn every(
    interval: SignedDuration,
    anchor: Timestamp,
    after: Timestamp,
) -> Option<Timestamp> {
    let interval = interval.as_nanos().max(1);
    let passed = after.as_nanosecond() - anchor.as_nanosecond();
    let next = anchor.as_nanosecond() + (passed.div_euclid(interval) + 1) * interval;
    Timestamp::from_nanosecond(next).ok()
}

/// Returns a number that depends on the task and the time alone, and differs for different ones.
pub(super) fn spread_hash(task: &str, nominal: Timestamp) -> u64 {
    let hash = Sha256::new()
        .chain_update(nominal.as_nanosecond().to_le_bytes())
        .chain_update(task.as_bytes())
        .finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&hash[..8]);
    u64::from_le_bytes(first)
}

impl fmt::Display for Recurrence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Once(at) => write!(f, "once at {at}"),
            Self::Every { interval, .. } => {
                write!(f, "every {}", humantime::format_duration(interval.unsigned_abs()))
            }
            Self::Cron(cron) => write!(f, "{cron}"),
        }
    }
}

impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.recurrence)?;
        let Span { from, until } = self.span.as_deref().copied().unwrap_or_default();
        if let Some(from) = from {
            write!(f, ", from {from}")?;
        }
        if let Some(until) = until {
            write!(f, ", until {until}")?;
        }
        if !self.jitter.is_zero() {
            write!(f, ", put off by up to {}", humantime::format_duration(self.jitter))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use jiff::ToSpan;
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn every_week() -> Timing {
        let anchor = at("2026-01-01T00:00:00Z");
        Timing::new(Recurrence::Every { interval: SignedDuration::from_hours(168), anchor })
    }

    #[test]
    fn an_interval_counts_from_its_anchor_and_not_from_the_start_of_the_host() {
        let mut cursor = at("2025-12-31T00:00:00Z");
        let mut runs = Vec::new();
        // The host starts anew each day for two weeks.
        for day in 0..14 {
            let now = at("2026-01-01T12:00:00Z") + (24 * day).hours();
            while let Some(due) = every_week().next_after(cursor, "a").filter(|it| it.start <= now)
            {
                runs.push(due.nominal);
                cursor = due.nominal;
            }
        }
        assert_eq!(runs, [at("2026-01-01T00:00:00Z"), at("2026-01-08T00:00:00Z")]);
    }

    #[test]
    fn an_interval_whose_anchor_is_in_the_future_has_runs_before_it() {
        let first = every_week().next_after(at("2025-12-01T00:00:00Z"), "a").unwrap();
        assert_eq!(first.nominal, at("2025-12-04T00:00:00Z"));
        let last = every_week().next_after(at("2025-12-31T00:00:00Z"), "a").unwrap();
        assert_eq!(last.nominal, at("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn a_schedule_has_no_runs_outside_of_its_span() {
        let timing = Timing {
            span: Span {
                from: Some(at("2026-01-08T00:00:00Z")),
                until: Some(at("2026-01-15T00:00:00Z")),
            }
            .boxed(),
            ..every_week()
        };
        let first = timing.next_after(at("2020-01-01T00:00:00Z"), "a").unwrap();
        assert_eq!(first.nominal, at("2026-01-08T00:00:00Z"));
        let second = timing.next_after(first.nominal, "a").unwrap();
        assert_eq!(second.nominal, at("2026-01-15T00:00:00Z"));
        assert_eq!(timing.next_after(second.nominal, "a"), None);
    }

    #[test]
    fn a_time_without_a_successor_is_due_once() {
        let once = Timing::new(Recurrence::Once(at("2026-01-08T00:00:00Z")));
        let due = once.next_after(at("2026-01-07T23:59:59Z"), "a").unwrap();
        assert_eq!(due.start, at("2026-01-08T00:00:00Z"));
        assert_eq!(once.next_after(due.nominal, "a"), None);
    }

    #[test]
    fn a_schedule_reads_as_a_sentence() {
        let cron = CronSchedule::parse("30 2 * * 1-5", "Europe/Paris").unwrap();
        let timing = Timing {
            span: Span { from: None, until: Some(at("2026-01-15T00:00:00Z")) }.boxed(),
            jitter: Duration::from_secs(90),
            ..Timing::new(Recurrence::Cron(Arc::new(cron)))
        };
        assert_eq!(
            timing.to_string(),
            "at 02:30, on Monday, Tuesday, Wednesday, Thursday, and Friday (Europe/Paris), until \
             2026-01-15T00:00:00Z, put off by up to 1m 30s"
        );
        assert_eq!(every_week().to_string(), "every 7days");
    }

    proptest! {
        #[test]
        fn jitter_is_the_same_each_time_and_never_reaches_the_next_run(
            interval in 1i64..100_000, jitter in 1u64..200_000, start in 0i64..4_000_000_000,
        ) {
            let timing = Timing {
                jitter: Duration::from_secs(jitter),
                ..Timing::new(Recurrence::Every {
                    interval: SignedDuration::from_secs(interval),
                    anchor: Timestamp::UNIX_EPOCH,
                })
            };
            let after = Timestamp::from_second(start).unwrap();
            let due = timing.next_after(after, "a/b").unwrap();
            let next = timing.next_after(due.nominal, "a/b").unwrap();
            prop_assert_eq!(timing.next_after(after, "a/b"), Some(due));
            prop_assert!(due.nominal > after && due.nominal <= due.start);
            prop_assert!(due.start < next.nominal);
            let delay = due.start.duration_since(due.nominal);
            prop_assert!(delay <= SignedDuration::try_from(timing.jitter).unwrap());
        }
    }
}
