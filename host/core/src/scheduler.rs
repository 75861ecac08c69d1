//! The scheduler, which drives background and event tasks and stops them in good order.
//!
//! Every task has one driver, a tokio task on the runtime that its [`TaskOptions`] name.
//! The driver initializes the task, gives it its turns or its events, and ends with it.
//! A task that fails or panics ends alone: its status says why, its subscription is
//! dropped so that it holds nobody up, and everything else goes on.
//!
//! ```text
//! Registered → Initializing → Running → Finished | Failed | Stopped
//!                                 └── shutdown → Stopping ──┴→ DidNotStop
//! ```

mod command;
mod core;
mod drive;
pub mod driver;
mod entry;
mod guard;
mod options;
mod outputs;
mod registry;
mod replace;
mod shutdown;
mod starting;
mod state;
mod status;
mod work;

use std::{fmt, sync::Arc, time::Duration};

use hotbay_plugin_api::{BackgroundTask, EventTask, EventType, SchedulerError, TaskId};
use tokio::sync::{Mutex, watch};

use crate::bus::{EventBus, Payload};

pub use options::TaskOptions;
pub use registry::{RegisteredTask, SharedBackgroundTask, SharedEventTask, TaskRegistry};
pub use shutdown::{Drain, ShutdownLimits, ShutdownReport};
pub use status::{DriverKind, ExecutionStatus, TaskInfo};

pub(crate) use self::{core::Entries, shutdown::shut_down};

use self::core::Core;

/// Runs tasks on a bus. Clones are handles to the same scheduler.
///
/// When the last handle is dropped without a [`shutdown`](Self::shutdown), running
/// turns are dropped at their await points and no `shutdown` hook runs.
pub struct Scheduler<E: EventType, P: Payload = String> {
    owner: Arc<Owner<E, P>>,
}

struct Owner<E: EventType, P: Payload> {
    core: Arc<Core<E, P>>,
}

impl<E: EventType, P: Payload> Scheduler<E, P> {
    /// Creates a scheduler without tasks, whose event tasks listen on `bus`.
    pub fn new(bus: EventBus<E, P>) -> Self {
        Self { owner: Arc::new(Owner { core: Arc::new(Core::new(bus)) }) }
    }

    /// Registers a background task that others may hold as well, under a name of the
    /// scheduler's choice.
    ///
    /// On a started scheduler it starts at once. A task that can't be registered, because
    /// the scheduler was shut down, is `Failed` by its [`status`](Self::status).
    pub fn register_background_task(&self, task: SharedBackgroundTask) -> TaskId {
        self.core().register_unnamed(RegisteredTask::Background(task))
    }

    /// Registers a task of which this scheduler has the only copy.
    ///
    /// On a started scheduler it starts at once.
    ///
    /// # Errors
    /// [`SchedulerError::DuplicateTask`]; [`SchedulerError::InvalidState`] after a shutdown.
    pub fn register_background_task_as(
        &self,
        id: impl Into<TaskId>,
        task: impl BackgroundTask + 'static,
    ) -> Result<TaskId, SchedulerError> {
        self.register_background_task_with(id, task, TaskOptions::default())
    }

    /// [`register_background_task_as`](Self::register_background_task_as) with options.
    ///
    /// # Errors
    /// Also [`SchedulerError::InvalidChannel`] if an output was never declared.
    pub fn register_background_task_with(
        &self,
        id: impl Into<TaskId>,
        task: impl BackgroundTask + 'static,
        options: TaskOptions<E>,
    ) -> Result<TaskId, SchedulerError> {
        self.register_shared_background_task(id, Arc::new(Mutex::new(task)), options)
    }

    /// Registers a background task that others hold as well.
    ///
    /// It is locked for the length of a turn; who locks it meanwhile delays the next one.
    ///
    /// # Errors
    /// The same as those of [`register_background_task_with`](Self::register_background_task_with).
    pub fn register_shared_background_task(
        &self,
        id: impl Into<TaskId>,
        task: SharedBackgroundTask,
        options: TaskOptions<E>,
    ) -> Result<TaskId, SchedulerError> {
        self.core().register(id.into(), RegisteredTask::Background(task), options)
    }

    /// Registers an event task that others may hold as well, under a name of the
    /// scheduler's choice, and subscribes it: it misses nothing that is published from now
    /// on. On a started scheduler it starts at once.
    ///
    /// A task that can't be registered, because its event was never declared or the task is
    /// locked at this moment, is `Failed` by its [`status`](Self::status), and
    /// [`start`](Self::start) returns its error.
    pub fn register_event_task(&self, task: SharedEventTask<E, P>) -> TaskId {
        self.core().register_unnamed(RegisteredTask::Event(task))
    }

    /// Registers a task that answers events, and subscribes it: it misses nothing that is
    /// published from now on. On a started scheduler it starts at once.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidChannel`] if its event was never declared,
    /// [`SchedulerError::DuplicateTask`]; [`SchedulerError::InvalidState`] after a shutdown.
    pub fn register_event_task_as(
        &self,
        id: impl Into<TaskId>,
        task: impl EventTask<E, P> + 'static,
    ) -> Result<TaskId, SchedulerError> {
        self.register_event_task_with(id, task, TaskOptions::default())
    }

    /// [`register_event_task_as`](Self::register_event_task_as) with options.
    ///
    /// # Errors
    /// Also [`SchedulerError::InvalidChannel`] if an output was never declared.
    pub fn register_event_task_with(
        &self,
        id: impl Into<TaskId>,
        task: impl EventTask<E, P> + 'static,
        options: TaskOptions<E>,
    ) -> Result<TaskId, SchedulerError> {
        self.register_shared_event_task(id, Arc::new(Mutex::new(task)), options)
    }

