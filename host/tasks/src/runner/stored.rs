//! The plan's words and the store's, one in those of the other.

use std::sync::Arc;

use hotbay_loader::RunLine;
use hotbay_plugin_api::Durability;
use hotbay_store::store::{self, Record, TaskChange};
use jiff::Timestamp;
use serde_json::Value;
use tracing::Level;

use super::{ActiveRun, words};
use crate::{
    EndedRuns, LogLineView, RunView,
    plan::{
        AttemptOutcome, DependencyEdge, Group, LiveRun, RunId, RunOutcome, RunState, UpstreamRun,
    },
    run_log,
};

/// Returns when something of a task counts as stored; `None` if it is not stored at all.
pub(super) fn durability(of: Durability) -> Option<store::Durability> {
    match of {
        Durability::Memory => None,
        Durability::Async => Some(store::Durability::Async),
        Durability::Fsync => Some(store::Durability::Fsync),
    }
}

pub(super) fn state(state: &RunState) -> store::RunState {
    match state {
        RunState::Delayed(at) => store::RunState::Delayed(*at),
        RunState::Dependencies => store::RunState::Dependencies,
        RunState::Queued => store::RunState::Queued,
        RunState::Running { stopping, .. } => store::RunState::Running(*stopping),
        RunState::Abandoned(reason) => store::RunState::Abandoned(*reason),
    }
}

fn plan_state(state: store::RunState) -> RunState {
    match state {
        store::RunState::Delayed(at) => RunState::Delayed(at),
        store::RunState::Dependencies => RunState::Dependencies,
        store::RunState::Queued => RunState::Queued,
        store::RunState::Running(stopping) => RunState::Running { deadline: None, stopping },
        store::RunState::Abandoned(reason) => RunState::Abandoned(reason),
    }
}

/// Returns the record of a run that is created.
pub(super) fn created(run: RunId, live: &LiveRun, priority: i16, arguments: &Value) -> Record {
    let arguments = arguments.as_object().filter(|it| !it.is_empty());
    Record::Created(Box::new(store::NewRun {
        run,
        task: Arc::clone(live.task()),
        cause: live.cause.clone(),
        key: live.group.key.clone(),
        since: live.since,
        priority,
        arguments: arguments.and_then(|it| serde_json::to_string(it).ok()),
        state: state(&live.state),
    }))
}

/// Returns the record of an attempt that has ended.
pub(super) fn attempt_ended(run: RunId, attempt: u32, outcome: &AttemptOutcome) -> Record {
    let (outcome, error) = match outcome {
        AttemptOutcome::Succeeded => (store::AttemptOutcome::Succeeded, None),
        AttemptOutcome::Failed(error) => (store::AttemptOutcome::Failed, Some(error.clone())),
        AttemptOutcome::Stopped => (store::AttemptOutcome::Stopped, None),
        AttemptOutcome::Interrupted => (store::AttemptOutcome::Interrupted, None),
        AttemptOutcome::Crashed => (store::AttemptOutcome::Crashed, None),
    };
    Record::AttemptEnded { run, attempt, at: crate::runner::now(), outcome, error }
}

/// Returns how a run ended, without the reasons.
pub(super) fn outcome(outcome: &RunOutcome) -> store::Outcome {
    match outcome {
        RunOutcome::Succeeded => store::Outcome::Succeeded,
        RunOutcome::Failed(_) => store::Outcome::Failed,
        RunOutcome::TimedOut => store::Outcome::TimedOut,
        RunOutcome::Cancelled => store::Outcome::Cancelled,
        RunOutcome::Replaced => store::Outcome::Replaced,
        RunOutcome::Parked => store::Outcome::Parked,
        RunOutcome::Skipped { .. } => store::Outcome::Skipped,
    }
}

/// Returns the record of a run that has ended.
pub(super) fn ended(run: RunId, outcome: &RunOutcome, result: &Value, at: Timestamp) -> Record {
    Record::Ended {
        run,
        at,
        outcome: self::outcome(outcome),
        reason: outcome.failure(),
        by: outcome.in_the_way(),
        result: (!result.is_null()).then(|| result.to_string()),
    }
}

