//! Tasks with their settings.

use std::sync::Arc;

use hotbay_plugin_api::{Schedule, TaskSpec};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use crate::plan::{
    CronSchedule, MisfirePolicy, OnDependencyFailure, Recurrence, RetryPolicy, TaskDefinition,
    Timing, Trigger,
};

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
        let recurrence = match &spec.schedule {
            Schedule::AtStart | Schedule::AfterDependencies | Schedule::Manual => None,
            Schedule::OnceAt(at) => Some(Recurrence::Once(at.parse().map_err(|error| {
                format!(
                    "is due at `{at}`, which is no time ({error}); write it as \
                     `2026-12-24T18:00:00Z`"
                )
            })?)),
            Schedule::Every(interval) if interval.is_zero() => {
                return Err("has an interval of zero".to_owned());
            }
            Schedule::Every(interval) => {
                let interval = SignedDuration::try_from(*interval);
                let interval = interval.map_err(|_| "has an interval without end".to_owned())?;
                Some(Recurrence::Every { interval, anchor })
            }
            Schedule::Cron { expression, zone } => {
                let cron = CronSchedule::parse(expression, zone);
                let cron = cron.map_err(|error| format!("has a wrong schedule: {error}"))?;
                Some(Recurrence::Cron(Arc::new(cron)))
            }
        };
        let trigger = match (recurrence, &spec.schedule) {
            (Some(recurrence), _) => {
                Trigger::Time(Timing { jitter: spec.jitter, ..Timing::new(recurrence) })
            }
            (None, Schedule::AfterDependencies) if spec.depends_on.is_empty() => {
                return Err(
                    "runs after its dependencies, but names none in `depends_on`".to_owned()
                );
            }
            (None, Schedule::AfterDependencies) => Trigger::Dependencies,
            (None, Schedule::Manual) => Trigger::Request,
            (None, _) => Trigger::Start,
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
        })
    }
}
