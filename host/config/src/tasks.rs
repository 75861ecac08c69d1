//! What a file says about the tasks of plugins, which takes precedence over their manifests.

mod policies;
mod read;
mod schedule;

use std::time::Duration;

use hotbay_plugin_api::{Durability, OnDependencyFailure, Overlap};
use schemars::JsonSchema;
use serde::Deserialize;

use super::entries::AtOnce;
use super::path::ConfigPath;
use super::values::{Bound, Count, MILLISECOND, Name, OrNone, Settings, Span, TEN_YEARS};

pub use policies::{BackoffEntry, MisfireEntry, PriorityEntry};
pub(super) use read::{TaskEntries, task_entries};
pub use schedule::{ScheduleEntry, TriggerEntry};

/// The overrides of a manifest for one task of a plugin. What is left out is as the manifest says.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TaskEntry {
    /// The name of the task, or `plugin/task`. The name alone is enough if only one plugin has a task
    /// of that name. A mapping from names to tasks has the name as the key.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    pub name: Option<String>,
    /// The name of the plugin.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    pub plugin: Option<String>,
    /// The name of the task, under the key that manifests have for it, instead of `name`.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    pub task: Option<String>,
    /// Whether the task runs.
    pub enabled: Option<bool>,
    /// When runs begin: a cron expression, meant in UTC, or its nickname, such as `@hourly`; one of
    /// `at_start`, `after_dependencies` (each time that all tasks of `depends_on` have succeeded anew)
    /// and `manual` (only on request); or a mapping. A schedule that is edited while the host runs
    /// takes effect without a run at once.
    pub schedule: Option<ScheduleEntry>,
    /// The time from one start to the next, instead of a schedule.
    #[serde(default, deserialize_with = "Interval::option")]
    #[schemars(with = "Option<Interval>")]
    pub interval: Option<Duration>,
    /// The time from one start to the next in seconds, instead of `interval`.
    #[serde(default, deserialize_with = "Seconds::some")]
    #[schemars(with = "Option<Seconds>")]
    pub interval_seconds: Option<usize>,
    /// The longest delay by which starts are spread, so that tasks of one schedule do not all begin
    /// at once.
    #[serde(default, deserialize_with = "Delay::option")]
    #[schemars(with = "Option<Delay>")]
    pub jitter: Option<Duration>,
    /// The priority among runs that wait. The greater number goes first: `high` is 100, `normal` 0,
    /// and `low` -100.
    pub priority: Option<PriorityEntry>,
    /// The tasks that must have succeeded before a run begins: names of tasks of the same plugin, or
    /// `plugin/task`.
    #[serde(default, deserialize_with = "Name::list")]
    #[schemars(with = "Option<Vec<Name>>")]
    pub depends_on: Option<Vec<String>>,
    /// What becomes of a run if a task of `depends_on` did not succeed.
    pub on_dependency_failure: Option<OnDependencyFailure>,
    /// How many more times a run is tried after a failed attempt.
    #[serde(default, deserialize_with = "Count::<0, 1_000_000>::some")]
    #[schemars(with = "Option<Count<0, 1_000_000>>")]
    pub max_retries: Option<usize>,
    /// The delay before the second attempt.
    #[serde(default, deserialize_with = "Delay::option")]
    #[schemars(with = "Option<Delay>")]
    pub retry_delay: Option<Duration>,
    /// The delay before the second attempt in seconds, instead of `retry_delay`.
    #[serde(default, deserialize_with = "Count::<0, TEN_YEARS_IN_SECONDS>::some")]
    #[schemars(with = "Option<Count<0, TEN_YEARS_IN_SECONDS>>")]
    pub retry_delay_seconds: Option<usize>,
    /// The growth of the delay with further attempts.
    pub backoff: Option<BackoffEntry>,
    /// The time limit of one attempt, or `none`.
    #[serde(default, deserialize_with = "OrNone::<Interval>::bound")]
    #[schemars(with = "Option<OrNone<Interval>>")]
    pub timeout: Option<Bound<Duration>>,
    /// What happens to a run that is due while another one of the task is under way.
    pub overlap: Option<Overlap>,
    /// The most runs that are under way at once, or `none`, with `overlap: allow`.
    #[serde(default, deserialize_with = "OrNone::<AtOnce>::bound")]
    #[schemars(with = "Option<OrNone<AtOnce>>")]
    pub at_once: Option<Bound<usize>>,
    /// The concurrency key. Of the runs of all tasks with the same key, only so many are under way at
    /// once as `limits` says.
    #[serde(default, deserialize_with = "Name::option")]
    #[schemars(with = "Option<Name>")]
    pub key: Option<String>,
    /// The shortest time between two starts of the task's runs.
    #[serde(default, deserialize_with = "Delay::option")]
    #[schemars(with = "Option<Delay>")]
    pub min_start_interval: Option<Duration>,
    /// What happens to runs that were due while the host could not begin them.
    pub misfire: Option<MisfireEntry>,
    /// What is kept of the runs across restarts of the host.
    pub durability: Option<Durability>,
    /// Whether somebody is alerted when runs fail: after the first failed run, or as many in a row as
    /// `alert_after` says.
    pub alert_on_failure: Option<bool>,
    /// After how many failed runs in a row somebody is alerted.
    #[serde(default, deserialize_with = "Count::<1, 1_000_000>::some")]
    #[schemars(with = "Option<Count<1, 1_000_000>>")]
    pub alert_after: Option<usize>,
    /// The configuration of the task.
    #[serde(default = "Settings::none", deserialize_with = "Settings::read")]
    #[schemars(with = "Settings")]
    pub config: serde_json::Value,
    /// The path of the entry. The path of its configuration is `location.key("config")`.
    #[serde(skip)]
    pub location: ConfigPath,
}

