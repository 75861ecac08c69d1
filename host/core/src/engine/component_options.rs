//! The options with which a component is added to an engine.

use hotbay_plugin_api::TaskId;
use tokio::runtime::Handle;

use crate::scheduler::TaskOptions;

/// The name of a component of an engine, and the options of its task.
#[derive(Debug, Clone)]
pub struct ComponentOptions<E> {
    /// The component's name in statuses and errors; `connector-1`, `aggregator`, `strategy-1`,
    /// `executor-1` and so on by default.
    pub id: Option<TaskId>,
    /// The options of the component's task. A channel is closed when all of its producers have ended,
    /// so that [`TradingEngine::wait`](super::TradingEngine::wait) notices the end of the data.
    pub task: TaskOptions<E>,
}

impl<E> ComponentOptions<E> {
    /// Returns the same options with a name.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<TaskId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns the same options with a runtime.
    #[must_use]
    pub fn with_runtime(self, runtime: Handle) -> Self {
        Self { task: self.task.with_runtime(runtime), ..self }
    }

    /// Returns the same options with these outputs.
    #[must_use]
    pub fn with_outputs(self, outputs: impl IntoIterator<Item = E>) -> Self {
        Self { task: self.task.with_outputs(outputs), ..self }
    }
}

impl<E> Default for ComponentOptions<E> {
    /// The default name, the caller's runtime, no outputs.
    fn default() -> Self {
        Self { id: None, task: TaskOptions::default() }
    }
}
