//! The running host, which watches the plugins folder and loads, connects, replaces and stops
//! plugins.
//!
//! [`Host::prepare`] does everything but run, and finds all problems. [`Host::run`] runs until the
//! sources end or the host is stopped, and returns a report. One task, the actor, owns the state of the
//! running host; everything else uses a [`HostHandle`].

#![forbid(unsafe_code)]

mod actor;
mod check;
mod configuration;
mod event_triggers;
mod handle;
mod host;
mod pipeline;
mod plugins;
mod reconcile;
mod refused;
mod report;
mod resolve;
mod resolved;
mod socket;
mod state_folder;
mod status;
mod trust;
pub mod watch;

use hotbay_config::Diagnostics;
use hotbay_plugin_api::TradingEngineError;

pub use handle::{HostEvent, HostHandle};
pub use host::Host;
pub use hotbay_tasks::{
    ClockChange, ControlError, DryRun, EndedRuns, LastEnd, LogLineView, MOST_IN_ANSWER, RunView,
    ScheduleInWords, ShownTime, TaskAnswer, TaskReport, TaskRequest, TaskState, TaskView,
    plan::CronError,
};
pub use report::{ChannelReport, ComponentReport, HostOutcome, Report};
pub use socket::{ask_tasks, read_status};
pub use status::{
    BuildState, ComponentStatus, PluginStatus, RefusedStatus, Status, TaskStatus, TrustStatus,
};
pub use trust::{pins_finding, read_keys};

/// The errors of preparing and running a host.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The configuration, or something that it names, is wrong. All problems are listed.
    #[error("{0}")]
    Configuration(Diagnostics),
    /// The system does not let the host work.
    #[error("{0}")]
    System(String),
    /// The pipeline could not be built or started.
    #[error(transparent)]
    Engine(#[from] TradingEngineError),
}
