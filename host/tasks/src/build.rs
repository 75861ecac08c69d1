//! A task's code in one build of its plugin.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{RunInfo, SchedulerError};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use hotbay_runtime::{Busy, PluginRuns};

/// How long a run that was asked to stop may take before it is dropped.
const GRACE: Duration = Duration::from_millis(250);

/// Runs on the threads of its generation, whoever asks for it.
#[derive(Debug)]
pub struct TaskBuild {
    runs: Arc<PluginRuns>,
    runtime: Handle,
    /// Tells the plugin's code to stop.
    cancel: CancellationToken,
    /// Ends the run at its next await point.
    abort: CancellationToken,
    under_way: watch::Sender<usize>,
    /// Why a run failed, after one that went well.
    failed: watch::Sender<Option<String>>,
}

impl TaskBuild {
    /// Makes runs of `runs` on `runtime`; `cancel` asks the code of the plugin to stop.
    pub fn new(runs: PluginRuns, runtime: Handle, cancel: CancellationToken) -> Self {
        Self {
            runs: Arc::new(runs),
            runtime,
            cancel,
            abort: CancellationToken::new(),
            under_way: watch::Sender::new(0),
            failed: watch::Sender::new(None),
        }
    }

    /// One run, without arguments. Dropped, it ends at its next await point.
    pub(super) async fn run(&self, info: RunInfo) -> Result<Value, SchedulerError> {
        let _under_way = UnderWay::new(&self.under_way);
        let (runs, cancel) = (Arc::clone(&self.runs), self.cancel.child_token());
        let run = async move { runs.create(info, json!({}), cancel).await?.run().await };
        let mut running = Running(self.runtime.spawn(run));
        let cancelled = || {
            let text = "cancelled: its plugin was replaced and the drain limit is over";
            SchedulerError::TaskExecution(text.to_owned())
        };
        tokio::select! {
            ended = &mut running.0 => ended.map_err(|_| cancelled())?,
            () = self.abort.cancelled() => Err(cancelled()),
        }
    }

    /// Notes that a task which went well before has failed in this build.
    pub(super) fn note_failure(&self, error: &SchedulerError) {
        self.failed.send_replace(Some(error.to_string()));
    }

    /// Why a task that went well before failed in this build, if it did.
    pub fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    /// Waits until a task that went well before fails in this build.
    pub async fn failed(self: Arc<Self>) -> String {
        let mut failed = self.failed.subscribe();
        let error = match failed.wait_for(Option::is_some).await {
            Ok(error) => error.clone(),
            Err(_) => None,
        };
        match error {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Tells whether a sync function holds its thread.
    pub fn busy(&self) -> Busy {
        self.runs.busy()
    }

    /// Waits for runs under way, and cancels what does not end within the limit.
    pub async fn drain(&self, limit: Duration) {
        let mut under_way = self.under_way.subscribe();
        if timeout(limit, under_way.wait_for(|runs| *runs == 0)).await.is_ok() {
            return;
        }
        self.cancel.cancel();
        if timeout(GRACE, under_way.wait_for(|runs| *runs == 0)).await.is_err() {
            self.abort.cancel();
            drop(timeout(GRACE, under_way.wait_for(|runs| *runs == 0)).await);
        }
    }
}

/// A run on another runtime that does not outlive who waits for it.
struct Running(JoinHandle<Result<Value, SchedulerError>>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct UnderWay<'a>(&'a watch::Sender<usize>);

impl<'a> UnderWay<'a> {
    fn new(runs: &'a watch::Sender<usize>) -> Self {
        runs.send_modify(|runs| *runs += 1);
        Self(runs)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|runs| *runs -= 1);
    }
}
