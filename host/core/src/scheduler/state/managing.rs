//! What the scheduler, and those who replace builds, change about the state of a task.

use hotbay_plugin_api::{SavedState, SchedulerError};

use super::{Driven, Hook, Outcome, Probation, Ran, Refusal, State};
use crate::scheduler::command::{Command, Hold};

/// Transitions of the scheduler and of those who replace builds.
impl<W> State<W> {
    /// Tells the driver to end, unless it was told more already.
    pub(in crate::scheduler) fn order(&mut self, command: Command) -> Result<(), Refusal> {
        let driven = self.any_driven()?;
        driven.command = driven.command.max(command);
        Ok(())
    }

    /// Tells the driver to step aside, or not to.
    pub(in crate::scheduler) fn hold(&mut self, hold: Hold) -> Result<(), Refusal> {
        self.any_driven()?.hold = hold;
        Ok(())
    }

    /// Notes that the task is being taken out, so that its channels stay open for the next
    /// build.
    pub(in crate::scheduler) fn leave(&mut self) -> Result<(), Refusal> {
        self.any_driven()?.leaving = true;
        Ok(())
    }

    /// Ends the waiting for the driver; should it end after all, it may still say so.
    pub(in crate::scheduler) fn give_up(&mut self) -> Result<(), Refusal> {
        self.any_driven()?.given_up = true;
        Ok(())
    }

    /// `Registered` or `Held` → `Ended`: the task ends without a driver. Gives the work.
    pub(in crate::scheduler) fn end_idle(&mut self, outcome: Outcome) -> Result<W, Refusal> {
        let was = std::mem::replace(self, Self::Vacant);
        let (work, hook, ran) = match was {
            Self::Registered { work } => (work, Hook::NotDue, Ran::Never),
            Self::Held { work, .. } => (work, Hook::Due, Ran::Yes),
            Self::Driven(_) | Self::Ended { .. } | Self::Vacant => return Err(self.refuse(was)),
        };
        *self = Self::Ended { outcome, hook, ran };
        Ok(work)
    }

    /// `Ended`, or `Driven` and given up → `Vacant`: the code of the task is gone.
    pub(in crate::scheduler) fn vacate(&mut self) -> Result<(), Refusal> {
        match self {
            Self::Ended { .. } | Self::Vacant => {}
            Self::Driven(driven) if driven.given_up => {}
            Self::Registered { .. } | Self::Driven(_) | Self::Held { .. } => {
                return Err(Refusal::Is(self.status()));
            }
        }
        *self = Self::Vacant;
        Ok(())
    }

    /// `Ended` or `Vacant` → `Registered`: another build begins from the start.
    pub(in crate::scheduler) fn register_again(&mut self, work: W) -> Result<(), (W, Refusal)> {
        match self {
            Self::Ended { .. } | Self::Vacant => {
                *self = Self::Registered { work };
                Ok(())
            }
            Self::Registered { .. } | Self::Driven(_) | Self::Held { .. } => {
                Err((work, Refusal::Is(self.status())))
            }
        }
    }

    /// The work of a held task, to put another build into it.
    pub(in crate::scheduler) fn held_work(&mut self) -> Result<&mut W, Refusal> {
        let Self::Held { work, .. } = self else { return Err(Refusal::Is(self.status())) };
        Ok(work)
    }

    /// Begins the time in which a failure holds the task instead of ending it.
    ///
    /// Only of a held task: no event is under way then that was not kept to come again.
    pub(in crate::scheduler) fn begin_probation(&mut self) -> Result<(), Refusal> {
        let Self::Held { probation, .. } = self else { return Err(Refusal::Is(self.status())) };
        *probation = Probation::On { checkpoint: None };
        Ok(())
    }

    /// Ends that time, and forgets the checkpoint.
    pub(in crate::scheduler) fn end_probation(&mut self) -> Result<(), Refusal> {
        *self.probation_mut()? = Probation::Off;
        Ok(())
    }

    /// Takes the state that the task saved after its last turn or event on probation.
    pub(in crate::scheduler) fn take_checkpoint(&mut self) -> Option<SavedState> {
        match self.probation_mut() {
            Ok(Probation::On { checkpoint }) => checkpoint.take(),
            Ok(Probation::Off) | Err(_) => None,
        }
    }

    /// Returns `true` to one caller if a `shutdown` is due, who is to call it.
    pub(in crate::scheduler) fn take_hook(&mut self) -> bool {
        let hook = match self {
            Self::Ended { hook, .. } => hook,
            Self::Driven(driven) if driven.given_up => &mut driven.hook,
            Self::Registered { .. } | Self::Driven(_) | Self::Held { .. } | Self::Vacant => {
                return false;
            }
        };
        let due = *hook == Hook::Due;
        if due {
            *hook = Hook::Called;
        }
        due
    }

    /// The `shutdown` of an ended task failed. Why the task failed before that is worth more.
    pub(in crate::scheduler) fn fail_hook(&mut self, error: SchedulerError) -> Result<(), Refusal> {
        match self {
            Self::Ended { outcome: Outcome::Failed(_), .. } => Ok(()),
            Self::Ended { outcome, .. } => {
                *outcome = Outcome::Failed(error);
                Ok(())
            }
            Self::Registered { .. } | Self::Driven(_) | Self::Held { .. } | Self::Vacant => {
                Err(Refusal::Is(self.status()))
            }
        }
    }

    fn any_driven(&mut self) -> Result<&mut Driven, Refusal> {
        let Self::Driven(driven) = self else { return Err(Refusal::Is(self.status())) };
        Ok(driven)
    }

    fn probation_mut(&mut self) -> Result<&mut Probation, Refusal> {
        match self {
            Self::Driven(Driven { probation, .. }) | Self::Held { probation, .. } => Ok(probation),
            Self::Registered { .. } | Self::Ended { .. } | Self::Vacant => {
                Err(Refusal::Is(self.status()))
            }
        }
    }

    /// Undoes a transition that is not possible.
    pub(super) fn refuse(&mut self, was: Self) -> Refusal {
        *self = was;
        Refusal::Is(self.status())
    }
}
