//! A plugin's task as a background task of the scheduler.
//!
//! The driver keeps the task's schedule and history; the code that it runs is that of the
//! build in service when a run begins, and a run ends on the build that it began on.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use hotbay_plugin_api::{BackgroundTask, RunInfo, SchedulerError};
use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, error};

use crate::TaskBuild;

/// What became of a task's runs so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs {
    pub(super) done: u64,
    pub(super) failed: u64,
    pub(super) last_error: Option<String>,
    /// Whether the last run failed.
    pub(super) failing: bool,
}

impl Runs {
    /// How many runs there were.
    pub(super) fn ended(&self) -> u64 {
        self.done + self.failed
    }
}

/// Where a task's runs are counted, shared with whoever reports them.
#[derive(Debug, Clone, Default)]
pub(super) struct Tally(Arc<Mutex<Runs>>);

impl Tally {
    pub(super) fn lock(&self) -> MutexGuard<'_, Runs> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a task is to run, and when. It may change while the task waits.
#[derive(Debug, Clone, Default)]
pub(super) struct Assignment {
    /// `None` while its plugin is not there, or it is switched off.
    pub(super) build: Option<Arc<TaskBuild>>,
    /// `None`: once.
    pub(super) interval: Option<Duration>,
}

/// Runs one task of a plugin on its schedule.
///
/// A failed run of a periodic task does not end the task: the next one comes.
pub(super) struct TaskDriver {
    pub(super) id: String,
    pub(super) assignment: watch::Receiver<Assignment>,
    pub(super) cancel: CancellationToken,
    pub(super) tally: Tally,
    /// When the last run was due that has been started.
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
        if self.assignment.borrow().interval.is_none() {
            return result.and(Err(SchedulerError::Finished));
        }
        Ok(())
    }
}

impl TaskDriver {
    /// Waits for the next start; `None` if it is to stop.
    async fn next(&mut self) -> Option<(Arc<TaskBuild>, Instant)> {
        loop {
            if self.cancel.is_cancelled() {
                return None;
            }
            let Assignment { build, interval } = self.assignment.borrow_and_update().clone();
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
                changed = self.assignment.changed() => changed.ok()?,
            }
        }
    }

    /// The id of the next run: the task's, and which of its runs it is.
    fn next_run(&self) -> RunInfo {
        let number = self.tally.lock().ended() + 1;
        RunInfo { id: format!("{}/{number}", self.id), attempt: 1 }
    }

    /// The next start that still lies ahead, or the one that is due: a run that takes
    /// longer than the interval skips starts, it does not pile them up.
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
        let mut runs = self.tally.lock();
        match result {
            Ok(()) => {
                runs.done += 1;
                runs.failing = false;
            }
            Err(error) => {
                error!(task = self.id, %error, "a run failed");
                runs.failed += 1;
                runs.last_error = Some(error.to_string());
                // What failed before as well is not the fault of this build.
                if !std::mem::replace(&mut runs.failing, true) {
                    build.note_failure(error);
                }
            }
        }
    }
}
