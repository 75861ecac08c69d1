//! The options with which a task is registered.

use std::{fmt, sync::Arc};

use tokio::runtime::Handle;

use super::command::Hold;
use crate::bus::WaitsFor;

/// The runtime of a task, and the channels that it uses.
#[derive(Clone)]
pub struct TaskOptions<E> {
    /// The runtime of the task's driver, and so of all of the task's code, such as the threads of a
    /// plugin; by default the one that calls `start`.
    pub runtime: Option<Handle>,
    /// The channels that the task publishes to. When all registered producers of a
    /// channel have ended, the scheduler closes it, so the end of the data flows on.
    pub outputs: Vec<E>,
    /// The task's ports, if the host manages them.
    pub ports: Option<Arc<dyn ComponentPorts>>,
}

/// The ports through which a task receives and publishes, as the driver of the task sees them.
///
/// Tasks that subscribe by themselves, as those of embedders do, have none.
pub trait ComponentPorts: Send + Sync {
    /// Returns what the turn under way waits for.
    fn waits_for(&self) -> WaitsFor;

    /// Drops the kept copies of everything that the task has received until now.
    ///
    /// Called on probation, after a turn or an event whose resulting state was saved: a roll-back
    /// continues from there.
    fn settle(&self);
}

impl<E> TaskOptions<E> {
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

    /// Returns `true` if a turn that waits may be dropped, so that its task steps aside.
    pub(super) fn may_drop(&self, hold: Hold) -> bool {
        let waits_for =
            self.ports.as_ref().map_or(WaitsFor::SomethingElse, |ports| ports.waits_for());
        match waits_for {
            WaitsFor::Events => true,
            WaitsFor::Room => false,
            WaitsFor::SomethingElse => hold == Hold::AtAwait,
        }
    }

    pub(super) fn settle_inputs(&self) {
        if let Some(ports) = &self.ports {
            ports.settle();
        }
    }
}

impl<E> Default for TaskOptions<E> {
    /// The runtime of the scheduler, no outputs.
    fn default() -> Self {
        Self { runtime: None, outputs: Vec::new(), ports: None }
    }
}

impl<E: fmt::Debug> fmt::Debug for TaskOptions<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let runtime = self.runtime.as_ref().map(Handle::id);
        let mut shown = f.debug_struct("TaskOptions");
        shown.field("runtime", &runtime).field("outputs", &self.outputs).finish_non_exhaustive()
    }
}
