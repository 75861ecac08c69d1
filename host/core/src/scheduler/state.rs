//! The state of one driven task: one enum, and the transitions that it allows.
//!
//! ```text
//!   Registered ──start──► Driven ──finish──► Ended ──vacate──► Vacant
//!       ▲                 │    ▲               ▲                 │
//!       │        step_aside    resume          │ end_idle        │
//!       │                 ▼    │               │                 │
//!       │                  Held ───────────────┘                 │
//!       └─────────────────────── register_again ◄────────────────┘ (also from Ended)
//! ```
//!
//! | state | who has the work | meaning |
//! |---|---|---|
//! | `Registered` | the state | no driver was started yet |
//! | `Driven` | the driver | one driver initializes the task and gives it its turns or events |
//! | `Held` | the state | a driver stepped aside between two turns or events |
//! | `Ended` | nobody | the task gets nothing more to do, but perhaps its `shutdown` |
//! | `Vacant` | nobody | the task's code is gone; another build may take its place |
//!
//! This module has no lock, no clock and no notification, so a model can test it. The
//! [`Entry`](super::entry::Entry) keeps the state behind the task's only lock and derives
//! everything that others wait for from it: the public [`ExecutionStatus`] and the driver's
//! [`Orders`](super::command::Orders) are functions of this enum and never stored beside it as a second truth.
//!
//! # Lock order
//!
//! The tasks of a scheduler, then the entry of one task. Nothing of a task is dropped or
//! called under either of them: transitions give the work that they release to the caller.
//!
//! # The races that the rules prevent
//!
//! * **Drivers have numbers.** A driver that was given up may end minutes later, when
//!   another build runs in its place. Its `finish`, `step_aside` and checkpoints carry its
//!   number and are refused as [`Refusal::Superseded`], so it can't end its successor.
//!   Orders belong to a driver, too: those for the next driver never wake the last one.
//! * **`step_aside` decides whether it is still wanted.** `hold` may give up at the moment at
//!   which the driver steps aside. Both are transitions of one state, so either `hold` finds
//!   the task `Held`, or the driver learns that nobody wants it held, and resumes.
//! * **Stop wins over hold.** A driver that was told to stop, or was given up, can't step
//!   aside, because nobody would resume it.
//! * **A failure holds a task only on probation.** If the probation ended while the event was
//!   handled, `step_aside` is refused, and the driver ends the task as failed.
//! * **A hook is due once.** It becomes due when `initialize` begins, and `take_hook` gives it
//!   to one caller, also for a task that was given up.

mod view;

use hotbay_plugin_api::{SavedState, SchedulerError};

use super::{
    ExecutionStatus,
    command::{Command, Hold},
};

/// Numbers the drivers of one task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct DriverId(pub(super) u64);

/// The state of a task whose work, a task and its place in the queue, is a `W`.
#[derive(Debug)]
pub(super) enum State<W> {
    Registered { work: W },
    Driven(Driven),
    Held { work: W, probation: Probation, fault: Option<SchedulerError> },
    Ended { outcome: Outcome, hook: Hook, ran: Ran },
    Vacant,
}

/// A task that has a driver.
#[derive(Debug)]
pub(super) struct Driven {
    driver: DriverId,
    phase: Phase,
    command: Command,
    hold: Hold,
    probation: Probation,
    hook: Hook,
    /// It is being taken out, to make room for another build.
    leaving: bool,
    /// Nobody waits for the driver any more.
    given_up: bool,
}

/// How far a driver has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Initializing,
    Running,
}

/// Whether a failure is a reason to go back to the build before.
#[derive(Debug)]
pub(super) enum Probation {
    Off,
    /// With what the task saved after its last turn or event.
    On {
        checkpoint: Option<SavedState>,
    },
}

/// Whether the task's `shutdown` is to be called: once, if `initialize` was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    NotDue,
    Due,
    Called,
}

/// Whether the task's initialization went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ran {
    Never,
    Yes,
}

/// How a task ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    Finished,
    Failed(SchedulerError),
    Stopped,
}

/// Why a transition is not possible.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("another driver has the task")]
    Superseded,
    #[error("the task is not on probation")]
    NotOnProbation,
    #[error("the task is {0}")]
    Is(ExecutionStatus),
}

/// What a driver that stepped aside is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SteppedAside {
    /// Somebody holds the task and will resume it.
    Wanted,
    /// Nobody wants the task held any more: it is to be resumed at once.
    Unwanted,
}

/// How a task comes into the hands of a driver.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start<W> {
    pub(super) driver: DriverId,
    pub(super) work: W,
}

/// Transitions of the driver. Each carries the driver's number.
impl<W> State<W> {
    /// `Registered` → `Driven`: a driver takes the work for the first time.
    pub(super) fn start(&mut self, driver: DriverId) -> Result<Start<W>, Refusal> {
        let was = std::mem::replace(self, Self::Vacant);
        let Self::Registered { work } = was else { return Err(self.refuse(was)) };
        *self = Self::driven(driver, Phase::Starting, Probation::Off, Hook::NotDue);
        Ok(Start { driver, work })
    }

