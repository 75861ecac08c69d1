//! Replacing the code of a task by another build.
//!
//! The id, the queue, the status and the history of the task stay. While the task is held nothing
//! is lost: events are queued, and publishers wait if the policy of the channel says so.
//!
//! Builds are replaced in two steps: [`Core::prepare`] does everything that can fail, for one
//! task after the other, and [`Core::commit`] puts all of them in at once and can't fail.

use std::{sync::Arc, time::Duration};

use hotbay_plugin_api::{EventType, SavedState, SchedulerError, TaskId};
use tokio::time::{Instant, timeout_at};

use super::{
    ExecutionStatus, RegisteredTask, TaskOptions,
    command::{Command, Hold},
    core::{Core, Phase, QueueAfterEnd},
    entry::Entry,
    starting::shut_down,
    state::Outcome,
    work::{Successor, Work},
};
use crate::{FOREVER, bus::Payload};

/// The errors of holding a task.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HoldError {
    /// The task has ended, or has no code at the moment.
    #[error("it does not run: {0}")]
    NotRunning(ExecutionStatus),
    /// The task does not come to a boundary between two turns or events.
    #[error("its call did not end within {0:?}; `reload.hold` may give it longer")]
    Busy(Duration),
    /// The scheduler has no such task.
    #[error(transparent)]
    Unknown(#[from] SchedulerError),
}

/// Another build of a held task, with everything that it needs to take its place.
///
/// Dropped without a [`commit`](Core::commit), it changes nothing.
#[must_use = "a prepared build takes its place when it is committed"]
pub struct Prepared<E: EventType, P: Payload> {
    entry: Arc<Entry<E, P>>,
    successor: Successor<E, P>,
    task: RegisteredTask<E, P>,
    options: TaskOptions<E>,
}

/// A task that was told to step aside. Dropped before it is decided whether the task did, it lets
/// the task go on: an operation that is aborted while it waits leaves nothing held.
struct HoldRequest<'a, E: EventType, P: Payload> {
    core: &'a Arc<Core<E, P>>,
    entry: &'a Arc<Entry<E, P>>,
}

impl<E: EventType, P: Payload> HoldRequest<'_, E, P> {
    /// Succeeds if the task has stepped aside; if not, it is no longer to.
    fn decide(self, limit: Duration) -> Result<(), HoldError> {
        let held = self.entry.expect_held(limit);
        std::mem::forget(self);
        held
    }
}

impl<E: EventType, P: Payload> Drop for HoldRequest<'_, E, P> {
    fn drop(&mut self) {
        if self.entry.expect_held(Duration::ZERO).is_ok()
            && self.entry.fault().is_none()
            && let Err(error) = self.core.resume(&self.core.tasks(), self.entry)
        {
            tracing::debug!(task = %self.entry.id(), %error, "a held task does not go on");
        }
    }
}

impl<E: EventType, P: Payload> Core<E, P> {
    /// Has a running task step aside after its event or turn. A turn that does not end
    /// within `grace` is dropped where it waits, if it may be.
    ///
    /// A task that is held already, because it failed on probation, stays so. If the future is
    /// dropped, the task goes on.
    ///
    /// # Errors
    /// The task goes on if it does not step aside within `limit`.
    pub async fn hold(
        self: &Arc<Self>,
        id: &TaskId,
        grace: Duration,
        limit: Duration,
    ) -> Result<(), HoldError> {
        let entry = self.entry(id)?;
        let until = Instant::now() + limit.min(FOREVER);
        // A task that is being initialized is not between two events yet.
        if timeout_at(until, entry.initialized()).await.is_err() {
            return Err(HoldError::Busy(limit));
        }
        let request = HoldRequest { core: self, entry: &entry };
        for (hold, until) in [
            (Hold::AtBoundary, until.min(Instant::now() + grace.min(FOREVER))),
            (Hold::AtAwait, until),
        ] {
            entry.hold(hold);
            if timeout_at(until, entry.reaches(ExecutionStatus::is_idle)).await.is_ok() {
                break;
            }
        }
        request.decide(limit)
    }

    /// Lets a held task go on where it stepped aside.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidState`] if the task is not held, or after a shutdown.
    pub fn release(self: &Arc<Self>, id: &TaskId) -> Result<(), SchedulerError> {
        let tasks = self.tasks();
        let entry = tasks.entry(id)?;
        self.resume(&tasks, &entry)
    }

