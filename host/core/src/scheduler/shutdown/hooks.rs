//! Calls the `shutdown` hook of each task once, on the task's own runtime and within a limit.

use hotbay_plugin_api::{EventType, SchedulerError};
use tokio::time::{Instant, timeout_at};

use super::{ShutdownLimits, ShutdownReport};
use crate::{
    bus::Payload,
    scheduler::{RegisteredTask, core::Core, entry::Entry, guard::guarded},
};

pub(super) struct Hooks<'a, E: EventType, P: Payload> {
    pub(super) core: &'a Core<E, P>,
    pub(super) limits: ShutdownLimits,
    pub(super) end: Instant,
}

impl<E: EventType, P: Payload> Hooks<'_, E, P> {
    /// Calls the hook of a task that has ended, if it is due.
    pub(super) async fn call(&self, entry: &Entry<E, P>, report: &mut ShutdownReport) {
        if !entry.take_hook() {
            return;
        }
        let (Ok(task), Some(runtime)) = (self.core.task(entry.id()), self.core.runtime_of(entry))
        else {
            return;
        };
        let mut hook = runtime.spawn(async move {
            match task {
                RegisteredTask::Background(task) => {
                    let mut locked = task.lock().await;
                    guarded(|| locked.shutdown()).await
                }
                RegisteredTask::Event(task) => {
                    let mut locked = task.lock().await;
                    guarded(|| locked.shutdown()).await
                }
            }
        });
        // However late it is, a hook gets a grace.
        let now = Instant::now();
        let until = (now + self.limits.hook).min(self.end.max(now + self.limits.turn_grace));
        let error = match timeout_at(until, &mut hook).await {
            Ok(Ok(Ok(()) | Err(SchedulerError::Finished))) => return,
            Ok(Ok(Err(error))) => error,
            Ok(Err(_)) => {
                let text = "the runtime that the task was on is gone".to_owned();
                SchedulerError::TaskShutdown(text)
            }
            Err(_) => {
                hook.abort();
                tracing::error!(task = %entry.id(), "its shutdown hook did not end in time");
                entry.fail_hook(SchedulerError::TaskShutdown("not over in time".to_owned()));
                report.did_not_stop.push(entry.id().clone());
                return;
            }
        };
        tracing::warn!(task = %entry.id(), %error, "its shutdown hook failed");
        entry.fail_hook(error.clone());
        report.failed_hooks.push((entry.id().clone(), error));
    }
}
