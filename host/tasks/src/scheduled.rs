//! Tasks with their settings.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{Schedule, TaskSpec};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::plan::{
    CronSchedule, MisfirePolicy, OnDependencyFailure, Recurrence, RetryPolicy, TaskDefinition,
    Timing, Trigger,
};

/// The shortest interval of a task, which is that of the configuration as well.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(1);

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

    /// Returns the ids of the tasks on which this one depends. A name without a plugin is that of
    /// a task of the same plugin.
    pub(crate) fn depends_on(&self) -> Vec<Arc<str>> {
        let id = |name: &String| match name.contains('/') {
            true => name.as_str().into(),
            false => format!("{}/{name}", self.plugin).into(),
        };
        self.spec.depends_on.iter().map(id).collect()
    }

    /// Returns what the plan has to know of the task. Intervals are counted from `anchor`.
    ///
    /// # Errors
    /// What is wrong with the schedule.
    pub(crate) fn definition(&self, anchor: Timestamp) -> Result<TaskDefinition, String> {
        let Self { plugin, spec, .. } = self;
        let timed =
            |recurrence| Trigger::Time(Timing { jitter: spec.jitter, ..Timing::new(recurrence) });
        let trigger = match &spec.schedule {
            Schedule::AtStart => Trigger::Start,
            Schedule::Manual => Trigger::Request,
            Schedule::AfterDependencies if spec.depends_on.is_empty() => {
                let reason = "runs after its dependencies, but names none in `depends_on`";
                return Err(reason.to_owned());
            }
            Schedule::AfterDependencies => Trigger::Dependencies,
            Schedule::OnceAt(at) => timed(Recurrence::Once(at.parse().map_err(|error| {
                format!(
                    "is due at `{at}`, which is no time ({error}); write it as \
                     `2026-12-24T18:00:00Z`"
                )
            })?)),
            Schedule::Every(interval) if *interval < SHORTEST_INTERVAL => {
                let shortest = humantime::format_duration(SHORTEST_INTERVAL);
                let interval = humantime::format_duration(*interval);
                return Err(format!("has an interval of {interval}; the shortest is {shortest}"));
            }
            Schedule::Every(interval) => {
                let interval = SignedDuration::try_from(*interval);
                let interval = interval.map_err(|_| "has an interval without end".to_owned())?;
                timed(Recurrence::Every { interval, anchor })
            }
            Schedule::Cron { expression, zone } => {
                let cron = CronSchedule::parse(expression, zone);
                let cron = cron.map_err(|error| format!("has a wrong schedule: {error}"))?;
                timed(Recurrence::Cron(Arc::new(cron)))
            }
        };
        Ok(TaskDefinition {
            plugin: plugin.as_str().into(),
            trigger,
            priority: spec.priority,
            overlap: spec.overlap,
            misfire: MisfirePolicy { misfire: spec.misfire, grace: None },
            depends_on: self.depends_on(),
            on_dependency_failure: OnDependencyFailure::default(),
            retry: RetryPolicy {
                attempts: spec.attempts.max(1),
                delay: spec.retry_delay,
                backoff: spec.backoff,
                ..RetryPolicy::default()
            },
            timeout: spec.timeout,
            at_once: None,
            key: None,
            start_interval: SignedDuration::ZERO,
            durability: spec.durability,
        })
    }
}

#[cfg(test)]
mod tests {
    use hotbay_plugin_api::FunctionKind;
    use serde_json::json;

    use super::*;

    fn refusal(schedule: Schedule<String>) -> String {
        let spec = TaskSpec { schedule, ..TaskSpec::new("a", FunctionKind::Async) };
        let task = ScheduledTask { plugin: "p".to_owned(), spec, config: json!({}) };
        task.definition(Timestamp::UNIX_EPOCH).unwrap_err()
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

    #[test]
    fn a_dependency_without_a_plugin_is_a_task_of_the_same_plugin() {
        let depends_on = vec!["b".to_owned(), "q/c".to_owned()];
        let spec = TaskSpec { depends_on, ..TaskSpec::new("a", FunctionKind::Async) };
        let task = ScheduledTask { plugin: "p".to_owned(), spec, config: json!({}) };
        assert_eq!(task.depends_on(), ["p/b".into(), "q/c".into()]);
    }
}
