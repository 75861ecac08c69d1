//! One run of a task of `PLUGIN_TASKS`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use abi_stable::std_types::RBox;
use hotbay_plugin_api::{SchedulerError, TaskKind, abi::RunObject_TO};

use super::lodger::Housed;

/// A run that is ready to go. Await [`run`](Self::run) on its bay's runtime.
pub struct PluginRun {
    pub(crate) object: Housed<RunObject_TO<'static, RBox<()>>>,
    pub(crate) kind: TaskKind,
    busy: Busy,
}

/// Whether a sync function runs right now: it can't be stopped from outside, so its
/// thread may be held long after everybody stopped waiting for it.
#[derive(Debug, Clone, Default)]
pub struct Busy(Arc<AtomicBool>);

impl Busy {
    /// Whether it does.
    pub fn is_busy(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

impl PluginRun {
    pub(crate) fn new(object: Housed<RunObject_TO<'static, RBox<()>>>, kind: TaskKind) -> Self {
        Self { object, kind, busy: Busy::default() }
    }

    /// Tells whether a sync function holds its thread, also after this value is gone.
    pub fn busy(&self) -> Busy {
        self.busy.clone()
    }

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
                let busy = self.busy.clone();
                let call = move |object: &mut RunObject_TO<'static, RBox<()>>| {
                    busy.0.store(true, Ordering::Release);
                    // The plugin's side catches panics, so the end is always reached.
                    let result = object.run_blocking().into_result();
                    busy.0.store(false, Ordering::Release);
                    result
                };
                let result = self.object.block(call).await;
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