/// The time from one start of a task to the next, or a time limit.
pub(super) type Interval = Span<MILLISECOND, TEN_YEARS>;

/// A delay, which may be zero.
type Delay = Span<0, TEN_YEARS>;

/// The time from one start of a task to the next in whole seconds.
type Seconds = Count<1, TEN_YEARS_IN_SECONDS>;

const TEN_YEARS_IN_SECONDS: usize = 315_576_000;

impl TaskEntry {
    /// Returns the plugin and the task that the entry names. The plugin is `None` if the entry does
    /// not name it.
    pub fn target(&self) -> (Option<&str>, &str) {
        let name = self.name.as_deref().or(self.task.as_deref()).unwrap_or_default();
        match (self.plugin.as_deref(), name.split_once('/')) {
            (None, Some((plugin, task))) => (Some(plugin), task),
            (plugin, _) => (plugin, name),
        }
    }

    /// Returns `true` if the entry is about this task, as far as can be told from its names.
    pub fn is_about(&self, plugin: &str, task: &str) -> bool {
        let (of, name) = self.target();
        name == task && of.is_none_or(|of| of == plugin)
    }

    /// Returns the path of the name of the task.
    pub fn name_path(&self) -> ConfigPath {
        self.location.key(if self.name.is_some() { "name" } else { "task" })
    }

    /// Returns the path of the name of the plugin.
    pub fn plugin_path(&self) -> ConfigPath {
        match self.plugin {
            Some(_) => self.location.key("plugin"),
            None => self.name_path(),
        }
    }

    /// Returns the schedule, and the key of the entry that says it.
    pub fn schedule(&self) -> Option<(&'static str, ScheduleEntry)> {
        let every = |interval| ScheduleEntry::from(TriggerEntry::Every(interval));
        if let Some(schedule) = &self.schedule {
            return Some(("schedule", schedule.clone()));
        }
        if let Some(interval) = self.interval {
            return Some(("interval", every(interval)));
        }
        let seconds = self.interval_seconds?;
        Some(("interval_seconds", every(Duration::from_secs(seconds as u64))))
    }
}
