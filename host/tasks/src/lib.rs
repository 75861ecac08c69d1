//! The tasks of plugins, and how they are run: with the schedule of their plugin or of the
//! configuration, on the build in service.

#![forbid(unsafe_code)]

mod build;
mod driver;
pub mod plan;
mod report;
mod schedule;
mod scheduled;
mod supported;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hotbay_plugin_api::{Batch, ChannelName, SchedulerError, spec::RunTarget};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use hotbay_core::scheduler::{Scheduler, ShutdownLimits, TaskOptions};
use hotbay_runtime::{ComponentSetup, ComponentSlot, ComponentSpec, Generation, Services};

use driver::{RunPlan, SharedRunCounts, TaskDriver};

pub use build::TaskBuild;
pub use report::TaskReport;
pub use schedule::schedules;
pub use scheduled::ScheduledTask;

/// The tasks of all plugins, each driven on its schedule.
#[derive(Debug)]
pub struct Tasks {
    scheduler: Scheduler<ChannelName, Batch>,
    cancel: CancellationToken,
    tasks: BTreeMap<String, DrivenTask>,
}

/// One task, with its schedule and its history, which survive the builds of its plugin.
#[derive(Debug)]
struct DrivenTask {
    scheduled: ScheduledTask,
    plan: watch::Sender<RunPlan>,
    counts: SharedRunCounts,
    /// The task waits for a build that has it.
    waits: bool,
}

impl DrivenTask {
    /// Changes the build that the task is to run.
    ///
    /// Returns the previous build, if it is another one.
    fn assign(&mut self, plan: RunPlan) -> Option<Arc<TaskBuild>> {
        self.waits = plan.build.is_none();
        let new = plan.build.clone();
        let old = self.plan.send_replace(plan).build?;
        new.is_none_or(|new| !Arc::ptr_eq(&new, &old)).then_some(old)
    }
}

/// Tasks that were made in a generation, each with its schedule.
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
            let setup = ComponentSetup {
                slot: ComponentSlot::new(scheduled.id(), 0),
                spec: ComponentSpec::without_ports(&*scheduled.task, scheduled.config.clone()),
                cancel: cancel.clone(),
            };
            let target = RunTarget::Task(scheduled.task.clone());
            let runs = plugin.runs(target, setup, services)?;
            let build = TaskBuild::new(runs, plugin.handle().clone(), cancel);
            prepared.push((scheduled, Arc::new(build)));
        }
        Ok(prepared)
    }
}

impl Tasks {
    /// Starts a scheduler without tasks. Tasks that are installed start at once.
    ///
    /// # Errors
    /// If the scheduler does not start.
    pub async fn start(services: &Services) -> Result<Self, SchedulerError> {
        let scheduler = Scheduler::new(services.bus.clone());
        scheduler.start().await?;
        Ok(Self { scheduler, cancel: CancellationToken::new(), tasks: BTreeMap::new() })
    }

    /// Returns the factory for tasks of this scheduler.
    pub fn factory(&self) -> TaskFactory {
        TaskFactory { cancel: self.cancel.clone() }
    }

    /// Installs the tasks of a plugin's build.
    ///
    /// Returns the tasks that were replaced or removed, on which runs may still be under way.
    ///
    /// # Errors
    /// If the scheduler refuses a task.
    pub fn install(
        &mut self,
        plugin: &str,
        prepared: PreparedTasks,
    ) -> Result<PreparedTasks, SchedulerError> {
        let mut before =
            self.take_builds(plugin, |id| !prepared.iter().any(|(it, _)| it.id() == id));
        for (scheduled, build) in prepared {
            let plan = RunPlan { build: Some(build), interval: scheduled.interval };
            let again = scheduled.interval.is_some() && self.is_over(&scheduled.id());
            if let Some(task) = self.tasks.get_mut(&scheduled.id()).filter(|_| !again) {
                let old = std::mem::replace(&mut task.scheduled, scheduled);
                before.extend(task.assign(plan).map(|build| (old, build)));
                continue;
            }
            // The task ran once, as it was to, and is periodic now: its history is kept.
            let over = self.tasks.remove(&scheduled.id());
            if over.is_some() {
                drop(self.scheduler.core().forget(&scheduled.id().into()));
            }
            let counts = over.as_ref().map(|task| task.counts.clone()).unwrap_or_default();
            before.extend(over.and_then(|mut task| {
                let build = task.assign(plan.clone())?;
                Some((task.scheduled, build))
            }));
            let (plan, listener) = watch::channel(plan);
            let task = DrivenTask { scheduled, plan, counts, waits: false };
            let driver = TaskDriver {
                id: task.scheduled.id(),
                plan: listener,
                cancel: self.cancel.clone(),
                counts: task.counts.clone(),
                last: None,
            };
            let options = TaskOptions::default();
            self.scheduler.register_background_task_with(driver.id.clone(), driver, options)?;
            self.tasks.insert(task.scheduled.id(), task);
        }
        Ok(before)
    }

