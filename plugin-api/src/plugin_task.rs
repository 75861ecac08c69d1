//! The entries of `PLUGIN_TASKS` and `PLUGIN_TASK_KINDS`.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    TaskFn,
    context::parse_config,
    spec::{
        Backoff, Durability, Misfire, OnDependencyFailure, Overlap, Priority, Schedule,
        TaskKindSpec, TaskSpec,
    },
};

/// The JSON Schema of a type, as a function that a constant can hold.
pub type SchemaFn = fn() -> Value;

/// Returns the JSON Schema of `T`. Write `Some(schema_of::<T>)` for a task's `arguments`.
pub fn schema_of<T: JsonSchema>() -> Value {
    schemars::schema_for!(T).to_value()
}

/// The type of a task's settings, which [`settings_of`] makes.
#[derive(Debug, Clone, Copy)]
pub struct TaskSettings {
    schema: SchemaFn,
    pub(crate) check: fn(&str) -> Result<(), (String, String)>,
}

/// Returns the type of settings that are a `T`. Write `Some(settings_of::<T>())` for a task's
/// `settings`.
pub const fn settings_of<T: DeserializeOwned + JsonSchema>() -> TaskSettings {
    TaskSettings { schema: schema_of::<T>, check: |json| parse_config::<T>(json).map(drop) }
}

/// One task of a plugin, which is an entry of its `PLUGIN_TASKS`.
///
/// A host that does not support one of the fields refuses a task that sets it, and names the field.
/// It never ignores a field.
#[derive(Debug, Clone, Copy)]
pub struct PluginTask {
    /// The name, unique in the plugin.
    pub name: &'static str,
    /// A description in one line.
    pub description: &'static str,
    /// The function that each run of the task calls.
    pub run: TaskFn,
    /// The schedule of the task's runs.
    pub schedule: Schedule,
    /// No run is due by the schedule before this moment, which is written as that of
    /// [`Schedule::OnceAt`]. An interval is counted from it.
    pub starts_at: Option<&'static str>,
    /// No run is due by the schedule after this moment.
    pub ends_at: Option<&'static str>,
    /// The priority among tasks that are due at the same time.
    pub priority: Priority,
    /// Tasks that must have succeeded before a run begins: names of this plugin, or `plugin/task`.
    pub depends_on: &'static [&'static str],
    /// What becomes of a run if a task of `depends_on` did not succeed.
    pub on_dependency_failure: OnDependencyFailure,
    /// The number of attempts after which a run has failed.
    pub attempts: u32,
    /// The delay before the second attempt.
    pub retry_delay: Duration,
    /// The growth of the delay with further attempts.
    pub backoff: Backoff,
    /// The time limit of one attempt.
    pub timeout: Option<Duration>,
    /// What happens if a run is due while another is under way.
    pub overlap: Overlap,
    /// The most runs that are under way at once, if runs may overlap; `None` for any number.
    pub at_once: Option<u32>,
    /// The concurrency key: of the runs of all tasks with the same key, the host lets only so many be
    /// under way at once as its configuration says, one by default.
    pub key: Option<&'static str>,
    /// The shortest time between two starts of the task's runs; zero for none.
    pub min_start_interval: Duration,
    /// What happens to runs that were due while the host could not begin them.
    pub misfire: Misfire,
    /// How late a run may begin that was due while the host could not begin it; `None` for any delay.
    /// The time that a run waits because the host is busy does not count.
    pub misfire_grace: Option<Duration>,
    /// The longest delay by which starts are spread.
    pub jitter: Duration,
    /// What is kept of the runs across restarts of the host.
    pub durability: Durability,
    /// The number of consecutive failed runs after which an alert is sent.
    pub alert_after: Option<u32>,
    /// The schema of the arguments that [`Context::arguments`](crate::Context::arguments) reads, by
    /// [`schema_of`].
    pub arguments: Option<SchemaFn>,
    /// The type of the settings that [`Context::config`](crate::Context::config) reads, by
    /// [`settings_of`]. With it, `hotbay validate` finds wrong settings, and a running host refuses
    /// them; without it, they are found when a run reads them.
    pub settings: Option<TaskSettings>,
    /// The task runs by default. The host's configuration can enable or disable it.
    pub enabled: bool,
}

