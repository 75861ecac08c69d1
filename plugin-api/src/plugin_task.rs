//! `PLUGIN_TASKS`: the tasks that a plugin brings, with their schedules.

use std::{fmt, future::Future, pin::Pin, time::Duration};

use crate::{Context, SchedulerError};

/// What an async task function returns, boxed.
pub type TaskFuture = Pin<Box<dyn Future<Output = Result<(), SchedulerError>> + Send>>;

/// The function behind a task; see [`run_async!`](crate::run_async) and
/// [`run_sync!`](crate::run_sync).
#[derive(Clone, Copy)]
pub enum TaskFn {
    /// An async function.
    Async(fn(Context) -> TaskFuture),
    /// A function that computes or blocks; it gets a thread of the plugin's blocking pool.
    Sync(fn(Context) -> Result<(), SchedulerError>),
}

impl fmt::Debug for TaskFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Async(_) => "Async",
            Self::Sync(_) => "Sync",
        })
    }
}

/// How urgent a task is beside others that are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Priority {
    /// After the others.
    Low,
    /// As it comes.
    #[default]
    Normal,
    /// Before the others.
    High,
}

/// One task of a plugin: an entry of its `PLUGIN_TASKS`.
///
/// A field that this host's scheduler does not honour yet makes it refuse the
/// task with that reason; it is never ignored.
#[derive(Debug, Clone, Copy)]
pub struct PluginTask {
    /// The name, unique in the plugin.
    pub name: &'static str,
    /// One line for people.
    pub description: &'static str,
    /// The function.
    pub run: TaskFn,
    /// Time between the starts of two runs, the first at start; `None`: one run at start.
    pub interval: Option<Duration>,
    /// A cron expression instead of an interval.
    pub cron: Option<&'static str>,
    /// How urgent it is.
    pub priority: Priority,
    /// Tasks of the same plugin that must have run before it.
    pub depends_on: &'static [&'static str],
    /// How often a run is tried before it counts as failed.
    pub attempts: u32,
    /// How long a run may take.
    pub timeout: Option<Duration>,
}

impl PluginTask {
    /// A task that runs once, at start. Set other fields with `..PluginTask::new(…)`.
    pub const fn new(name: &'static str, run: TaskFn) -> Self {
        Self {
            name,
            description: "",
            run,
            interval: None,
            cron: None,
            priority: Priority::Normal,
            depends_on: &[],
            attempts: 1,
            timeout: None,
        }
    }
}

/// Makes a [`TaskFn`] of an `async fn(Context) -> Result<(), SchedulerError>`.
#[macro_export]
macro_rules! run_async {
    ($function:path) => {
        $crate::TaskFn::Async(|context| ::std::boxed::Box::pin($function(context)))
    };
}

/// Makes a [`TaskFn`] of a `fn(Context) -> Result<(), SchedulerError>` that computes or blocks.
#[macro_export]
macro_rules! run_sync {
    ($function:path) => {
        $crate::TaskFn::Sync($function)
    };
}
