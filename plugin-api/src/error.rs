//! The errors that tasks, components and engines speak.

use crate::TaskId;

/// The errors of tasks and of the scheduler.
///
/// The variant says in which phase, the message says what happened. A task's
/// status keeps its last error, so the message should name the thing at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SchedulerError {
    /// `initialize` failed; the task never ran.
    #[error("initialization failed: {0}")]
    TaskInitialization(String),
    /// A turn of `execute` or an event failed; the task has stopped.
    #[error("execution failed: {0}")]
    TaskExecution(String),
    /// `shutdown` failed; the task has stopped all the same.
    #[error("shutdown failed: {0}")]
    TaskShutdown(String),
    /// The code panicked. The panic was caught; nobody else was harmed.
    #[error("panicked: {0}")]
    TaskPanicked(String),
    /// A channel of that name was never declared.
    #[error("no such channel: {0}")]
    InvalidChannel(String),
    /// An event could not be published.
    #[error("cannot publish: {0}")]
    EventSend(String),
    /// An event could not be received.
    #[error("cannot receive: {0}")]
    EventReceive(String),
    /// The configuration of a task or component is wrong.
    #[error("wrong configuration: {0}")]
    Configuration(String),
    /// No task of that id is registered.
    #[error("no such task: {0}")]
    TaskNotFound(TaskId),
    /// A task of that id is registered already.
    #[error("a task named {0} is registered already")]
    DuplicateTask(TaskId),
    /// The scheduler is not in a state in which this can be done.
    #[error("{0}")]
    InvalidState(String),
    /// The state of an earlier build can't be taken over, or this one's can't be saved.
    #[error("state not taken over: {0}")]
    State(String),
    /// Not a failure: a background task has no more work and wants no further turn.
    #[error("finished")]
    Finished,
}

impl SchedulerError {
    /// Shorthand for a [`SchedulerError::TaskExecution`] from any error.
    ///
    /// The causes of `error` become part of the message, because an error's
    /// type can't cross from one plugin into another.
    pub fn execution(error: impl std::error::Error) -> Self {
        Self::TaskExecution(chain(&error))
    }

    /// Shorthand for a [`SchedulerError::TaskInitialization`] from any error.
    pub fn initialization(error: impl std::error::Error) -> Self {
        Self::TaskInitialization(chain(&error))
    }
}

/// An error and its causes in one line, outermost first.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The errors of building, starting and stopping an engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TradingEngineError {
    /// The scheduler below the engine refused.
    #[error(transparent)]
    SchedulerError(#[from] SchedulerError),
    /// A role that every engine needs was not filled.
    #[error("the engine has no {0}; add one before build()")]
    MissingComponent(&'static str),
    /// Every engine has exactly one aggregator.
    #[error("the engine has {0} aggregators; it takes exactly one")]
    DuplicateAggregator(usize),
    /// Some components did not stop in time; they are named.
    #[error("did not stop within the limit: {}", .0.join(", "))]
    DidNotStop(Vec<String>),
}

impl From<TradingEngineError> for SchedulerError {
    /// The scheduler's own error comes back as it was; every other one ended an execution.
    fn from(error: TradingEngineError) -> Self {
        if let TradingEngineError::SchedulerError(error) = error {
            error
        } else {
            Self::execution(error)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_keeps_its_causes_when_it_becomes_a_scheduler_error() {
        #[derive(Debug, thiserror::Error)]
        #[error("cannot open feed")]
        struct Outer(#[source] std::io::Error);
        let error = SchedulerError::execution(Outer(std::io::Error::other("disk on fire")));
        assert_eq!(error.to_string(), "execution failed: cannot open feed: disk on fire");
    }
}
