//! What the handles and the drivers of one scheduler share.

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};
use parking_lot::{Mutex, MutexGuard};
use tokio::{runtime::Handle, sync::Notify};

use super::{
    DriverKind, RegisteredTask, TaskRegistry,
    command::{Command, DriverId},
    entry::Entry,
    outputs::Outputs,
    state::{Outcome, Refusal, SteppedAside},
    work::Work,
};
use crate::bus::{EventBus, Payload};

/// Tasks that start or stop together.
pub type Entries<E, P> = Vec<Arc<Entry<E, P>>>;

/// The inside of a [`Scheduler`](super::Scheduler): what host crates need to replace the
/// builds of running tasks.
pub struct Core<E: EventType, P: Payload> {
    bus: EventBus<E, P>,
    tasks: Mutex<Tasks<E, P>>,
    outputs: Outputs<E>,
    /// A producer was stopped, so that the end of a channel is not the end of the data.
    cut: AtomicBool,
    /// The queue of a task that failed or was taken out is kept for another build.
    keeps_places: AtomicBool,
    /// Held for a whole shutdown: the second caller waits for the first.
    pub(super) stopping: tokio::sync::Mutex<()>,
    /// Notified when a task ends, is given up, or is forgotten.
    pub(super) ended: Notify,
}

/// Locked before any entry is, and never while a task's code runs or is dropped.
pub(super) struct Tasks<E: EventType, P: Payload> {
    pub(super) phase: Phase,
    pub(super) registry: TaskRegistry<E, P>,
    pub(super) entries: HashMap<TaskId, Arc<Entry<E, P>>>,
    /// The error of a registration whose call can't return it.
    pub(super) refused: Option<SchedulerError>,
}

/// The phase of the scheduler.
pub(super) enum Phase {
    Registering,
    /// Those who ask may start their tasks on this runtime.
    Starting(Handle),
    /// Whatever is registered starts at once.
    Started(Handle),
    ShutDown(Option<Handle>),
}

impl<E: EventType, P: Payload> Core<E, P> {
    pub(super) fn new(bus: EventBus<E, P>) -> Self {
        let tasks = Tasks {
            phase: Phase::Registering,
            registry: TaskRegistry::new(),
            entries: HashMap::new(),
            refused: None,
        };
        Self {
            bus,
            tasks: Mutex::new(tasks),
            outputs: Outputs::new(),
            cut: AtomicBool::new(false),
            keeps_places: AtomicBool::new(false),
            stopping: tokio::sync::Mutex::new(()),
            ended: Notify::new(),
        }
    }

    /// Returns the bus that the event tasks listen on.
    pub fn bus(&self) -> &EventBus<E, P> {
        &self.bus
    }

    /// Enters the end of a task whose driver is gone, and of the channels that end with the task.
    pub(super) fn end(&self, entry: &Entry<E, P>, driver: DriverId, outcome: Outcome) {
        let place = QueueAfterEnd::after(&outcome, entry.is_leaving());
        // Before the end is shown: who waits for it finds the channels closed. A driver
        // whose task has gone on without it ends nothing.
        if entry.is_driven_by(driver) {
            self.end_outputs(entry, place);
        }
        if let Err(refusal) = entry.finish(driver, outcome) {
            tracing::debug!(task = %entry.id(), %refusal, "a driver that was given up has ended");
        }
        self.ended.notify_waiters();
    }

    /// Ends a task that has no driver, and returns its work; one that has is left alone.
    pub(super) fn end_idle(
        &self,
        entry: &Entry<E, P>,
        outcome: Outcome,
        place: QueueAfterEnd,
    ) -> Option<Work<E, P>> {
        let work = entry.end_idle(outcome).ok()?;
        self.end_outputs(entry, place);
        self.ended.notify_waiters();
        Some(work)
    }

    /// Ends the waiting for the driver of a task.
    pub(super) fn give_up(&self, entry: &Entry<E, P>) {
        entry.give_up();
        self.ended.notify_waiters();
    }

    fn end_outputs(&self, entry: &Entry<E, P>, place: QueueAfterEnd) {
        let keeps_places = self.keeps_places.load(Ordering::SeqCst) && !self.data_is_cut();
        if place == QueueAfterEnd::Kept && keeps_places {
            return;
        }
        for channel in self.outputs.end(&entry.replace_outputs(Vec::new())) {
            if let Err(error) = self.bus.close(&channel) {
                tracing::error!(task = %entry.id(), %error, "an output cannot be closed");
            }
        }
    }

