//! Going on with a store that could not be opened when the host started.

use std::sync::Arc;

use hotbay_plugin_api::Durability;
use tracing::{error, warn};

use super::{Runner, TaskStore};
use crate::{OpenedStore, plan::PlanEvent};

impl Runner {
    /// Goes on with what the host before stored, as if the store had been opened at the start. The
    /// tasks that are to be stored have run nothing since then.
    pub(super) fn reopened(&mut self, opened: OpenedStore) {
        if self.stopping {
            // What it says would be of no use any more.
            return;
        }
        let OpenedStore { store, tasks, runs, next_run, .. } = opened;
        warn!("the store is open; tasks that are to be stored run");
        let installed = self.installed.clone();
        let durable: Vec<_> = installed
            .lock()
            .iter()
            .filter(|(_, task)| task.scheduled.spec.durability != Durability::Memory)
            .map(|(id, _)| Arc::clone(id))
            .collect();
        // Before anything is stored again: the store knows nothing of what was planned meanwhile.
        durable.iter().for_each(|id| self.step(PlanEvent::Remove { task: Arc::clone(id) }));
        if let TaskStore::Open(store, epoch) = &store {
            self.keep_up(Arc::clone(store), *epoch);
        }
        self.writes.open(store);
        self.batch.is_open = true;
        self.restore(&runs, next_run, self.last_end.clone());
        let mut records = tasks;
        for id in &durable {
            let record = records.remove(id);
            let mut installed = installed.lock();
            let Some(task) = installed.get_mut(id) else { continue };
            let defined = task.define_again(id, record.as_ref());
            drop(installed);
            match defined {
                Ok(Some((define, schedule))) => self.define(define, schedule),
                Ok(None) => {}
                Err(reason) => error!(task = &**id, %reason, "a task can't be defined again"),
            }
        }
        *self.stored.lock() = records;
        if self.begun {
            self.resolve_left_over();
        }
        self.step(PlanEvent::Hold { held: false });
    }
}
