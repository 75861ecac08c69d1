//! The store of a host, opened, with what the host before left in it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use hotbay_config::History;
use hotbay_store::{
    sqlite::{OpenError, SqliteStore},
    store::{Epoch, HostInfo, Retention, RunRecord, Store, StoreError, TaskRecord},
};
use tokio::{
    sync::{mpsc::WeakUnboundedSender, watch},
    task::spawn_blocking,
    time::{MissedTickBehavior, interval, sleep},
};
use tracing::{debug, error, warn};

use crate::runner::{RunnerEvent, TaskStore};

/// For how long this host is in charge of the plan if it says nothing.
const LEASE: Duration = Duration::from_secs(30);

/// How often it says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How often runs that are not kept any longer are removed, in heartbeats. The first heartbeat is at
/// the start.
const PRUNE_EACH: u32 = 6;

/// How many runs are removed at once. Others write in between.
const PRUNED_AT_ONCE: usize = 500;

/// The number of the first run of a host whose store can't be opened. What is stored has lower numbers,
/// which are not known then.
const FIRST_WITHOUT_STORE: u64 = 1 << 40;

/// How long a store that could not be opened is left alone before it is tried again, at first and at
/// most.
const REOPEN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// The store of a host, and what the host before left in it.
#[derive(Debug)]
pub struct OpenedStore {
    pub(crate) store: TaskStore,
    pub(crate) tasks: HashMap<Arc<str>, TaskRecord>,
    pub(crate) runs: Vec<RunRecord>,
    pub(crate) next_run: u64,
    /// How the host before ended.
    pub(crate) last_end: LastEnd,
}

/// How a host ended, as far as the next one knows. That decides how the attempts count that were under
/// way then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LastEnd {
    /// Nobody knows. Each attempt that was under way may have crashed it.
    #[default]
    Unknown,
    /// This plugin crashed it. Attempts of others were interrupted.
    CrashOf(String),
    /// It was told to end at once. All attempts were interrupted.
    Told,
}

impl OpenedStore {
    /// Returns a store that keeps nothing.
    pub fn none() -> Self {
        Self::empty(TaskStore::None)
    }

    /// Returns a store in a state folder that can't be used now. Tasks that are to be stored do not run
    /// until it can.
    pub fn without_folder(folder: &Path) -> Self {
        let reason = format!("the state folder {} can't be used", folder.display());
        error!("tasks that are to be stored do not run: {reason}");
        Self::unavailable(reason, folder)
    }

    fn unavailable(reason: String, folder: &Path) -> Self {
        let store = TaskStore::Unavailable { reason, folder: folder.to_owned() };
        Self { next_run: FIRST_WITHOUT_STORE, ..Self::empty(store) }
    }

    fn empty(store: TaskStore) -> Self {
        Self {
            store,
            tasks: HashMap::new(),
            runs: Vec::new(),
            next_run: 1,
            last_end: LastEnd::Unknown,
        }
    }

    /// Opens the store in a state folder, which this process has locked, and reads what the host
    /// before left in it. If it can't be used now, tasks that are to be stored do not run until it can.
    ///
    /// This blocks.
    ///
    /// # Errors
    /// If the store must not be used: it is not one, another user could have written it, or another
    /// version of the program has.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let opened = Self::try_open(folder)?;
        if let TaskStore::Unavailable { reason, .. } = &opened.store {
            error!("tasks that are to be stored do not run: {reason}");
        }
        Ok(opened)
    }

    fn try_open(folder: &Path) -> Result<Self, OpenError> {
        let unavailable = |reason: String| Self::unavailable(reason, folder);
        let store = match SqliteStore::open(folder) {
            Ok(store) => Arc::new(store),
            Err(error @ (OpenError::Damaged { .. } | OpenError::Unavailable { .. })) => {
                return Ok(unavailable(error.to_string()));
            }
            Err(error) => return Err(error),
        };
        Ok(Self::take_over(store).unwrap_or_else(|error| unavailable(error.to_string())))
    }

    fn take_over(store: Arc<SqliteStore>) -> Result<Self, StoreError> {
        let epoch = store.open_epoch(&HostInfo::this(), LEASE)?;
        let tasks = store.tasks()?.into_iter().map(|it| (Arc::clone(&it.task), it)).collect();
        let (runs, next_run) = (store.live_runs()?, store.next_run_id()?.0);
        let store = TaskStore::Open(store, epoch);
        Ok(Self { tasks, runs, next_run, ..Self::empty(store) })
    }

    /// Says how the host before ended.
    #[must_use]
    pub fn after(mut self, last_end: LastEnd) -> Self {
        self.last_end = last_end;
        self
    }
}

/// Opens the store in a folder as soon as it can be used, and tells the loop of the runner.
pub(crate) async fn reopen(folder: PathBuf, events: WeakUnboundedSender<RunnerEvent>) {
    let mut wait = REOPEN.0;
    loop {
        sleep(wait).await;
        wait = (wait * 2).min(REOPEN.1);
        let folder = folder.clone();
        let opened = spawn_blocking(move || OpenedStore::try_open(&folder)).await;
        // Only this task would keep a loop that nobody needs any more.
        let Some(events) = events.upgrade() else { return };
        let event = match opened {
            Ok(Ok(OpenedStore { store: TaskStore::Unavailable { reason, .. }, .. })) => {
                RunnerEvent::Unavailable(reason)
            }
            Ok(Err(error)) => RunnerEvent::Unavailable(error.to_string()),
            Ok(Ok(opened)) => {
                drop(events.send(RunnerEvent::Opened(Box::new(opened))));
                return;
            }
            Err(_) => return,
        };
        drop(events.send(event));
    }
}

/// Keeps this host in charge, and the store small, until the loop of the runner ends.
pub(crate) async fn upkeep(
    store: Arc<dyn Store>,
    epoch: Epoch,
    history: watch::Receiver<History>,
    events: WeakUnboundedSender<RunnerEvent>,
) {
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut beats = 0;
    // Only this task would keep a loop that nobody needs any more.
    while events.strong_count() > 0 {
        ticks.tick().await;
        beats += 1;
        let (store, prunes) = (Arc::clone(&store), beats % PRUNE_EACH == 1);
        let retention = retention(*history.borrow());
        let beat = spawn_blocking(move || {
            let beat = store.heartbeat(epoch, LEASE);
            if prunes && beat.is_ok() {
                prune(&*store, epoch, &retention);
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

fn retention(history: History) -> Retention {
    let count = |number| u64::try_from(number).unwrap_or(u64::MAX);
    Retention {
        max_age: Some(history.max_age),
        max_runs_per_task: Some(count(history.max_runs)),
        keep_at_least: count(history.keep_at_least),
    }
}

fn prune(store: &dyn Store, epoch: Epoch, retention: &Retention) {
    loop {
        match store.prune(epoch, retention, PRUNED_AT_ONCE) {
            Ok(pruned) if pruned.has_more => {}
            Ok(_) => return,
            Err(error) => return warn!(%error, "old runs can't be removed from the store"),
        }
    }
}
