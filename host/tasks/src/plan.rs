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

// What the plan decides is stored in these terms.
pub use hotbay_store::store::{RunCause, RunCounts, RunId, StopReason};

pub use catch_up::{CatchUp, MisfirePolicy, MissedRuns};
pub use cron::{CronError, CronSchedule};
pub use definition::{RetryPolicy, TaskDefinition, Trigger};
pub use dependencies::{Dependencies, DependencyEdge, Readiness, UpstreamRun, find_cycle};
pub use machine::{Plan, StoredTask, WaitsFor};
pub use rank::Rank;
pub use ready::{Blocked, Group, Limit, ReadyQueue, RunLimits};
pub use run::{AttemptOutcome, LiveRun, RunOutcome, RunState};
pub use step::{Change, Clock, Effect, PlanEvent, SkipReason, Step};
pub(crate) use timing::every;
pub use timing::{DueTime, Recurrence, Span, Timing};
