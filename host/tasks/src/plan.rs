//! The plan: which runs of tasks begin when, as pure functions of schedules, events and time.
//!
//! Nothing here reads a clock, sleeps or writes; the time is passed in, so that years can be
//! simulated in tests.

mod catch_up;
mod cron;
mod definition;
mod dependencies;
mod machine;
mod rank;
mod ready;
mod run;
mod step;
mod timing;

#[cfg(test)]
mod simulation;

pub use hotbay_plugin_api::OnDependencyFailure;

pub use catch_up::{CatchUp, MisfirePolicy, MissedRuns};
pub use cron::{CronError, CronSchedule};
pub use definition::{RetryPolicy, TaskDefinition, Trigger};
pub use dependencies::{Dependencies, DependencyEdge, Readiness, UpstreamRun, find_cycle};
pub use machine::{Plan, StoredTask, WaitsFor};
pub use rank::Rank;
pub use ready::{Blocked, Group, Limit, ReadyQueue, RunLimits};
pub use run::{AttemptOutcome, LiveRun, RunCause, RunOutcome, RunState, StopReason};
pub use step::{Change, Clock, Effect, PlanEvent, SkipReason, Step};
pub(crate) use timing::every;
pub use timing::{DueTime, Recurrence, Span, Timing};

/// The number of a run, which is unique in a store. Later runs have higher numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(pub u64);
