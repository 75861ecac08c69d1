//! The code of a task in one build of its plugin.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{FunctionKind, RunInfo, SchedulerError};
use serde_json::Value;
use tokio::{
    runtime::Handle,
    sync::watch,
    task::{JoinError, JoinHandle},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use hotbay_runtime::{BusyThreads, RunFactory};

use crate::{plan::AttemptOutcome, under_way::RunsUnderWay};

/// The time that a run gets to stop, after it was asked to, before it is dropped.
const GRACE: Duration = Duration::from_millis(250);

/// One task in one build of its plugin. Its runs use the threads of that build.
#[derive(Debug)]
pub struct TaskBuild {
    /// Identifies the build of the plugin.
    name: Arc<str>,
    runs: Arc<RunFactory>,
    kind: FunctionKind,
    runtime: Handle,
    /// Asks the plugin's code to stop.
    cancel: CancellationToken,
    /// Drops the runs at their next await points.
    abort: CancellationToken,
    under_way: RunsUnderWay,
    /// The error of a run in this build that failed although the run before it had not.
    failed: watch::Sender<Option<String>>,
}

impl TaskBuild {
    /// Makes the task of one build, whose runs come from `runs` and use `runtime`. Cancelling
    /// `cancel` asks the code of the plugin to stop.
    pub fn new(
        name: Arc<str>,
        (runs, kind): (RunFactory, FunctionKind),
        runtime: Handle,
        cancel: CancellationToken,
    ) -> Self {
        Self {
            name,
            runs: Arc::new(runs),
            kind,
            runtime,
            cancel,
            abort: CancellationToken::new(),
            under_way: RunsUnderWay::default(),
            failed: watch::Sender::new(None),
        }
    }

    /// Returns what identifies the build of the plugin.
    pub(super) fn name(&self) -> Arc<str> {
        Arc::clone(&self.name)
    }

    /// Executes one attempt of a run, and returns what it returned, too. Cancelling `stop` asks its code to stop;
    /// `unresponsive` is called if the code does not stop soon then.
    ///
    /// Returns only when the code has stopped, or the build is being unloaded.
    pub(super) async fn run(
        &self,
        info: RunInfo,
        arguments: Value,
        stop: CancellationToken,
        unresponsive: impl FnOnce() + Send,
    ) -> (AttemptOutcome, Value) {
        // Between the plan's decision and this call, the build may have been closed.
        let Some(_under_way) = self.under_way.begin() else {
            return (AttemptOutcome::Interrupted, Value::Null);
        };
        let asked = self.cancel.child_token();
        let (runs, cancel) = (Arc::clone(&self.runs), asked.clone());
        let run = async move { runs.create(info, arguments, cancel).await?.run().await };
        let mut running = AbortOnDrop(self.runtime.spawn(run));
        let ended = tokio::select! {
            ended = &mut running.0 => ended,
            () = self.abort.cancelled() => self.end(&mut running.0, unresponsive).await,
            () = stop.cancelled() => {
                asked.cancel();
                match timeout(GRACE, &mut running.0).await {
                    Ok(ended) => ended,
                    Err(_) => self.end(&mut running.0, unresponsive).await,
                }
            }
        };
        self.outcome(ended, &stop)
    }

    /// Ends a run that goes on although it was asked to stop, as far as it can be ended.
    async fn end(
        &self,
        running: &mut JoinHandle<RunResult>,
        unresponsive: impl FnOnce(),
    ) -> Result<RunResult, JoinError> {
        if self.kind == FunctionKind::Async {
            // It ends at its next await point.
            running.abort();
        }
        match timeout(GRACE, &mut *running).await {
            Ok(ended) => ended,
            Err(_) => {
                unresponsive();
                running.await
            }
        }
    }

    fn outcome(
        &self,
        ended: Result<RunResult, JoinError>,
        stop: &CancellationToken,
    ) -> (AttemptOutcome, Value) {
        let outcome = match ended {
            Ok(Ok(result)) => return (AttemptOutcome::Succeeded, result),
            // The plugin is being replaced, or the host stops.
            _ if self.cancel.is_cancelled() => AttemptOutcome::Interrupted,
            _ if stop.is_cancelled() => AttemptOutcome::Stopped,
            Ok(Err(error)) => AttemptOutcome::Failed(error.to_string()),
            Err(error) if error.is_cancelled() => AttemptOutcome::Interrupted,
            Err(error) => AttemptOutcome::Failed(error.to_string()),
        };
        (outcome, Value::Null)
    }

    /// Ends the runs under way, as far as they can be ended.
    pub(super) fn abort(&self) {
        self.cancel.cancel();
        self.abort.cancel();
    }

    /// Notes that a task whose last run was successful has failed in this build.
    pub(super) fn note_failure(&self, error: &str) {
        self.failed.send_replace(Some(error.to_owned()));
    }

    /// Returns the error with which the task failed in this build after a successful run, if it
    /// did.
    pub fn failure(&self) -> Option<String> {
        self.failed.borrow().clone()
    }

    /// Waits until the task fails in this build after a successful run, and returns the error.
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

    /// Returns the count of the threads that sync functions of this task occupy.
    pub fn busy(&self) -> BusyThreads {
        self.runs.busy()
    }

    /// Returns `true` while code of this task may be executed.
    pub(super) fn is_busy(&self) -> bool {
        self.under_way.count() > 0 || self.runs.busy().is_busy()
    }

    /// Waits for the runs under way, and cancels those that do not end within the limit. No more
    /// runs begin.
    pub async fn drain(&self, limit: Duration) {
        self.under_way.close();
        if timeout(limit, self.under_way.none()).await.is_ok() {
            return;
        }
        self.cancel.cancel();
        if timeout(GRACE, self.under_way.none()).await.is_err() {
            self.abort.cancel();
            drop(timeout(GRACE, self.under_way.none()).await);
        }
    }
}

/// A run on another runtime, which is aborted when this handle is dropped.
struct AbortOnDrop(JoinHandle<RunResult>);

/// The result of a run, or the error with which it failed.
type RunResult = Result<Value, SchedulerError>;

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
