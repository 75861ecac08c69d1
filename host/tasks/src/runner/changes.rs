//! Taking note of what the plan decided.

use std::sync::Arc;

use hotbay_plugin_api::Durability;
use hotbay_store::store::{Record, Skip, TaskChange};
use jiff::Timestamp;
use serde_json::json;
use tracing::{debug, error, info, warn};

use super::{ActiveRun, Runner, recent::KeptLog, requests::Reply, stored, words};
use crate::{
    ControlError, RunView, TaskAnswer,
    plan::{
        Change, LiveRun, MissedRuns, Recurrence, RunCause, RunCounts, RunId, RunOutcome, RunState,
        SkipReason,
    },
};

/// The number of runs that ended last and whose lines are still stored when they come late.
const LATE_LINES: usize = 256;

impl Runner {
    /// Takes note of a change, and adds it to what is to be stored.
    pub(super) fn apply(&mut self, change: Change, now: Timestamp) {
        match change {
            Change::Created { run, live } => self.created(run, &live),
            Change::State { run, state, counts } => self.state_changed(run, &state, counts, now),
            Change::Ended { run, outcome } => self.ended(run, outcome, now),
            Change::Skipped { run, task, cause, reason } => {
                debug!(task = &*task, ?reason, "a run that was due does not take place");
                self.skipped((run, &task), cause, &reason, now);
            }
            Change::Missed { task, missed } => self.missed(&task, missed, now),
            Change::Cursor { task, cursor } => {
                let durability = self.count(&task, |_| {});
                self.warn_of_end_of_time(&task);
                let change = TaskChange::Cursor(cursor);
                self.batch.add(durability, || Record::Task { task, change });
            }
            Change::Reset { task, cursor } => {
                let durability = self.count(&task, |_| {});
                let change = TaskChange::Reset(cursor);
                self.batch.add(durability, || Record::Task { task, change });
            }
            Change::Edges { task, edges } => {
                let durability = self.count(&task, |_| {});
                self.batch.add(durability, || stored::edges(task, &edges));
            }
        }
    }

    /// Warns of an interval that has no further time, which is so if the clock is ahead by thousands
    /// of years.
    pub(super) fn warn_of_end_of_time(&self, task: &str) {
        let Some(timing) = self.plan.timing(task) else { return };
        let is_endless = timing.span.as_ref().is_none_or(|span| span.until.is_none());
        let is_interval = matches!(timing.recurrence, Recurrence::Every { .. });
        if is_interval && is_endless && self.plan.next_due(task).is_none() {
            warn!(
                task,
                "has no run any more: its next one would be after the year 9999; set the clock"
            );
        }
    }

    fn created(&mut self, run: RunId, live: &LiveRun) {
        let asked = live.cause.request().and_then(|request| self.asked.remove(&request));
        let (arguments, answer) =
            asked.map_or((json!({}), None), |it| (it.arguments, Some(it.answer)));
        let installed = self.installed.lock();
        let spec = installed.get(live.task()).map(|it| &it.scheduled.spec);
        let (durability, priority) =
            spec.map(|spec| (spec.durability, spec.priority)).unwrap_or_default();
        drop(installed);
        self.batch.add(durability, || stored::created(run, live, priority.0, &arguments));
        let active = ActiveRun::new(live, durability, arguments);
        let view = active.view(run, words::state(&live.state), None);
        self.runs.insert(run, active);
        self.replies
            .extend(answer.map(|answer| Reply::new(answer, Ok(TaskAnswer::Runs(vec![view])))));
    }

    fn state_changed(&mut self, run: RunId, state: &RunState, counts: RunCounts, now: Timestamp) {
        let Some(active) = self.runs.get_mut(&run) else { return };
        active.counts = counts;
        self.batch.add(active.durability, || match state {
            RunState::Running { stopping: None, .. } => {
                let build = self.installed.lock().get(&active.task).and_then(|it| it.build.clone());
                let build = build.map(|build| build.name()).unwrap_or_default();
                Record::Started { run, attempt: counts.attempts, at: now, build }
            }
            RunState::Delayed(_)
            | RunState::Dependencies
            | RunState::Queued
            | RunState::Running { .. }
            | RunState::Abandoned(_) => Record::State { run, state: stored::state(state), counts },
        });
        let (task, run) = (&*active.task, run.0);
        match state {
            RunState::Delayed(at) => warn!(task, run, "failed, and is tried again at {at}"),
            RunState::Abandoned(reason) => {
                let why = words::stop(*reason);
                warn!(task, run, "does not stop, although it was asked to: {why}");
            }
            RunState::Dependencies | RunState::Queued | RunState::Running { .. } => {}
        }
    }

