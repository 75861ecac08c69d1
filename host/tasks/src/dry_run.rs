//! The times of a schedule without a task and without a host.

use std::{sync::Arc, time::Duration};

use jiff::{
    SignedDuration, Timestamp, Zoned,
    civil::DateTime,
    tz::{AmbiguousOffset, TimeZone},
};
use serde::Serialize;

use crate::{
    ScheduledTask,
    plan::{CronError, CronSchedule, DueTime, Recurrence, Timing, Trigger},
    runner,
};

/// A schedule whose times are computed without running anything.
#[derive(Debug, Clone)]
pub struct DryRun {
    timing: Timing,
    zone: TimeZone,
    /// The id of the task, on which its jitter depends; empty without a task.
    task: String,
}

/// A time at which a schedule is due.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShownTime {
    /// The time on the clock of the zone, with its offset.
    #[serde(serialize_with = "with_offset")]
    pub local: Zoned,
    /// The same instant in UTC.
    pub utc: Timestamp,
    /// What a change of the clock has to do with it.
    pub clock_change: Option<ClockChange>,
}

/// What a change of the clock has to do with a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClockChange {
    /// The clock skips this time, in whose place the schedule is due.
    MovedFrom(DateTime),
    /// The clock shows the time twice, and this is the first time.
    FirstOfTwo,
    /// The clock shows the time twice, and this is the second time.
    SecondOfTwo,
}

impl ShownTime {
    /// Returns an instant as the clock of a zone shows it.
    pub fn new(utc: Timestamp, zone: &TimeZone) -> Self {
        let local = utc.to_zoned(zone.clone());
        let clock_change = match zone.to_ambiguous_timestamp(local.datetime()).offset() {
            AmbiguousOffset::Fold { before, .. } if before == local.offset() => {
                Some(ClockChange::FirstOfTwo)
            }
            AmbiguousOffset::Fold { .. } => Some(ClockChange::SecondOfTwo),
            AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => None,
        };
        Self { local, utc, clock_change }
    }
}

impl DryRun {
    /// Makes the dry run of a cron expression, which is meant in the civil time of a zone.
    ///
    /// # Errors
    /// If the expression can't be parsed or never matches, or if there is no such zone.
    pub fn cron(expression: &str, zone: &str) -> Result<Self, CronError> {
        let cron = CronSchedule::parse(expression, zone)?;
        let timing = Timing::new(Recurrence::Cron(Arc::new(cron)));
        Ok(Self { timing, zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC), task: String::new() })
    }

    /// Makes the dry run of a task. An interval without a start is counted from now.
    ///
    /// # Errors
    /// If the task has no times.
    pub fn task(task: &ScheduledTask) -> Result<Self, String> {
        let id = task.id();
        let definition =
            task.definition(runner::now()).map_err(|reason| format!("{id} {reason}"))?;
        let words = task.trigger_in_words(&definition.trigger);
        let Trigger::Time(timing) = definition.trigger else {
            return Err(format!("{id} has no times: it runs {words}"));
        };
        let zone = TimeZone::get(timing.zone()).unwrap_or(TimeZone::UTC);
        Ok(Self { timing, zone, task: id })
    }

    /// Returns the IANA name of the time zone in which the schedule is meant.
    pub fn zone(&self) -> &str {
        self.timing.zone()
    }

    /// Makes the dry run of an interval that is counted from `anchor` and shown in a zone.
    pub fn every(interval: Duration, anchor: Timestamp, zone: TimeZone) -> Self {
        let interval = SignedDuration::try_from(interval).unwrap_or(SignedDuration::MAX);
        Self {
            timing: Timing::new(Recurrence::Every { interval, anchor }),
            zone,
            task: String::new(),
        }
    }

    /// Returns the schedule in words.
    pub fn words(&self) -> String {
        self.timing.to_string()
    }

    /// Returns the first times after `after` at which the schedule is due.
    pub fn times_after(&self, after: Timestamp) -> impl Iterator<Item = ShownTime> {
        let next = |at: Timestamp| self.timing.next_after(at, &self.task);
        std::iter::successors(next(after), move |due| next(due.nominal)).map(|due| self.shown(due))
    }

    fn shown(&self, due: DueTime) -> ShownTime {
        let mut shown = ShownTime::new(due.start, &self.zone);
        if let Recurrence::Cron(cron) = &self.timing.recurrence
            && let Some(skipped) = cron.moved_from(due.nominal)
        {
            shown.clock_change = Some(ClockChange::MovedFrom(skipped));
        }
        shown
    }
}

fn with_offset<S: serde::Serializer>(local: &Zoned, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&local.timestamp().display_with_offset(local.offset()))
}
