//! Asking for runs, steering tasks, and looking at them, from outside of the loop that runs them.

use std::{path::PathBuf, sync::Arc};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use thiserror::Error;
use tokio::sync::{mpsc::UnboundedSender, oneshot};

use crate::{LogLineView, RunView, TaskView, runner::RunnerEvent};

/// The most times, runs or lines of a log that one answer has.
pub const MOST_IN_ANSWER: u32 = 1_000;

/// What is asked of the tasks of a running host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskRequest {
    /// All tasks.
    List,
    /// One task, with its runs that have not ended.
    Show {
        /// The id of the task, or its name if only one plugin has a task of that name.
        task: String,
    },
    /// A run of a task, now.
    Run {
        /// The id of the task, or its name.
        task: String,
        /// The arguments of the run, a JSON object.
        arguments: Value,
        /// The run takes place whatever the overlap policy says, and without its dependencies.
        forced: bool,
    },
    /// A task is to have no runs until it is resumed, or is resumed.
    Pause {
        /// The id of the task, or its name.
        task: String,
        /// Tells if it is to be paused.
        paused: bool,
    },
    /// A task is to have no schedule, or is to have one again.
    Enable {
        /// The id of the task, or its name.
        task: String,
        /// Tells if it is to be enabled.
        enabled: bool,
    },
    /// A run is to stop.
    Cancel {
        /// The number of the run.
        run: u64,
    },
    /// The next times at which a task is due.
    Next {
        /// The id of the task, or its name.
        task: String,
        /// The time from which on to look; now by default.
        from: Option<Timestamp>,
        /// The number of times, at most [`MOST_IN_ANSWER`].
        count: u32,
    },
    /// The runs of one task or of all, the latest first.
    History {
        /// The id of the task, or its name.
        task: Option<String>,
        /// Only runs with a number below this one.
        before: Option<u64>,
        /// The most runs that are returned, at most [`MOST_IN_ANSWER`].
        limit: u32,
    },
    /// One run.
    Inspect {
        /// The number of the run.
        run: u64,
    },
    /// A copy of the store, as it is at one moment.
    Backup {
        /// The file to be written, an absolute path. It must not exist.
        to: PathBuf,
    },
    /// The log of a run.
    Log {
        /// The number of the run.
        run: u64,
        /// Only lines with a higher number than this one; 0 for all.
        after: u64,
    },
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskAnswer {
    /// Tasks, in the order of their ids.
    Tasks(Vec<TaskView>),
    /// One task, with its runs that have not ended.
    Task(Box<TaskView>, Vec<RunView>),
    /// Runs, the latest first.
    Runs(Vec<RunView>),
    /// Times at which a task is due, with the name of its time zone.
    Times(Vec<Timestamp>, String),
    /// Lines of the log of a run.
    Log {
        /// The lines, the first one first. If there are more than one answer has, those after the
        /// last one are to be asked for.
        lines: Vec<LogLineView>,
        /// Tells if there will be no further lines after these.
        has_ended: bool,
    },
    /// It is done.
    Done,
}

/// Why a request is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ControlError {
    /// No task has this id or name, or more than one has this name. The text says what there is.
    #[error("{0}")]
    Task(String),
    /// No run has this number, or it has ended.
    #[error("{0}")]
    Run(String),
    /// The run does not take place, for this reason.
    #[error("the run does not take place: {0}")]
    Skipped(String),
    /// The arguments are wrong.
    #[error("the arguments {0}")]
    Arguments(String),
    /// The file for a copy of the store can't be written. The text names it.
    #[error("{0}")]
    Target(String),
    /// What has to be stored can't be stored.
    #[error("nothing can be stored now: {0}")]
    Store(String),
    /// The host is about to stop.
    #[error("the host is stopping")]
    Stopping,
}

/// A run for an event of a channel.
#[derive(Debug)]
pub(crate) struct EventRequest {
    /// The id of the task.
    pub(crate) task: Arc<str>,
    pub(crate) channel: Arc<str>,
    pub(crate) arguments: Value,
}

pub(crate) type Answer = oneshot::Sender<Result<TaskAnswer, ControlError>>;

/// Controls and observes the tasks of one host. Clones control the same tasks.
#[derive(Debug, Clone)]
pub struct TaskControl {
    pub(crate) events: UnboundedSender<RunnerEvent>,
}

impl TaskControl {
    /// Makes a request and waits for its answer. What is asked for is stored before the answer comes,
    /// as the durability of the task promises.
    ///
    /// # Errors
    /// If the request is refused.
    pub async fn ask(&self, request: TaskRequest) -> Result<TaskAnswer, ControlError> {
        self.send(|answer| RunnerEvent::Request(request, answer)).await
    }

    /// Asks for a run of a task for an event of a channel. An event that has no run is recorded in the
    /// history of the task.
    ///
    /// # Errors
    /// If the run does not take place.
    pub async fn run_for_event(
        &self,
        task: Arc<str>,
        channel: Arc<str>,
        arguments: Value,
    ) -> Result<TaskAnswer, ControlError> {
        let request = EventRequest { task, channel, arguments };
        self.send(|answer| RunnerEvent::Event(request, answer)).await
    }

    async fn send(
        &self,
        event: impl FnOnce(Answer) -> RunnerEvent,
    ) -> Result<TaskAnswer, ControlError> {
        let (answer, answered) = oneshot::channel();
        let sent = self.events.send(event(answer));
        sent.map_err(|_| ControlError::Stopping)?;
        answered.await.map_err(|_| ControlError::Stopping)?
    }
}
