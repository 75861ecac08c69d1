//! Runs, as they are stored.

use std::{fmt, sync::Arc};

use jiff::Timestamp;

use super::{Epoch, LogLevel};

/// The number of a run, which is unique in a store. Later runs have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a run was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunCause {
    /// Its task came into service.
    Start,
    /// It was due at this nominal time.
    Time(Timestamp),
    /// It was due at this nominal time, was missed, and is made up for.
    MadeUp(Timestamp),
    /// The tasks on which it depends have ended.
    Dependencies,
    /// It was requested, by the request of this number.
    Request(u64),
    /// An event of a channel asked for it.
    Event {
        /// The number of the request for it.
        request: u64,
        /// The name of the channel; empty if it was not stored.
        channel: Arc<str>,
    },
}

impl RunCause {
    /// Returns the time at which the run was due by the schedule of its task.
    pub fn nominal(&self) -> Option<Timestamp> {
        match self {
            Self::Time(at) | Self::MadeUp(at) => Some(*at),
            Self::Start | Self::Dependencies | Self::Request(_) | Self::Event { .. } => None,
        }
    }

    /// Returns the number of the request, if the run was requested, by somebody or by an event.
    pub fn request(&self) -> Option<u64> {
        match self {
            Self::Request(request) | Self::Event { request, .. } => Some(*request),
            Self::Start | Self::Time(_) | Self::MadeUp(_) | Self::Dependencies => None,
        }
    }
}

/// What a run that has not ended waits for, or how far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It waits for a time.
    Delayed(Timestamp),
    /// It waits for the tasks on which it depends.
    Dependencies,
    /// It waits for a place.
    Queued,
    /// An attempt is under way. It has been asked to stop if there is a reason.
    Running(Option<StopReason>),
    /// It was asked to stop and does not.
    Abandoned(StopReason),
}

/// Why a run was asked to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Somebody asked for its cancellation.
    Cancelled,
    /// A newer run of its task takes its place.
    Replaced,
    /// Its attempt passed its time limit.
    TimeLimit,
    /// Its build is unloaded, or the host stops.
    Interrupted,
}

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The code of the run returned successfully.
    Succeeded,
    /// It failed, or panicked.
    Failed,
    /// It stopped because it was asked to.
    Stopped,
    /// Its build was unloaded, or the host stopped, before it had ended.
    Interrupted,
    /// The host ended by a crash during the attempt.
    Crashed,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Its last attempt was successful.
    Succeeded,
    /// Its last attempt failed.
    Failed,
    /// Its last attempt passed its time limit.
    TimedOut,
    /// Somebody cancelled it.
    Cancelled,
    /// A newer run of its task took its place.
    Replaced,
    /// The host crashed during too many of its attempts.
    Parked,
    /// It did not take place.
    Skipped,
}

/// How many runs of a task ended in which way, also of those that are stored no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the outcomes, as `Outcome` has them")]
pub struct OutcomeCounts {
    pub succeeded: u64,
    pub failed: u64,
    pub timed_out: u64,
    pub cancelled: u64,
    pub replaced: u64,
    pub parked: u64,
    pub skipped: u64,
    /// Runs that were missed, none of which has a record of its own.
    pub missed: u64,
}

/// How many attempts of a run began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Those that were neither interrupted nor ended by a crash of the host.
    pub attempts: u32,
    /// Those that were interrupted.
    pub interruptions: u32,
    /// Those during which the host crashed.
    pub crashes: u32,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// The number of the run.
    pub run: RunId,
    /// The id of its task.
    pub task: Arc<str>,
    /// Why it was created.
    pub cause: RunCause,
    /// Its concurrency key.
    pub key: Option<Arc<str>>,
    /// The time since which it waits, or waited.
    pub since: Timestamp,
    /// Its priority.
    pub priority: i16,
    /// Its arguments, as JSON.
    pub arguments: Option<String>,
    /// How far it has come.
    pub status: RunStatus,
    /// How many of its attempts began.
    pub counts: RunCounts,
    /// Its latest attempt.
    pub attempt: Option<Attempt>,
    /// When its first attempt began.
    pub began: Option<Timestamp>,
}

/// How far a run has come.
#[derive(Debug, Clone, PartialEq)]
pub enum RunStatus {
    /// It has not ended.
    Live(RunState),
    /// It has ended.
    Ended(RunEnd),
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunEnd {
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was not successful.
    pub reason: Option<String>,
    /// The run because of which it ended like this.
    pub by: Option<RunId>,
    /// Its result, as JSON.
    pub result: Option<String>,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The number of the attempt, from 1. An interrupted attempt is repeated under its number.
    pub attempt: u32,
    /// The epoch of the host that began it.
    pub epoch: Epoch,
    /// When it began.
    pub at: Timestamp,
    /// The build of the plugin; empty if it is not known.
    pub build: Arc<str>,
    /// How it ended; `None` if no end was reported.
    pub end: Option<AttemptEnd>,
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptEnd {
    /// When it ended.
    pub at: Timestamp,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// Why it was not successful.
    pub error: Option<String>,
}

/// A run with all of its attempts.
#[derive(Debug, Clone, PartialEq)]
pub struct RunDetail {
    /// The run.
    pub run: RunRecord,
    /// Its attempts, in the order in which they began. The last one is that of the run.
    pub attempts: Vec<Attempt>,
}

/// A line of the log of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// The number of the line in the log of its run, from 1.
    pub number: u64,
    /// When it was said.
    pub at: Timestamp,
    /// How important it is.
    pub level: LogLevel,
    /// What was said.
    pub message: String,
}
