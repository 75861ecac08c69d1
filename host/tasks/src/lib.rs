//! The tasks of plugins, and how they are run: with the schedule of their plugin or of the
//! configuration, on the build in service.

#![forbid(unsafe_code)]

mod build;
mod control;
mod dry_run;
mod in_words;
mod installed;
mod opened;
mod overrides;
pub mod plan;
mod report;
mod run_log;
mod runner;
mod schedule;
mod scheduled;
mod supported;
mod under_way;
mod view;

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc, time::Duration};

use hotbay_config::{History, Limits};
use hotbay_plugin_api::{SchedulerError, spec::RunTarget};
use tokio::{
    sync::{
        mpsc::{UnboundedSender, unbounded_channel},
        oneshot, watch,
    },
    task::spawn_blocking,
    time::timeout,
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use hotbay_runtime::{ComponentSetup, ComponentSlot, ComponentSpec, Generation, Services};
use hotbay_store::short_hash;

use installed::{InstalledTask, InstalledTasks, StoredTasks};
use plan::{PlanEvent, RunLimits, find_cycle};
use runner::{Runner, RunnerEvent};

pub use build::TaskBuild;
pub use control::{ControlError, MOST_IN_ANSWER, TaskAnswer, TaskControl, TaskRequest};
pub use dry_run::{ClockChange, DryRun, ShownTime};
pub use in_words::ScheduleInWords;
pub use opened::{LastEnd, OpenedStore};
pub use overrides::check_entries;
pub use report::TaskReport;
pub use run_log::{RunLines, run_log};
pub use schedule::schedules;
pub use scheduled::ScheduledTask;
pub use view::{EndedRuns, LogLineView, RunView, TaskState, TaskView};

/// The time that runs get to end after they were aborted.
const ABORT: Duration = Duration::from_millis(500);

/// The time that the store gets to write what is left when the host stops.
const STORE_LIMIT: Duration = Duration::from_secs(2);

/// The tasks of all plugins, each run as the plan says.
#[derive(Debug)]
pub struct Tasks {
    cancel: CancellationToken,
    installed: InstalledTasks,
    events: UnboundedSender<RunnerEvent>,
    under_way: watch::Receiver<usize>,
    stored: StoredTasks,
    /// Tells the loop which runs are kept once they have ended.
    history: watch::Sender<History>,
}

/// Tasks that were made in a generation, each with its settings.
pub type PreparedTasks = Vec<(ScheduledTask, Arc<TaskBuild>)>;

/// Makes the tasks of generations, outside of the host's loop.
///
/// Clones make tasks of the same scheduler.
#[derive(Debug, Clone)]
pub struct TaskFactory {
    /// Asks all tasks to stop.
    cancel: CancellationToken,
}

impl TaskFactory {
    /// Makes these tasks in a generation. None of them is started.
    ///
    /// # Errors
    /// If the plugin refuses to make one.
    pub fn prepare(
        &self,
        plugin: &Generation,
        scheduled: Vec<ScheduledTask>,
        services: &Services,
    ) -> Result<PreparedTasks, SchedulerError> {
        let mut prepared = Vec::new();
        for scheduled in scheduled {
            let cancel = self.cancel.child_token();
            let name = scheduled.spec.name.clone();
            let setup = ComponentSetup {
                slot: ComponentSlot::new(scheduled.id(), 0),
                spec: ComponentSpec::without_ports(&*name, scheduled.config.clone()),
                cancel: cancel.clone(),
            };
            let runs = plugin.runs(RunTarget::Task(name), setup, services)?;
            let runs = (runs, scheduled.spec.function);
            let file = plugin.info().file.as_ref();
            let name = file.map(|file| short_hash(&file.hash)).unwrap_or_default().into();
            let build = TaskBuild::new(name, runs, plugin.handle().clone(), cancel);
            prepared.push((scheduled, Arc::new(build)));
        }
        Ok(prepared)
    }
}

impl Tasks {
    /// Starts the loop that runs tasks, on the current runtime. It keeps the lines that plugins log
    /// during runs. It goes on where the host before ended, as far as that is stored. No run starts
    /// before [`begin`](Self::begin) is called.
    pub fn start(lines: RunLines, opened: OpenedStore) -> Self {
        let OpenedStore { store, tasks, runs, next_run, last_end } = opened;
        let (installed, stored) = (InstalledTasks::default(), StoredTasks::default());
        *stored.lock() = tasks;
        let (history, kept) = watch::channel(History::default());
        let (events, receiver) = unbounded_channel();
        let (sender, under_way) = watch::channel(0);
        let tasks = (installed.clone(), stored.clone());
        let mut runner = Runner::new(tasks, events.clone(), sender, lines, store, kept);
        runner.restore(&runs, next_run, last_end);
        tokio::spawn(runner.run(receiver));
        Self { cancel: CancellationToken::new(), installed, events, under_way, stored, history }
    }

    /// Returns the factory for tasks of this scheduler.
    pub fn factory(&self) -> TaskFactory {
        TaskFactory { cancel: self.cancel.clone() }
    }

    /// Returns a handle with which tasks are controlled and observed.
    pub fn control(&self) -> TaskControl {
        TaskControl { events: self.events.clone() }
    }

    /// Sets how many runs may be under way at once.
    pub fn set_limits(&self, limits: Limits) {
        let Limits { at_once, at_once_per_plugin, at_once_per_key } = limits;
        let limits = RunLimits {
            all: at_once.map(NonZeroUsize::get),
            per_plugin: at_once_per_plugin.map(NonZeroUsize::get),
            per_key: Some(at_once_per_key),
        };
        drop(self.events.send(RunnerEvent::Limits(limits)));
    }

    /// Sets which runs are kept once they have ended.
    pub fn set_history(&self, history: History) {
        self.history.send_replace(history);
    }

    /// Lets runs start, now that the tasks of all plugins are installed that are there.
    pub fn begin(&self) {
        drop(self.events.send(RunnerEvent::Begin));
    }

    /// Installs the tasks of a plugin's build.
    ///
    /// Returns the tasks that were replaced or removed, on which runs may still be under way.
    ///
    /// # Errors
    /// If the schedule of a task can't be understood, or tasks depend on each other in a cycle.
    /// Nothing is changed then.
    pub fn install(
        &mut self,
        plugin: &str,
        prepared: PreparedTasks,
    ) -> Result<PreparedTasks, SchedulerError> {
        let mut defined = Vec::new();
        let mut installed = self.installed.lock();
        for (scheduled, build) in prepared {
            let id: Arc<str> = scheduled.id().into();
            let anchor = installed.get(&id).map(|it| it.anchor);
            let stored = || self.stored.lock().get(&id).and_then(|it| it.anchor);
            let anchor = anchor.or_else(stored).unwrap_or_else(runner::now);
            let definition = scheduled
                .definition(anchor)
                .map_err(|reason| SchedulerError::InvalidState(format!("task {id} {reason}")))?;
            let schedule = scheduled.trigger_in_words(&definition.trigger);
            defined.push((id, InstalledTask::new(scheduled, build, anchor, schedule), definition));
        }
        let new = defined.iter().map(|(id, task, _)| (&**id, &task.scheduled));
        let others = installed.iter().filter(|(_, it)| it.scheduled.plugin != plugin);
        let others = others.map(|(id, it)| (&**id, &it.scheduled));
        if let Some(cycle) = dependency_cycle(new.chain(others)) {
            return Err(SchedulerError::InvalidState(cycle));
        }
        let mut before = Vec::new();
        for (id, task) in installed.iter_mut().filter(|(_, it)| it.scheduled.plugin == plugin) {
            if !defined.iter().any(|(defined, ..)| defined == id) {
                self.tell(PlanEvent::Remove { task: Arc::clone(id) });
                before.extend(task.take_build());
            }
        }
        for (id, mut task, definition) in defined {
            let old = installed.remove(&id);
            if old.as_ref().is_none_or(|old| old.schedule != task.schedule) {
                let words =
                    ScheduleInWords::new(&task.scheduled, &definition.trigger, runner::now());
                let next = (!words.next.is_empty()).then(|| words.next.join(", "));
                info!(task = &*id, schedule = words.schedule, next, "a task is scheduled");
            }
            let text = task.schedule_text();
            // A schedule that was edited is stored again.
            let is_new = old.as_ref().is_none_or(|old| old.schedule_text() != text);
            let mut schedule = is_new.then_some((text, task.anchor));
            let mut stored = old.as_ref().map(InstalledTask::as_it_comes_back);
            before.extend(old.and_then(|old| task.take_over(old)));
            if let Some(record) = self.stored.lock().remove(&id) {
                stored = Some(task.restore(&record, &mut schedule));
            }
            let is_disabled = task.disabled;
            installed.insert(Arc::clone(&id), task);
            if !is_disabled {
                let define =
                    PlanEvent::Define { task: id, definition: Box::new(definition), stored };
                drop(self.events.send(RunnerEvent::Define(define, schedule)));
            }
        }
        self.tell(PlanEvent::Service { plugin: plugin.into(), is_there: true });
        Ok(before)
    }

    /// Takes the builds of a plugin's tasks away. The tasks wait until the plugin is back.
    ///
    /// Returns these builds, on which runs may still be under way.
    pub fn uninstall(&mut self, plugin: &str) -> PreparedTasks {
        self.tell(PlanEvent::Service { plugin: plugin.into(), is_there: false });
        let mut installed = self.installed.lock();
        let of_plugin = installed.values_mut().filter(|it| it.scheduled.plugin == plugin);
        of_plugin.filter_map(InstalledTask::take_build).collect()
    }

    /// Returns the tasks of a plugin that have a build.
    pub fn of_plugin(&self, plugin: &str) -> PreparedTasks {
        let installed = self.installed.lock();
        let of_plugin = installed.values().filter(|it| it.scheduled.plugin == plugin);
        of_plugin.filter_map(|it| Some((it.scheduled.clone(), it.build.clone()?))).collect()
    }

    /// Returns the ids of the tasks that run for events, each with the name of the channel.
    pub fn event_triggers(&self) -> Vec<(Arc<str>, String)> {
        let installed = self.installed.lock();
        let with_build = installed.iter().filter(|(_, it)| it.build.is_some());
        let channel = |(id, it): (&Arc<str>, &InstalledTask)| {
            Some((Arc::clone(id), it.scheduled.event_channel()?.to_owned()))
        };
        with_build.filter_map(channel).collect()
    }

    /// Stops all tasks. Returns a message for each task that did not stop within the limit.
    pub async fn stop(&self, limit: Duration) -> Vec<String> {
        let (done, stopped) = oneshot::channel();
        drop(self.events.send(RunnerEvent::Stop(done)));
        drop(stopped.await);
        self.cancel.cancel();
        let mut under_way = self.under_way.clone();
        if timeout(limit, under_way.wait_for(|count| *count == 0)).await.is_err() {
            self.installed
                .lock()
                .values()
                .filter_map(|it| it.build.as_ref())
                .for_each(|it| it.abort());
            drop(timeout(ABORT, under_way.wait_for(|count| *count == 0)).await);
        }
        let mut stuck = Vec::new();
        for (id, task) in self.installed.lock().iter_mut() {
            // The builds are dropped before their plugins are closed.
            let build = task.build.take();
            if build.is_some_and(|build| build.is_busy()) {
                let limit = humantime::format_duration(limit);
                stuck.push(format!("task {id} did not stop within {limit}"));
            }
        }
        stuck.extend(self.close_store().await);
        stuck
    }

    /// Waits until everything is stored, and gives the store up. Returns a message if that took too
    /// long.
    async fn close_store(&self) -> Option<String> {
        let (done, closed) = oneshot::channel();
        drop(self.events.send(RunnerEvent::Close(done)));
        let close = async {
            let Ok(Some((store, epoch))) = closed.await else { return Ok(()) };
            let closed = spawn_blocking(move || store.close_epoch(epoch)).await;
            closed.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
        };
        match timeout(STORE_LIMIT, close).await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(format!("the store can't be closed in order: {error}")),
            Err(_) => Some("what became of the last runs could not be stored in time".to_owned()),
        }
    }

    /// Returns the report of each task.
    pub fn reports(&self) -> Vec<TaskReport> {
        self.installed.lock().values().map(InstalledTask::report).collect()
    }

    fn tell(&self, event: PlanEvent) {
        // The loop ends when the last sender is dropped, so it is there.
        drop(self.events.send(RunnerEvent::Plan(event)));
    }
}

/// Returns a sentence about tasks that depend on each other in a cycle, if there are any.
pub(crate) fn dependency_cycle<'a>(
    tasks: impl Iterator<Item = (&'a str, &'a ScheduledTask)>,
) -> Option<String> {
    let tasks: BTreeMap<_, _> = tasks.map(|(id, task)| (id, task.depends_on())).collect();
    let upstream =
        |id: &str| tasks.get(id).into_iter().flatten().map(|it| &**it).collect::<Vec<_>>();
    let cycle = find_cycle(tasks.keys().copied(), upstream)?;
    let cycle = cycle.join(" on ");
    Some(format!("tasks depend on each other: {cycle}; remove one of these from `depends_on`"))
}
