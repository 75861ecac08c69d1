//! What the handles and the drivers of one scheduler share.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};
use tokio::runtime::Handle;

use super::{
    ExecutionStatus, RegisteredTask, TaskKind, TaskOptions, TaskRegistry,
    command::Command,
    drive::{self, Work},
    entry::Entry,
    outputs::Outputs,
};
use crate::bus::{EventBus, Payload};

/// Tasks that start or stop together.
pub type Entries<E> = Vec<Arc<Entry<E>>>;

pub struct Core<E: EventType, P: Payload> {
    bus: EventBus<E, P>,
    tasks: Mutex<Tasks<E, P>>,
    pub(super) outputs: Outputs<E>,
    cut: AtomicBool,
    /// Whether the place of a task that failed or left is kept for another build of it.
    keeps_places: AtomicBool,
    /// Held for a whole shutdown: the second caller waits for the first.
    pub(super) stopping: tokio::sync::Mutex<()>,
}

pub(super) struct Tasks<E: EventType, P: Payload> {
    pub(super) phase: Phase,
    pub(super) registry: TaskRegistry<E, P>,
    pub(super) slots: HashMap<TaskId, Slot<E, P>>,
}

pub(super) struct Slot<E: EventType, P: Payload> {
    pub(super) entry: Arc<Entry<E>>,
    /// Taken by the driver, and given back when it steps aside.
    pub(super) work: Option<Work<E, P>>,
    /// Why it stepped aside, if nobody told it to.
    pub(super) fault: Option<SchedulerError>,
}

