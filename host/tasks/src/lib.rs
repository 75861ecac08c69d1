//! The tasks that plugins bring, with what the configuration changes about them.

#![forbid(unsafe_code)]

mod build;
mod driver;
mod honour;
mod report;
mod schedule;
mod scheduled;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use hotbay_plugin_api::{Batch, ChannelName, SchedulerError, spec::RunTarget};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use hotbay_core::scheduler::{Scheduler, ShutdownLimits, TaskOptions};
use hotbay_runtime::{ComponentSetup, Connections, Generation, Seat, Services};

use driver::{Assignment, Tally, TaskDriver};

pub use build::TaskBuild;
pub use report::TaskReport;
pub use schedule::schedules;
pub use scheduled::Scheduled;

/// The tasks of all plugins, each driven on its schedule.
#[derive(Debug)]
pub struct Tasks {
    scheduler: Scheduler<ChannelName, Batch>,
    cancel: CancellationToken,
    places: BTreeMap<String, Place>,
}

/// The schedule and the history of one task, which go on under its name whatever build it runs.
#[derive(Debug)]
struct Place {
    scheduled: Scheduled,
    assignment: watch::Sender<Assignment>,
    tally: Tally,
    /// Whether it waits for a build that has it.
    waits: bool,
}

impl Place {
    /// Gives the build that was there, if another one is now.
    fn assign(&mut self, assignment: Assignment) -> Option<Arc<TaskBuild>> {
        self.waits = assignment.build.is_none();
        let new = assignment.build.clone();
        let old = self.assignment.send_replace(assignment).build?;
        new.is_none_or(|new| !Arc::ptr_eq(&new, &old)).then_some(old)
    }
}

/// Tasks made in a generation, each with its schedule.
pub type Prepared = Vec<(Scheduled, Arc<TaskBuild>)>;

/// Makes tasks in generations. Clones make tasks of the same scheduler.
#[derive(Debug, Clone)]
pub struct TaskFactory {
    /// Asks all tasks to stop.
    cancel: CancellationToken,
}

