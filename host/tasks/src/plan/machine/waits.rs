//! What a run waits for.

use super::*;
use crate::plan::{Blocked, Readiness};

/// What a run that has not begun waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// This time: that of its next attempt, or its share of a spread.
    Time(Timestamp),
    /// New runs of these tasks, on which its task depends, to end.
    Tasks(Vec<Arc<str>>),
    /// A plugin that has a build of its task in service.
    Plugin(Arc<str>),
    /// Its task to be resumed.
    Resume,
    /// A place of this limit, which these runs have.
    Place(Limit, Vec<RunId>),
    /// What has to be stored can't be stored now.
    Store,
    /// Runs that come before it.
    Turn,
}

impl Plan {
    /// Returns what a run waits for, or `None` if it has begun or ended.
    pub fn waits_for(&self, run: RunId) -> Option<WaitsFor> {
        let live = self.runs.get(&run)?;
        let task = live.task();
        match live.state {
            RunState::Delayed(at) => Some(WaitsFor::Time(at)),
            RunState::Dependencies if self.is_held(task) => Some(WaitsFor::Store),
            RunState::Dependencies => {
                let upstream = self.tasks.get(task).and_then(|it| it.upstream.as_ref());
                Some(match upstream.map(|it| it.dependencies.readiness()) {
                    None => WaitsFor::Plugin(Arc::clone(&live.group.plugin)),
                    Some(Readiness::Waits(tasks)) => WaitsFor::Tasks(tasks),
                    Some(Readiness::Satisfied | Readiness::Failed { .. }) => WaitsFor::Turn,
                })
            }
            RunState::Queued => Some(self.waits_for_place(run, live)),
            RunState::Running { .. } | RunState::Abandoned(_) => None,
        }
    }

    fn waits_for_place(&self, run: RunId, live: &LiveRun) -> WaitsFor {
        let plugin = &live.group.plugin;
        let planned = self.tasks.get(live.task());
        if planned.is_none() || !self.services.contains(plugin) {
            return WaitsFor::Plugin(Arc::clone(plugin));
        }
        if planned.is_some_and(|it| it.paused) {
            return WaitsFor::Resume;
        }
        match self.ready.blocked_by(run, self.clock.now) {
            None => WaitsFor::Turn,
            Some(Blocked::Until(at)) => WaitsFor::Time(at),
            Some(Blocked::By(limit)) => {
                let holders = self.ready.holders(&limit);
                WaitsFor::Place(limit, holders)
            }
        }
    }
}
