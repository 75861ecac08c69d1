//! Refused files, and the steps of a rollout that can fail.

use std::fmt;

use hotbay_loader::{LoadError, Refusal};

use crate::reconcile::Retry;

/// The steps of a rollout: the way of a build from its file into service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RolloutStep {
    /// The file is checked and probed.
    Inspect,
    /// The number of builds that could not be unloaded is checked.
    Leaks,
    /// The library is mapped into the host's process.
    Load,
    /// The plugin is checked against the configuration.
    Configuration,
    /// The tasks of the plugin are made.
    Create,
    /// The components are replaced. Holds the step of the replacement.
    Replace(hotbay_runtime::replacement::ReplaceStep),
    /// The build is on probation.
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

/// The failure of one step of a rollout.
#[derive(Debug)]
pub(crate) struct StepFailure {
    pub(crate) step: RolloutStep,
    pub(crate) reason: String,
    /// What the loader advises, if the loader refused the file.
    remedy: Option<&'static str>,
    /// What has to change before the file is tried again.
    pub(crate) retry: Retry,
}

impl StepFailure {
    /// Makes the failure of a step that depends on the circumstances, such as the configuration.
    pub(crate) fn new(step: RolloutStep, reason: &dyn fmt::Display) -> Self {
        Self { step, reason: reason.to_string(), remedy: None, retry: Retry::Circumstances }
    }

    /// Makes the failure of a step at which the loader refused the file.
    pub(crate) fn refusal(step: RolloutStep, reason: &dyn fmt::Display, refusal: &Refusal) -> Self {
        let (remedy, retry) = (Some(refusal.remedy()), retry_of(refusal));
        Self { step, reason: reason.to_string(), remedy, retry }
    }

    /// Returns the reason, followed by the loader's advice if there is one.
    pub(crate) fn text(&self) -> String {
        match self.remedy {
            Some(remedy) => format!("{}; {remedy}", self.reason),
            None => self.reason.clone(),
        }
    }
}

/// The refusal of a file, for the status.
#[derive(Debug, Clone)]
pub(crate) struct RefusedFile {
    /// A word that programs can compare.
    pub(crate) code: String,
    pub(crate) reason: String,
    pub(crate) remedy: String,
}

impl RefusedFile {
    /// Makes the refusal of a build that failed at a step of its rollout.
    pub(crate) fn at_step(failure: &StepFailure) -> Self {
        let remedy = failure.remedy.unwrap_or(
            "correct the problem; the file is tried again when the file, its settings or the \
             configuration change",
        );
        Self {
            code: failure.step.to_string(),
            reason: failure.reason.clone(),
            remedy: remedy.to_owned(),
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

/// Returns what has to change before a refused file is tried again.
pub(crate) fn retry_of(refusal: &Refusal) -> Retry {
    if matches!(refusal, Refusal::Quarantined { .. }) {
        Retry::Quarantine
    } else if refusal.code().is_trust() {
        Retry::Circumstances
    } else {
        Retry::File
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_leaks_are_tried_again_as_the_remedy_says() {
        let failure = StepFailure::new(RolloutStep::Leaks, &"2 builds could not be unloaded");
        assert_eq!(failure.retry, Retry::Circumstances);
        let remedy = RefusedFile::at_step(&failure).remedy;
        assert!(remedy.contains("tried again when the file, its settings"), "{remedy}");
    }

    #[test]
    fn what_the_loader_refuses_keeps_the_remedy_of_the_loader() {
        let refusal = Refusal::Changed;
        let failure = StepFailure::refusal(RolloutStep::Load, &refusal, &refusal);
        let refused = RefusedFile::at_step(&failure);
        assert_eq!((refused.code.as_str(), failure.retry), ("load", Retry::File));
        assert_eq!(refused.remedy, refusal.remedy());
        assert_eq!(failure.text(), format!("{refusal}; {}", refusal.remedy()));
    }
}
