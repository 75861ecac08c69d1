//! The steps of a replacement, and why one failed.

use std::fmt;

use hotbay_core::driver::HoldError;
use hotbay_plugin_api::SchedulerError;

/// The steps of a replacement that can fail, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReplaceStep {
    /// The old build is held at a boundary between two turns or events.
    Hold,
    /// The old build saves its state.
    SaveState,
    /// The old build lets go of what only one build may hold.
    Suspend,
    /// The new build is made.
    Create,
    /// The state is restored in the new build.
    Restore,
    /// The new build is initialized.
    Initialize,
    /// The new build is prepared to take the place of the old one.
    Install,
}

impl ReplaceStep {
    /// Returns the name of the step, as records and logs have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::SaveState => "save_state",
            Self::Suspend => "suspend",
            Self::Create => "create",
            Self::Restore => "restore",
            Self::Initialize => "initialize",
            Self::Install => "slot",
        }
    }
}

impl fmt::Display for ReplaceStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The error of a replacement that failed. The old builds continue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{component}: {step} failed: {cause}")]
pub struct ReplaceError {
    /// The component that could not be replaced.
    pub component: String,
    /// The step that failed.
    pub step: ReplaceStep,
    /// The cause of the failure.
    #[source]
    pub cause: Cause,
}

/// The cause of a step's failure.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// The old build could not be held.
    #[error(transparent)]
    Hold(#[from] HoldError),
    /// A call of a build failed, or the scheduler refused the new one.
    #[error(transparent)]
    Task(#[from] SchedulerError),
}
