//! Refused files, and the steps of a rollout that can fail.

use std::{
    fmt,
    time::{Duration, Instant},
};

use hotbay_access::AccessError;
use hotbay_loader::{LoadError, Refusal};

use crate::reconcile::{FileVersion, Retry};

/// The shortest time after which a file is tried again whose refusal has a cause outside of it.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// How much longer than the last attempt the time until the next one is, so that a file which takes
/// long to refuse takes a small part of the machine, for however long it lies there.
const RETRY_FACTOR: u32 = 20;

/// The longest time until the next attempt.
const MAX_RETRY_INTERVAL: Duration = Duration::from_secs(600);

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

    /// Makes the failure of a step that may succeed later, without a change that the host notices.
    pub(crate) fn passing(step: RolloutStep, reason: &dyn fmt::Display) -> Self {
        let retry = retry_later(Duration::ZERO);
        Self { step, reason: reason.to_string(), remedy: None, retry }
    }

    /// Makes the failure of a step at which the loader refused the file, after it had taken this long.
    pub(crate) fn refusal(
        step: RolloutStep,
        reason: &dyn fmt::Display,
        (refusal, took): (&Refusal, Duration),
    ) -> Self {
        let (remedy, retry) = (Some(refusal.remedy()), retry_of(refusal, took));
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
    /// The version of the file that was refused. `None` if it was refused before it was watched.
    pub(crate) version: Option<FileVersion>,
}

impl RefusedFile {
    /// Makes the refusal of a build that failed at a step of its rollout.
    pub(crate) fn at_step(failure: &StepFailure) -> Self {
        let otherwise = match failure.retry {
            Retry::Outside { .. } => "correct the problem; the file is tried again by itself",
            Retry::File | Retry::Circumstances | Retry::Quarantine | Retry::Duplicate => {
                "correct the problem; the file is tried again when the file, its settings or the \
                 configuration change"
            }
        };
        Self {
            code: failure.step.to_string(),
            reason: failure.reason.clone(),
            remedy: failure.remedy.unwrap_or(otherwise).to_owned(),
            version: None,
        }
    }

    /// Adds the version of the file that was refused.
    pub(crate) fn of_version(self, version: Option<FileVersion>) -> Self {
        Self { version, ..self }
    }

    /// Returns `true` if this is what was found before in the same file, so that there is nothing new
    /// to report.
    pub(crate) fn repeats(&self, before: &Self) -> bool {
        self.code == before.code
            && self.reason == before.reason
            && (before.version.is_none() || before.version == self.version)
    }
}

impl From<&LoadError> for RefusedFile {
    fn from(error: &LoadError) -> Self {
        Self {
            code: error.refusal.code().to_string(),
            reason: error.refusal.to_string(),
            remedy: error.refusal.remedy().to_owned(),
            version: None,
        }
    }
}

/// Returns what has to change before a refused file is tried again. `took` is how long it took to
/// refuse the file.
pub(crate) fn retry_of(refusal: &Refusal, took: Duration) -> Retry {
    let is_outside = if let Refusal::Access(error) = refusal {
        // The rights of the folder, members of a group, links on the way and `/proc` give no event.
        !matches!(error, AccessError::NotAFile(_) | AccessError::TooLarge { .. })
    } else {
        matches!(
            refusal,
            Refusal::ProbeKilled(_)
                | Refusal::ProbeTimeout { .. }
                | Refusal::NoProbe(_)
                | Refusal::Companion { .. }
                | Refusal::Linking(_)
                | Refusal::Host { .. }
        )
    };
    if is_outside {
        retry_later(took)
    } else if matches!(refusal, Refusal::Quarantined { .. }) {
        Retry::Quarantine
    } else if refusal.code().is_trust() {
        Retry::Circumstances
    } else {
        Retry::File
    }
}

/// Returns that a file is tried again by time, the later the longer the last attempt took.
fn retry_later(took: Duration) -> Retry {
    let interval = took.saturating_mul(RETRY_FACTOR).clamp(RETRY_INTERVAL, MAX_RETRY_INTERVAL);
    Retry::Outside { at: Instant::now() + interval }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_leaks_are_tried_again_as_the_remedy_says() {
        let failure = StepFailure::passing(RolloutStep::Leaks, &"2 builds could not be unloaded");
        assert!(matches!(failure.retry, Retry::Outside { .. }));
        let remedy = RefusedFile::at_step(&failure).remedy;
        assert!(remedy.contains("tried again by itself"), "{remedy}");
        let failure = StepFailure::new(RolloutStep::Configuration, &"no such component");
        let remedy = RefusedFile::at_step(&failure).remedy;
        assert!(remedy.contains("tried again when the file, its settings"), "{remedy}");
    }

    #[test]
    fn what_the_loader_refuses_keeps_the_remedy_of_the_loader() {
        let refusal = Refusal::Changed;
        let failure = StepFailure::refusal(RolloutStep::Load, &refusal, (&refusal, Duration::ZERO));
        let refused = RefusedFile::at_step(&failure);
        assert_eq!((refused.code.as_str(), failure.retry), ("load", Retry::File));
        assert_eq!(refused.remedy, refusal.remedy());
        assert_eq!(failure.text(), format!("{refusal}; {}", refusal.remedy()));
    }

    #[test]
    fn what_lies_outside_of_a_file_is_tried_again_and_the_file_itself_is_not() {
        let is_outside =
            |refusal: Refusal| matches!(retry_of(&refusal, Duration::ZERO), Retry::Outside { .. });
        let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
        let folder = AccessError::ForeignOwner {
            place: hotbay_access::Place::Folder,
            owner: 12345,
            host: 0,
        };
        assert!(is_outside(folder.into()));
        assert!(is_outside(Refusal::host("copying it", full)));
        assert!(is_outside(Refusal::Linking("libx.so.1: no such file".to_owned())));
        assert!(is_outside(Refusal::ProbeKilled("SIGKILL".to_owned())));
        assert!(is_outside(Refusal::ProbeTimeout { limit: Duration::from_secs(5) }));
        assert!(!is_outside(Refusal::NotAPlugin));
        assert!(!is_outside(Refusal::ProbeCrashed("SIGSEGV".to_owned())));
        assert!(!is_outside(AccessError::NotAFile("a folder").into()));
    }

    #[test]
    fn what_takes_long_to_refuse_is_tried_again_later() {
        let wait = |took| {
            let retry = retry_later(took);
            let Retry::Outside { at } = retry else { panic!("{retry:?}") };
            at.saturating_duration_since(Instant::now()).as_secs() + 1
        };
        assert_eq!(wait(Duration::from_millis(40)), 10);
        assert_eq!(wait(Duration::from_secs(5)), 100);
        assert_eq!(wait(Duration::from_secs(3600)), 600);
    }

    #[test]
    fn the_same_refusal_of_the_same_file_is_nothing_new() {
        let refused = |reason: &str, content: &str| {
            let failure = StepFailure::new(RolloutStep::Load, &reason);
            let version = FileVersion { content: content.to_owned(), rest: String::new() };
            RefusedFile::at_step(&failure).of_version(Some(version))
        };
        assert!(refused("a", "1").repeats(&refused("a", "1")));
        assert!(!refused("b", "1").repeats(&refused("a", "1")));
        assert!(!refused("a", "2").repeats(&refused("a", "1")));
        assert!(refused("a", "2").repeats(&refused("a", "1").of_version(None)));
    }
}