    fn ended(&mut self, run: RunId, outcome: RunOutcome, now: Timestamp) {
        let Some(active) = self.runs.remove(&run) else { return };
        self.batch.add(active.durability, || stored::ended(run, &outcome, &active.result, now));
        let by = outcome.in_the_way().map(|run| run.0);
        let mut view =
            active.view(run, words::outcome(stored::outcome(&outcome)), outcome.failure());
        (view.by, view.ended) = (by, Some(now));
        self.keep(view, active.log, active.durability);
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(&active.task) else { return };
        let (id, run) = (&*active.task, run.0);
        match outcome {
            RunOutcome::Succeeded => {
                debug!(task = id, run, "a run is done");
                task.counts.done += 1;
                let failures = std::mem::take(&mut task.counts.in_a_row);
                if task.scheduled.spec.alert_after.is_some_and(|after| failures >= after) {
                    info!(task = id, run, failures, "the alert is over: a run succeeded");
                }
                task.ended.succeeded += 1;
            }
            RunOutcome::Failed(_) | RunOutcome::TimedOut | RunOutcome::Parked => {
                let failure = outcome.failure().unwrap_or_default();
                error!(task = id, run, "a run failed: {failure}");
                task.counts.failed += 1;
                task.counts.in_a_row = task.counts.in_a_row.saturating_add(1);
                let failures = task.counts.in_a_row;
                // Once for each row of failures: it goes on until a run succeeds.
                if task.scheduled.spec.alert_after == Some(failures) {
                    let runs = if failures == 1 { "run" } else { "runs in a row" };
                    error!(
                        task = id,
                        run, "alert: {failures} {runs} failed, the last one: {failure}"
                    );
                }
                task.ended.failed += 1;
                if !matches!(outcome, RunOutcome::Failed(_)) {
                    task.counts.last_error = Some(failure);
                }
            }
            RunOutcome::Cancelled | RunOutcome::Replaced => {
                info!(task = id, run, "a run {outcome}");
                task.ended.cancelled += 1;
            }
            RunOutcome::Skipped { .. } => {
                info!(task = id, run, "a run {outcome}");
                task.ended.skipped += 1;
            }
        }
    }

    /// Takes note of a run that does not take place.
    fn skipped(
        &mut self,
        (run, task): (RunId, &Arc<str>),
        cause: RunCause,
        reason: &SkipReason,
        now: Timestamp,
    ) {
        let why = words::skip(reason);
        if let Some(asked) = cause.request().and_then(|request| self.asked.remove(&request)) {
            // The one who asked is told; it is not a run that should have taken place.
            self.replies.push(Reply::new(asked.answer, Err(ControlError::Skipped(why.clone()))));
        }
        let (task, by) = (Arc::clone(task), reason.in_the_way());
        match cause {
            RunCause::Request(_) => {}
            RunCause::Event { channel, .. } => self.event_skipped(task, channel, why, by, now),
            RunCause::Start | RunCause::Time(_) | RunCause::MadeUp(_) | RunCause::Dependencies => {
                self.count(&task, |ended| ended.skipped += 1);
                self.add_skip(Skip { run, task, cause, at: now, reason: why, by, count: 1 });
            }
        }
    }

    /// Adds the record of runs that do not take place and are counted.
    pub(super) fn add_skip(&mut self, skip: Skip) {
        let durability = self.count(&skip.task, |_| {});
        let reason = skip.reason.clone();
        let view = RunView {
            by: skip.by.map(|run| run.0),
            nominal: skip.cause.nominal(),
            cause: words::cause(&skip.cause),
            ..RunView::without_attempt(skip.run.0, &skip.task, "skipped", reason, skip.at)
        };
        self.batch.add(durability, || Record::Skipped(Box::new(skip)));
        self.keep(view, KeptLog::default(), durability);
    }

    fn missed(&mut self, task: &Arc<str>, missed: MissedRuns, at: Timestamp) {
        let (count, first, last) = (missed.count, missed.first, missed.last);
        warn!(
            task = &**task,
            count, %first, %last,
            "runs were missed, because no host ran, the system slept, or its clock was set"
        );
        let durability = self.count(task, |ended| ended.missed += count);
        let (task, is_counted) = (Arc::clone(task), missed.is_counted);
        self.batch.add(durability, || Record::Missed { task, at, count, is_counted, first, last });
    }

    /// Changes the counts of a task's runs that have ended, and returns the task's durability.
    pub(super) fn count(
        &self,
        task: &str,
        change: impl FnOnce(&mut crate::EndedRuns),
    ) -> Durability {
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(task) else { return Durability::default() };
        change(&mut task.ended);
        task.scheduled.spec.durability
    }

    /// Keeps a run that has ended in memory, unless it is stored.
    fn keep(&mut self, view: RunView, log: KeptLog, durability: Durability) {
        if self.batch.is_open && durability != Durability::Memory {
            if self.ended_last.len() == LATE_LINES {
                self.ended_last.pop_front();
            }
            self.ended_last.push_back(RunId(view.run));
        } else {
            self.recent.push(view, log);
        }
    }
}
