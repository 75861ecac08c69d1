//! The latest runs that are not stored: those of tasks that are kept in memory, or of all tasks if
//! there is no store.

use std::{cmp::Reverse, collections::VecDeque};

use hotbay_loader::RunLine;
use jiff::Timestamp;

use crate::{LogLineView, RunView, run_log};

/// The most runs that are kept.
const MOST: usize = 1_000;

/// The most lines that are kept of the log of a run, and the most bytes of these.
const LINES: usize = 100;
const BYTES: usize = 16 << 10;

/// The last lines of the log of a run.
#[derive(Debug, Default)]
pub(super) struct KeptLog {
    lines: VecDeque<LogLineView>,
    bytes: usize,
    /// The number of lines that there were.
    count: u64,
}

impl KeptLog {
    pub(super) fn push(&mut self, at: Timestamp, line: &RunLine) {
        self.count += 1;
        let line = run_log::view(self.count, at, line);
        self.bytes += line.message.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || (self.bytes > BYTES && self.lines.len() > 1) {
            self.bytes -= self.lines.pop_front().map_or(0, |line| line.message.len());
        }
    }

    /// Returns the lines after the one with this number.
    pub(super) fn after(&self, number: u64) -> Vec<LogLineView> {
        self.lines.iter().filter(|line| line.number > number).cloned().collect()
    }
}

/// The runs that ended last, with their logs, the latest last.
#[derive(Debug, Default)]
pub(super) struct RecentRuns(VecDeque<(RunView, KeptLog)>);

impl RecentRuns {
    pub(super) fn push(&mut self, run: RunView, log: KeptLog) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back((run, log));
    }

    /// Adds a line that a run logged shortly before it ended.
    pub(super) fn push_line(&mut self, at: Timestamp, line: &RunLine) {
        if let Some((_, log)) = self.0.iter_mut().rev().find(|(it, _)| it.run == line.run) {
            log.push(at, line);
        }
    }

    pub(super) fn get(&self, run: u64) -> Option<&(RunView, KeptLog)> {
        self.0.iter().rev().find(|(it, _)| it.run == run)
    }

    /// Returns the runs of a task or of all, the highest number first.
    pub(super) fn page(&self, task: Option<&str>, before: Option<u64>) -> Vec<RunView> {
        let is_wanted = |it: &&RunView| {
            task.is_none_or(|task| it.task == task) && before.is_none_or(|before| it.run < before)
        };
        let runs = self.0.iter().map(|(run, _)| run);
        let mut runs: Vec<_> = runs.filter(is_wanted).cloned().collect();
        runs.sort_unstable_by_key(|it| Reverse(it.run));
        runs
    }
}
