//! The runs of a plugin's tasks and task kinds.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use abi_stable::std_types::{RBox, RStr, RString};
use hotbay_plugin_api::{
    FunctionKind, RunInfo, SchedulerError,
    abi::{PluginRef, RunObject_TO},
    spec::{RunRequest, RunTarget},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{ComponentSetup, Mute, Services, lent, lodger::Housed, relay::Dispatch};

type Object = RunObject_TO<'static, RBox<()>>;

/// Makes the runs of one task or task kind, as long as its plugin is loaded.
///
/// Each run has an object of its own in the plugin and a host of its own, so that several
/// may be under way at once, each with its arguments and its cancellation.
pub struct PluginRuns {
    /// Taken away when the bay closes: afterwards nothing of the plugin can be called.
    module: Housed<PluginRef>,
    target: RunTarget,
    function: FunctionKind,
    setup: ComponentSetup,
    services: Services,
    dispatch: Arc<Dispatch>,
    busy: Busy,
}

impl PluginRuns {
    pub(crate) fn new(
        module: Housed<PluginRef>,
        (target, function): (RunTarget, FunctionKind),
        setup: ComponentSetup,
        services: Services,
        dispatch: Arc<Dispatch>,
    ) -> Self {
        Self { module, target, function, setup, services, dispatch, busy: Busy::default() }
    }

    /// Makes one attempt of a run, which is told to stop by `cancel`.
    ///
    /// # Errors
    /// If the plugin was unloaded, or has no such function.
    pub async fn create(
        &self,
        info: RunInfo,
        arguments: Value,
        cancel: CancellationToken,
    ) -> Result<PluginRun, SchedulerError> {
        let request = RunRequest { target: self.target.clone(), info, arguments };
        let request = serde_json::to_string(&request).map_err(SchedulerError::execution)?;
        let setup = ComponentSetup { cancel, ..self.setup.clone() };
        let host = lent::lend(&self.services, &self.dispatch, setup, Mute::default())?;
        let create = move |module: &mut PluginRef| {
            let created = module.create_run()(RStr::from(request.as_str()), host);
            created.into_result().map_err(SchedulerError::from)
        };
        let object = self.module.make(create).await.ok_or_else(unloaded)??;
        Ok(PluginRun { object, function: self.function, busy: self.busy.clone() })
    }

    /// Tells whether a sync function of one of the runs holds its thread.
    pub fn busy(&self) -> Busy {
        self.busy.clone()
    }
}

impl fmt::Debug for PluginRuns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRuns").field("target", &self.target).finish_non_exhaustive()
    }
}

/// One run that is ready to go. Await [`run`](Self::run) on its bay's runtime.
pub struct PluginRun {
    object: Housed<Object>,
    function: FunctionKind,
    busy: Busy,
}

/// Counts the sync functions that run right now: one can't be stopped from outside, so its
/// thread may be held long after everybody stopped waiting for it.
#[derive(Debug, Clone, Default)]
pub struct Busy(Arc<AtomicUsize>);

impl Busy {
    /// Returns `true` while a sync function holds a thread.
    pub fn is_busy(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl PluginRun {
    /// Runs the function, and returns its result: an async one here, a sync one on the
    /// bay's blocking pool.
    ///
    /// # Errors
    /// What the function gave, or that it panicked.
    pub async fn run(&self) -> Result<Value, SchedulerError> {
        match self.function {
            FunctionKind::Async => {
                let object = self.object.lock().await;
                let object = object.as_ref().ok_or_else(unloaded)?;
                result(object.run().await.into_result()?)
            }
            FunctionKind::Sync => {
                let busy = self.busy.clone();
                let call = move |object: &mut Object| {
                    busy.0.fetch_add(1, Ordering::AcqRel);
                    // The plugin's side catches panics, so the end is always reached.
                    let returned = object.run_blocking().into_result();
                    busy.0.fetch_sub(1, Ordering::AcqRel);
                    // Read here, because the text is the plugin's.
                    result(returned?)
                };
                self.object.block(call).await.ok_or_else(unloaded)?
            }
        }
    }
}

impl fmt::Debug for PluginRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRun").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Copies a result out of the plugin's memory.
fn result(json: RString) -> Result<Value, SchedulerError> {
    serde_json::from_str(&json).map_err(|error| {
        SchedulerError::TaskExecution(format!("the run's result is not JSON: {error}"))
    })
}

fn unloaded() -> SchedulerError {
    SchedulerError::InvalidState("its plugin was unloaded".to_owned())
}
