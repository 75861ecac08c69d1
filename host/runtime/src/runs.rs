//! The runs of a plugin's tasks and task kinds.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use abi_stable::std_types::RString;
use hotbay_loader::{Module, RunObject};
use hotbay_plugin_api::{
    FunctionKind, RunInfo, SchedulerError, limits,
    spec::{RunRequest, RunTarget},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::{
    ComponentSetup, ReportGate, Services,
    call::{call, unloaded},
    host_port,
    object_handle::ObjectHandle,
    relay::WakeDispatcher,
};

/// Makes the runs of one task or task kind for as long as its plugin is loaded.
///
/// Each run has its own object in the plugin and its own side of the host, so that
/// several runs may be under way at once, each with its arguments and its cancellation.
pub struct RunFactory {
    /// Emptied when the bay closes: after that nothing of the plugin can be called.
    module: ObjectHandle<Module>,
    target: RunTarget,
    function: FunctionKind,
    setup: ComponentSetup,
    services: Services,
    dispatcher: Arc<WakeDispatcher>,
    busy: BusyThreads,
}

impl RunFactory {
    pub(crate) fn new(
        module: ObjectHandle<Module>,
        (target, function): (RunTarget, FunctionKind),
        setup: ComponentSetup,
        services: Services,
        dispatcher: Arc<WakeDispatcher>,
    ) -> Self {
        Self { module, target, function, setup, services, dispatcher, busy: BusyThreads::default() }
    }

    /// Makes one attempt of a run. Cancelling `cancel` asks its code to stop.
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
        let host = host_port::open(&self.services, &self.dispatcher, setup, ReportGate::default())?;
        let create = move |module: &mut Module| module.create_run(&request, host);
        let object = self.module.make(create).await.ok_or_else(unloaded)??;
        Ok(PluginRun { object, function: self.function, busy: self.busy.clone() })
    }

    /// Returns the count of the threads that sync functions of the runs occupy.
    pub fn busy(&self) -> BusyThreads {
        self.busy.clone()
    }
}

impl fmt::Debug for RunFactory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RunFactory").field("target", &self.target).finish_non_exhaustive()
    }
}

/// One attempt of a run, which has not begun. [`run`](Self::run) is to be awaited on the runtime
/// of its bay.
pub struct PluginRun {
    object: ObjectHandle<RunObject>,
    function: FunctionKind,
    busy: BusyThreads,
}

/// The number of threads that sync functions occupy at the moment.
///
/// A sync function can't be stopped from outside, so it may occupy its thread long after
/// everybody stopped waiting for it.
#[derive(Debug, Clone, Default)]
pub struct BusyThreads(Arc<AtomicUsize>);

impl BusyThreads {
    /// Returns `true` while a sync function occupies a thread.
    pub fn is_busy(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

impl PluginRun {
    /// Runs the function and returns its result.
    ///
    /// An async function runs on the calling thread, a sync function on a blocking thread of the
    /// bay.
    ///
    /// # Errors
    /// The error that the function returned, or a report of its panic.
    pub async fn run(&self) -> Result<Value, SchedulerError> {
        match self.function {
            FunctionKind::Async => call(&self.object, |object| object.run(), result).await,
            FunctionKind::Sync => {
                let busy = self.busy.clone();
                let blocking = move |object: &mut RunObject| {
                    busy.0.fetch_add(1, Ordering::AcqRel);
                    // The plugin's side catches panics, so the count is always reduced again.
                    let returned = object.run_blocking().into_result();
                    busy.0.fetch_sub(1, Ordering::AcqRel);
                    // Read on this thread, because the text lies in the plugin's memory.
                    result(returned?)
                };
                self.object.block(blocking).await.ok_or_else(unloaded)?
            }
        }
    }
}

impl fmt::Debug for PluginRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginRun").field("function", &self.function).finish_non_exhaustive()
    }
}

/// Copies the result of a run out of the plugin's memory.
fn result(json: RString) -> Result<Value, SchedulerError> {
    if json.len() > limits::RUN_RESULT {
        return Err(SchedulerError::TaskExecution(format!(
            "the run's result has {} bytes as JSON; a host takes {} at most",
            json.len(),
            limits::RUN_RESULT
        )));
    }
    serde_json::from_str(&json).map_err(|error| {
        SchedulerError::TaskExecution(format!("the run's result is not JSON: {error}"))
    })
}
