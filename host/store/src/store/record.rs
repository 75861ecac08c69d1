//! What is written.

use std::sync::Arc;

use jiff::Timestamp;

use super::{AttemptOutcome, Outcome, RunCause, RunCounts, RunId, RunState};

/// When a batch counts as written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Durability {
    /// It outlives this process, but perhaps not a failure of the system or of its power.
    Async,
    /// It is on the disk.
    #[default]
    Fsync,
}

/// Records that are written together or not at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The records, in the order in which they apply.
    pub records: Vec<Record>,
    /// When the batch counts as written.
    pub durability: Durability,
}

/// What has happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Something about a task has changed. A task that is not known is made.
    Task {
        /// The id of the task.
        task: Arc<str>,
        /// What has changed.
        change: TaskChange,
    },
    /// A run was created.
    ///
    /// If the task has a run of this nominal time already, this run is reported in
    /// [`Written::duplicates`], and no further record of this batch about it applies.
    Created(Box<NewRun>),
    /// A run that has not ended is in another state. [`Record::Started`] and
    /// [`Record::AttemptEnded`] set the state as well.
    State {
        /// The number of the run.
        run: RunId,
        /// The state of the run.
        state: RunState,
        /// The counts of its attempts.
        counts: RunCounts,
    },
    /// An attempt begins: the run is claimed for this epoch, and is running.
    ///
    /// It is a [`Conflict`](super::Conflict) if an attempt of the run is under way, also one of
    /// another epoch whose end was not reported.
    Started {
        /// The number of the run.
        run: RunId,
        /// The number of the attempt, from 1. It becomes the count of attempts. An attempt that
        /// was interrupted is repeated under the same number.
        attempt: u32,
        /// When the attempt begins.
        at: Timestamp,
        /// The build of the plugin; empty if it is not known.
        build: Arc<str>,
    },
    /// The attempt that is under way has ended. An attempt that was interrupted, or during which the
    /// host crashed, moves from the count of attempts to the count of these. The run is queued,
    /// until a later record of the batch says otherwise.
    AttemptEnded {
        /// The number of the run.
        run: RunId,
        /// The number of the attempt.
        attempt: u32,
        /// When it ended.
        at: Timestamp,
        /// How it ended.
        outcome: AttemptOutcome,
        /// Why it was not successful.
        error: Option<String>,
    },
    /// A run has ended. No attempt of it may be under way.
    Ended {
        /// The number of the run.
        run: RunId,
        /// When it ended.
        at: Timestamp,
        /// How it ended.
        outcome: Outcome,
        /// Why it was not successful.
        reason: Option<String>,
        /// The run because of which it ended like this.
        by: Option<RunId>,
        /// Its result, as JSON.
        result: Option<String>,
    },
    /// A run that was due does not take place. It is treated as a run that has ended, and a
    /// duplicate as that of [`Record::Created`].
    Skipped(Box<Skip>),
    /// Runs of a task were missed.
    Missed {
        /// The id of the task.
        task: Arc<str>,
        /// When that was found.
        at: Timestamp,
        /// The number of runs; a lower bound if `is_counted` is `false`.
        count: u64,
        /// Tells if all of them were counted.
        is_counted: bool,
        /// The nominal time of the first.
        first: Timestamp,
        /// The nominal time of the last.
        last: Timestamp,
    },
    /// A run, which may have ended, says something.
    Log {
        /// The number of the run.
        run: RunId,
        /// When it was said.
        at: Timestamp,
        /// How important it is.
        level: LogLevel,
        /// What is said.
        message: String,
    },
}

/// What has changed about a task.
#[derive(Debug, Clone, PartialEq)]
pub enum TaskChange {
    /// Its schedule, in words that tell whether a later one is the same.
    Schedule {
        /// The schedule.
        text: String,
        /// The instant from which its intervals are counted.
        anchor: Option<Timestamp>,
    },
    /// Its runs are dealt with up to this nominal time.
    Cursor(Timestamp),
    /// The clock was set back, and the schedule goes on from this time: its runs are dealt with up to
    /// this nominal time and no further. Each later nominal time comes again, and has a run again.
    Reset(Timestamp),
    /// It is paused, or not any more.
    Paused(bool),
    /// It is enabled or disabled by an operator; `None` if the configuration decides.
    Enabled(Option<bool>),
    /// Its dependencies, as they are now.
    Edges(Vec<Edge>),
}

/// The dependency of a task on another task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// The id of the other task.
    pub upstream: Arc<str>,
    /// The last run of the other task that was consumed.
    pub consumed: Option<RunId>,
    /// The last run of the other task that has ended, with the reason why it was not successful if
    /// it was not.
    pub latest: Option<(RunId, Option<String>)>,
}

/// A run that is created.
#[derive(Debug, Clone, PartialEq)]
pub struct NewRun {
    /// The number of the run.
    pub run: RunId,
    /// The id of its task.
    pub task: Arc<str>,
    /// Why it is created. This has its nominal time.
    pub cause: RunCause,
    /// Its concurrency key.
    pub key: Option<Arc<str>>,
    /// The time since which it waits.
    pub since: Timestamp,
    /// Its priority.
    pub priority: i16,
    /// Its arguments, as JSON.
    pub arguments: Option<String>,
    /// What it waits for.
    pub state: RunState,
}

/// A run that does not take place, or several of them in one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Skip {
    /// The number of the run.
    pub run: RunId,
    /// The id of its task.
    pub task: Arc<str>,
    /// Why it would have been created. This has its nominal time.
    pub cause: RunCause,
    /// When that was decided.
    pub at: Timestamp,
    /// Why it does not take place.
    pub reason: String,
    /// The run because of which it does not.
    pub by: Option<RunId>,
    /// How many runs do not take place: 1, or as many events as this record is about.
    pub count: u64,
}

/// How important a line of a log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the usual levels")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
}

/// What became of a batch that was written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// Runs that were not created, because their task has a run of the same nominal time.
    pub duplicates: Vec<RunId>,
}
