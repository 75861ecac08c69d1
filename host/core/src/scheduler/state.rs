//! The state of one driven task, which is one enum with the transitions that it allows.
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

mod driving;
mod managing;
mod view;

use hotbay_plugin_api::{SavedState, SchedulerError};

use super::{
    ExecutionStatus,
    command::{Command, DriverId, Hold},
};

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

/// The phase of a driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Starting,
    Initializing,
    Running,
}

/// Tells if a failure is a reason to roll back to the previous build.
#[derive(Debug)]
pub(super) enum Probation {
    Off,
    /// With what the task saved after its last turn or event.
    On {
        checkpoint: Option<SavedState>,
    },
}

/// Tells if the task's `shutdown` is to be called: once, if `initialize` was called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hook {
    NotDue,
    Due,
    Called,
}

/// Tells if the initialization of the task succeeded.
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

/// Why a transition was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("another driver has the task")]
    Superseded,
    #[error("the task is not on probation")]
    NotOnProbation,
    #[error("the task is {0}")]
    Is(ExecutionStatus),
}

/// The answer to a driver that steps aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SteppedAside {
    /// Somebody holds the task and will resume it.
    Wanted,
    /// Nobody wants the task held any more: it is to be resumed at once.
    Unwanted,
}

/// How a driver begins with a task.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Start<W> {
    pub(super) driver: DriverId,
    pub(super) work: W,
}

impl From<Refusal> for SchedulerError {
    fn from(refusal: Refusal) -> Self {
        Self::InvalidState(refusal.to_string())
    }
}

#[cfg(test)]
mod tests;
