//! What a store would hold, and what must hold of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use jiff::Timestamp;

use crate::plan::*;

/// What a store would hold.
#[derive(Default)]
pub(super) struct Store {
    pub(super) tasks: HashMap<Arc<str>, StoredTask>,
    pub(super) runs: BTreeMap<RunId, LiveRun>,
    pub(super) ended: BTreeMap<RunId, (Arc<str>, RunOutcome)>,
    /// How the nominal times of each task were dealt with.
    pub(super) nominal: HashMap<Arc<str>, BTreeMap<Timestamp, &'static str>>,
    /// The timings of the tasks whose runs are counted, because nothing but time changed them.
    pub(super) counted: HashMap<Arc<str>, Timing>,
    /// How many runs of a task were dealt with since its cursor moved.
    since_cursor: HashMap<Arc<str>, u64>,
}

impl Store {
    pub(super) fn apply(&mut self, change: Change) {
        match change {
            Change::Created { run, live } => {
                if let RunCause::Time(at) | RunCause::MadeUp(at) = live.cause {
                    self.deal_with(live.task(), at, "run");
                }
                assert!(!self.ended.contains_key(&run), "{run:?} is new");
                assert!(self.runs.insert(run, live).is_none(), "{run:?} is new");
            }
            Change::State { run, state, counts } => {
                let live = self.runs.get_mut(&run).unwrap_or_else(|| panic!("{run:?} has ended"));
                live.state = state;
                live.counts = counts;
            }
            Change::Ended { run, outcome } => {
                let live = self.runs.remove(&run).unwrap_or_else(|| panic!("{run:?} ended twice"));
                self.ended.insert(run, (Arc::clone(live.task()), outcome));
            }
            Change::Skipped { task, cause, .. } => {
                if let RunCause::Time(at) | RunCause::MadeUp(at) = cause {
                    self.deal_with(&task, at, "skipped");
                }
            }
            Change::Missed { task, missed } => {
                if !missed.is_counted {
                    // A lower bound can't be compared.
                    self.counted.remove(&task);
                }
                *self.since_cursor.entry(task).or_default() += missed.count;
            }
            Change::Cursor { task, cursor } => self.move_cursor(task, cursor),
            Change::Reset { task, cursor } => {
                // The later times come again, and the times before were counted.
                let nominal = self.nominal.entry(Arc::clone(&task)).or_default();
                nominal.retain(|at, _| *at <= cursor);
                self.since_cursor.remove(&task);
                self.tasks.entry(task).or_default().cursor = Some(cursor);
            }
            Change::Edges { task, edges } => self.tasks.entry(task).or_default().edges = edges,
        }
    }

    /// Checks that every time that the cursor passes was dealt with.
    fn move_cursor(&mut self, task: Arc<str>, cursor: Timestamp) {
        let dealt_with = self.since_cursor.remove(&task).unwrap_or(0);
        let before = self.tasks.entry(Arc::clone(&task)).or_default().cursor.replace(cursor);
        if let (Some(timing), Some(mut at)) = (self.counted.get(&task), before) {
            let mut due = 0;
            while let Some(next) = timing.nominal_after(at).filter(|next| *next <= cursor) {
                (at, due) = (next, due + 1);
            }
            assert_eq!(dealt_with, due, "{task}: times until {cursor}");
        }
    }

    fn deal_with(&mut self, task: &Arc<str>, nominal: Timestamp, how: &'static str) {
        let before = self.nominal.entry(Arc::clone(task)).or_default().insert(nominal, how);
        assert_eq!(before, None, "{task} at {nominal}: {how}");
        *self.since_cursor.entry(Arc::clone(task)).or_default() += 1;
    }
}
