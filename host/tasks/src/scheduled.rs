//! Tasks with their settings.

use std::{sync::Arc, time::Duration};

use hotbay_config::{listed, suggestion};
use hotbay_plugin_api::{Overlap, Schedule, TaskSpec};
use jiff::{SignedDuration, Timestamp, Zoned};
use serde_json::Value;

use crate::plan::{
    CronSchedule, MisfirePolicy, Recurrence, RetryPolicy, Span, TaskDefinition, Timing, Trigger,
    every,
};

/// The shortest interval of a task, which is that of the configuration as well.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

/// Why a task can't run as it says.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct WrongSpec {
    /// The name of the spec's field that is at fault.
    pub(crate) field: &'static str,
    /// The reason, which follows the name of the task.
    pub(crate) reason: String,
}

impl WrongSpec {
    pub(crate) fn new(field: &'static str, reason: impl Into<String>) -> Self {
        Self { field, reason: reason.into() }
    }
}

/// One task of a plugin, as its plugin and its settings say.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduledTask {
    /// The name of the plugin.
    pub plugin: String,
    /// What the task is and when it runs, with the schedule of the configuration if that has one.
    pub spec: TaskSpec,
    /// The settings that each run gets, always a JSON object.
    pub config: Value,
}

impl ScheduledTask {
    /// Returns the id of the task among the tasks of all plugins: `plugin/task`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.plugin, self.spec.name)
    }

    /// Finds a task by its id, or by its name if only one plugin has a task of that name.
    ///
    /// # Errors
    /// If there is no such task, or more than one. The text says which tasks there are.
    pub fn find<'a>(
        name: &str,
        tasks: impl Iterator<Item = &'a Self> + Clone,
    ) -> Result<&'a Self, String> {
        if let Some(task) = tasks.clone().find(|it| it.id() == name) {
            return Ok(task);
        }
        let mut with_name = tasks.clone().filter(|it| it.spec.name == name);
        match (with_name.next(), with_name.next()) {
            (Some(task), None) => Ok(task),
            (Some(first), Some(second)) => {
                let (first, second) = (first.id(), second.id());
                Err(format!("more than one plugin has a task `{name}`: {first} and {second}"))
            }
            (None, _) => {
                let ids: Vec<_> = tasks.map(Self::id).collect();
                if ids.is_empty() {
                    return Err("this host has no tasks".to_owned());
                }
                let ids: Vec<_> = ids.iter().map(String::as_str).collect();
                let has = format!("there are {}", listed(&ids));
                Err(format!("there is no task `{name}`; {}", suggestion(name, ids, &has)))
            }
        }
    }

    /// Returns the channel for whose events the task runs.
    pub(crate) fn event_channel(&self) -> Option<&str> {
        if let Schedule::OnEvent(channel) = &self.spec.schedule { Some(channel) } else { None }
    }

    /// Returns the ids of the tasks on which this one depends. A name without a plugin is that of
    /// a task of the same plugin.
    pub(crate) fn depends_on(&self) -> Vec<Arc<str>> {
        let id = |name: &String| match name.contains('/') {
            true => name.as_str().into(),
            false => format!("{}/{name}", self.plugin).into(),
        };
        self.spec.depends_on.iter().map(id).collect()
    }

    /// Returns what the plan has to know of the task. Intervals are counted from `anchor`, or from
    /// the start of the schedule if it has one.
    ///
    /// # Errors
    /// If the task can't run as its spec says: the field at fault, and the reason.
    pub(crate) fn definition(&self, anchor: Timestamp) -> Result<TaskDefinition, WrongSpec> {
        let Self { plugin, spec, .. } = self;
        let trigger = self.trigger(anchor)?;
        if spec.at_once.is_some() && spec.overlap != Overlap::Allow {
            let reason = "limits its runs with `at_once`, but does not let them overlap; let them \
                          with the overlap policy `allow`";
            return Err(WrongSpec::new("at_once", reason));
        }
        Ok(TaskDefinition {
            plugin: plugin.as_str().into(),
            trigger,
            priority: spec.priority,
            overlap: spec.overlap,
            misfire: MisfirePolicy { misfire: spec.misfire, grace: spec.misfire_grace },
            depends_on: self.depends_on(),
            on_dependency_failure: spec.on_dependency_failure,
            retry: RetryPolicy {
                attempts: spec.attempts.max(1),
                delay: spec.retry_delay,
                backoff: spec.backoff,
                ..RetryPolicy::default()
            },
            timeout: spec.timeout,
            at_once: spec.at_once.map(|most| usize::try_from(most.max(1)).unwrap_or(usize::MAX)),
            key: spec.key.as_deref().map(Arc::from),
            start_interval: SignedDuration::try_from(spec.min_start_interval)
                .unwrap_or(SignedDuration::MAX),
            durability: spec.durability,
        })
    }

    fn trigger(&self, anchor: Timestamp) -> Result<Trigger, WrongSpec> {
        let spec = &self.spec;
        let wrong = |reason: String| Err(WrongSpec::new("schedule", reason));
        let bound = |text: &Option<String>| text.as_deref().map(spec_moment).transpose();
        let (from, until) = (bound(&spec.starts_at)?, bound(&spec.ends_at)?);
        if let (Some(from), Some(until)) = (from, until)
            && until < from
        {
            return wrong(format!(
                "has a schedule that ends at {until}, before it starts at {from}"
            ));
        }
        let timed = |recurrence| {
            Ok(Trigger::Time(Timing {
                recurrence,
                span: Span { from, until }.boxed(),
                jitter: spec.jitter,
            }))
        };
        match &spec.schedule {
            Schedule::Every(interval) if *interval < SHORTEST_INTERVAL => {
                let shortest = humantime::format_duration(SHORTEST_INTERVAL);
                let interval = humantime::format_duration(*interval);
                wrong(format!("has an interval of {interval}; the shortest is {shortest}"))
            }
            Schedule::Every(interval) => {
                let Ok(interval) = SignedDuration::try_from(*interval) else {
                    return wrong("has an interval without end".to_owned());
                };
                let aligned = |from| every(interval, from, anchor);
                let anchor = from.and_then(aligned).unwrap_or(anchor);
                timed(Recurrence::Every { interval, anchor })
            }
            Schedule::Cron { expression, zone } => match CronSchedule::parse(expression, zone) {
                Ok(cron) => timed(Recurrence::Cron(Arc::new(cron))),
                Err(error) => wrong(format!("has a wrong schedule: {error}")),
            },
            _ if from.is_some() || until.is_some() => wrong(
                "has a start or an end of its schedule, which only an interval or a cron \
                 expression has"
                    .to_owned(),
            ),
            Schedule::OnceAt(at) => timed(Recurrence::Once(spec_moment(at)?)),
            Schedule::AtStart => Ok(Trigger::Start),
            Schedule::Manual | Schedule::OnEvent(_) => Ok(Trigger::Request),
            Schedule::AfterDependencies if spec.depends_on.is_empty() => {
                let reason = "runs after its dependencies, but names none in `depends_on`";
                Err(WrongSpec::new("depends_on", reason))
            }
            Schedule::AfterDependencies => Ok(Trigger::Dependencies),
        }
    }
}

