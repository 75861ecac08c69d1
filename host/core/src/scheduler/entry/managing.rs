//! What the scheduler, and those who replace builds, change about a task.

use std::time::Duration;

use hotbay_plugin_api::{EventType, SavedState, SchedulerError};

use super::Entry;
use crate::{
    bus::{Input, Payload},
    scheduler::{
        ExecutionStatus, TaskOptions,
        command::{Command, Hold},
        replace::HoldError,
        state::{Outcome, Refusal, Start},
        work::{Successor, Work},
    },
};

impl<E: EventType, P: Payload> Entry<E, P> {
    /// Gives the work to a first driver.
    pub(in crate::scheduler) fn start(&self) -> Result<Start<Work<E, P>>, Refusal> {
        self.change(|inner| {
            let driver = inner.next_driver();
            inner.state.start(driver)
        })
    }

    /// Gives the work of a held task to the next driver.
    pub(in crate::scheduler) fn resume(&self) -> Result<Start<Work<E, P>>, Refusal> {
        self.change(|inner| {
            let driver = inner.next_driver();
            let start = inner.state.resume(driver)?;
            // What failed on probation went with the build that failed.
            inner.last_error = None;
            Ok(start)
        })
    }

    /// Tells the driver, unless it was told more already. A task without a driver has
    /// nobody to be told.
    pub(in crate::scheduler) fn order(&self, command: Command) {
        if let Err(refusal) = self.change(|inner| inner.state.order(command)) {
            tracing::trace!(task = %self.id, ?command, %refusal, "an order comes too late");
        }
    }

    /// Tells the driver to step aside. A task without a driver may be held already.
    pub(in crate::scheduler) fn hold(&self, hold: Hold) {
        if let Err(refusal) = self.change(|inner| inner.state.hold(hold)) {
            tracing::trace!(task = %self.id, ?hold, %refusal, "nobody is to step aside");
        }
    }

    /// Succeeds if the driver has stepped aside by now; if not, it is no longer to.
    ///
    /// One lock for both, or the driver could step aside in between and stay held.
    pub(in crate::scheduler) fn expect_held(&self, limit: Duration) -> Result<(), HoldError> {
        self.change(|inner| {
            let status = inner.state.status();
            if status == ExecutionStatus::Held {
                return Ok(());
            }
            if matches!(status, ExecutionStatus::Running | ExecutionStatus::Initializing) {
                inner.state.hold(Hold::No).map_err(SchedulerError::from)?;
                return Err(HoldError::Busy(limit));
            }
            Err(HoldError::NotRunning(status))
        })
    }

    /// Notes that the task is being taken out. One that has ended needs no note.
    pub(in crate::scheduler) fn leave(&self) {
        if let Err(refusal) = self.change(|inner| inner.state.leave()) {
            tracing::trace!(task = %self.id, %refusal, "nobody is to leave");
        }
    }

    pub(in crate::scheduler) fn is_leaving(&self) -> bool {
        self.inner.lock().state.is_leaving()
    }

    /// Keeps the input of a build that leaves for the next one, if publishers wait for it.
    pub(in crate::scheduler) fn leave_input(&self, input: Input<E, P>) {
        let kept = input.is_waited_for().then_some(input);
        let before = std::mem::replace(&mut self.inner.lock().left_input, kept);
        // Its end may wake publishers, so it comes without the lock.
        drop(before);
    }

    /// Takes the input that a build has left for the next one.
    pub(in crate::scheduler) fn take_left_input(&self) -> Option<Input<E, P>> {
        self.inner.lock().left_input.take()
    }

    /// Ends the waiting for the driver.
    pub(in crate::scheduler) fn give_up(&self) {
        if let Err(refusal) = self.change(|inner| inner.state.give_up()) {
            tracing::trace!(task = %self.id, %refusal, "it ended just now");
        }
    }

    /// Ends a task that has no driver. Gives its work, to be dropped without a lock.
    pub(in crate::scheduler) fn end_idle(&self, outcome: Outcome) -> Result<Work<E, P>, Refusal> {
        self.change(|inner| {
            let work = inner.state.end_idle(outcome.clone())?;
            inner.note_end(&outcome);
            Ok(work)
        })
    }

    /// The code of the task is gone.
    pub(in crate::scheduler) fn vacate(&self) -> Result<(), Refusal> {
        self.change(|inner| inner.state.vacate())
    }

    /// Another build begins from the start in the place of one that has ended.
    pub(in crate::scheduler) fn register_again(
        &self,
        work: Work<E, P>,
        options: TaskOptions<E>,
    ) -> Result<(), (Box<Work<E, P>>, Refusal)> {
        self.change(|inner| {
            let input = work.input();
            let registered = inner.state.register_again(work);
            registered.map_err(|(work, refusal)| (Box::new(work), refusal))?;
            inner.input = input;
            inner.options = options;
            inner.ended = None;
            inner.last_error = None;
            Ok(())
        })
    }

    /// Puts another build, which has been initialized, into a held place. Gives what it
    /// replaces, or the build itself if the task has ended, to be dropped without a lock.
    pub(in crate::scheduler) fn install(
        &self,
        successor: Successor<E, P>,
        options: TaskOptions<E>,
    ) -> Result<Successor<E, P>, Successor<E, P>> {
        self.change(|inner| {
            let Ok(work) = inner.state.held_work() else { return Err(successor) };
            let replaced = work.install(successor);
            inner.input = work.input();
            inner.options = options;
            Ok(replaced)
        })
    }

    /// The channel that a held task listens to.
    pub(in crate::scheduler) fn held_channel(&self) -> Result<Option<E>, Refusal> {
        Ok(self.inner.lock().state.held_work()?.channel().cloned())
    }

    /// Replaces the channels that count this task among their producers.
    pub(in crate::scheduler) fn replace_outputs(&self, outputs: Vec<E>) -> Vec<E> {
        std::mem::replace(&mut self.inner.lock().produces, outputs)
    }

    /// Begins the time in which a failure holds the task instead of ending it.
    pub(in crate::scheduler) fn begin_probation(&self) -> Result<(), Refusal> {
        self.change(|inner| inner.state.begin_probation())
    }

    /// Ends that time. A task that has ended is on probation no more.
    pub(in crate::scheduler) fn end_probation(&self) {
        if let Err(refusal) = self.change(|inner| inner.state.end_probation()) {
            tracing::trace!(task = %self.id, %refusal, "its probation is over");
        }
    }

    pub(in crate::scheduler) fn take_checkpoint(&self) -> Option<SavedState> {
        self.inner.lock().state.take_checkpoint()
    }

    /// Returns `true` if the caller has to call the `shutdown` hook now.
    pub(in crate::scheduler) fn take_hook(&self) -> bool {
        self.inner.lock().state.take_hook()
    }

    pub(in crate::scheduler) fn fail_hook(&self, error: SchedulerError) {
        self.change(|inner| {
            inner.last_error = Some(error.clone());
            if let Err(refusal) = inner.state.fail_hook(error) {
                tracing::trace!(task = %self.id, %refusal, "its hook failed late");
            }
        });
    }
}
