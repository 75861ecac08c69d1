//! A host that runs: it watches its plugins folder, loads, wires, replaces and stops.
//!
//! [`Host::prepare`] does everything short of running and finds every problem;
//! [`Host::run`] runs to the end of the sources or to a stop, and reports. What runs is owned
//! by one task, the actor; everything outside of it has a [`HostHandle`].

#![forbid(unsafe_code)]

mod actor;
mod check;
mod configuration;
mod handle;
mod host;
mod pipeline;
mod plugins;
mod reconcile;
mod refused;
mod report;
mod resolve;
mod state_folder;
mod status;
mod trust;
pub mod watch;

use hotbay_config::Diagnostics;
use hotbay_plugin_api::TradingEngineError;

pub use handle::{HostEvent, HostHandle};
pub use host::Host;
pub use hotbay_tasks::TaskReport;
pub use report::{ChannelReport, ComponentReport, HostOutcome, Report};
pub use state_folder::read_status;
pub use status::{
    BuildState, ComponentStatus, PluginStatus, RefusedStatus, Status, TaskStatus, TrustStatus,
};
pub use trust::{pins_finding, read_keys};

/// Why a host does not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// The configuration, or what it names, is wrong; every problem is listed.
    #[error("{0}")]
    Configuration(Diagnostics),
    /// This machine does not let the host work.
    #[error("{0}")]
    System(String),
    /// The pipeline could not be built or started.
    #[error(transparent)]
    Engine(#[from] TradingEngineError),
}
