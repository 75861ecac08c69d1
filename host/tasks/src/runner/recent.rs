//! The latest runs that are not stored: those of tasks that are kept in memory, or of all tasks if
//! there is no store.

use std::collections::VecDeque;

use crate::RunView;

/// The most runs that are kept.
const MOST: usize = 1_000;

/// The runs that ended last, the latest last.
#[derive(Debug, Default)]
pub(super) struct RecentRuns(VecDeque<RunView>);

impl RecentRuns {
    pub(super) fn push(&mut self, run: RunView) {
        if self.0.len() == MOST {
            self.0.pop_front();
        }
        self.0.push_back(run);
    }

    pub(super) fn get(&self, run: u64) -> Option<&RunView> {
        self.0.iter().rev().find(|it| it.run == run)
    }

    /// Returns the runs of a task or of all, the highest number first.
    pub(super) fn page(&self, task: Option<&str>, before: Option<u64>) -> Vec<RunView> {
        let is_wanted = |it: &&RunView| {
            task.is_none_or(|task| it.task == task) && before.is_none_or(|before| it.run < before)
        };
        let mut runs: Vec<_> = self.0.iter().filter(is_wanted).cloned().collect();
        runs.sort_unstable_by_key(|it| std::cmp::Reverse(it.run));
        runs
    }
}
