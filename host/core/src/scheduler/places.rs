//! Taking a task out of its place and putting another build of it in.
//!
//! A place is a task's id with its queue, its status and its history. While the place is
//! held nothing is lost: what comes is queued, and publishers wait as the channel says.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{EventType, SavedState, SchedulerError, TaskId};
use tokio::time::{Instant, timeout_at};

use super::{
    ExecutionStatus, RegisteredTask, TaskOptions,
    command::{Command, Hold},
    core::{Core, Phase},
    drive::Work,
    entry::Entry,
};
use crate::bus::Payload;

/// Why a task can't be held.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    #[error("it does not run: {0}")]
    NotRunning(ExecutionStatus),
    #[error("its call did not end within {0:?}; `reload.hold` may give it longer")]
    Busy(Duration),
    #[error(transparent)]
    Unknown(#[from] SchedulerError),
}

impl<E: EventType, P: Payload> Core<E, P> {
    /// A driver stepped aside.
    pub(super) fn put_back(
        self: &Arc<Self>,
        entry: &Arc<Entry<E>>,
        work: Work<E, P>,
        fault: Option<SchedulerError>,
    ) {
        let mut tasks = self.tasks();
        let ended = matches!(tasks.phase, Phase::ShutDown(_));
        let end = match (tasks.slots.get_mut(entry.id()), fault) {
            (Some(_), Some(error)) if !ended && !entry.is_on_probation() => {
                // Its probation ended meanwhile, so nobody would let it go on.
                ExecutionStatus::Failed { error }
            }
            (Some(slot), fault) if !ended => {
                let wanted = fault.is_some() || entry.is_to_hold();
                slot.work = Some(work);
                slot.fault = fault.clone();
                entry.held(fault.as_ref());
                if !wanted {
                    // Whoever wanted it held gave up meanwhile.
                    entry.go_on();
                    if let Err(error) = self.launch(&mut tasks, entry.id()) {
                        tracing::error!(task = %entry.id(), %error, "does not go on");
                    }
                }
                return;
            }
            _ => ExecutionStatus::Stopped,
        };
        drop(tasks);
        drop(work);
        self.end(entry, end);
    }

    /// Has a running task step aside after its event or turn. A turn that does not end
    /// within `grace` is dropped where it waits, if it may be.
    ///
    /// A task that is held already, because it failed on probation, stays so.
    pub async fn hold(
        &self,
        id: &TaskId,
        grace: Duration,
        limit: Duration,
    ) -> Result<(), HoldError> {
        let entry = self.entry(id)?;
        let until = Instant::now() + limit;
        // Whoever initializes is not between two events yet.
        if timeout_at(until, entry.initialized()).await.is_err() {
            return Err(HoldError::Busy(limit));
        }
        for (hold, until) in
            [(Hold::AtBoundary, until.min(Instant::now() + grace)), (Hold::AtAwait, until)]
        {
            entry.hold(hold);
            if timeout_at(until, entry.idle()).await.is_ok() {
                break;
            }
        }
        // Under this lock it either has stepped aside, or will see that nobody wants it to.
        let _tasks = self.tasks();
        let status = entry.status();
        if matches!(status, ExecutionStatus::Running | ExecutionStatus::Initializing) {
            entry.hold(Hold::No);
            return Err(HoldError::Busy(limit));
        }
        if status == ExecutionStatus::Held { Ok(()) } else { Err(HoldError::NotRunning(status)) }
    }

    /// Lets a held task go on where it stepped aside.
    pub fn release(self: &Arc<Self>, id: &TaskId) -> Result<(), SchedulerError> {
        let mut tasks = self.tasks();
        let slot =
            tasks.slots.get_mut(id).ok_or_else(|| SchedulerError::TaskNotFound(id.clone()))?;
        slot.fault = None;
        slot.entry.go_on();
        self.launch(&mut tasks, id)
    }

