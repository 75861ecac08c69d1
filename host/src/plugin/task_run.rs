//! One run of a task of `PLUGIN_TASKS`.

use abi_stable::std_types::RBox;
use hotbay_plugin_api::{SchedulerError, TaskKind, abi::RunObject_TO};

use super::lodger::Housed;

/// A run that is ready to go. Await [`run`](Self::run) on its bay's runtime.
pub struct PluginRun {
    pub(super) object: Housed<RunObject_TO<'static, RBox<()>>>,
    pub(super) kind: TaskKind,
}

impl PluginRun {
    /// Runs the task's function: an async one here, a sync one on the bay's blocking pool.
    ///
    /// # Errors
    /// What the function gave, or that it panicked.
    pub async fn run(&self) -> Result<(), SchedulerError> {
        let unloaded = || SchedulerError::InvalidState("its plugin was unloaded".to_owned());
        match self.kind {
            TaskKind::Async => {
                let object = self.object.lock().await;
                let object = object.as_ref().ok_or_else(unloaded)?;
                Ok(object.run().await.into_result()?)
            }
            TaskKind::Sync => {
                let result = self.object.block(|object| object.run_blocking().into_result()).await;
                Ok(result.ok_or_else(unloaded)??)
            }
        }
    }
}

impl std::fmt::Debug for PluginRun {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PluginRun").field("kind", &self.kind).finish_non_exhaustive()
    }
}
