//! The code of a task in one build of its plugin.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{RunInfo, SchedulerError};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;

use hotbay_runtime::{BusyThreads, RunFactory};

/// The time that a run gets to stop, after it was asked to, before it is dropped.
const GRACE: Duration = Duration::from_millis(250);

/// One task in one build of its plugin. Its runs use the threads of that build.
#[derive(Debug)]
pub struct TaskBuild {
    runs: Arc<RunFactory>,
    runtime: Handle,
    /// Asks the plugin's code to stop.
    cancel: CancellationToken,
    /// Drops the runs at their next await points.
    abort: CancellationToken,
    /// The number of runs under way.
    under_way: watch::Sender<usize>,
    /// The error of a run in this build that failed although the run before it had not.
    failed: watch::Sender<Option<String>>,
}

impl TaskBuild {
    /// Makes the task of one build, whose runs come from `runs` and use `runtime`. Cancelling
    /// `cancel` asks the code of the plugin to stop.
    pub fn new(runs: RunFactory, runtime: Handle, cancel: CancellationToken) -> Self {
        Self {
            runs: Arc::new(runs),
            runtime,
            cancel,
            abort: CancellationToken::new(),
            under_way: watch::Sender::new(0),
            failed: watch::Sender::new(None),
        }
    }

    /// Executes one run, without arguments. If the future is dropped, the run ends at its next
    /// await point.
    pub(super) async fn run(&self, info: RunInfo) -> Result<Value, SchedulerError> {
        let _under_way = RunGuard::new(&self.under_way);
        let (runs, cancel) = (Arc::clone(&self.runs), self.cancel.child_token());
        let run = async move { runs.create(info, json!({}), cancel).await?.run().await };
        let mut running = AbortOnDrop(self.runtime.spawn(run));
        let cancelled = || {
            let text = "cancelled: its plugin was replaced and the drain limit is over";
            SchedulerError::TaskExecution(text.to_owned())
        };
        tokio::select! {
            ended = &mut running.0 => ended.map_err(|_| cancelled())?,
            () = self.abort.cancelled() => Err(cancelled()),
        }
    }

    /// Notes that a task whose last run was successful has failed in this build.
    pub(super) fn note_failure(&self, error: &SchedulerError) {
        self.failed.send_replace(Some(error.to_string()));
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

    /// Waits for the runs under way, and cancels those that do not end within the limit.
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

/// A run on another runtime, which is aborted when this handle is dropped.
struct AbortOnDrop(JoinHandle<Result<Value, SchedulerError>>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Counts a run as under way until the guard is dropped.
struct RunGuard<'a>(&'a watch::Sender<usize>);

impl<'a> RunGuard<'a> {
    fn new(runs: &'a watch::Sender<usize>) -> Self {
        runs.send_modify(|runs| *runs += 1);
        Self(runs)
    }
}

impl Drop for RunGuard<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|runs| *runs -= 1);
    }
}
