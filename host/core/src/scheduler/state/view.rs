//! The view that others have of a state, from which everything that they wait for is derived.

use hotbay_plugin_api::SchedulerError;

use super::{Driven, Outcome, Phase, Probation, Ran, State};
use crate::scheduler::{
    ExecutionStatus,
    command::{Command, Orders},
};

impl<W> State<W> {
    /// Returns the public status that the state amounts to.
    pub(in crate::scheduler) fn status(&self) -> ExecutionStatus {
        match self {
            Self::Registered { .. } => ExecutionStatus::Registered,
            Self::Driven(driven) => driven.status(),
            Self::Held { .. } => ExecutionStatus::Held,
            Self::Ended { outcome: Outcome::Finished, .. } => ExecutionStatus::Finished,
            Self::Ended { outcome: Outcome::Stopped, .. } => ExecutionStatus::Stopped,
            Self::Ended { outcome: Outcome::Failed(error), .. } => {
                ExecutionStatus::Failed { error: error.clone() }
            }
            Self::Vacant => ExecutionStatus::Waiting,
        }
    }

    /// The orders for the driver, if the task has one.
    pub(in crate::scheduler) fn orders(&self) -> Option<Orders> {
        let Self::Driven(Driven { driver, command, hold, probation, .. }) = self else {
            return None;
        };
        let (driver, command, hold) = (*driver, *command, *hold);
        Some(Orders { driver, command, hold, probation: probation.is_on() })
    }

    /// Returns why the task stepped aside, if it was not told to.
    pub(in crate::scheduler) fn fault(&self) -> Option<&SchedulerError> {
        let Self::Held { fault, .. } = self else { return None };
        fault.as_ref()
    }

    /// Returns `true` if the task is being taken out.
    pub(in crate::scheduler) fn is_leaving(&self) -> bool {
        matches!(self, Self::Driven(driven) if driven.leaving)
    }

    /// The error of a task that never got to run.
    pub(in crate::scheduler) fn failed_to_initialize(&self) -> Option<&SchedulerError> {
        let Self::Ended { outcome: Outcome::Failed(error), ran: Ran::Never, .. } = self else {
            return None;
        };
        Some(error)
    }
}

impl Driven {
    fn status(&self) -> ExecutionStatus {
        match self.phase {
            _ if self.given_up => ExecutionStatus::DidNotStop,
            // Its driver has done nothing yet.
            Phase::Starting => ExecutionStatus::Registered,
            Phase::Initializing | Phase::Running if self.command > Command::Run => {
                ExecutionStatus::Stopping
            }
            Phase::Initializing => ExecutionStatus::Initializing,
            Phase::Running => ExecutionStatus::Running,
        }
    }
}

impl Probation {
    pub(super) fn is_on(&self) -> bool {
        matches!(self, Self::On { .. })
    }
}
