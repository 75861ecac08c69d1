//! The store of a host, opened, with what the host before left in it.

use std::{collections::HashMap, path::Path, sync::Arc, time::Duration};

use hotbay_store::{
    sqlite::{OpenError, SqliteStore},
    store::{Epoch, HostInfo, Retention, RunRecord, Store, StoreError, TaskRecord},
};
use tokio::{
    sync::mpsc::WeakUnboundedSender,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::{debug, error, warn};

use crate::runner::{RunnerEvent, TaskStore};

/// For how long this host is in charge of the plan if it says nothing.
const LEASE: Duration = Duration::from_secs(30);

/// How often it says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often runs that are too old are removed, in heartbeats.
const PRUNE_EACH: u32 = 6;

/// How many runs are removed at once. Others write in between.
const PRUNED_AT_ONCE: usize = 500;

/// Which runs are kept.
const RETENTION: Retention = Retention {
    max_age: Some(Duration::from_secs(30 * 24 * 60 * 60)),
    max_runs_per_task: Some(10_000),
    keep_at_least: 100,
};

/// The store of a host, and what the host before left in it.
#[derive(Debug)]
pub struct OpenedStore {
    pub(crate) store: TaskStore,
    pub(crate) tasks: HashMap<Arc<str>, TaskRecord>,
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) next_run: u64,
    /// The plugin that is known to have crashed the host before.
    pub(crate) crashed: Option<String>,
}

impl OpenedStore {
    /// Returns a store that keeps nothing.
    pub fn none() -> Self {
        Self::empty(TaskStore::None)
    }

    fn empty(store: TaskStore) -> Self {
        Self { store, tasks: HashMap::new(), runs: Vec::new(), next_run: 1, crashed: None }
    }

    /// Opens the store in a state folder, which this process has locked, and reads what the host
    /// before left in it. If it can't be used now, tasks that are to be stored do not run.
    ///
    /// This blocks.
    ///
    /// # Errors
    /// If the store must not be used: it is not one, another user could have written it, or another
    /// version of the program has.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let store = match SqliteStore::open(folder) {
            Ok(store) => Arc::new(store),
            Err(error @ (OpenError::Damaged { .. } | OpenError::Unavailable { .. })) => {
                return Ok(Self::unavailable(&error.to_string()));
            }
            Err(error) => return Err(error),
        };
        Ok(Self::take_over(store).unwrap_or_else(|error| Self::unavailable(&error.to_string())))
    }

    fn unavailable(reason: &str) -> Self {
        error!("tasks that are to be stored do not run: {reason}");
        Self::empty(TaskStore::Unavailable(reason.to_owned()))
    }

    fn take_over(store: Arc<SqliteStore>) -> Result<Self, StoreError> {
        let epoch = store.open_epoch(&HostInfo::this(), LEASE)?;
        let tasks = store.tasks()?.into_iter().map(|it| (Arc::clone(&it.task), it)).collect();
        let (runs, next_run) = (store.live_runs()?, store.next_run_id()?.0);
        let store = TaskStore::Open(store, epoch);
        Ok(Self { tasks, runs, next_run, ..Self::empty(store) })
    }

    /// Names the plugin that is known to have crashed the host before. Runs of other plugins that
    /// were under way then are not taken for the reason.
    #[must_use]
    pub fn after_crash_of(mut self, plugin: Option<String>) -> Self {
        self.crashed = plugin;
        self
    }
}

/// Keeps this host in charge, and the store small, until the loop of the runner ends.
pub(crate) async fn upkeep(
    store: Arc<dyn Store>,
    epoch: Epoch,
    events: WeakUnboundedSender<RunnerEvent>,
) {
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beats = 0;
    // Only this task would keep a loop that nobody needs any more.
    while events.strong_count() > 0 {
        ticks.tick().await;
        beats += 1;
        let (store, prunes) = (Arc::clone(&store), beats % PRUNE_EACH == 0);
        let beat = spawn_blocking(move || {
            let beat = store.heartbeat(epoch, LEASE);
            if prunes && beat.is_ok() {
                prune(&*store, epoch);
            }
            beat
        });
        match beat.await {
            Ok(Err(StoreError::Fenced { .. })) => {
                drop(events.upgrade().map(|events| events.send(RunnerEvent::Fenced)));
                return;
            }
            // The runner finds out by itself that the store fails.
            Ok(Err(error)) => debug!(%error, "no heartbeat"),
            Ok(Ok(())) => {}
            Err(_) => return,
        }
    }
}

fn prune(store: &dyn Store, epoch: Epoch) {
    loop {
        match store.prune(epoch, &RETENTION, PRUNED_AT_ONCE) {
            Ok(pruned) if pruned.has_more => {}
            Ok(_) => return,
            Err(error) => return warn!(%error, "old runs can't be removed from the store"),
        }
    }
}