    /// A driver gives its work back.
    pub(super) fn step_aside(
        self: &Arc<Self>,
        entry: &Arc<Entry<E, P>>,
        driver: DriverId,
        work: Work<E, P>,
        fault: Option<SchedulerError>,
    ) {
        // Under this lock the scheduler is not shut down in between: that ends whoever is
        // held, and would miss a task that is held just after.
        let tasks = self.tasks();
        let failed = fault.clone().map_or(Outcome::Stopped, Outcome::Failed);
        let (work, outcome) = match tasks.phase {
            Phase::ShutDown(_) => (Box::new(work), Outcome::Stopped),
            Phase::Registering | Phase::Starting(_) | Phase::Started(_) => {
                match entry.step_aside(driver, work, fault) {
                    Ok(SteppedAside::Wanted) => return,
                    Ok(SteppedAside::Unwanted) => {
                        if let Err(error) = self.resume(&tasks, entry) {
                            tracing::error!(task = %entry.id(), %error, "a held task could not be released");
                        }
                        return;
                    }
                    Err((work, Refusal::NotOnProbation)) => (work, failed),
                    Err((work, Refusal::Is(_) | Refusal::Superseded)) => (work, Outcome::Stopped),
                }
            }
        };
        drop(tasks);
        drop(work);
        self.end(entry, driver, outcome);
    }

    /// From now on a channel's end is not the end of the data: somebody was stopped.
    pub(super) fn cut_data(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    pub(super) fn data_is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    /// Tells everyone to end at once; nobody waits for it.
    pub(super) fn abandon(&self) {
        self.no_more_starts();
        self.cut_data();
        self.entries().iter().for_each(|entry| entry.order(Command::Abort));
    }

    pub(super) fn task(&self, id: &TaskId) -> Result<RegisteredTask<E, P>, SchedulerError> {
        let found = self.tasks().registry.get(id).cloned();
        found.ok_or_else(|| SchedulerError::TaskNotFound(id.clone()))
    }

    /// Returns one task.
    ///
    /// # Errors
    /// [`SchedulerError::TaskNotFound`].
    pub fn entry(&self, id: &TaskId) -> Result<Arc<Entry<E, P>>, SchedulerError> {
        self.tasks().entry(id)
    }

    /// Returns all tasks in the order of their registration.
    pub fn entries(&self) -> Entries<E, P> {
        let tasks = self.tasks();
        let entries = tasks.registry.ids().iter().filter_map(|id| tasks.entries.get(id));
        entries.cloned().collect()
    }

    /// The background tasks and the event tasks, which is the direction of the data.
    pub(super) fn by_kind(&self) -> [Entries<E, P>; 2] {
        let (background, event) =
            self.entries().into_iter().partition(|entry| entry.kind() == DriverKind::Background);
        [background, event]
    }

    /// Returns the runtime on which the code of a task runs; `None` if nothing was ever started.
    pub(super) fn runtime_of(&self, entry: &Entry<E, P>) -> Option<Handle> {
        let own = entry.options().runtime;
        own.or_else(|| match &self.tasks().phase {
            Phase::Registering => None,
            Phase::Starting(runtime) | Phase::Started(runtime) => Some(runtime.clone()),
            Phase::ShutDown(runtime) => runtime.clone(),
        })
    }

    /// Counts the task among the producers of its outputs, and of those only.
    pub(super) fn produce(&self, entry: &Entry<E, P>, outputs: Vec<E>) {
        self.outputs.begin(&outputs);
        self.outputs.forget(&entry.replace_outputs(outputs));
    }

    /// The task is no producer any more; no channel ends by that.
    pub(super) fn produce_nothing(&self, entry: &Entry<E, P>) {
        self.outputs.forget(&entry.replace_outputs(Vec::new()));
    }

    /// Keeps the channels of a task that fails, or is taken out, open from now on: another
    /// build of it is to go on in its place.
    pub fn keep_places(&self) {
        self.keeps_places.store(true, Ordering::SeqCst);
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks<E, P>> {
        self.tasks.lock()
    }
}

impl<E: EventType, P: Payload> Tasks<E, P> {
    pub(super) fn entry(&self, id: &TaskId) -> Result<Arc<Entry<E, P>>, SchedulerError> {
        let found = self.entries.get(id).cloned();
        found.ok_or_else(|| SchedulerError::TaskNotFound(id.clone()))
    }
}

/// What happens to the queue of a task after its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QueueAfterEnd {
    /// The queue is given up, and the channels to which only this task published are closed.
    GivenUp,
    /// The queue is kept for another build of the task, if the scheduler keeps places.
    Kept,
}

impl QueueAfterEnd {
    /// A task that failed, or is being taken out, may go on as another build.
    fn after(outcome: &Outcome, leaving: bool) -> Self {
        if leaving || matches!(outcome, Outcome::Failed(_)) { Self::Kept } else { Self::GivenUp }
    }
}

impl<E: EventType, P: Payload> fmt::Debug for Core<E, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let entries = self.entries();
        f.debug_map().entries(entries.iter().map(|entry| (entry.id(), entry.status()))).finish()
    }
}
