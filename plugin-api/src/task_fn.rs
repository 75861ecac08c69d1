//! The function behind a task.

use std::{fmt, future::Future, pin::Pin};

use serde::Serialize;
use serde_json::Value;

use crate::{Context, SchedulerError, spec::FunctionKind};

/// The result of a task's function, as JSON; `null` for `()`.
pub type RunResult = Result<Value, SchedulerError>;

/// The boxed future of an async task function.
pub type TaskFuture = Pin<Box<dyn Future<Output = RunResult> + Send>>;

/// The function behind a task; made by [`run_async!`](crate::run_async) and
/// [`run_sync!`](crate::run_sync).
#[derive(Clone, Copy)]
pub enum TaskFn {
    /// An async function.
    Async(fn(Context) -> TaskFuture),
    /// A function that computes or blocks; it gets a thread of the plugin's blocking pool.
    Sync(fn(Context) -> RunResult),
}

impl TaskFn {
    pub(crate) fn kind(self) -> FunctionKind {
        match self {
            Self::Async(_) => FunctionKind::Async,
            Self::Sync(_) => FunctionKind::Sync,
        }
    }
}

impl fmt::Debug for TaskFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}

/// Converts the return value of an author's function into the result of a run.
#[doc(hidden)]
pub fn run_result<T: Serialize>(returned: Result<T, SchedulerError>) -> RunResult {
    serde_json::to_value(returned?).map_err(|error| {
        SchedulerError::TaskExecution(format!("the run's result is not plain data: {error}"))
    })
}

/// Makes a [`TaskFn`] of an `async fn(Context) -> Result<T, SchedulerError>`.
///
/// `T` is the run's result: `()`, or any type that implements `serde::Serialize`.
#[macro_export]
macro_rules! run_async {
    ($function:path) => {
        $crate::TaskFn::Async(|context| {
            ::std::boxed::Box::pin(async move {
                $crate::__private::run_result($function(context).await)
            })
        })
    };
}

/// Makes a [`TaskFn`] of a `fn(Context) -> Result<T, SchedulerError>` that computes or blocks.
///
/// `T` is the run's result: `()`, or any type that implements `serde::Serialize`.
#[macro_export]
macro_rules! run_sync {
    ($function:path) => {
        $crate::TaskFn::Sync(|context| $crate::__private::run_result($function(context)))
    };
}