/// Reads a moment: RFC 3339, or a local time with its zone in brackets.
pub(crate) fn moment(text: &str) -> Option<Timestamp> {
    let zoned = || text.parse::<Zoned>().map(|it| it.timestamp()).ok();
    text.parse().ok().or_else(zoned)
}

/// Reads a moment of a spec.
///
/// # Errors
/// If the text is no moment.
fn spec_moment(text: &str) -> Result<Timestamp, WrongSpec> {
    moment(text).ok_or_else(|| {
        let reason = format!(
            "is due at `{text}`, which is no time; write it as `2026-12-24T18:00:00Z` or \
             `2026-12-24T18:00:00[Europe/Paris]`"
        );
        WrongSpec::new("schedule", reason)
    })
}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::FunctionKind;
    use serde_json::json;

    use super::*;

    fn refusal(schedule: Schedule<String>) -> String {
        let spec = TaskSpec { schedule, ..TaskSpec::new("a", FunctionKind::Async) };
        let task = ScheduledTask { plugin: "p".to_owned(), spec, config: json!({}) };
        task.definition(Timestamp::UNIX_EPOCH).unwrap_err().to_string()
    }

    #[test]
    fn a_schedule_that_can_not_be_kept_is_refused_with_the_reason() {
        let every = |interval| refusal(Schedule::Every(interval));
        assert_eq!(every(Duration::ZERO), "has an interval of 0s; the shortest is 1ms");
        assert_eq!(every(Duration::from_nanos(1)), "has an interval of 1ns; the shortest is 1ms");
        assert_eq!(every(Duration::MAX), "has an interval without end");
        assert!(refusal(Schedule::AfterDependencies).contains("names none in `depends_on`"));
        assert!(refusal(Schedule::OnceAt("noon".to_owned())).contains("`noon`, which is no time"));
    }

    fn trigger(spec: TaskSpec, anchor: &str) -> Result<Trigger, WrongSpec> {
        let task = ScheduledTask { plugin: "p".to_owned(), spec, config: json!({}) };
        task.definition(anchor.parse().unwrap()).map(|it| it.trigger)
    }

    fn spec(schedule: Schedule<String>, starts_at: &str, ends_at: &str) -> TaskSpec {
        let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let (starts_at, ends_at) = (text(starts_at), text(ends_at));
        TaskSpec { schedule, starts_at, ends_at, ..TaskSpec::new("a", FunctionKind::Async) }
    }

    #[test]
    fn a_local_time_that_the_clock_skips_or_repeats_is_the_compatible_one() {
        for (local, instant) in [
            ("2026-12-24 18:00[Europe/Berlin]", "2026-12-24T17:00:00Z"),
            // The clock is set from 02:00 to 03:00.
            ("2026-03-29T02:30:00[Europe/Berlin]", "2026-03-29T01:30:00Z"),
            // The clock shows 02:30 twice, first in summer time.
            ("2026-10-25T02:30:00[Europe/Berlin]", "2026-10-25T00:30:00Z"),
        ] {
            assert_eq!(moment(local).unwrap().to_string(), instant, "{local}");
        }
    }

    #[test]
    fn an_interval_with_a_start_is_counted_from_it() {
        let every = Schedule::Every(Duration::from_secs(24 * 3600));
        for (starts_at, anchor, first) in [
            ("2026-12-01T06:00:00Z", "2026-11-27T14:32:00Z", "2026-12-01T06:00:00Z"),
            ("2026-01-01T06:00:00Z", "2026-11-27T14:32:00Z", "2026-11-28T06:00:00Z"),
        ] {
            let trigger = trigger(spec(every.clone(), starts_at, ""), anchor).unwrap();
            let Trigger::Time(timing) = trigger else { panic!("{trigger:?}") };
            let after = anchor.parse().unwrap();
            assert_eq!(timing.nominal_after(after), Some(first.parse().unwrap()), "{starts_at}");
        }
    }

    #[test]
    fn a_start_or_an_end_that_can_have_no_effect_is_refused() {
        let every = Schedule::Every(Duration::from_secs(60));
        let (early, late) = ("2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z");
        let refusal = |spec| trigger(spec, early).unwrap_err().to_string();
        assert!(refusal(spec(every, late, early)).contains("before it starts"));
        for schedule in [Schedule::Manual, Schedule::OnceAt(late.to_owned())] {
            let found = refusal(spec(schedule, early, ""));
            assert!(found.contains("only an interval or a cron expression has"), "{found}");
        }
        let at_once = TaskSpec { at_once: Some(2), ..spec(Schedule::Manual, "", "") };
        assert!(refusal(at_once).contains("the overlap policy `allow`"));
    }

    #[test]
    fn a_dependency_without_a_plugin_is_a_task_of_the_same_plugin() {
        let depends_on = vec!["b".to_owned(), "q/c".to_owned()];
        let spec = TaskSpec { depends_on, ..TaskSpec::new("a", FunctionKind::Async) };
        let task = ScheduledTask { plugin: "p".to_owned(), spec, config: json!({}) };
        assert_eq!(task.depends_on(), ["p/b".into(), "q/c".into()]);
    }
}