/// Returns the record of a line that a plugin logged during a run.
pub(super) fn line(run: RunId, at: Timestamp, line: &RunLine) -> Record {
    let level = match line.level {
        Level::ERROR => store::LogLevel::Error,
        Level::WARN => store::LogLevel::Warn,
        Level::INFO => store::LogLevel::Info,
        Level::DEBUG => store::LogLevel::Debug,
        Level::TRACE => store::LogLevel::Trace,
    };
    Record::Log { run, at, level, message: run_log::view(0, at, line).message }
}

/// Returns a stored line as it is shown.
pub(super) fn line_view(line: store::LogLine) -> LogLineView {
    let level = match line.level {
        store::LogLevel::Error => "error",
        store::LogLevel::Warn => "warn",
        store::LogLevel::Info => "info",
        store::LogLevel::Debug => "debug",
        store::LogLevel::Trace => "trace",
    };
    let store::LogLine { number, at, message, .. } = line;
    LogLineView { number, at, level: level.to_owned(), message }
}

/// Returns the record of the dependencies of a task.
pub(super) fn edges(task: Arc<str>, edges: &[DependencyEdge]) -> Record {
    let edge = |edge: &DependencyEdge| store::Edge {
        upstream: Arc::clone(&edge.upstream),
        consumed: edge.consumed,
        latest: edge.latest.as_ref().map(|it| (it.run, it.failure.clone())),
    };
    Record::Task { task, change: TaskChange::Edges(edges.iter().map(edge).collect()) }
}

/// Returns the dependencies of a task as the plan has them.
pub(crate) fn plan_edges(edges: &[store::Edge]) -> Vec<DependencyEdge> {
    let edge = |edge: &store::Edge| DependencyEdge {
        consumed: edge.consumed,
        latest: edge
            .latest
            .as_ref()
            .map(|(run, failure)| UpstreamRun { run: *run, failure: failure.clone() }),
        ..DependencyEdge::new(Arc::clone(&edge.upstream))
    };
    edges.iter().map(edge).collect()
}

/// Returns a run that had not ended when its host did, as the plan has it.
pub(super) fn live(record: &store::RunRecord, state: store::RunState) -> LiveRun {
    let plugin = record.task.split_once('/').map_or(&*record.task, |(plugin, _)| plugin);
    LiveRun {
        group: Group {
            plugin: plugin.into(),
            task: Arc::clone(&record.task),
            key: record.key.clone(),
        },
        cause: record.cause.clone(),
        since: record.since,
        state: plan_state(state),
        counts: record.counts,
    }
}

/// Returns what became of the runs of a task.
pub(crate) fn ended_runs(counts: &store::OutcomeCounts) -> EndedRuns {
    EndedRuns {
        succeeded: counts.succeeded,
        failed: counts.failed + counts.timed_out + counts.parked,
        cancelled: counts.cancelled + counts.replaced,
        skipped: counts.skipped,
        missed: counts.missed,
    }
}

/// Returns a stored run as it is shown.
pub(super) fn view(record: &store::RunRecord) -> RunView {
    let (state, end) = match &record.status {
        store::RunStatus::Live(state) => (*state, None),
        store::RunStatus::Ended(end) => (store::RunState::Queued, Some(end)),
    };
    let live = live(record, state);
    let active = ActiveRun {
        started: record.began,
        ..ActiveRun::new(&live, Durability::Fsync, Value::Null)
    };
    let Some(end) = end else { return active.view(record.run, words::state(&live.state), None) };
    let result = end.result.as_ref().and_then(|json| serde_json::from_str(json).ok());
    RunView {
        by: end.by.map(|run| run.0),
        ended: Some(end.at),
        result: result.unwrap_or_default(),
        ..active.view(record.run, words::outcome(end.outcome), end.reason.clone())
    }
}
