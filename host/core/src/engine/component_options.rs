//! The options with which a component is added to an engine.

use std::{fmt, sync::Arc};

use hotbay_plugin_api::TaskId;
use tokio::runtime::Handle;

use crate::scheduler::{ComponentPorts, TaskOptions};

/// How one component of an engine is named, run and connected.
#[derive(Clone)]
pub struct ComponentOptions<E> {
    /// The component's name in statuses and errors; `connector-1`, `aggregator`, `strategy-1`,
    /// `executor-1` and so on by default.
    pub id: Option<TaskId>,
    /// The runtime on which all code of the component runs; by default the one that calls `start`.
    pub runtime: Option<Handle>,
    /// The channels that the component publishes to. A channel is closed when all of its producers have
    /// ended, so that [`TradingEngine::wait`](super::TradingEngine::wait) notices the end of the data.
    pub outputs: Vec<E>,
    /// The component's ports, if the host manages them.
    pub ports: Option<Arc<dyn ComponentPorts>>,
}

impl<E> ComponentOptions<E> {
    /// Returns the options of a task, for a component of this name.
    pub fn of(id: impl Into<TaskId>, options: TaskOptions<E>) -> Self {
        let TaskOptions { runtime, outputs, ports } = options;
        Self { id: Some(id.into()), runtime, outputs, ports }
    }

    /// Returns the same options with a name.
    #[must_use]
    pub fn with_id(mut self, id: impl Into<TaskId>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// Returns the same options with a runtime.
    #[must_use]
    pub fn with_runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Returns the same options with these outputs.
    #[must_use]
    pub fn with_outputs(mut self, outputs: impl IntoIterator<Item = E>) -> Self {
        self.outputs = outputs.into_iter().collect();
        self
    }
}

impl<E> Default for ComponentOptions<E> {
    /// The default name, the caller's runtime, no outputs.
    fn default() -> Self {
        Self { id: None, runtime: None, outputs: Vec::new(), ports: None }
    }
}

impl<E> From<ComponentOptions<E>> for TaskOptions<E> {
    fn from(options: ComponentOptions<E>) -> Self {
        let ComponentOptions { runtime, outputs, ports, .. } = options;
        Self { runtime, outputs, ports }
    }
}

impl<E: fmt::Debug> fmt::Debug for ComponentOptions<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ComponentOptions");
        shown.field("id", &self.id).field("outputs", &self.outputs).finish_non_exhaustive()
    }
}
