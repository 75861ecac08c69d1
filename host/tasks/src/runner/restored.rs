//! Going on where the host before ended.

use std::sync::Arc;

use hotbay_plugin_api::Durability;
use hotbay_store::store::{Record, RunRecord, RunStatus, TaskChange};
use serde_json::{Value, json};
use tracing::warn;

use super::{ActiveRun, Runner, Scheduling, stored};
use crate::LastEnd;
use crate::plan::{AttemptOutcome, PlanEvent, RunState};

impl Runner {
    /// Takes over the runs that had not ended when the host before did, and the next number of a
    /// run. `last_end` is how that host ended.
    pub(crate) fn restore(&mut self, runs: &[RunRecord], next_run: u64, last_end: LastEnd) {
        self.plan.set_next_run(next_run);
        self.last_end = last_end;
        for record in runs {
            let RunStatus::Live(state) = &record.status else { continue };
            let (run, live) = (record.run, stored::live(record, *state));
            let arguments = record.arguments.as_ref();
            let arguments = arguments.and_then(|json| serde_json::from_str(json).ok());
            let active = ActiveRun {
                started: record.began,
                ..ActiveRun::new(&live, Durability::Fsync, arguments.unwrap_or(json!({})))
            };
            if matches!(live.state, RunState::Running { .. } | RunState::Abandoned(_)) {
                let attempt = record.attempt.as_ref();
                let (number, build) = attempt.map_or((1, ""), |it| (it.attempt, &it.build));
                warn!(
                    task = &*record.task,
                    run = run.0,
                    build,
                    "was under way when the host before ended"
                );
                self.left_over.push((run, number));
            }
            self.runs.insert(run, active);
            self.plan.restore_run(run, live);
        }
    }

    /// Reports what became of the attempts that were under way when the host before ended. A host
    /// that stops in order leaves none. If it is not known which plugin ended it, each of them may
    /// be the reason.
    pub(super) fn resolve_left_over(&mut self) {
        for (run, attempt) in std::mem::take(&mut self.left_over) {
            let Some(active) = self.runs.get(&run) else { continue };
            let plugin = active.task.split_once('/').map_or(&*active.task, |(plugin, _)| plugin);
            let outcome = match &self.last_end {
                LastEnd::CrashOf(crashed) if crashed != plugin => AttemptOutcome::Interrupted,
                LastEnd::CrashOf(_) | LastEnd::Unknown => AttemptOutcome::Crashed,
                LastEnd::Told => AttemptOutcome::Interrupted,
            };
            self.batch.add(active.durability, || stored::attempt_ended(run, attempt, &outcome));
            self.step(PlanEvent::Ended { run, outcome });
        }
    }

    /// Takes the attempts under way for interrupted, because the process ends.
    pub(super) fn interrupt_all(&mut self) {
        let under_way = self.runs.iter().filter(|(_, it)| it.attempt.is_some());
        let under_way: Vec<_> = under_way.map(|(run, _)| *run).collect();
        for run in under_way {
            self.report_end(run, AttemptOutcome::Interrupted, Value::Null);
        }
    }

    /// Defines a task, and stores its schedule if that is new.
    pub(super) fn define(&mut self, define: PlanEvent, schedule: Option<Scheduling>) {
        let PlanEvent::Define { task, definition, .. } = &define else { return self.step(define) };
        let task = Arc::clone(task);
        if let Some((text, anchor)) = schedule {
            let change = TaskChange::Schedule { text, anchor: Some(anchor) };
            let record = || Record::Task { task: Arc::clone(&task), change };
            self.batch.add(definition.durability, record);
        }
        self.step(define);
        self.warn_of_end_of_time(&task);
    }
}
