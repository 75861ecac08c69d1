//! A plugin's task as a background task of the scheduler.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hotbay_plugin_api::{BackgroundTask, SchedulerError};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::plugin::PluginRun;

/// What became of a task's runs so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) last_error: Option<String>,
}

/// Where a task's runs are counted, shared with whoever reports them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Runs>>);

impl Tally {
    pub(super) fn lock(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs one task of a plugin on its schedule.
///
/// A failed run of a periodic task does not end the task: the next one comes.
pub(super) struct TaskDriver {
    pub(super) id: String,
    pub(super) run: PluginRun,
    /// `None`: once.
    pub(super) interval: Option<Duration>,
    pub(super) cancel: CancellationToken,
    pub(super) tally: Tally,
    pub(super) due: Option<Instant>,
}

#[async_trait]
impl BackgroundTask for TaskDriver {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        if let Some(due) = self.due {
            tokio::select! {
                () = sleep_until(due) => {}
                () = self.cancel.cancelled() => return Err(SchedulerError::Finished),
            }
        }
        if self.cancel.is_cancelled() {
            return Err(SchedulerError::Finished);
        }
        let began = Instant::now();
        let result = self.run.run().await;
        self.count(&result);
        let Some(interval) = self.interval else {
            return result.and(Err(SchedulerError::Finished));
        };
        // The next start that still lies ahead: a run that takes longer than the
        // interval skips starts, it does not pile them up.
        let mut due = self.due.unwrap_or(began) + interval;
        let now = Instant::now();
        if due < now {
            let behind = (now - due).as_nanos() / interval.as_nanos().max(1) + 1;
            let skipped = u32::try_from(behind).unwrap_or(u32::MAX);
            debug!(task = self.id, skipped, "a run took longer than the interval");
            due += interval.saturating_mul(skipped);
        }
        self.due = Some(due);
        Ok(())
    }
}

impl TaskDriver {
    fn count(&self, result: &Result<(), SchedulerError>) {
        let mut runs = self.tally.lock();
        match result {
            Ok(()) => runs.done += 1,
            Err(error) => {
                error!(task = self.id, %error, "a run failed");
                runs.failed += 1;
                runs.last_error = Some(error.to_string());
            }
        }
    }
}
