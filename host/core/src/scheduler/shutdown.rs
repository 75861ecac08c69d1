//! Stops tasks in the direction of the data and within limits, and names what is left.

mod drain;
mod hooks;

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};
use tokio::time::{Instant, timeout_at};

use super::{
    ExecutionStatus,
    command::Command,
    core::{Core, Entries},
    entry::Entry,
};
use crate::{FOREVER, bus::Payload};
use drain::Flow;

/// The time limits of a shutdown, in total and for each of its steps.
///
/// The whole may exceed `total` only by the graces of the steps that come after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShutdownLimits {
    /// The time after which tasks that have not stopped are given up and named.
    pub total: Duration,
    /// The time for queued events to reach the tasks that are to handle them.
    pub drain: Duration,
    /// The time for a turn in progress to end, before it is dropped at its await point; and again
    /// the time for it to be dropped, before the other tasks are seen to.
    pub turn_grace: Duration,
    /// How long nothing may move on the bus before receivers of which the scheduler
    /// doesn't know whether they will come back are waited for no longer. A receiver
    /// that is waiting in `recv` is known to be done, and costs no time.
    pub settle: Duration,
    /// The time limit of one `shutdown` hook.
    pub hook: Duration,
}

impl ShutdownLimits {
    /// Returns limits for a shutdown that is to be over within `limit`.
    pub fn within(limit: Duration) -> Self {
        let usual = Self::default();
        Self {
            total: limit,
            drain: usual.drain.min(limit / 2),
            turn_grace: usual.turn_grace.min(limit / 8),
            settle: usual.settle.min(limit / 4),
            hook: usual.hook.min(limit / 4),
        }
    }

    /// Returns the same limits, each at most [`FOREVER`], so that it can be added to the present
    /// time.
    fn bounded(self) -> Self {
        let Self { total, drain, turn_grace, settle, hook } = self;
        Self {
            total: total.min(FOREVER),
            drain: drain.min(FOREVER),
            turn_grace: turn_grace.min(FOREVER),
            settle: settle.min(FOREVER),
            hook: hook.min(FOREVER),
        }
    }
}

impl Default for ShutdownLimits {
    /// 10 s in all; 5 s to drain, 250 ms for a turn, 500 ms to settle, 2 s for a hook.
    fn default() -> Self {
        Self {
            total: Duration::from_secs(10),
            drain: Duration::from_secs(5),
            turn_grace: Duration::from_millis(250),
            settle: Duration::from_millis(500),
            hook: Duration::from_secs(2),
        }
    }
}

/// The report of a shutdown.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "says which tasks did not stop"]
pub struct ShutdownReport {
    /// Tasks that still run, or whose `shutdown` hook does.
    pub did_not_stop: Vec<TaskId>,
    /// Tasks whose `shutdown` hook failed. They have stopped all the same.
    pub failed_hooks: Vec<(TaskId, SchedulerError)>,
    /// Tells if everything that was queued was handled.
    pub drain: Drain,
}

/// The outcome of draining the queues in a shutdown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// The tasks have handled everything.
    Complete,
    /// The time limit was over first. What was left is counted as dropped by its channel.
    CutOff,
}

impl ShutdownReport {
    /// Returns an error for the worst that happened, if not everything stopped in good order.
    pub(super) fn into_result(self) -> Result<(), SchedulerError> {
        if !self.did_not_stop.is_empty() {
            let names: Vec<_> = self.did_not_stop.iter().map(TaskId::as_str).collect();
            let text = format!("did not stop within the limit: {}", names.join(", "));
            return Err(SchedulerError::TaskShutdown(text));
        }
        self.failed_hook().map_or(Ok(()), Err)
    }

    /// The error of the first `shutdown` hook that failed, with the task's name.
    pub(crate) fn failed_hook(&self) -> Option<SchedulerError> {
        let (id, error) = self.failed_hooks.first()?;
        let text = if let SchedulerError::TaskShutdown(text) = error {
            format!("{id}: {text}")
        } else {
            format!("{id}: {error}")
        };
        Some(SchedulerError::TaskShutdown(text))
    }

    /// Returns `true` if everything stopped, in good order.
    pub fn is_clean(&self) -> bool {
        self.did_not_stop.is_empty()
            && self.failed_hooks.is_empty()
            && self.drain == Drain::Complete
    }
}

/// Stops the stages in the direction of the data, and calls their hooks against it.
pub(crate) async fn shut_down<E: EventType, P: Payload>(
    core: &Core<E, P>,
    stages: &[Entries<E, P>],
    limits: ShutdownLimits,
) -> ShutdownReport {
    let _only = core.stopping.lock().await;
    core.no_more_starts();
    let limits = limits.bounded();
    let now = Instant::now();
    let end = now + limits.total;
    let mut flow = Flow::observe(core, now + limits.drain.min(limits.total), limits.settle);

    for (place, stage) in stages.iter().enumerate() {
        // The producers of this stage have stopped. What they published is still to be handled.
        if place > 0 {
            flow.drain(&stages[place..]).await;
        }
        stop(core, stage, limits).await;
    }
    let drain = flow.outcome();

    let mut report = ShutdownReport { did_not_stop: vec![], failed_hooks: vec![], drain };
    let against_the_flow = || stages.iter().rev().flat_map(|stage| stage.iter().rev());
    let hooks = hooks::Hooks { core, limits, end };
    for entry in against_the_flow().filter(|entry| entry.is_over()) {
        hooks.call(entry, &mut report).await;
    }
    for entry in against_the_flow().filter(|entry| !entry.is_over()) {
        if timeout_at(end, entry.reaches(ExecutionStatus::is_over)).await.is_ok() {
            hooks.call(entry, &mut report).await;
        } else {
            tracing::error!(task = %entry.id(), "the task did not stop within the limit");
            core.give_up(entry);
            report.did_not_stop.push(entry.id().clone());
        }
    }
    report
}

/// Stops one stage: politely, then at the next await point, then not waiting any longer.
async fn stop<E: EventType, P: Payload>(
    core: &Core<E, P>,
    stage: &[Arc<Entry<E, P>>],
    limits: ShutdownLimits,
) {
    for command in [Command::Stop, Command::Abort] {
        let running: Vec<_> = stage.iter().filter(|entry| !entry.is_over()).collect();
        if running.is_empty() {
            return;
        }
        core.cut_data();
        running.iter().for_each(|entry| entry.order(command));
        let grace = Instant::now() + limits.turn_grace;
        for entry in running {
            if timeout_at(grace, entry.reaches(ExecutionStatus::is_over)).await.is_err() {
                tracing::debug!(task = %entry.id(), ?command, "the task has not stopped yet");
            }
        }
    }
}