    /// Takes the builds of a plugin's tasks away. The tasks wait until the plugin is back.
    ///
    /// Returns these builds, on which runs may still be under way.
    pub fn uninstall(&mut self, plugin: &str) -> PreparedTasks {
        self.take_builds(plugin, |_| true)
    }

    fn take_builds(&mut self, plugin: &str, which: impl Fn(&str) -> bool) -> PreparedTasks {
        let tasks = self.tasks.iter_mut();
        let of_plugin = tasks.filter(|(_, it)| it.scheduled.plugin == plugin);
        let mut before = Vec::new();
        for (_, task) in of_plugin.filter(|(id, _)| which(id)) {
            let interval = task.scheduled.interval;
            let build = task.assign(RunPlan { build: None, interval });
            before.extend(build.map(|build| (task.scheduled.clone(), build)));
        }
        before
    }

    /// Returns the tasks of a plugin that have a build.
    pub fn of_plugin(&self, plugin: &str) -> PreparedTasks {
        let tasks = self.tasks.values().filter(|it| it.scheduled.plugin == plugin);
        let installed = tasks.filter_map(|task| {
            let build = task.plan.borrow().build.clone()?;
            Some((task.scheduled.clone(), build))
        });
        installed.collect()
    }

    /// Stops all tasks. Returns a message for each task that did not stop within the limit.
    pub async fn stop(&self, limit: Duration) -> Vec<String> {
        self.cancel.cancel();
        // A run under way is a turn: it may end by itself within the limit.
        let limits = ShutdownLimits {
            total: limit * 2,
            turn_grace: limit,
            ..ShutdownLimits::within(limit * 2)
        };
        let report = self.scheduler.shutdown_with(limits).await;
        let mut stuck: Vec<String> = report.did_not_stop.iter().map(ToString::to_string).collect();
        for (id, task) in &self.tasks {
            let busy = task.plan.borrow().build.as_ref().map(|build| build.busy());
            if busy.is_some_and(|busy| busy.is_busy()) && !stuck.contains(id) {
                stuck.push(id.clone());
            }
        }
        // The builds are dropped before their plugins are closed.
        for task in self.tasks.values() {
            task.plan.send_replace(RunPlan::default());
        }
        stuck.iter().map(|id| format!("task {id} did not stop within {limit:?}")).collect()
    }

    /// Returns `true` if the driver of a task has ended, because the task ran once, as it was to.
    fn is_over(&self, id: &str) -> bool {
        self.scheduler.status(&id.into()).is_ok_and(|status| status.has_ended())
    }

    /// Returns the report of each task.
    pub fn reports(&self) -> Vec<TaskReport> {
        let of = |task: &DrivenTask| {
            let runs = task.counts.lock().clone();
            let ran = runs.ended();
            TaskReport {
                id: task.scheduled.id(),
                schedule: match task.scheduled.interval {
                    None => "at start".to_owned(),
                    Some(interval) => {
                        format!("every {}", humantime::format_duration(interval))
                    }
                },
                kind: task.scheduled.kind,
                // A task that was to run once, and did, waits for nothing.
                waits: task.waits && (task.scheduled.interval.is_some() || ran == 0),
                runs: ran,
                failed: runs.failed,
                last_error: runs.last_error,
            }
        };
        self.tasks.values().map(of).collect()
    }
}
