//! Registering tasks and starting their drivers.

use std::sync::Arc;

use hotbay_plugin_api::{EventType, SchedulerError, TaskId};
use tokio::runtime::Handle;

use super::{
    RegisteredTask, TaskOptions,
    core::{Core, Phase, QueueAfterEnd, Tasks},
    drive,
    entry::Entry,
    state::{Outcome, Start, State},
    work::Work,
};
use crate::bus::Payload;

impl<E: EventType, P: Payload> Core<E, P> {
    /// Registers a task, and starts it if the scheduler was started.
    ///
    /// # Errors
    /// As [`Scheduler::register_background_task_with`] and its siblings.
    ///
    /// [`Scheduler::register_background_task_with`]:
    ///     super::Scheduler::register_background_task_with
    pub fn register(
        self: &Arc<Self>,
        id: TaskId,
        task: RegisteredTask<E, P>,
        options: TaskOptions<E>,
    ) -> Result<TaskId, SchedulerError> {
        for output in &options.outputs {
            self.bus().stats(output)?;
        }
        // Before the lock: it runs the task's code.
        let work = Work::new(&id, &task, self.bus(), || None)?;
        let mut tasks = self.tasks();
        if matches!(tasks.phase, Phase::ShutDown(_)) {
            return Err(shut_down());
        }
        let kind = task.kind();
        tasks.registry.register(id.clone(), task)?;
        let (input, outputs) = (work.input(), options.outputs.clone());
        let state = State::Registered { work };
        let entry = Arc::new(Entry::new(id.clone(), kind, options, state, input));
        self.produce(&entry, outputs);
        tasks.entries.insert(id.clone(), Arc::clone(&entry));
        if matches!(tasks.phase, Phase::Started(_)) {
            self.start(&tasks, &entry)?;
        }
        Ok(id)
    }

    /// Registers a task under the next free name of its kind, for calls that can't refuse.
    ///
    /// A task that can't be registered is `Failed` by its status, and keeps the scheduler
    /// from being started.
    pub(super) fn register_unnamed(self: &Arc<Self>, task: RegisteredTask<E, P>) -> TaskId {
        let kind = task.kind();
        let mut number = self.tasks().registry.len();
        loop {
            number += 1;
            let id = TaskId::new(format!("{kind}-{number}"));
            match self.register(id.clone(), task.clone(), TaskOptions::default()) {
                Ok(id) => return id,
                Err(SchedulerError::DuplicateTask(_)) => {}
                Err(error) => {
                    tracing::error!(task = %id, %error, "the task can't be registered");
                    self.enter_refused(&id, task, error);
                    return id;
                }
            }
        }
    }

    fn enter_refused(&self, id: &TaskId, task: RegisteredTask<E, P>, error: SchedulerError) {
        let kind = task.kind();
        let mut tasks = self.tasks();
        if tasks.registry.register(id.clone(), task).is_ok() {
            let state = State::refused(error.clone());
            let entry = Entry::new(id.clone(), kind, TaskOptions::default(), state, None);
            tasks.entries.insert(id.clone(), Arc::new(entry));
        }
        tasks.refused.get_or_insert(error);
    }

    /// Lets tasks be started, from the runtime of the caller.
    pub(crate) fn open(&self) -> Result<(), SchedulerError> {
        let Ok(runtime) = Handle::try_current() else {
            let text = "a scheduler starts inside of a tokio runtime".to_owned();
            return Err(SchedulerError::InvalidState(text));
        };
        let mut tasks = self.tasks();
        match (&tasks.phase, &tasks.refused) {
            (Phase::Registering, Some(error)) => return Err(error.clone()),
            (Phase::Registering, None) => tasks.phase = Phase::Starting(runtime),
            (Phase::Starting(_) | Phase::Started(_), _) => {
                return Err(SchedulerError::InvalidState("it was started already".to_owned()));
            }
            (Phase::ShutDown(_), _) => return Err(shut_down()),
        }
        Ok(())
    }

    /// Starts these tasks and waits until all are initialized, well or not.
    pub(crate) async fn start_stage(
        self: &Arc<Self>,
        stage: &[Arc<Entry<E, P>>],
    ) -> Result<(), SchedulerError> {
        {
            let tasks = self.tasks();
            for entry in stage {
                self.start(&tasks, entry)?;
            }
        }
        for entry in stage {
            entry.initialized().await;
        }
        Ok(())
    }

    /// From now on a task starts when it is registered, and so do those that
    /// were registered while the others started.
    pub(crate) fn start_later_ones(self: &Arc<Self>) -> Result<(), SchedulerError> {
        let mut tasks = self.tasks();
        if let Phase::Starting(runtime) = &tasks.phase {
            tasks.phase = Phase::Started(runtime.clone());
        }
        for id in tasks.registry.ids() {
            if let Some(entry) = tasks.entries.get(id) {
                self.start(&tasks, entry)?;
            }
        }
        Ok(())
    }

    /// Starts the task's first driver, unless it was started before.
    pub(super) fn start(
        self: &Arc<Self>,
        tasks: &Tasks<E, P>,
        entry: &Arc<Entry<E, P>>,
    ) -> Result<(), SchedulerError> {
        let runtime = tasks.runtime()?;
        if let Ok(start) = entry.start() {
            self.spawn(runtime, entry, start);
        }
        Ok(())
    }

    /// Starts the next driver of a held task.
    pub(super) fn resume(
        self: &Arc<Self>,
        tasks: &Tasks<E, P>,
        entry: &Arc<Entry<E, P>>,
    ) -> Result<(), SchedulerError> {
        let runtime = tasks.runtime()?;
        let start = entry.resume()?;
        self.spawn(runtime, entry, start);
        Ok(())
    }

    fn spawn(
        self: &Arc<Self>,
        runtime: &Handle,
        entry: &Arc<Entry<E, P>>,
        start: Start<Work<E, P>>,
    ) {
        let own = entry.options().runtime;
        let driver = drive::drive(Arc::clone(self), Arc::clone(entry), start);
        drop(own.as_ref().unwrap_or(runtime).spawn(driver));
    }

    /// Nothing starts any more; what has not started yet never will.
    pub(super) fn no_more_starts(&self) {
        {
            let mut tasks = self.tasks();
            let runtime = match &tasks.phase {
                Phase::Starting(runtime) | Phase::Started(runtime) => Some(runtime.clone()),
                Phase::Registering => None,
                Phase::ShutDown(_) => return,
            };
            tasks.phase = Phase::ShutDown(runtime);
        }
        // Nobody comes into the hands of a driver now, or steps aside.
        for entry in self.entries() {
            drop(self.end_idle(&entry, Outcome::Stopped, QueueAfterEnd::GivenUp));
        }
    }
}

impl<E: EventType, P: Payload> Tasks<E, P> {
    /// The runtime of tasks that have none of their own.
    fn runtime(&self) -> Result<&Handle, SchedulerError> {
        match &self.phase {
            Phase::Starting(runtime) | Phase::Started(runtime) => Ok(runtime),
            Phase::Registering => {
                Err(SchedulerError::InvalidState("it was not started yet".to_owned()))
            }
            Phase::ShutDown(_) => Err(shut_down()),
        }
    }
}

pub(super) fn shut_down() -> SchedulerError {
    SchedulerError::InvalidState("it was shut down".to_owned())
}