    /// Registers an event task that others hold as well. It is locked while it handles
    /// what is queued, not while it waits.
    ///
    /// # Errors
    /// As [`register_event_task_with`](Self::register_event_task_with), and
    /// [`SchedulerError::InvalidState`] if the task is locked at this moment.
    pub fn register_shared_event_task(
        &self,
        id: impl Into<TaskId>,
        task: SharedEventTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<TaskId, SchedulerError> {
        self.core().register(id.into(), RegisteredTask::Event(task), options)
    }

    /// Starts every registered task, event tasks before background tasks, and returns
    /// when each one is initialized.
    ///
    /// A task whose initialization fails or panics is `Failed` by its
    /// [`status`](Self::status) and no error here: the others run. There is no limit on
    /// the time of an initialization; a shutdown ends it.
    ///
    /// # Errors
    /// [`SchedulerError::InvalidState`] if it was started or shut down before, or outside
    /// of a tokio runtime; the error of the first task that could not be registered, and then
    /// nothing has started.
    pub async fn start(&self) -> Result<(), SchedulerError> {
        let core = self.core();
        core.open()?;
        let [background, event] = core.by_kind();
        core.start_stage(&event).await?;
        core.start_stage(&background).await?;
        core.start_later_ones()
    }

    /// Stops every task within the usual limits; see [`shutdown_with`](Self::shutdown_with).
    ///
    /// # Errors
    /// [`SchedulerError::TaskShutdown`] names the tasks that did not stop, or else the first
    /// one whose `shutdown` hook failed. Everything else has stopped.
    pub async fn shutdown(&self) -> Result<(), SchedulerError> {
        self.shutdown_with(ShutdownLimits::default()).await.into_result()
    }

    /// Stops every task within `limit`; see [`shutdown_with`](Self::shutdown_with).
    pub async fn shutdown_within(&self, limit: Duration) -> ShutdownReport {
        self.shutdown_with(ShutdownLimits::within(limit)).await
    }

    /// Stops every task in good order: background tasks after their turn; event tasks when
    /// they have handled what is queued; then the `shutdown` hook of every task whose
    /// initialization was begun, event tasks first, the latest registered first.
    ///
    /// Never waits longer than the limits say. A task that blocks its thread beyond them
    /// is named in the report; it needs a thread other than the caller's for that. Needs a
    /// tokio runtime with time. A second call stops nothing and names who still runs.
    pub async fn shutdown_with(&self, limits: ShutdownLimits) -> ShutdownReport {
        let stages = self.core().by_kind();
        shut_down(self.core(), &stages, limits).await
    }

    /// Returns what the task does now.
    ///
    /// # Errors
    /// [`SchedulerError::TaskNotFound`].
    pub fn status(&self, id: &TaskId) -> Result<ExecutionStatus, SchedulerError> {
        Ok(self.core().entry(id)?.status())
    }

    /// Returns the task's status, to await its changes.
    ///
    /// # Errors
    /// [`SchedulerError::TaskNotFound`].
    pub fn watch(&self, id: &TaskId) -> Result<watch::Receiver<ExecutionStatus>, SchedulerError> {
        Ok(self.core().entry(id)?.watch())
    }

    /// Returns what is known about the task.
    ///
    /// # Errors
    /// [`SchedulerError::TaskNotFound`].
    pub fn info(&self, id: &TaskId) -> Result<TaskInfo, SchedulerError> {
        Ok(self.core().entry(id)?.info())
    }

    /// Returns what is known about every task, in the order of registration.
    pub fn infos(&self) -> Vec<TaskInfo> {
        self.core().entries().iter().map(|entry| entry.info()).collect()
    }

    /// Returns the task itself.
    ///
    /// # Errors
    /// [`SchedulerError::TaskNotFound`].
    pub fn task(&self, id: &TaskId) -> Result<RegisteredTask<E, P>, SchedulerError> {
        self.core().task(id)
    }

    /// Waits until the task has ended, and returns how. A task that was not started yet has not.
    ///
    /// # Errors
    /// [`SchedulerError::TaskNotFound`].
    pub async fn wait(&self, id: &TaskId) -> Result<ExecutionStatus, SchedulerError> {
        let entry = self.core().entry(id)?;
        entry.reaches(ExecutionStatus::has_ended).await;
        Ok(entry.status())
    }

    /// Waits until every task has ended, also those registered meanwhile.
    pub async fn wait_all(&self) {
        let core = self.core();
        loop {
            // Asked for before the look, or an end in between would not be noticed.
            let changed = core.ended.notified();
            if core.entries().iter().all(|entry| entry.has_ended()) {
                return;
            }
            changed.await;
        }
    }

    /// Returns the bus that the event tasks listen on.
    pub fn bus(&self) -> &EventBus<E, P> {
        self.core().bus()
    }

    /// Returns the inside of the scheduler, for crates that replace the builds of its tasks;
    /// see [`driver`].
    pub fn core(&self) -> &Arc<Core<E, P>> {
        &self.owner.core
    }
}

impl<E: EventType, P: Payload> Clone for Scheduler<E, P> {
    fn clone(&self) -> Self {
        Self { owner: Arc::clone(&self.owner) }
    }
}

impl<E: EventType, P: Payload> fmt::Debug for Scheduler<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.core().entries();
        f.debug_map().entries(entries.iter().map(|one| (one.id(), one.status()))).finish()
    }
}

impl<E: EventType, P: Payload> Drop for Owner<E, P> {
    fn drop(&mut self) {
        self.core.abandon();
    }
}
