//! What is read.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Edge, Outcome, OutcomeCounts, RunId};

/// What is stored of a task.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TaskRecord {
    /// The id of the task.
    pub task: Arc<str>,
    /// The schedule that was stored last.
    pub schedule: Option<String>,
    /// The instant from which its intervals are counted.
    pub anchor: Option<Timestamp>,
    /// Its runs are dealt with up to this nominal time.
    pub cursor: Option<Timestamp>,
    /// It is paused.
    pub paused: bool,
    /// It is enabled or disabled by an operator; `None` if the configuration decides.
    pub enabled: Option<bool>,
    /// Its dependencies.
    pub edges: Vec<Edge>,
    /// How its runs ended.
    pub counts: OutcomeCounts,
}

/// Which runs are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RunQuery {
    /// Runs of this task; `None` for all tasks.
    pub task: Option<Arc<str>>,
    /// Runs that ended like this; `None` for all runs, also those that have not ended.
    pub outcome: Option<Outcome>,
    /// Runs with lower numbers than this one: the cursor of the page before.
    pub before: Option<RunId>,
    /// The most runs of a page; at most 1,000 are returned.
    pub limit: usize,
}

/// A part of a longer list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The cursor of the next page; `None` at the end.
    pub next: Option<RunId>,
}

/// Runs of a task that were missed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissedRecord {
    /// When that was found.
    pub at: Timestamp,
    /// The number of runs; a lower bound if `is_counted` is `false`.
    pub count: u64,
    /// Tells if all of them were counted.
    pub is_counted: bool,
    /// The nominal time of the first.
    pub first: Timestamp,
    /// The nominal time of the last.
    pub last: Timestamp,
}
