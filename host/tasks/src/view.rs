//! Tasks and runs as they are shown to people and programs.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A task, with its schedule and what became of its runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskView {
    /// The id of the task: `plugin/task`.
    pub id: String,
    /// A description in one line, which may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The schedule in words.
    pub schedule: String,
    /// What keeps the task from having new runs, if something does.
    pub state: TaskState,
    /// The time at which the next run is due by its schedule.
    pub next: Option<Timestamp>,
    /// The number of runs under way.
    pub running: u64,
    /// The number of runs that wait.
    pub waiting: u64,
    /// What became of the runs that have ended.
    pub counts: EndedRuns,
    /// The error of the last attempt that failed.
    pub last_error: Option<String>,
}

/// What keeps a task from having new runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskState {
    /// Nothing: runs begin when they are due.
    Active,
    /// Somebody paused the task. Runs that are due are recorded as skipped.
    Paused,
    /// Somebody disabled the task. It has no schedule.
    Disabled,
    /// No build of its plugin is in service.
    Waits,
    /// Its runs can't be stored now.
    Held,
}

/// The number of runs of a task by their outcome, as far back as they are known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EndedRuns {
    /// Runs that were successful.
    pub succeeded: u64,
    /// Runs that failed, passed their time limit or were parked.
    pub failed: u64,
    /// Runs that were cancelled or replaced.
    pub cancelled: u64,
    /// Runs that were due and did not take place.
    pub skipped: u64,
    /// Runs that were missed while no host ran.
    pub missed: u64,
}

/// A run, or the record of one that did not take place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunView {
    /// The number of the run, unique in the store.
    pub run: u64,
    /// The id of its task: `plugin/task`.
    pub task: String,
    /// The state of the run, or how it ended, as one word.
    pub state: String,
    /// Why it is in this state: what it waits for, or the error.
    pub reason: Option<String>,
    /// The run that is in its way, or that was.
    pub by: Option<u64>,
    /// Why the run was created, as text.
    pub cause: String,
    /// The time at which it was due by the schedule of its task.
    pub nominal: Option<Timestamp>,
    /// The time since which the run waits, or at which the record was made.
    pub since: Timestamp,
    /// The time at which its first attempt began.
    pub started: Option<Timestamp>,
    /// The time at which it ended.
    pub ended: Option<Timestamp>,
    /// The number of attempts that have begun and were not interrupted.
    pub attempts: u32,
    /// The number of attempts that were interrupted.
    pub interruptions: u32,
    /// The number of attempts during which the host crashed.
    pub crashes: u32,
    /// What the run returned.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub result: Value,
}

impl RunView {
    /// Makes the record of a run that did not take place.
    pub(crate) fn without_attempt(
        run: u64,
        task: &str,
        state: &str,
        reason: String,
        at: Timestamp,
    ) -> Self {
        Self {
            run,
            task: task.to_owned(),
            state: state.to_owned(),
            reason: Some(reason),
            by: None,
            cause: String::new(),
            nominal: None,
            since: at,
            started: None,
            ended: Some(at),
            attempts: 0,
            interruptions: 0,
            crashes: 0,
            result: Value::Null,
        }
    }
}

/// One line of the log of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLineView {
    /// The number of the line among those of its run, from 1.
    pub number: u64,
    /// The time at which the line was written.
    pub at: Timestamp,
    /// The severity: `error`, `warn`, `info`, `debug` or `trace`.
    pub level: String,
    /// The text, with its fields.
    pub message: String,
}
