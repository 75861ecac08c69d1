//! The tasks that are installed, shared by those who install them and the loop that runs them.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use hotbay_plugin_api::Schedule;
use hotbay_store::store::TaskRecord;
use jiff::Timestamp;
use parking_lot::{Mutex, MutexGuard};

use crate::{
    EndedRuns, ScheduledTask, TaskBuild, TaskReport,
    plan::{PlanEvent, StoredTask},
    runner::{
        Scheduling, now,
        stored::{ended_runs, plan_edges},
    },
    scheduled::WrongSpec,
};

/// Counts the runs of a task by their outcome.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunCounts {
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) last_error: Option<String>,
    /// Tells if the last attempt failed.
    pub(crate) failing: bool,
    /// The number of runs that have failed since the last success.
    pub(crate) in_a_row: u32,
}

/// A task, with its settings, the build that runs it, and its history, which survives the builds.
#[derive(Debug)]
pub(crate) struct InstalledTask {
    pub(crate) scheduled: ScheduledTask,
    /// `None` while the plugin is not loaded, or the task is disabled.
    pub(crate) build: Option<Arc<TaskBuild>>,
    /// Its plugin, or its build of the plugin, was taken away.
    pub(crate) waits: bool,
    /// The instant from which intervals are counted.
    pub(crate) anchor: Timestamp,
    /// The schedule as it is shown to people.
    pub(crate) schedule: String,
    pub(crate) counts: RunCounts,
    /// The runs that have ended, as far back as they are known.
    pub(crate) ended: EndedRuns,
    /// Somebody paused the task: its runs do not begin.
    pub(crate) paused: bool,
    /// Somebody disabled the task: it has no schedule.
    pub(crate) disabled: bool,
}

impl InstalledTask {
    /// Makes a task that has not run yet.
    pub(crate) fn new(
        scheduled: ScheduledTask,
        build: Arc<TaskBuild>,
        anchor: Timestamp,
        schedule: String,
    ) -> Self {
        Self {
            scheduled,
            build: Some(build),
            waits: false,
            anchor,
            schedule,
            counts: RunCounts::default(),
            ended: EndedRuns::default(),
            paused: false,
            disabled: false,
        }
    }

    /// Returns what the plan is to know of a task that comes back: it goes on from now, because its
    /// first run was due long ago.
    pub(crate) fn as_it_comes_back(&self) -> StoredTask {
        StoredTask { cursor: Some(now()), paused: self.paused, ..StoredTask::default() }
    }

    /// Returns the schedule in a text that tells whether another one is the same.
    pub(crate) fn schedule_text(&self) -> String {
        let spec = &self.scheduled.spec;
        let parts = (&spec.schedule, &spec.starts_at, &spec.ends_at);
        // A schedule is plain data, which can always be written.
        serde_json::to_string(&parts).unwrap_or_default()
    }

    /// Takes over what a host before has stored, and returns what the plan is to know. The schedule
    /// need not be stored if it is the same.
    pub(crate) fn restore(
        &mut self,
        record: &TaskRecord,
        schedule: &mut Option<Scheduling>,
    ) -> StoredTask {
        self.paused = record.paused;
        self.disabled = record.enabled == Some(false);
        self.ended = ended_runs(&record.counts);
        let text = schedule.as_ref().map(|(text, _)| text);
        let is_edited = record.schedule.as_ref() != text;
        if !is_edited {
            *schedule = None;
        }
        // One that was edited while no host ran does not fire at once either.
        let cursor =
            if is_edited { record.schedule.as_ref().map(|_| now()) } else { record.cursor };
        StoredTask { cursor, edges: plan_edges(&record.edges), paused: record.paused }
    }

    /// Defines the task anew, with what a host before has stored of it. Returns nothing if it is
    /// disabled.
    ///
    /// # Errors
    /// If the schedule can't be kept.
    pub(crate) fn define_again(
        &mut self,
        id: &Arc<str>,
        record: Option<&TaskRecord>,
    ) -> Result<Option<(PlanEvent, Option<Scheduling>)>, WrongSpec> {
        self.anchor = record.and_then(|it| it.anchor).unwrap_or(self.anchor);
        let definition = Box::new(self.scheduled.definition(self.anchor)?);
        let mut schedule = Some((self.schedule_text(), self.anchor));
        let stored = record.map(|record| self.restore(record, &mut schedule));
        let define = PlanEvent::Define { task: Arc::clone(id), definition, stored };
        Ok((!self.disabled).then_some((define, schedule)))
    }

    /// Takes over the history of the same task. Returns its build, if it has another one.
    pub(crate) fn take_over(&mut self, old: Self) -> Option<(ScheduledTask, Arc<TaskBuild>)> {
        (self.counts, self.ended) = (old.counts, old.ended);
        (self.paused, self.disabled) = (old.paused, old.disabled);
        let is_other =
            |build: &Arc<TaskBuild>| self.build.as_ref().is_none_or(|own| !Arc::ptr_eq(own, build));
        Some((old.scheduled, old.build.filter(is_other)?))
    }

    /// Takes the build away. The task waits until it gets another one.
    pub(crate) fn take_build(&mut self) -> Option<(ScheduledTask, Arc<TaskBuild>)> {
        self.waits = true;
        Some((self.scheduled.clone(), self.build.take()?))
    }

    pub(crate) fn report(&self) -> TaskReport {
        let RunCounts { done, failed, last_error, .. } = self.counts.clone();
        let runs = done + failed;
        let runs_once = self.scheduled.spec.schedule == Schedule::AtStart;
        TaskReport {
            id: self.scheduled.id(),
            schedule: self.schedule.clone(),
            kind: self.scheduled.spec.function,
            repeats: matches!(
                self.scheduled.spec.schedule,
                Schedule::Every(_)
                    | Schedule::Cron { .. }
                    | Schedule::AfterDependencies
                    | Schedule::OnEvent(_)
                    | Schedule::Manual
            ),
            // A task that was to run once, and did, waits for nothing.
            waits: self.waits && !(runs_once && runs > 0),
            runs,
            failed,
            last_error,
        }
    }
}

/// What is stored of tasks that were not installed yet, by their ids.
#[derive(Debug, Clone, Default)]
pub(crate) struct StoredTasks(Arc<Mutex<HashMap<Arc<str>, TaskRecord>>>);

impl StoredTasks {
    pub(crate) fn lock(&self) -> MutexGuard<'_, HashMap<Arc<str>, TaskRecord>> {
        self.0.lock()
    }
}

/// The installed tasks, by id.
///
/// The lock is held for moments, never while a run is awaited.
#[derive(Debug, Clone, Default)]
pub(crate) struct InstalledTasks(Arc<Mutex<BTreeMap<Arc<str>, InstalledTask>>>);

impl InstalledTasks {
    pub(crate) fn lock(&self) -> MutexGuard<'_, BTreeMap<Arc<str>, InstalledTask>> {
        self.0.lock()
    }
}
