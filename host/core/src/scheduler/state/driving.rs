//! What a driver changes about the state of its task.

use hotbay_plugin_api::{SavedState, SchedulerError};

use super::{
    Driven, DriverId, Hook, Outcome, Phase, Probation, Ran, Refusal, Start, State, SteppedAside,
};
use crate::scheduler::command::{Command, Hold};

/// The transitions that a driver makes. Each carries the driver's number.
impl<W> State<W> {
    /// `Registered` → `Driven`: a driver takes the work for the first time.
    pub(in crate::scheduler) fn start(&mut self, driver: DriverId) -> Result<Start<W>, Refusal> {
        let was = std::mem::replace(self, Self::Vacant);
        let Self::Registered { work } = was else { return Err(self.refuse(was)) };
        *self = Self::driven(driver, Phase::Starting, Probation::Off, Hook::NotDue);
        Ok(Start { driver, work })
    }

    /// `Held` → `Driven`: the next driver goes on where the last one stepped aside.
    pub(in crate::scheduler) fn resume(&mut self, driver: DriverId) -> Result<Start<W>, Refusal> {
        let was = std::mem::replace(self, Self::Vacant);
        let Self::Held { work, probation, .. } = was else { return Err(self.refuse(was)) };
        *self = Self::driven(driver, Phase::Running, probation, Hook::Due);
        Ok(Start { driver, work })
    }

    /// Notes that the driver calls `initialize` now. From here on a `shutdown` is due.
    pub(in crate::scheduler) fn begin(&mut self, driver: DriverId) -> Result<(), Refusal> {
        let status = self.status();
        let driven = self.driven_by(driver)?;
        if driven.phase != Phase::Starting {
            return Err(Refusal::Is(status));
        }
        (driven.phase, driven.hook) = (Phase::Initializing, Hook::Due);
        Ok(())
    }

    /// Notes that the task is initialized.
    pub(in crate::scheduler) fn run(&mut self, driver: DriverId) -> Result<(), Refusal> {
        let status = self.status();
        let driven = self.driven_by(driver)?;
        if driven.phase == Phase::Starting {
            return Err(Refusal::Is(status));
        }
        driven.phase = Phase::Running;
        Ok(())
    }

    /// `Driven` → `Held`: the driver gives the work back between two turns or events.
    ///
    /// A refusal gives it the work back: the task is to end.
    pub(in crate::scheduler) fn step_aside(
        &mut self,
        driver: DriverId,
        work: W,
        fault: Option<SchedulerError>,
    ) -> Result<SteppedAside, (W, Refusal)> {
        let status = self.status();
        let driven = match self.driven_by(driver) {
            Ok(driven) => driven,
            Err(refusal) => return Err((work, refusal)),
        };
        let goes_on = driven.command == Command::Run && !driven.given_up;
        if driven.phase != Phase::Running || !goes_on {
            return Err((work, Refusal::Is(status)));
        }
        if fault.is_some() && !driven.probation.is_on() {
            return Err((work, Refusal::NotOnProbation));
        }
        let wanted = fault.is_some() || driven.hold != Hold::No;
        let probation = std::mem::replace(&mut driven.probation, Probation::Off);
        *self = Self::Held { work, probation, fault };
        Ok(if wanted { SteppedAside::Wanted } else { SteppedAside::Unwanted })
    }

    /// `Driven` → `Ended`: the driver is gone.
    pub(in crate::scheduler) fn finish(
        &mut self,
        driver: DriverId,
        outcome: Outcome,
    ) -> Result<(), Refusal> {
        let driven = self.driven_by(driver)?;
        let ran = if driven.phase == Phase::Running { Ran::Yes } else { Ran::Never };
        *self = Self::Ended { outcome, hook: driven.hook, ran };
        Ok(())
    }

    /// Keeps what the task saved after its last turn or event, if it is on probation.
    pub(in crate::scheduler) fn keep_checkpoint(
        &mut self,
        driver: DriverId,
        state: SavedState,
    ) -> Result<(), Refusal> {
        match &mut self.driven_by(driver)?.probation {
            Probation::On { checkpoint } => {
                *checkpoint = Some(state);
                Ok(())
            }
            Probation::Off => Err(Refusal::NotOnProbation),
        }
    }

    /// A task that could not be registered.
    pub(in crate::scheduler) fn refused(error: SchedulerError) -> Self {
        let outcome = Outcome::Failed(error);
        Self::Ended { outcome, hook: Hook::NotDue, ran: Ran::Never }
    }

    pub(super) fn driven(driver: DriverId, phase: Phase, probation: Probation, hook: Hook) -> Self {
        let (command, hold) = (Command::Run, Hold::No);
        let (leaving, given_up) = (false, false);
        Self::Driven(Driven { driver, phase, command, hold, probation, hook, leaving, given_up })
    }

    pub(super) fn driven_by(&mut self, driver: DriverId) -> Result<&mut Driven, Refusal> {
        let Self::Driven(driven) = self else { return Err(Refusal::Superseded) };
        if driven.driver == driver { Ok(driven) } else { Err(Refusal::Superseded) }
    }
}
