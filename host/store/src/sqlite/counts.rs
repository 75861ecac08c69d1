//! The counts that change with the runs, summed up for a transaction.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::codes::Coded;
use crate::store::Outcome;

/// By how much counts of the whole store change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) runs: i64,
    pub(super) live_runs: i64,
    pub(super) log_lines: i64,
    /// The number above those of all runs that were created.
    pub(super) next_run: i64,
}

/// What changes about the counts of one task.
#[derive(Debug, Clone, Copy)]
enum OfTask {
    Ended(Outcome),
    /// One record of so many runs that did not take place.
    Skipped(i64),
    Missed(i64),
    Removed(i64),
}

/// The changes of a transaction that is under way.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) totals: Totals,
    of_tasks: Vec<(i64, OfTask)>,
}

/// A moment to which [`Counts::roll_back`] returns.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    totals: Totals,
    of_tasks: usize,
}

impl Counts {
    pub(super) fn ended(&mut self, task: i64, outcome: Outcome) {
        self.of_tasks.push((task, OfTask::Ended(outcome)));
    }

    pub(super) fn skipped(&mut self, task: i64, runs: u64) {
        self.of_tasks.push((task, OfTask::Skipped(i64::try_from(runs).unwrap_or(i64::MAX))));
    }

    pub(super) fn missed(&mut self, task: i64, runs: i64) {
        self.of_tasks.push((task, OfTask::Missed(runs)));
    }

    /// Notes that ended runs of a task are stored no more.
    pub(super) fn removed(&mut self, task: i64, runs: i64) {
        self.totals.runs -= runs;
        self.of_tasks.push((task, OfTask::Removed(runs)));
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { totals: self.totals, of_tasks: self.of_tasks.len() }
    }

    pub(super) fn roll_back(&mut self, mark: Mark) {
        self.totals = mark.totals;
        self.of_tasks.truncate(mark.of_tasks);
    }

    /// Writes the changes, once for each task, at the end of the transaction.
    pub(super) fn write(&mut self, db: &Connection) -> rusqlite::Result<()> {
        let mut sums: BTreeMap<i64, [i64; 9]> = BTreeMap::new();
        for (task, change) in self.of_tasks.drain(..) {
            let sums = sums.entry(task).or_default();
            match change {
                OfTask::Ended(outcome) => {
                    sums[usize::try_from(outcome.code()).unwrap_or_default()] += 1;
                    sums[8] += 1;
                }
                OfTask::Skipped(runs) => {
                    let sum =
                        &mut sums[usize::try_from(Outcome::Skipped.code()).unwrap_or_default()];
                    *sum = sum.saturating_add(runs);
                    sums[8] += 1;
                }
                OfTask::Missed(runs) => sums[7] = sums[7].saturating_add(runs),
                OfTask::Removed(runs) => sums[8] -= runs,
            }
        }
        let mut of_task = db.prepare_cached(
            "UPDATE tasks SET succeeded = succeeded + ?2, failed = failed + ?3,
             timed_out = timed_out + ?4, cancelled = cancelled + ?5, replaced = replaced + ?6,
             parked = parked + ?7, skipped = skipped + ?8, missed = missed + ?9, kept = kept + ?10
             WHERE id = ?1",
        )?;
        for (task, [a, b, c, d, e, f, g, h, i]) in sums {
            of_task.execute((task, a, b, c, d, e, f, g, h, i))?;
        }
        let totals = std::mem::take(&mut self.totals);
        if totals != Totals::default() {
            db.prepare_cached(
                "UPDATE totals SET runs = runs + ?1, live_runs = live_runs + ?2,
                 log_lines = log_lines + ?3, next_run = max(next_run, ?4)",
            )?
            .execute((
                totals.runs,
                totals.live_runs,
                totals.log_lines,
                totals.next_run,
            ))?;
        }
        Ok(())
    }
}