impl TaskFactory {
    /// Makes these tasks in a generation. None of them runs yet.
    ///
    /// # Errors
    /// If the plugin refuses to make one.
    pub fn prepare(
        &self,
        plugin: &Generation,
        scheduled: Vec<Scheduled>,
        services: &Services,
    ) -> Result<Prepared, SchedulerError> {
        let mut prepared = Vec::new();
        for scheduled in scheduled {
            let cancel = self.cancel.child_token();
            let setup = ComponentSetup {
                seat: Seat::new(scheduled.id(), 0),
                config: scheduled.config.clone(),
                connections: Connections::default(),
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
    /// No tasks yet. Those that are added start at once.
    pub async fn start(services: &Services) -> Result<Self, SchedulerError> {
        let scheduler = Scheduler::new(services.bus.clone());
        scheduler.start().await?;
        Ok(Self { scheduler, cancel: CancellationToken::new(), places: BTreeMap::new() })
    }

    /// What makes tasks, on its own.
    pub fn factory(&self) -> TaskFactory {
        TaskFactory { cancel: self.cancel.clone() }
    }

    /// Puts a plugin's tasks in their places; gives those that were there before and are
    /// not any more, on which runs may still be under way.
    pub fn seat(&mut self, plugin: &str, prepared: Prepared) -> Result<Prepared, SchedulerError> {
        let mut before = self.vacate(plugin, |id| !prepared.iter().any(|(it, _)| it.id() == id));
        for (scheduled, build) in prepared {
            let assignment = Assignment { build: Some(build), interval: scheduled.interval };
            let again = scheduled.interval.is_some() && self.is_over(&scheduled.id());
            if let Some(place) = self.places.get_mut(&scheduled.id()).filter(|_| !again) {
                let old = std::mem::replace(&mut place.scheduled, scheduled);
                before.extend(place.assign(assignment).map(|build| (old, build)));
                continue;
            }
            // It was to run once, did, and is periodic now: its history goes on.
            let over = self.places.remove(&scheduled.id());
            if over.is_some() {
                drop(self.scheduler.core().forget(&scheduled.id().into()));
            }
            let tally = over.as_ref().map(|place| place.tally.clone()).unwrap_or_default();
            before.extend(over.and_then(|mut place| {
                let build = place.assign(Assignment::default())?;
                let new = assignment.build.as_ref();
                new.is_none_or(|new| !Arc::ptr_eq(new, &build)).then_some((place.scheduled, build))
            }));
            let (assignment, listener) = watch::channel(assignment);
            let place = Place { scheduled, assignment, tally, waits: false };
            let driver = TaskDriver {
                id: place.scheduled.id(),
                assignment: listener,
                cancel: self.cancel.clone(),
                tally: place.tally.clone(),
                last: None,
            };
            let options = TaskOptions::default();
            self.scheduler.register_background_task_with(driver.id.clone(), driver, options)?;
            self.places.insert(place.scheduled.id(), place);
        }
        Ok(before)
    }

    /// Empties the places of a plugin's tasks; they wait for it.
    pub fn leave(&mut self, plugin: &str) -> Prepared {
        self.vacate(plugin, |_| true)
    }

    fn vacate(&mut self, plugin: &str, which: impl Fn(&str) -> bool) -> Prepared {
        let places = self.places.iter_mut();
        let of_plugin = places.filter(|(_, it)| it.scheduled.plugin == plugin);
        let mut before = Vec::new();
        for (_, place) in of_plugin.filter(|(id, _)| which(id)) {
            let interval = place.scheduled.interval;
            let build = place.assign(Assignment { build: None, interval });
            before.extend(build.map(|build| (place.scheduled.clone(), build)));
        }
        before
    }

    /// What is in the places of a plugin's tasks.
    pub fn of_plugin(&self, plugin: &str) -> Prepared {
        let places = self.places.values().filter(|it| it.scheduled.plugin == plugin);
        let seated = places.filter_map(|place| {
            let build = place.assignment.borrow().build.clone()?;
            Some((place.scheduled.clone(), build))
        });
        seated.collect()
    }

    /// Asks all tasks to stop and waits; gives what did not.
    pub async fn stop(&self, limit: Duration) -> Vec<String> {
        self.cancel.cancel();
        // A run in progress is a turn: it may end by itself as long as the limit allows.
        let limits = ShutdownLimits {
            total: limit * 2,
            turn_grace: limit,
            ..ShutdownLimits::within(limit * 2)
        };
        let report = self.scheduler.shutdown_with(limits).await;
        let mut stuck: Vec<String> = report.did_not_stop.iter().map(ToString::to_string).collect();
        for (id, place) in &self.places {
            let busy = place.assignment.borrow().build.as_ref().map(|build| build.busy());
            if busy.is_some_and(|busy| busy.is_busy()) && !stuck.contains(id) {
                stuck.push(id.clone());
            }
        }
        // Their objects go with their places, before their plugins are closed.
        for place in self.places.values() {
            place.assignment.send_replace(Assignment::default());
        }
        stuck.iter().map(|id| format!("task {id} did not stop within {limit:?}")).collect()
    }

    /// Whether a task's driver has ended: it was to run once, and did.
    fn is_over(&self, id: &str) -> bool {
        self.scheduler.status(&id.into()).is_ok_and(|status| status.has_ended())
    }

    /// What became of each task.
    pub fn reports(&self) -> Vec<TaskReport> {
        let of = |place: &Place| {
            let runs = place.tally.lock().clone();
            let ran = runs.ended();
            TaskReport {
                id: place.scheduled.id(),
                schedule: match place.scheduled.interval {
                    None => "at start".to_owned(),
                    Some(interval) => {
                        format!("every {}", humantime::format_duration(interval))
                    }
                },
                kind: place.scheduled.kind,
                // What was to run once, and did, waits for nothing.
                waits: place.waits && (place.scheduled.interval.is_some() || ran == 0),
                runs: ran,
                failed: runs.failed,
                last_error: runs.last_error,
            }
        };
        self.places.values().map(of).collect()
    }
}
