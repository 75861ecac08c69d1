//! Beginning attempts, and dealing with their ends.

use std::sync::Arc;

use hotbay_loader::RunLine;
use hotbay_plugin_api::{Durability, RunInfo};
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{Runner, RunnerEvent, active::Attempt, now, stored};
use crate::plan::{AttemptOutcome, PlanEvent, RunId};

/// The most lines of the log of a run that are stored.
const MOST_LINES: u64 = 10_000;

impl Runner {
    pub(super) fn begin(&mut self, run: RunId, attempt: u32) {
        let Some(active) = self.runs.get_mut(&run) else { return };
        let events = self.events.clone();
        let build = self.installed.lock().get(&active.task).and_then(|it| it.build.clone());
        let Some(build) = build.filter(|_| !self.stopping) else {
            // The host stops, or its plugin was retired while its beginning was stored: the plan learns
            // of that with the next event.
            return self.report_end(run, AttemptOutcome::Interrupted, Value::Null);
        };
        let stop = CancellationToken::new();
        if active.stop.is_some() {
            stop.cancel();
        }
        active.started.get_or_insert_with(now);
        active.attempt = Some(Attempt { build: Arc::clone(&build), stop: stop.clone() });
        self.under_way.send_modify(|count| *count += 1);
        let info = RunInfo { id: format!("{}/{}", active.task, run.0), attempt };
        let arguments = active.arguments.clone();
        tokio::spawn(async move {
            // The loop outlives its runs, or nobody is interested in their ends any more.
            let send = |event| drop(events.send(event));
            let unresponsive = || send(RunnerEvent::Plan(PlanEvent::Unresponsive { run }));
            let (outcome, result) = build.run(info, arguments, stop, unresponsive).await;
            send(RunnerEvent::Ended(run, outcome, result));
        });
    }

    /// Deals with the end of an attempt.
    pub(super) fn end(&mut self, run: RunId, outcome: AttemptOutcome, result: Value) {
        // What it logged came before its end.
        self.note_lines();
        self.report_end(run, outcome, result);
        // Whoever waits for the last attempt finds it counted.
        self.under_way.send_modify(|count| *count -= 1);
    }

    /// Lets the plan decide what follows from the end of an attempt.
    pub(super) fn report_end(&mut self, run: RunId, outcome: AttemptOutcome, result: Value) {
        self.note_attempt(run, &outcome, result);
        self.step(PlanEvent::Ended { run, outcome });
    }

    /// Keeps the lines that plugins have logged so far.
    pub(super) fn note_lines(&mut self) {
        while let Some(line) = self.lines.take() {
            self.note_line(line);
        }
    }

    /// Keeps a line that a plugin logged during a run.
    pub(super) fn note_line(&mut self, (at, line): (Timestamp, RunLine)) {
        let lost = self.lines.lost();
        if lost > 0 {
            warn!(lost, "lines of the logs of runs are lost, because they came too fast");
        }
        let run = RunId(line.run);
        match self.runs.get_mut(&run) {
            Some(active) if self.batch.is_open && active.durability != Durability::Memory => {
                active.lines += 1;
                if active.lines <= MOST_LINES {
                    self.batch.add(Durability::Async, || stored::line(run, at, &line));
                }
            }
            Some(active) => active.log.push(at, &line),
            None if self.ended_last.contains(&run) => {
                self.batch.add(Durability::Async, || stored::line(run, at, &line));
            }
            None => self.recent.push_line(at, &line),
        }
    }

    /// Takes note of the end of an attempt before the plan decides what follows.
    fn note_attempt(&mut self, run: RunId, outcome: &AttemptOutcome, result: Value) {
        let Some(active) = self.runs.get_mut(&run) else { return };
        let (durability, attempt) = (active.durability, active.counts.attempts);
        self.batch.add(durability, || stored::attempt_ended(run, attempt, outcome));
        active.result = result;
        active.stop = None;
        let build = active.attempt.take().map(|attempt| attempt.build);
        let mut installed = self.installed.lock();
        let Some(task) = installed.get_mut(&active.task) else { return };
        match outcome {
            AttemptOutcome::Succeeded => task.counts.failing = false,
            AttemptOutcome::Failed(error) => {
                // A task that failed before as well is not the fault of this build.
                if !std::mem::replace(&mut task.counts.failing, true)
                    && let Some(build) = build
                {
                    build.note_failure(error);
                }
                task.counts.last_error = Some(error.clone());
            }
            AttemptOutcome::Interrupted if build.is_some() => {
                let (task, run) = (&*active.task, run.0);
                warn!(task, run, "interrupted, because its build is unloaded or the host stops");
            }
            AttemptOutcome::Interrupted | AttemptOutcome::Stopped | AttemptOutcome::Crashed => {}
        }
    }
}
