//! The events that the loop takes.

use hotbay_config::Diagnostics;
use tokio::task::JoinError;

use super::{
    components::EngineReport,
    configuration::{AppliedConfiguration, CheckedConfiguration, Read},
    files::Examined,
    load::LoadReport,
    probation::RollBackReport,
    replace::ReplaceReport,
    retire::RetireReport,
};
use crate::{handle::HostCommand, reconcile::Subject, watch::Snapshot};

/// The events of the actor's loop.
pub(crate) enum ActorEvent {
    /// A command came through a handle.
    Command(HostCommand),
    /// The host is asked to stop.
    Stop,
    /// The plugins folder, or a file beside it, changed.
    Folder(Box<Snapshot>),
    /// The configuration, or the files that it names as trusted, were read.
    Read(Read),
    /// A file was checked and probed.
    Examined(Box<Examined>),
    /// The loading of a library ended, successfully or not.
    Loaded(Box<LoadReport>),
    /// The replacement of a build ended, successfully or not.
    Replaced(Box<ReplaceReport>),
    /// Rolling back to a previous build ended.
    RolledBack(Box<RollBackReport>),
    /// A plugin's components were taken out.
    Retired(RetireReport),
    /// A component or a task failed on probation, or there is no way back any more.
    /// [`Actor::failure`] tells which one failed, and why.
    ProbationFailed,
    /// Making or starting components ended.
    Engine(EngineReport),
    /// All components have ended by themselves. One may have been started meanwhile.
    Ended,
    /// Checking a configuration against the plugins ended.
    Checked(Box<Result<CheckedConfiguration, (Subject, Diagnostics)>>),
    /// The application of a configuration ended, successfully or not.
    Applied(Box<Result<AppliedConfiguration, (Subject, Diagnostics)>>),
    /// A build that is out of service was closed.
    Closed,
    /// A tick of the clock, or the end of a probation.
    Tick,
    /// An operation panicked, and will not report.
    Panicked(String),
}

impl ActorEvent {
    /// Returns the name of the event, for the log.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Command(_) => "command",
            Self::Stop => "stop",
            Self::Folder(_) => "folder",
            Self::Read(_) => "read",
            Self::Examined(_) => "examined",
            Self::Loaded(_) => "loaded",
            Self::Replaced(_) => "replaced",
            Self::RolledBack(_) => "rolled back",
            Self::Retired(_) => "retired",
            Self::ProbationFailed => "probation failed",
            Self::Engine(_) => "engine",
            Self::Ended => "ended",
            Self::Checked(_) => "checked",
            Self::Applied(_) => "applied",
            Self::Closed => "closed",
            Self::Tick => "tick",
            Self::Panicked(_) => "panicked",
        }
    }
}

/// Returns the event of an operation that ended. Only a watcher is aborted while the host runs.
pub(super) fn reported(joined: Result<ActorEvent, JoinError>) -> ActorEvent {
    joined.unwrap_or_else(|error| match error.is_panic() {
        true => ActorEvent::Panicked(error.to_string()),
        false => ActorEvent::Tick,
    })
}
