//! The driver of a plugin's task, a background task of the scheduler.
//!
//! The driver keeps the schedule and the history of the task. A run uses the code of the build
//! that is in service when the run begins, and ends on that build.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use hotbay_plugin_api::{BackgroundTask, RunInfo, SchedulerError};
use parking_lot::{Mutex, MutexGuard};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::TaskBuild;

/// Counts the runs of a task by their outcome.
#[derive(Debug, Clone, Default)]
pub(super) struct RunCounts {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) last_error: Option<String>,
    /// Tells if the last run failed.
    pub(super) failing: bool,
}

impl RunCounts {
    /// Returns the number of runs that have ended.
    pub(super) fn ended(&self) -> u64 {
        self.done + self.failed
    }
}

/// The counts of a task's runs, shared by its driver and its reports.
#[derive(Debug, Clone, Default)]
pub(super) struct SharedRunCounts(Arc<Mutex<RunCounts>>);

impl SharedRunCounts {
    pub(super) fn lock(&self) -> MutexGuard<'_, RunCounts> {
        self.0.lock()
    }
}

/// The build that a task is to run, and when. The plan may change while the task waits.
#[derive(Debug, Clone, Default)]
pub(super) struct RunPlan {
    /// `None` while the plugin is not loaded, or the task is disabled.
    pub(super) build: Option<Arc<TaskBuild>>,
    /// The time between the starts of two runs; `None` for one run at start.
    pub(super) interval: Option<Duration>,
}

/// Runs one task of a plugin on its schedule.
///
/// A failed run of a periodic task does not end the task: the next run is started as usual.
pub(super) struct TaskDriver {
    pub(super) id: String,
    pub(super) plan: watch::Receiver<RunPlan>,
    pub(super) cancel: CancellationToken,
    pub(super) counts: SharedRunCounts,
    /// The time at which the last run that was started was due.
    pub(super) last: Option<Instant>,
}

#[async_trait]
impl BackgroundTask for TaskDriver {
    async fn execute(&mut self) -> Result<(), SchedulerError> {
        let Some((build, due)) = self.next().await else { return Err(SchedulerError::Finished) };
        self.last = Some(due);
        let result = build.run(self.next_run()).await.map(|result| {
            debug!(task = self.id, %result, "a run is done");
        });
        self.count(&build, &result);
        if self.plan.borrow().interval.is_none() {
            return result.and(Err(SchedulerError::Finished));
        }
        Ok(())
    }
}

impl TaskDriver {
    /// Waits for the next start. Returns `None` if the driver is to stop.
    async fn next(&mut self) -> Option<(Arc<TaskBuild>, Instant)> {
        loop {
            if self.cancel.is_cancelled() {
                return None;
            }
            let RunPlan { build, interval } = self.plan.borrow_and_update().clone();
            let now = Instant::now();
            let due = match (self.last, interval) {
                (None, _) => now,
                (Some(last), Some(interval)) => self.following(last, interval, now),
                (Some(_), None) => return None,
            };
            let start = async {
                match build {
                    Some(build) => {
                        sleep_until(due).await;
                        build
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                build = start => return Some((build, due)),
                () = self.cancel.cancelled() => return None,
                changed = self.plan.changed() => changed.ok()?,
            }
        }
    }

    /// Returns the id of the next run: the id of the task, and the number of the run.
    fn next_run(&self) -> RunInfo {
        let number = self.counts.lock().ended() + 1;
        RunInfo { id: format!("{}/{number}", self.id), attempt: 1 }
    }

    /// Returns the start that follows `last`, or, if that is past, the next start after `now`: a
    /// run that takes longer than the interval skips starts and does not delay later ones.
    fn following(&self, last: Instant, interval: Duration, now: Instant) -> Instant {
        let due = last + interval;
        if due >= now {
            return due;
        }
        let behind = (now - due).as_nanos() / interval.as_nanos().max(1) + 1;
        let skipped = u32::try_from(behind).unwrap_or(u32::MAX);
        debug!(task = self.id, skipped, "a run took longer than the interval");
        due + interval.saturating_mul(skipped)
    }

    fn count(&self, build: &TaskBuild, result: &Result<(), SchedulerError>) {
        let mut runs = self.counts.lock();
        match result {
            Ok(()) => {
                runs.done += 1;
                runs.failing = false;
            }
            Err(error) => {
                error!(task = self.id, %error, "a run failed");
                runs.failed += 1;
                runs.last_error = Some(error.to_string());
                // A task that failed before as well is not the fault of this build.
                if !std::mem::replace(&mut runs.failing, true) {
                    build.note_failure(error);
                }
            }
        }
    }
}
