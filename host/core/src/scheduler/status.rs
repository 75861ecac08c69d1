//! The status of a task, and what else can be known about it.

use std::{fmt, time::SystemTime};

use hotbay_plugin_api::{SchedulerError, TaskId};

/// The status of a task: what it does at the moment, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExecutionStatus {
    /// The task waits for the scheduler to start it.
    Registered,
    /// The task's `initialize` is running.
    Initializing,
    /// The task gets its turns or its events.
    Running,
    /// The task is between two events or turns and kept from the next one, while a new build of its
    /// plugin takes over.
    Held,
    /// The task's code is gone; what comes next takes its place under the same name.
    Waiting,
    /// The task ended by itself, in good order.
    Finished,
    /// The task ended with an error or a panic.
    Failed {
        /// The error, with the phase in which it happened.
        error: SchedulerError,
    },
    /// The task was told to stop and has not ended yet.
    Stopping,
    /// The task was told to stop, and has ended.
    Stopped,
    /// The task was told to stop and was still at it when the limit was over. Should it end after
    /// all, its status becomes one of the others.
    DidNotStop,
}

impl ExecutionStatus {
    /// Returns `true` if the task gets no more turns and events.
    pub fn has_ended(&self) -> bool {
        match self {
            Self::Registered
            | Self::Initializing
            | Self::Running
            | Self::Held
            | Self::Waiting
            | Self::Stopping => false,
            Self::Finished | Self::Failed { .. } | Self::Stopped | Self::DidNotStop => true,
        }
    }
}

/// The conditions that the scheduler waits for.
impl ExecutionStatus {
    /// Returns `true` if the initialization is over, successfully or not.
    pub(super) fn is_past_initialization(&self) -> bool {
        match self {
            Self::Registered | Self::Initializing => false,
            Self::Running
            | Self::Held
            | Self::Waiting
            | Self::Finished
            | Self::Failed { .. }
            | Self::Stopping
            | Self::Stopped
            | Self::DidNotStop => true,
        }
    }

    /// Returns `true` if no driver has the task any more. A task that was given up is not over.
    pub(super) fn is_over(&self) -> bool {
        *self == Self::Waiting || (self.has_ended() && *self != Self::DidNotStop)
    }

    /// Returns `true` if no driver has the task, because it is over or held.
    pub(super) fn is_idle(&self) -> bool {
        *self == Self::Held || self.is_over()
    }
}

impl fmt::Display for ExecutionStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registered => f.write_str("registered"),
            Self::Initializing => f.write_str("initializing"),
            Self::Running => f.write_str("running"),
            Self::Held => f.write_str("held"),
            Self::Waiting => f.write_str("waiting"),
            Self::Finished => f.write_str("finished"),
            Self::Failed { error } => write!(f, "failed: {error}"),
            Self::Stopping => f.write_str("stopping"),
            Self::Stopped => f.write_str("stopped"),
            Self::DidNotStop => f.write_str("did not stop"),
        }
    }
}

/// The kind of driver that a task needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DriverKind {
    /// The driver of a background task calls it turn after turn.
    Background,
    /// The driver of an event task calls it for each event of a channel.
    Event,
}

impl fmt::Display for DriverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Background => "background",
            Self::Event => "event",
        })
    }
}

/// One task at one moment.
#[derive(Debug, Clone)]
pub struct TaskInfo {
    /// The task's id, which is its name in the scheduler.
    pub id: TaskId,
    /// The kind of the task's driver.
    pub kind: DriverKind,
    /// The task's status at this moment.
    pub status: ExecutionStatus,
    /// Turns, or payloads, that ended well.
    pub turns: u64,
    /// Events in those payloads; 0 for a background task.
    pub events: u64,
    /// The last error of any of its phases, the `shutdown` hook included.
    pub last_error: Option<SchedulerError>,
    /// The time at which the task's initialization began.
    pub started: Option<SystemTime>,
    /// The time at which the task ended.
    pub ended: Option<SystemTime>,
}