impl PluginTask {
    /// Makes a task that runs once, at start. Set other fields with `..PluginTask::new(…)`.
    pub const fn new(name: &'static str, run: TaskFn) -> Self {
        Self {
            name,
            description: "",
            run,
            schedule: Schedule::AtStart,
            starts_at: None,
            ends_at: None,
            priority: Priority::NORMAL,
            depends_on: &[],
            on_dependency_failure: OnDependencyFailure::Skip,
            attempts: 1,
            retry_delay: Duration::ZERO,
            backoff: Backoff::Constant,
            timeout: None,
            overlap: Overlap::Skip,
            at_once: None,
            key: None,
            min_start_interval: Duration::ZERO,
            misfire: Misfire::Once,
            misfire_grace: None,
            jitter: Duration::ZERO,
            durability: Durability::Fsync,
            alert_after: None,
            arguments: None,
            settings: None,
            enabled: true,
        }
    }

    pub(crate) fn spec(&self) -> TaskSpec {
        TaskSpec {
            description: self.description.to_owned(),
            schedule: self.schedule.into_owned(),
            starts_at: self.starts_at.map(str::to_owned),
            ends_at: self.ends_at.map(str::to_owned),
            priority: self.priority,
            depends_on: self.depends_on.iter().map(|&name| name.to_owned()).collect(),
            on_dependency_failure: self.on_dependency_failure,
            attempts: self.attempts,
            retry_delay: self.retry_delay,
            backoff: self.backoff,
            timeout: self.timeout,
            overlap: self.overlap,
            at_once: self.at_once,
            key: self.key.map(str::to_owned),
            min_start_interval: self.min_start_interval,
            misfire: self.misfire,
            misfire_grace: self.misfire_grace,
            jitter: self.jitter,
            durability: self.durability,
            alert_after: self.alert_after,
            arguments: self.arguments.map_or(Value::Null, |schema| schema()),
            settings: self.settings.map_or(Value::Null, |settings| (settings.schema)()),
            enabled: self.enabled,
            ..TaskSpec::new(self.name, self.run.kind())
        }
    }
}

/// A kind of task that a plugin offers for submission: an entry of its `PLUGIN_TASK_KINDS`.
///
/// It has no schedule: a run begins when somebody submits one, with parameters that the
/// function reads by [`Context::arguments`](crate::Context::arguments).
///
/// ```
/// use hotbay_plugin_api::prelude::*;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Deserialize, JsonSchema)]
/// struct Range { from: u64, to: u64 }
///
/// #[derive(Serialize)]
/// struct Sum { sum: u64 }
///
/// fn add_up(context: Context) -> Result<Sum, SchedulerError> {
///     let Range { from, to } = context.arguments()?;
///     Ok(Sum { sum: (from..=to).sum() })
/// }
///
/// const PLUGIN_TASK_KINDS: &[PluginTaskKind] = &[PluginTaskKind {
///     description: "Adds up a range of numbers",
///     ..PluginTaskKind::new::<Range>("add-up", run_sync!(add_up))
/// }];
///
/// export_plugin! { task_kinds: PLUGIN_TASK_KINDS }
/// # fn main() {}
/// ```
#[derive(Debug, Clone, Copy)]
pub struct PluginTaskKind {
    /// The name, unique among the kinds of the plugin.
    pub name: &'static str,
    /// A description in one line.
    pub description: &'static str,
    /// The function that each run of this kind calls.
    pub run: TaskFn,
    /// The schema of the parameters.
    pub parameters: SchemaFn,
}

impl PluginTaskKind {
    /// Makes a kind of task whose parameters are a `P`.
    pub const fn new<P: JsonSchema>(name: &'static str, run: TaskFn) -> Self {
        Self { name, description: "", run, parameters: schema_of::<P> }
    }

    pub(crate) fn spec(&self) -> TaskKindSpec {
        TaskKindSpec {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            function: self.run.kind(),
            parameters: (self.parameters)(),
            not_understood: serde_json::Map::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, SchedulerError, spec::FunctionKind};

    async fn nothing(_: Context) -> Result<(), SchedulerError> {
        Ok(())
    }

    /// A constant can't be made of owned texts, so the defaults are written twice.
    #[test]
    fn a_task_of_an_author_has_the_defaults_of_a_spec() {
        let task = PluginTask::new("a", crate::run_async!(nothing));
        assert_eq!(task.spec(), TaskSpec::new("a", FunctionKind::Async));
    }
}
