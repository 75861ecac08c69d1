//! Looking at runs, those that have ended as well.

use std::{cmp::Reverse, path::PathBuf};

use hotbay_store::store::{RunQuery, Store, StoreError};
use tokio::task::spawn_blocking;

use super::{Consequence, Resume, Runner, RunnerEvent, requests::Reply, stored};
use crate::{ControlError, MOST_IN_ANSWER, RunView, TaskAnswer, control::Answer, plan::RunId};

impl Runner {
    /// Reads from the store on a thread of its own, and goes on in the loop. Without a store, it
    /// goes on at once with what `none` says.
    fn read<T: Send + 'static>(
        &mut self,
        read: impl FnOnce(&dyn Store) -> Result<T, StoreError> + Send + 'static,
        none: T,
        answer: Answer,
        then: impl FnOnce(&Self, T) -> Result<TaskAnswer, ControlError> + Send + 'static,
    ) {
        let Some((store, _)) = self.writes.opened() else {
            let says = then(self, none);
            return self.perform(Consequence::Answer(Reply::new(answer, says)));
        };
        let events = self.events.clone();
        spawn_blocking(move || {
            let read = read(&*store).map_err(refusal);
            let resume = move |runner: &mut Self| {
                let says = read.and_then(|read| then(runner, read));
                runner.perform(Consequence::Answer(Reply::new(answer, says)));
            };
            drop(events.send(RunnerEvent::Resume(Resume(Box::new(resume)))));
        });
    }

    pub(super) fn history(
        &mut self,
        task: Option<&str>,
        before: Option<u64>,
        limit: u32,
        answer: Answer,
    ) {
        let task = match task.map(|task| self.find(task)).transpose() {
            Ok(task) => task,
            Err(error) => return Reply::new(answer, Err(error)).send(),
        };
        let limit = limit.min(MOST_IN_ANSWER) as usize;
        let query = RunQuery {
            task: task.clone(),
            before: before.map(RunId),
            limit,
            ..RunQuery::default()
        };
        let read = move |store: &dyn Store| Ok(store.runs(&query)?.items);
        self.read(read, Vec::new(), answer, move |runner, records| {
            let task = task.as_deref();
            // What is in memory is newer than what was read.
            let mut runs: Vec<_> = runner.live_runs(task, before).take(limit).collect();
            runs.extend(runner.recent.page(task, before));
            let is_there =
                |run: &RunView, runs: &[RunView]| runs.iter().any(|it| it.run == run.run);
            let stored: Vec<_> = records.iter().map(stored::view).collect();
            let stored = stored.into_iter().filter(|run| !is_there(run, &runs));
            let stored: Vec<_> = stored.collect();
            runs.extend(stored);
            runs.sort_by_key(|it| Reverse(it.run));
            runs.truncate(limit);
            Ok(TaskAnswer::Runs(runs))
        });
    }

    pub(super) fn inspect(&mut self, run: u64, answer: Answer) {
        let read = move |store: &dyn Store| store.run(RunId(run));
        self.read(read, None, answer, move |runner, record| {
            let in_memory = runner.live_view(RunId(run));
            let in_memory =
                in_memory.or_else(|| runner.recent.get(run).map(|(run, _)| run.clone()));
            let stored = || record.map(|record| stored::view(&record.run));
            let found = in_memory.or_else(stored).ok_or_else(|| no_run(run))?;
            Ok(TaskAnswer::Runs(vec![found]))
        });
    }

    pub(super) fn back_up(&mut self, to: PathBuf, answer: Answer) {
        let read = move |store: &dyn Store| store.backup(&to).map(|()| true);
        self.read(read, false, answer, |runner, is_done| match is_done {
            true => Ok(TaskAnswer::Done),
            false => {
                let reason = runner.writes.failure().unwrap_or("this host keeps no store");
                Err(ControlError::Store(reason.to_owned()))
            }
        });
    }

    pub(super) fn log(&mut self, run: u64, after: u64, answer: Answer) {
        let read = move |store: &dyn Store| {
            let record = store.run(RunId(run))?;
            Ok((record, store.log(RunId(run), after, MOST_IN_ANSWER as usize)?))
        };
        self.read(read, (None, Vec::new()), answer, move |runner, (record, lines)| {
            let live = runner.runs.get(&RunId(run));
            let kept = live.map(|it| &it.log);
            let kept = kept.or_else(|| runner.recent.get(run).map(|(_, log)| log));
            if kept.is_none() && record.is_none() {
                return Err(no_run(run));
            }
            let mut shown = kept.map(|log| log.after(after)).unwrap_or_default();
            shown.extend(lines.into_iter().map(stored::line_view));
            // A full page may not be the last one.
            let has_ended = live.is_none() && shown.len() < MOST_IN_ANSWER as usize;
            Ok(TaskAnswer::Log { lines: shown, has_ended })
        });
    }
}

fn refusal(error: StoreError) -> ControlError {
    match &error {
        StoreError::Exists(_) | StoreError::Target { .. } => {
            ControlError::Target(error.to_string())
        }
        StoreError::Held { .. }
        | StoreError::Fenced { .. }
        | StoreError::Busy
        | StoreError::Conflict(_)
        | StoreError::Unavailable { .. }
        | StoreError::Closed => ControlError::Store(error.to_string()),
    }
}

fn no_run(run: u64) -> ControlError {
    ControlError::Run(format!(
        "there is no run {run}; `hotbay task history` lists those that are known"
    ))
}
