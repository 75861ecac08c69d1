//! Descriptions in words of when a task runs.

use jiff::{Timestamp, tz::TimeZone};

use crate::{ScheduledTask, plan::Trigger, runner};

/// The number of next times that a description has.
const TIMES: usize = 3;

/// A schedule in words, with the next times at which the task is due by it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleInWords {
    /// The schedule, such as `every 5m` or `at 03:00 (Europe/Paris)`.
    pub schedule: String,
    /// The next times, on the clock of the schedule's zone and with its offset. Jitter is not added.
    pub next: Vec<String>,
}

impl ScheduledTask {
    /// Describes what makes the task run.
    pub(crate) fn trigger_in_words(&self, trigger: &Trigger) -> String {
        match self.event_channel() {
            // To the plan, a run for an event is one that was requested.
            Some(channel) => format!("for each event of {channel}"),
            None => trigger.to_string(),
        }
    }
}

impl ScheduleInWords {
    pub(crate) fn new(task: &ScheduledTask, trigger: &Trigger, now: Timestamp) -> Self {
        let next = match trigger {
            Trigger::Time(timing) => {
                let zone = TimeZone::get(timing.zone()).unwrap_or(TimeZone::UTC);
                let times = std::iter::successors(timing.nominal_after(now), |at| {
                    timing.nominal_after(*at)
                });
                let shown = |at: Timestamp| {
                    at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S%:z").to_string()
                };
                times.take(TIMES).map(shown).collect()
            }
            Trigger::Start | Trigger::Dependencies | Trigger::Request => Vec::new(),
        };
        Self { schedule: task.trigger_in_words(trigger), next }
    }
}

impl ScheduledTask {
    /// Describes when the task runs, if it comes into service now. Returns `None` if its schedule can't be
    /// understood.
    pub fn in_words(&self) -> Option<ScheduleInWords> {
        let now = runner::now();
        self.definition(now).ok().map(|it| ScheduleInWords::new(self, &it.trigger, now))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hotbay_plugin_api::{FunctionKind, Schedule, TaskSpec};
    use serde_json::json;

    use super::*;

    fn in_words(schedule: Schedule<String>, now: &str) -> ScheduleInWords {
        let spec = TaskSpec { schedule, ..TaskSpec::new("a", FunctionKind::Async) };
        let task = ScheduledTask { plugin: "p".to_owned(), spec, config: json!({}) };
        let now = now.parse().unwrap();
        ScheduleInWords::new(&task, &task.definition(now).unwrap().trigger, now)
    }

    #[test]
    fn the_next_times_are_those_of_the_clock_in_the_zone_across_its_change() {
        let cron = Schedule::Cron { expression: "30 2 * * *".into(), zone: "Europe/Berlin".into() };
        let words = in_words(cron, "2026-03-27T12:00:00Z");
        assert_eq!(words.schedule, "at 02:30 (Europe/Berlin)");
        let next =
            ["2026-03-28 02:30:00+01:00", "2026-03-29 03:00:00+02:00", "2026-03-30 02:30:00+02:00"];
        assert_eq!(words.next, next);
    }

    #[test]
    fn a_schedule_of_few_times_says_those_that_there_are() {
        let now = "2096-03-01T00:00:00Z";
        let once = in_words(Schedule::OnceAt("2096-03-01T00:00:01Z".to_owned()), now);
        assert_eq!(once.next, ["2096-03-01 00:00:01+00:00"]);
        assert!(in_words(Schedule::OnceAt("2026-01-01T00:00Z".to_owned()), now).next.is_empty());
        assert!(in_words(Schedule::Manual, now).next.is_empty());
        let leap = Schedule::Cron { expression: "0 0 29 2 *".into(), zone: "UTC".into() };
        assert_eq!(in_words(leap, now).next[0], "2104-02-29 00:00:00+00:00");
        let often = in_words(Schedule::Every(Duration::from_secs(300)), now);
        assert_eq!((&*often.schedule, &*often.next[0]), ("every 5m", "2096-03-01 00:05:00+00:00"));
    }
}