/// Whether tasks may start.
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
        let registry = TaskRegistry::new();
        let tasks = Tasks { phase: Phase::Registering, registry, slots: HashMap::new() };
        Self {
            bus,
            tasks: Mutex::new(tasks),
            outputs: Outputs::new(),
            cut: AtomicBool::new(false),
            keeps_places: AtomicBool::new(false),
            stopping: tokio::sync::Mutex::new(()),
        }
    }

    pub fn bus(&self) -> &EventBus<E, P> {
        &self.bus
    }

    pub fn register(
        self: &Arc<Self>,
        id: TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<TaskId, SchedulerError> {
        for output in &options.outputs {
            self.bus.stats(output)?;
        }
        // Before the lock: it runs the task's code.
        let work = Work::new(&id, &task, &self.bus)?;
        let mut tasks = self.tasks();
        if matches!(tasks.phase, Phase::ShutDown(_)) {
            return Err(shut_down());
        }
        if tasks.registry.get(&id).is_some() {
            return Err(SchedulerError::DuplicateTask(id));
        }
        let entry = Arc::new(Entry::new(id.clone(), task.kind(), options, work.input()));
        tasks.registry.register(id.clone(), task)?;
        self.produce(&entry);
        tasks.slots.insert(id.clone(), Slot { entry, work: Some(work), fault: None });
        if matches!(tasks.phase, Phase::Started(_)) {
            self.launch(&mut tasks, &id)?;
        }
        Ok(id)
    }

    /// Lets tasks be started, from the runtime of the caller.
    pub fn open(&self) -> Result<(), SchedulerError> {
        let Ok(runtime) = Handle::try_current() else {
            let text = "a scheduler starts inside of a tokio runtime".to_owned();
            return Err(SchedulerError::InvalidState(text));
        };
        let mut tasks = self.tasks();
        match tasks.phase {
            Phase::Registering => tasks.phase = Phase::Starting(runtime),
            Phase::Starting(_) | Phase::Started(_) => {
                return Err(SchedulerError::InvalidState("it was started already".to_owned()));
            }
            Phase::ShutDown(_) => return Err(shut_down()),
        }
        Ok(())
    }

    /// Starts these tasks and waits until all are initialized, well or not.
    pub async fn start_stage(
        self: &Arc<Self>,
        stage: &[Arc<Entry<E>>],
    ) -> Result<(), SchedulerError> {
        {
            let mut tasks = self.tasks();
            for entry in stage {
                self.launch(&mut tasks, entry.id())?;
            }
        }
        for entry in stage {
            entry.initialized().await;
        }
        Ok(())
    }

    /// From now on a task starts when it is registered, and so do those that
    /// were registered while the others started.
    pub fn start_later_ones(self: &Arc<Self>) -> Result<(), SchedulerError> {
        let mut tasks = self.tasks();
        if let Phase::Starting(runtime) = &tasks.phase {
            tasks.phase = Phase::Started(runtime.clone());
        }
        for id in tasks.registry.ids().to_vec() {
            self.launch(&mut tasks, &id)?;
        }
        Ok(())
    }

    /// Starts the task's driver, unless it was started before.
    pub(super) fn launch(
        self: &Arc<Self>,
        tasks: &mut Tasks<E, P>,
        id: &TaskId,
    ) -> Result<(), SchedulerError> {
        let Tasks { phase, slots, .. } = tasks;
        let (Phase::Starting(runtime) | Phase::Started(runtime)) = phase else {
            return Err(shut_down());
        };
        let slot = slots.get_mut(id).ok_or_else(|| SchedulerError::TaskNotFound(id.clone()))?;
        if let Some(work) = slot.work.take() {
            let entry = Arc::clone(&slot.entry);
            let own = entry.options().runtime;
            let runtime = own.as_ref().unwrap_or(runtime);
            runtime.spawn(drive::drive(Arc::clone(self), Arc::clone(&entry), work));
        }
        Ok(())
    }

    /// Nothing starts any more; what has not started yet never will.
    pub(super) fn no_more_starts(&self) {
        let mut tasks = self.tasks();
        let runtime = match &tasks.phase {
            Phase::Starting(runtime) | Phase::Started(runtime) => Some(runtime.clone()),
            Phase::Registering => None,
            Phase::ShutDown(_) => return,
        };
        tasks.phase = Phase::ShutDown(runtime);
        let idle = tasks.slots.values_mut().filter(|slot| slot.work.is_some());
        let dropped: Vec<_> =
            idle.map(|slot| (Arc::clone(&slot.entry), slot.work.take())).collect();
        drop(tasks);
        for (entry, work) in dropped {
            drop(work);
            self.end(&entry, ExecutionStatus::Stopped);
        }
    }

    /// Tells everyone to end at once; nobody waits for it.
    pub(super) fn abandon(&self) {
        self.no_more_starts();
        self.cut_data();
        self.entries().iter().for_each(|entry| entry.tell(Command::Abort));
    }

    /// Enters the end of a task, and of the channels that ended with it.
    pub(super) fn end(&self, entry: &Entry<E>, status: ExecutionStatus) {
        let failed = matches!(status, ExecutionStatus::Failed { .. });
        if (failed || entry.is_leaving()) && self.keeps_place() {
            entry.end(status);
            return;
        }
        let produced = std::mem::take(&mut *entry.produces());
        for channel in self.outputs.end(&produced) {
            if let Err(error) = self.bus.close(&channel) {
                tracing::error!(task = %entry.id(), %error, "an output cannot be closed");
            }
        }
        entry.end(status);
    }

    /// From now on a channel's end is not the end of the data: somebody was stopped.
    pub(super) fn cut_data(&self) {
        self.cut.store(true, Ordering::SeqCst);
    }

    pub(super) fn data_is_cut(&self) -> bool {
        self.cut.load(Ordering::SeqCst)
    }

    pub(super) fn task(&self, id: &TaskId) -> Result<RegisteredTask<E, P>, SchedulerError> {
        let found = self.tasks().registry.get(id).cloned();
        found.ok_or_else(|| SchedulerError::TaskNotFound(id.clone()))
    }

    pub fn entry(&self, id: &TaskId) -> Result<Arc<Entry<E>>, SchedulerError> {
        let found = self.tasks().slots.get(id).map(|slot| Arc::clone(&slot.entry));
        found.ok_or_else(|| SchedulerError::TaskNotFound(id.clone()))
    }

    /// In the order of registration.
    pub fn entries(&self) -> Entries<E> {
        let tasks = self.tasks();
        let slots = tasks.registry.ids().iter().filter_map(|id| tasks.slots.get(id));
        slots.map(|slot| Arc::clone(&slot.entry)).collect()
    }

    /// The background tasks and the event tasks, which is the direction of the data.
    pub(super) fn by_kind(&self) -> [Entries<E>; 2] {
        let (background, event) =
            self.entries().into_iter().partition(|entry| entry.kind() == TaskKind::Background);
        [background, event]
    }

    /// Where this task's code runs; `None` if nothing was ever started.
    pub(super) fn runtime_of(&self, entry: &Entry<E>) -> Option<Handle> {
        let own = entry.options().runtime;
        own.or_else(|| match &self.tasks().phase {
            Phase::Registering => None,
            Phase::Starting(runtime) | Phase::Started(runtime) => Some(runtime.clone()),
            Phase::ShutDown(runtime) => runtime.clone(),
        })
    }

    /// Counts the task among the producers of its outputs, and of those only.
    pub(super) fn produce(&self, entry: &Entry<E>) {
        let outputs = entry.options().outputs;
        self.outputs.begin(&outputs);
        let before = std::mem::replace(&mut *entry.produces(), outputs);
        self.outputs.forget(&before);
    }

    /// From now on the channels of a task that failed, or was taken out, stay open: another
    /// build of it is to go on in its place.
    pub fn keep_places(&self) {
        self.keeps_places.store(true, Ordering::SeqCst);
    }

    fn keeps_place(&self) -> bool {
        self.keeps_places.load(Ordering::SeqCst) && !self.data_is_cut()
    }

    pub(super) fn tasks(&self) -> MutexGuard<'_, Tasks<E, P>> {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn shut_down() -> SchedulerError {
    SchedulerError::InvalidState("it was shut down".to_owned())
}