    /// Puts another build of a held task in its place; it has been initialized, and goes
    /// on when it is [released](Self::release). Gives the one before.
    pub fn reseat(
        &self,
        id: &TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<RegisteredTask<E, P>, SchedulerError> {
        let mut tasks = self.tasks();
        let unknown = || SchedulerError::TaskNotFound(id.clone());
        let slot = tasks.slots.get_mut(id).ok_or_else(unknown)?;
        let Some(work) = slot.work.take() else {
            return Err(SchedulerError::InvalidState(format!("task {id} is not held")));
        };
        match work.with_task(id, &task, self.bus()) {
            Ok(work) => slot.work = Some(work),
            Err((work, error)) => {
                slot.work = Some(work);
                return Err(error);
            }
        }
        slot.entry.set_input(slot.work.as_ref().and_then(Work::input));
        slot.entry.set_options(options);
        self.produce(&slot.entry);
        tasks.registry.replace(id, task).ok_or_else(unknown)
    }

    /// Begins anew, with another build, in the place of a task that has ended or left.
    pub fn begin_again(
        self: &Arc<Self>,
        id: &TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<(), SchedulerError> {
        let entry = self.entry(id)?;
        if !entry.status().has_ended() && entry.status() != ExecutionStatus::Waiting {
            return Err(SchedulerError::InvalidState(format!("task {id} has not ended")));
        }
        let work = Work::new(id, &task, self.bus())?;
        entry.set_input(work.input());
        entry.set_options(options);
        self.produce(&entry);
        entry.begin_anew();
        let mut tasks = self.tasks();
        tasks.registry.replace(id, task);
        if let Some(slot) = tasks.slots.get_mut(id) {
            slot.work = Some(work);
        }
        if matches!(tasks.phase, Phase::Started(_)) {
            self.launch(&mut tasks, id)?;
        }
        Ok(())
    }

    /// Ends a task after what is queued for it, and keeps its place empty.
    ///
    /// Past the limits it is ended at an await point. Whether it has ended.
    pub async fn take_out(&self, id: &TaskId, drain: Duration, grace: Duration) -> bool {
        let Ok(entry) = self.entry(id) else { return true };
        entry.leave();
        for (command, limit) in [(Command::Stop, drain), (Command::Abort, grace)] {
            entry.tell(command);
            if timeout_at(Instant::now() + limit, entry.idle()).await.is_ok() {
                break;
            }
        }
        if entry.status() == ExecutionStatus::Held {
            let work = self.tasks().slots.get_mut(id).and_then(|slot| slot.work.take());
            drop(work);
        }
        entry.is_idle()
    }

    /// Shows the place as one that waits for its task.
    pub fn vacate(&self, id: &TaskId) {
        if let Ok(entry) = self.entry(id) {
            entry.vacate();
        }
    }

    /// Forgets a task that was taken out, with its place.
    pub fn forget(&self, id: &TaskId) -> Option<RegisteredTask<E, P>> {
        let mut tasks = self.tasks();
        let slot = tasks.slots.remove(id)?;
        let produced = std::mem::take(&mut *slot.entry.produces());
        self.outputs.forget(&produced);
        tasks.registry.remove(id)
    }

    /// Whether the `shutdown` hook of this place's task is to be called, by the caller.
    pub fn take_hook(&self, id: &TaskId) -> bool {
        self.entry(id).is_ok_and(|entry| entry.take_hook())
    }

    /// Why the task stepped aside, if it failed.
    pub fn fault(&self, id: &TaskId) -> Option<SchedulerError> {
        self.tasks().slots.get(id).and_then(|slot| slot.fault.clone())
    }

    /// Waits until the task steps aside because it failed on probation; forever, if it is
    /// not known.
    pub async fn faulted(&self, id: &TaskId) -> SchedulerError {
        let Ok(entry) = self.entry(id) else { return std::future::pending().await };
        let mut status = entry.watch();
        loop {
            if status.wait_for(|status| *status == ExecutionStatus::Held).await.is_err() {
                return std::future::pending().await;
            }
            if let Some(error) = self.fault(id) {
                return error;
            }
            if status.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Begins or ends the time in which a failure holds the task instead of ending it.
    pub fn set_probation(&self, id: &TaskId, on: bool) {
        if let Ok(entry) = self.entry(id) {
            entry.set_probation(on);
        }
    }

    /// Ends the time in which a failure holds the task. One that failed in it has failed.
    pub fn confirm(&self, id: &TaskId) {
        let mut tasks = self.tasks();
        let Some(slot) = tasks.slots.get_mut(id) else { return };
        slot.entry.set_probation(false);
        let Some(error) = slot.fault.take() else { return };
        let (entry, work) = (Arc::clone(&slot.entry), slot.work.take());
        drop(tasks);
        drop(work);
        self.end(&entry, ExecutionStatus::Failed { error });
    }

    /// What the task gave after its last event or turn, while on probation.
    pub fn take_checkpoint(&self, id: &TaskId) -> Option<SavedState> {
        self.entry(id).ok().and_then(|entry| entry.take_checkpoint())
    }
}