    /// `Held` → `Driven`: the next driver goes on where the last one stepped aside.
    pub(super) fn resume(&mut self, driver: DriverId) -> Result<Start<W>, Refusal> {
        let was = std::mem::replace(self, Self::Vacant);
        let Self::Held { work, probation, .. } = was else { return Err(self.refuse(was)) };
        *self = Self::driven(driver, Phase::Running, probation, Hook::Due);
        Ok(Start { driver, work })
    }

    /// The driver calls `initialize` now: from here on a `shutdown` is due.
    pub(super) fn begin(&mut self, driver: DriverId) -> Result<(), Refusal> {
        let status = self.status();
        let driven = self.driven_by(driver)?;
        if driven.phase != Phase::Starting {
            return Err(Refusal::Is(status));
        }
        (driven.phase, driven.hook) = (Phase::Initializing, Hook::Due);
        Ok(())
    }

    /// The task is initialized.
    pub(super) fn run(&mut self, driver: DriverId) -> Result<(), Refusal> {
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
    pub(super) fn step_aside(
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
    pub(super) fn finish(&mut self, driver: DriverId, outcome: Outcome) -> Result<(), Refusal> {
        let driven = self.driven_by(driver)?;
        let ran = if driven.phase == Phase::Running { Ran::Yes } else { Ran::Never };
        *self = Self::Ended { outcome, hook: driven.hook, ran };
        Ok(())
    }

    /// On probation: keeps what the task saved after its last turn or event.
    pub(super) fn keep_checkpoint(
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
    pub(super) fn refused(error: SchedulerError) -> Self {
        let outcome = Outcome::Failed(error);
        Self::Ended { outcome, hook: Hook::NotDue, ran: Ran::Never }
    }

    fn driven(driver: DriverId, phase: Phase, probation: Probation, hook: Hook) -> Self {
        let (command, hold) = (Command::Run, Hold::No);
        let (leaving, given_up) = (false, false);
        Self::Driven(Driven { driver, phase, command, hold, probation, hook, leaving, given_up })
    }

    fn driven_by(&mut self, driver: DriverId) -> Result<&mut Driven, Refusal> {
        let Self::Driven(driven) = self else { return Err(Refusal::Superseded) };
        if driven.driver == driver { Ok(driven) } else { Err(Refusal::Superseded) }
    }
}

/// Transitions of the scheduler and of those who replace builds.
impl<W> State<W> {
    /// Tells the driver to end, unless it was told more already.
    pub(super) fn order(&mut self, command: Command) -> Result<(), Refusal> {
        let driven = self.any_driven()?;
        driven.command = driven.command.max(command);
        Ok(())
    }

    /// Tells the driver to step aside, or not to.
    pub(super) fn hold(&mut self, hold: Hold) -> Result<(), Refusal> {
        self.any_driven()?.hold = hold;
        Ok(())
    }

    /// Notes that the task is being taken out, so that its channels stay open for the next
    /// build.
    pub(super) fn leave(&mut self) -> Result<(), Refusal> {
        self.any_driven()?.leaving = true;
        Ok(())
    }

    /// Ends the waiting for the driver; should it end after all, it may still say so.
    pub(super) fn give_up(&mut self) -> Result<(), Refusal> {
        self.any_driven()?.given_up = true;
        Ok(())
    }

    /// `Registered` or `Held` → `Ended`: the task ends without a driver. Gives the work.
    pub(super) fn end_idle(&mut self, outcome: Outcome) -> Result<W, Refusal> {
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
    pub(super) fn vacate(&mut self) -> Result<(), Refusal> {
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
    pub(super) fn register_again(&mut self, work: W) -> Result<(), (W, Refusal)> {
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
    pub(super) fn held_work(&mut self) -> Result<&mut W, Refusal> {
        let Self::Held { work, .. } = self else { return Err(Refusal::Is(self.status())) };
        Ok(work)
    }

    /// Begins the time in which a failure holds the task instead of ending it.
    ///
    /// Only of a held task: no event is under way then that was not kept to come again.
    pub(super) fn begin_probation(&mut self) -> Result<(), Refusal> {
        let Self::Held { probation, .. } = self else { return Err(Refusal::Is(self.status())) };
        *probation = Probation::On { checkpoint: None };
        Ok(())
    }

    /// Ends that time, and forgets the checkpoint.
    pub(super) fn end_probation(&mut self) -> Result<(), Refusal> {
        *self.probation_mut()? = Probation::Off;
        Ok(())
    }

    /// What the task saved after its last turn or event, while on probation.
    pub(super) fn take_checkpoint(&mut self) -> Option<SavedState> {
        match self.probation_mut() {
            Ok(Probation::On { checkpoint }) => checkpoint.take(),
            Ok(Probation::Off) | Err(_) => None,
        }
    }

    /// Returns `true` to one caller if a `shutdown` is due, who is to call it.
    pub(super) fn take_hook(&mut self) -> bool {
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
    pub(super) fn fail_hook(&mut self, error: SchedulerError) -> Result<(), Refusal> {
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
    fn refuse(&mut self, was: Self) -> Refusal {
        *self = was;
        Refusal::Is(self.status())
    }
}

impl From<Refusal> for SchedulerError {
    fn from(refusal: Refusal) -> Self {
        Self::InvalidState(refusal.to_string())
    }
}

#[cfg(test)]
mod tests;
