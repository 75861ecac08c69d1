//! The runs that have not ended, and their attempts.

use std::sync::Arc;

use hotbay_plugin_api::Durability;
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{recent::KeptLog, words};
use crate::{
    RunView, TaskBuild,
    plan::{LiveRun, RunCause, RunCounts, RunId, StopReason},
};

/// What is known of a run that has not ended, besides what the plan knows.
#[derive(Debug)]
pub(super) struct ActiveRun {
    pub(super) task: Arc<str>,
    pub(super) durability: Durability,
    pub(super) arguments: Value,
    pub(super) cause: RunCause,
    pub(super) since: Timestamp,
    /// The time at which the first attempt began.
    pub(super) started: Option<Timestamp>,
    pub(super) counts: RunCounts,
    pub(super) attempt: Option<Attempt>,
    /// Why the attempt was asked to stop. It may not have begun yet, while its beginning is being
    /// stored.
    pub(super) stop: Option<StopReason>,
    /// What the last attempt returned.
    pub(super) result: Value,
    pub(super) log: KeptLog,
    /// The number of lines that it logged, if these are stored.
    pub(super) lines: u64,
}

/// An attempt under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) build: Arc<TaskBuild>,
    pub(super) stop: CancellationToken,
}

impl ActiveRun {
    pub(super) fn new(live: &LiveRun, durability: Durability, arguments: Value) -> Self {
        Self {
            task: Arc::clone(live.task()),
            durability,
            arguments,
            cause: live.cause.clone(),
            since: live.since,
            started: None,
            counts: live.counts,
            attempt: None,
            stop: None,
            result: Value::Null,
            log: KeptLog::default(),
            lines: 0,
        }
    }

    /// Returns the run as it is shown, in a state for a reason.
    pub(super) fn view(&self, run: RunId, state: &str, reason: Option<String>) -> RunView {
        let RunCounts { attempts, interruptions, crashes } = self.counts;
        RunView {
            run: run.0,
            task: self.task.to_string(),
            state: state.to_owned(),
            reason,
            by: None,
            cause: words::cause(&self.cause),
            nominal: self.cause.nominal(),
            since: self.since,
            started: self.started,
            ended: None,
            attempts,
            interruptions,
            crashes,
            result: self.result.clone(),
        }
    }
}
