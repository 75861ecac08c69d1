//! The runs that have not ended.
//!
//! ```text
//!             ┌──────────────┐ time ┌────────┐ place ┌─────────┐ ended ┌───────┐
//!  created ──▶│ Delayed      │─────▶│ Queued │──────▶│ Running │──────▶│ Ended │
//!         └──▶│ Dependencies │─────▶│        │       │         │       └───────┘
//!             └──────────────┘      └────────┘       └─────────┘
//!                    ▲                   ▲             │  │ does not stop  ▲
//!                    └── failed attempt ─┼─────────────┘  ▼                │
//!                                        └── interrupted ─┴ Abandoned ─────┘
//! ```
//!
//! A run keeps its place in the limits while it is running or abandoned, which is as long as its
//! code may be executed.

use std::{fmt, sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{Group, RunCause, RunCounts, RunId, StopReason};

/// The state of a run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunState {
    /// It waits for a time: that of its next attempt, or its share of a spread.
    Delayed(Timestamp),
    /// It waits for the tasks on which it depends.
    Dependencies,
    /// It waits for a place.
    Queued,
    /// An attempt is under way.
    Running {
        /// The time since the start of the plan at which the attempt has to end.
        deadline: Option<Duration>,
        /// Why it was asked to stop, if it was.
        stopping: Option<StopReason>,
    },
    /// It was asked to stop and does not. Its code may still be executed.
    Abandoned(StopReason),
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The code of the run returned successfully.
    Succeeded,
    /// It failed, or panicked, for this reason.
    Failed(String),
    /// It stopped because it was asked to.
    Stopped,
    /// Its build was unloaded, or the host stopped, before it had ended.
    Interrupted,
    /// The host ended by a crash during the attempt.
    Crashed,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunOutcome {
    /// Its last attempt was successful.
    Succeeded,
    /// Its last attempt failed, for this reason.
    Failed(String),
    /// Its last attempt passed its time limit.
    TimedOut,
    /// Somebody cancelled the run.
    Cancelled,
    /// A newer run of its task took its place.
    Replaced,
    /// The host crashed during too many of its attempts.
    Parked,
    /// It did not take place, because a task on which it depends was not successful.
    Skipped {
        /// The id of the upstream task.
        upstream: Arc<str>,
        /// The run that was not successful; `None` if there was none.
        run: Option<RunId>,
        /// Why that task was not successful.
        reason: String,
    },
}

impl RunOutcome {
    /// Returns the run of another task because of which it did not take place.
    pub fn in_the_way(&self) -> Option<RunId> {
        match self {
            Self::Skipped { run, .. } => *run,
            Self::Succeeded
            | Self::Failed(_)
            | Self::TimedOut
            | Self::Cancelled
            | Self::Replaced
            | Self::Parked => None,
        }
    }

    /// Returns why the run was not successful, or `None` if it was.
    pub fn failure(&self) -> Option<String> {
        (*self != Self::Succeeded).then(|| self.to_string())
    }
}

impl fmt::Display for RunOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Succeeded => f.write_str("succeeded"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
            Self::TimedOut => f.write_str("passed its time limit"),
            Self::Cancelled => f.write_str("was cancelled"),
            Self::Replaced => f.write_str("was replaced by a newer run"),
            Self::Skipped { upstream, reason, .. } => {
                write!(f, "was skipped: {upstream}, on which it depends, {reason}")
            }
            Self::Parked => f.write_str("was parked, because the host crashed during it"),
        }
    }
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveRun {
    /// What it has in common with runs that are subject to the same limits.
    pub group: Group,
    /// Why the run was created.
    pub cause: RunCause,
    /// The time since which it waits, which decides its place among others.
    pub since: Timestamp,
    /// What the run waits for, or how far it has come.
    pub state: RunState,
    /// The counts of its attempts.
    pub counts: RunCounts,
}

impl LiveRun {
    /// Returns the id of its task.
    pub fn task(&self) -> &Arc<str> {
        &self.group.task
    }
}
