//! Runs in words, for views and the log.

use hotbay_store::store::Outcome;

use crate::plan::{Limit, RunCause, RunState, SkipReason, StopReason, WaitsFor};

/// Returns the state of a run that has not ended, as one word.
pub(super) fn state(state: &RunState) -> &'static str {
    match state {
        RunState::Delayed(_) | RunState::Dependencies | RunState::Queued => "waiting",
        RunState::Running { stopping: None, .. } => "running",
        RunState::Running { stopping: Some(_), .. } => "stopping",
        RunState::Abandoned(_) => "abandoned",
    }
}

/// Returns how a run ended, as one word.
pub(super) fn outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Succeeded => "succeeded",
        Outcome::Failed => "failed",
        Outcome::TimedOut => "timed_out",
        Outcome::Cancelled => "cancelled",
        Outcome::Replaced => "replaced",
        Outcome::Parked => "parked",
        Outcome::Skipped => "skipped",
    }
}

/// Returns why a run was created.
pub(super) fn cause(cause: &RunCause) -> String {
    let text = match cause {
        // Those that an earlier version stored have no channel.
        RunCause::Event { channel, .. } if channel.is_empty() => "event",
        RunCause::Event { channel, .. } => return format!("event of {channel}"),
        RunCause::Start => "start",
        RunCause::Time(_) => "schedule",
        RunCause::MadeUp(_) => "missed, made up for",
        RunCause::Dependencies => "dependencies",
        RunCause::Request(_) => "request",
    };
    text.to_owned()
}

/// Returns why a run was asked to stop.
pub(super) fn stop(reason: StopReason) -> &'static str {
    match reason {
        StopReason::Cancelled => "it was cancelled",
        StopReason::Replaced => "a newer run takes its place",
        StopReason::TimeLimit => "it passed its time limit",
        StopReason::Interrupted => "its build is unloaded, or the host stops",
    }
}

/// Returns why a run that was due does not take place.
pub(super) fn skip(reason: &SkipReason) -> String {
    match reason {
        SkipReason::Overlap(run) => format!("run {} of the task has not ended", run.0),
        SkipReason::Paused => "the task is paused".to_owned(),
        SkipReason::Unknown => "there is no such task".to_owned(),
    }
}

/// Returns what a run waits for.
pub(super) fn waits(waits: &WaitsFor) -> String {
    match waits {
        WaitsFor::Time(at) => format!("waits until {at:.0}"),
        WaitsFor::Tasks(tasks) => format!("waits for {}", tasks.join(", ")),
        WaitsFor::Plugin(plugin) => format!("waits for plugin {plugin}"),
        WaitsFor::Resume => "its task is paused".to_owned(),
        WaitsFor::Store => "waits for the store".to_owned(),
        WaitsFor::Turn => "waits for its turn".to_owned(),
        WaitsFor::Place(limit, _) => match limit {
            Limit::All => "waits for a place among all runs".to_owned(),
            Limit::Plugin(plugin) => format!("waits for a place among the runs of {plugin}"),
            Limit::Task(_) => "waits for a place among the runs of its task".to_owned(),
            Limit::Key(key) => format!("waits for the concurrency key {key}"),
        },
    }
}
