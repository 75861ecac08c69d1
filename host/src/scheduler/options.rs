//! How a task is to be run.

use std::fmt;

use hotbay_plugin_api::EventType;
use tokio::runtime::Handle;

/// Where a task runs and what it publishes.
#[derive(Clone)]
pub struct TaskOptions<E> {
    /// The runtime of the task's driver, and so of all of its code: a plugin's own
    /// threads. The one that called `start` if absent.
    pub runtime: Option<Handle>,
    /// The channels that the task publishes to. When all registered producers of a
    /// channel have ended, the scheduler closes it, so the end of the data flows on.
    pub outputs: Vec<E>,
}

impl<E: EventType> TaskOptions<E> {
    /// The same options with a runtime.
    #[must_use]
    pub fn with_runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// The same options with these outputs.
    #[must_use]
    pub fn with_outputs(mut self, outputs: impl IntoIterator<Item = E>) -> Self {
        self.outputs = outputs.into_iter().collect();
        self
    }
}

impl<E> Default for TaskOptions<E> {
    /// The runtime of the scheduler, no outputs.
    fn default() -> Self {
        Self { runtime: None, outputs: Vec::new() }
    }
}

impl<E: fmt::Debug> fmt::Debug for TaskOptions<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runtime = self.runtime.as_ref().map(Handle::id);
        let mut shown = f.debug_struct("TaskOptions");
        shown.field("runtime", &runtime).field("outputs", &self.outputs).finish()
    }
}