    /// Prepares another build, which has been initialized, for the place of a held task.
    ///
    /// # Errors
    /// If the task is not held, the build is of another kind, or a channel of it was never
    /// declared. Nothing has changed then.
    pub fn prepare(
        &self,
        id: &TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<Prepared<E, P>, SchedulerError> {
        for output in &options.outputs {
            self.bus().stats(output)?;
        }
        let entry = self.entry(id)?;
        let place = (entry.kind(), entry.held_channel()?);
        let successor = Successor::new(id, &task, (place.0, place.1.as_ref()), self.bus())?;
        Ok(Prepared { entry, successor, task, options })
    }

    /// Puts prepared builds in their places, all at once. They go on when they are
    /// [released](Self::release).
    ///
    /// Returns the tasks that have ended since their builds were prepared, because of a
    /// shutdown. Their builds did not come in, so their `shutdown` is up to the caller.
    pub fn commit(&self, prepared: Vec<Prepared<E, P>>) -> Vec<TaskId> {
        let (mut left_out, mut replaced) = (Vec::new(), Vec::new());
        let mut tasks = self.tasks();
        for Prepared { entry, successor, task, options } in prepared {
            let outputs = options.outputs.clone();
            match entry.install(successor, options) {
                Ok(before) => {
                    self.produce(&entry, outputs);
                    replaced.push((before, tasks.registry.replace(entry.id(), task)));
                }
                Err(successor) => {
                    left_out.push(entry.id().clone());
                    replaced.push((successor, Some(task)));
                }
            }
        }
        drop(tasks);
        // Dropping tasks and inputs runs code that is not the scheduler's.
        drop(replaced);
        left_out
    }

    /// Begins anew, with another build, in the place of a task that has ended or left.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidState`] if the task has not ended, or after a shutdown; what
    /// [`register`](Self::register) says about the build's channels.
    pub fn begin_again(
        self: &Arc<Self>,
        id: &TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<(), SchedulerError> {
        let entry = self.entry(id)?;
        let work = Work::new(id, &task, self.bus(), || entry.take_left_input())?;
        let outputs = options.outputs.clone();
        let mut tasks = self.tasks();
        if matches!(tasks.phase, Phase::ShutDown(_)) {
            return Err(shut_down());
        }
        if let Err((work, refusal)) = entry.register_again(work, options) {
            drop(tasks);
            drop(work);
            return Err(refusal.into());
        }
        self.produce(&entry, outputs);
        let before = tasks.registry.replace(id, task);
        let started = match tasks.phase {
            Phase::Started(_) => self.start(&tasks, &entry),
            Phase::Registering | Phase::Starting(_) | Phase::ShutDown(_) => Ok(()),
        };
        drop(tasks);
        drop(before);
        started
    }

    /// Ends a task after what is queued for it, and keeps its place empty. Events that come later are
    /// queued for the next build, if publishers wait for room in the channel.
    ///
    /// Past the limits it is ended at an await point. Returns `false` if it has not ended
    /// even so and was given up.
    pub async fn take_out(&self, id: &TaskId, drain: Duration, grace: Duration) -> bool {
        let Ok(entry) = self.entry(id) else { return true };
        if let Some(input) =
            self.end_idle(&entry, Outcome::Stopped, QueueAfterEnd::Kept).and_then(Work::into_input)
        {
            entry.leave_input(input);
        }
        entry.leave();
        for (command, limit) in [(Command::Stop, drain), (Command::Abort, grace)] {
            entry.order(command);
            let over = entry.reaches(ExecutionStatus::is_over);
            if timeout_at(Instant::now() + limit.min(FOREVER), over).await.is_ok() {
                return true;
            }
        }
        self.give_up(&entry);
        entry.status().is_over()
    }

    /// Shows the place as one that waits for its task. The task has ended or was given up.
    pub fn vacate(&self, id: &TaskId) {
        if let Ok(entry) = self.entry(id)
            && let Err(refusal) = entry.vacate()
        {
            tracing::error!(task = %id, %refusal, "its place is not empty");
        }
    }

    /// Forgets a task that was taken out, with its place.
    pub fn forget(&self, id: &TaskId) -> Option<RegisteredTask<E, P>> {
        let mut tasks = self.tasks();
        let entry = tasks.entries.remove(id)?;
        self.produce_nothing(&entry);
        let task = tasks.registry.remove(id);
        drop(tasks);
        self.ended.notify_waiters();
        task
    }

    /// Returns `true` if the `shutdown` hook of this place's task is to be called, by the
    /// caller.
    pub fn take_hook(&self, id: &TaskId) -> bool {
        self.entry(id).is_ok_and(|entry| entry.take_hook())
    }

    /// Returns why the task stepped aside, if it failed on probation.
    pub fn fault(&self, id: &TaskId) -> Option<SchedulerError> {
        self.entry(id).ok().and_then(|entry| entry.fault())
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
            if let Some(error) = entry.fault() {
                return error;
            }
            if status.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Begins the time in which a failure holds the task instead of ending it. The task is
    /// held.
    pub fn begin_probation(&self, id: &TaskId) {
        if let Ok(entry) = self.entry(id)
            && let Err(refusal) = entry.begin_probation()
        {
            tracing::warn!(task = %id, %refusal, "its probation does not begin");
        }
    }

    /// Ends the time in which a failure holds the task. One that failed in it stays held.
    pub fn end_probation(&self, id: &TaskId) {
        if let Ok(entry) = self.entry(id) {
            entry.end_probation();
        }
    }

    /// Ends a held task as failed.
    pub fn fail(&self, id: &TaskId, error: SchedulerError) {
        if let Ok(entry) = self.entry(id) {
            drop(self.end_idle(&entry, Outcome::Failed(error), QueueAfterEnd::Kept));
        }
    }

    /// Ends the time in which a failure holds the task. One that failed in it has failed.
    pub fn confirm(&self, id: &TaskId) {
        let Ok(entry) = self.entry(id) else { return };
        entry.end_probation();
        if let Some(error) = entry.fault() {
            drop(self.end_idle(&entry, Outcome::Failed(error), QueueAfterEnd::Kept));
        }
    }

    /// Takes what the task saved after its last event or turn, while on probation.
    pub fn take_checkpoint(&self, id: &TaskId) -> Option<SavedState> {
        self.entry(id).ok().and_then(|entry| entry.take_checkpoint())
    }
}

impl<E: EventType, P: Payload> std::fmt::Debug for Prepared<E, P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Prepared").field(self.entry.id()).finish()
    }
}
