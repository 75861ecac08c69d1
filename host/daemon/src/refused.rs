//! Files that are not loaded, and the steps at which a build can fail.

use std::fmt;

use hotbay_loader::{LoadError, Refusal};

use crate::reconcile::Retry;

/// A step on the way of a build into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RolloutStep {
    /// The file is checked and probed.
    Inspect,
    /// Room is made: not too much may be mapped that could not be unloaded.
    Leaks,
    /// The library is mapped.
    Load,
    /// The configuration is held against the plugin.
    Configuration,
    /// Tasks are made.
    Create,
    /// Components are replaced; the step of the replacement that failed.
    Replace(hotbay_runtime::replacement::ReplaceStep),
    /// The build proves itself.
    Probation,
}

impl fmt::Display for RolloutStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inspect => "inspect",
            Self::Leaks => "leaks",
            Self::Load => "load",
            Self::Configuration => "configuration",
            Self::Create => "create",
            Self::Replace(step) => step.as_str(),
            Self::Probation => "probation",
        })
    }
}

/// A step that failed, and why.
#[derive(Debug)]
pub(crate) struct StepFailure {
    pub(crate) step: RolloutStep,
    pub(crate) reason: String,
}

impl StepFailure {
    pub(crate) fn new(step: RolloutStep, reason: &dyn fmt::Display) -> Self {
        Self { step, reason: reason.to_string() }
    }

    /// What has to change before the file is tried again.
    pub(crate) fn retry(&self) -> Retry {
        match self.step {
            RolloutStep::Configuration
            | RolloutStep::Create
            | RolloutStep::Replace(_)
            | RolloutStep::Probation => Retry::Circumstances,
            RolloutStep::Inspect | RolloutStep::Leaks | RolloutStep::Load => Retry::File,
        }
    }
}

/// Why a file is not loaded.
#[derive(Debug, Clone)]
pub(crate) struct RefusedFile {
    /// A word for programs.
    pub(crate) code: String,
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

impl RefusedFile {
    /// The refusal of a build that was loaded and did not come into service, or not for long.
    pub(crate) fn at_step(failure: &StepFailure) -> Self {
        Self {
            code: failure.step.to_string(),
            reason: failure.reason.clone(),
            remedy: "mend what is said; the file is tried again when it, its settings or the \
                     configuration change"
                .to_owned(),
        }
    }
}

impl From<&LoadError> for RefusedFile {
    fn from(error: &LoadError) -> Self {
        Self {
            code: error.refusal.code().to_string(),
            reason: error.refusal.to_string(),
            remedy: error.refusal.remedy().to_owned(),
        }
    }
}

/// What has to change before a file that was refused is tried again.
pub(crate) fn retry_of(refusal: &Refusal) -> Retry {
    if matches!(refusal, Refusal::Quarantined { .. }) {
        Retry::Quarantine
    } else if refusal.code().is_trust() {
        Retry::Circumstances
    } else {
        Retry::File
    }
}
