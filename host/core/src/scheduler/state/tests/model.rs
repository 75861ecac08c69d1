//! What ought to be true of a task.

use super::{Command, DriverId, Hold, Outcome, Status};

/// Where the work is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Registered,
    With(DriverId),
    Held,
    Ended,
    Vacant,
}

/// What ought to be true, as flat as it can be said.
pub(super) struct Model {
    pub(super) place: Place,
    pub(super) begun: bool,
    pub(super) initialized: bool,
    pub(super) told: Command,
    pub(super) hold: Hold,
    pub(super) leaving: bool,
    pub(super) given_up: bool,
    pub(super) probation: bool,
    pub(super) checkpoint: Option<u32>,
    pub(super) fault: bool,
    pub(super) outcome: Option<Outcome>,
    pub(super) hook_due: bool,
}

impl Model {
    pub(super) fn registered() -> Self {
        Self {
            place: Place::Registered,
            begun: false,
            initialized: false,
            told: Command::Run,
            hold: Hold::No,
            leaving: false,
            given_up: false,
            probation: false,
            checkpoint: None,
            fault: false,
            outcome: None,
            hook_due: false,
        }
    }

    pub(super) fn driven(&mut self, driver: DriverId) {
        self.place = Place::With(driver);
        (self.told, self.hold, self.leaving, self.fault) = (Command::Run, Hold::No, false, false);
        self.given_up = false;
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        self.place = Place::Ended;
        self.outcome = Some(outcome);
        (self.probation, self.fault, self.leaving, self.checkpoint) = (false, false, false, None);
    }

    pub(super) fn has_driver(&self) -> bool {
        matches!(self.place, Place::With(_))
    }

    pub(super) fn status(&self) -> Status {
        match (self.place, &self.outcome) {
            (Place::Registered, _) => Status::Registered,
            (Place::With(_), _) if self.given_up => Status::DidNotStop,
            (Place::With(_), _) if !self.begun => Status::Registered,
            (Place::With(_), _) if self.told > Command::Run => Status::Stopping,
            (Place::With(_), _) if self.initialized => Status::Running,
            (Place::With(_), _) => Status::Initializing,
            (Place::Held, _) => Status::Held,
            (Place::Vacant, _) => Status::Waiting,
            (Place::Ended, Some(Outcome::Failed(error))) => Status::Failed { error: error.clone() },
            (Place::Ended, Some(Outcome::Stopped)) => Status::Stopped,
            (Place::Ended, Some(Outcome::Finished) | None) => Status::Finished,
        }
    }
}
