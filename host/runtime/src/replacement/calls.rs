//! Calls of components outside of their drivers: on the threads of their bays, with time limits,
//! and with their panics caught.

use std::{future::Future, sync::Arc, time::Duration};

use hotbay_plugin_api::{SavedState, SchedulerError};
use tokio::{runtime::Handle, time::timeout};

use super::{ComponentTask, PROMPT};
use hotbay_core::{driver::guarded, scheduler::RegisteredTask};

/// Calls a method of a task, whichever kind it is.
macro_rules! call {
    ($task:expr, $runtime:expr, $limit:expr, |$locked:ident| $call:expr) => {{
        match $task {
            RegisteredTask::Background(task) => {
                let task = Arc::clone(task);
                on($runtime, $limit, async move {
                    let mut $locked = task.lock().await;
                    guarded(|| $call).await
                })
                .await
            }
            RegisteredTask::Event(task) => {
                let task = Arc::clone(task);
                on($runtime, $limit, async move {
                    let mut $locked = task.lock().await;
                    guarded(|| $call).await
                })
                .await
            }
        }
    }};
}

/// Asks a component for its state.
pub(super) async fn save(
    task: &ComponentTask,
    runtime: &Handle,
    limit: Duration,
) -> Result<Option<SavedState>, SchedulerError> {
    call!(task, runtime, limit, |locked| locked.save_state())
}

/// Restores a saved state in a component.
pub async fn restore(
    task: &ComponentTask,
    runtime: &Handle,
    state: SavedState,
    limit: Duration,
) -> Result<(), SchedulerError> {
    call!(task, runtime, limit, |locked| locked.restore(state))
}

/// Calls the `initialize` hook of a component.
pub(super) async fn initialize(
    task: &ComponentTask,
    runtime: &Handle,
    limit: Duration,
) -> Result<(), SchedulerError> {
    call!(task, runtime, limit, |locked| locked.initialize())
}

/// Has a component let go of what only one build may hold.
pub(super) async fn suspend(task: &ComponentTask, runtime: &Handle) -> Result<(), SchedulerError> {
    call!(task, runtime, PROMPT, |locked| locked.suspend())
}

/// Has a component take up again what it let go of.
pub(super) async fn resume(
    task: &ComponentTask,
    runtime: &Handle,
    limit: Duration,
) -> Result<(), SchedulerError> {
    call!(task, runtime, limit, |locked| locked.resume())
}

/// Calls the `shutdown` hook of a component that is out of service, which gets `PROMPT` to end. A
/// failure is logged.
pub async fn call_hook(task: &ComponentTask, runtime: &Handle) {
    let ended: Result<(), SchedulerError> =
        call!(task, runtime, PROMPT, |locked| locked.shutdown());
    if let Err(error) = ended {
        tracing::warn!(%error, "the shutdown hook of a build out of service failed");
    }
}

/// Awaits a call, and fails if it takes longer than the limit.
pub(super) async fn within<T>(
    limit: Duration,
    call: impl Future<Output = Result<T, SchedulerError>>,
) -> Result<T, SchedulerError> {
    timeout(limit, call).await.unwrap_or_else(|_| Err(timed_out(limit)))
}

/// Runs a call on a runtime, and fails if it takes longer than the limit.
async fn on<T: Send + 'static>(
    runtime: &Handle,
    limit: Duration,
    call: impl Future<Output = Result<T, SchedulerError>> + Send + 'static,
) -> Result<T, SchedulerError> {
    let mut running = runtime.spawn(call);
    match timeout(limit, &mut running).await {
        Ok(Ok(result)) => result,
        Ok(Err(_)) => Err(SchedulerError::InvalidState("its threads have ended".to_owned())),
        Err(_) => {
            // The call ends at its next await point. One that never awaits keeps its thread.
            running.abort();
            Err(timed_out(limit))
        }
    }
}

fn timed_out(limit: Duration) -> SchedulerError {
    SchedulerError::TaskExecution(format!("not over within {}", humantime::format_duration(limit)))
}
