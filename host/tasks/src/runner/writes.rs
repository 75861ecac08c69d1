//! What is on its way to the store, and what follows once it is there.

use std::{collections::VecDeque, path::PathBuf, sync::Arc, time::Duration};

use hotbay_plugin_api::Durability;
use hotbay_store::store::{self, Batch, Epoch, Record, Store, StoreError, Written};
use tokio::{sync::mpsc::UnboundedSender, time::Instant};
use tracing::{error, warn};

use super::{Consequence, RunnerEvent, stored};
use crate::plan::RunId;

/// How long a store that failed is left alone.
const RETRY: Duration = Duration::from_secs(1);

/// Where tasks and runs are stored.
#[derive(Debug, Clone)]
pub(crate) enum TaskStore {
    /// Nowhere: a host that starts again knows nothing of them.
    None,
    /// In this store, in the epoch of this host.
    Open(Arc<dyn Store>, Epoch),
    /// In a store that can't be used. Tasks that are to be stored do not run until it can.
    Unavailable {
        /// Why it can't be used.
        reason: String,
        /// The folder of the store.
        folder: PathBuf,
    },
}

/// A store that is open, with the epoch of this host in it.
pub(crate) type OpenStore = (Arc<dyn Store>, Epoch);

/// What is to be stored next, all at once.
#[derive(Debug)]
pub(super) struct NextBatch {
    /// Something is stored at all.
    pub(super) is_open: bool,
    records: Vec<Record>,
    /// Something of it has to be on the disk before what follows from it.
    is_durable: bool,
}

impl NextBatch {
    pub(super) fn new(is_open: bool) -> Self {
        Self { is_open, records: Vec::new(), is_durable: false }
    }

    /// Adds a record about a task, unless the task is kept in memory only.
    pub(super) fn add(&mut self, of: Durability, record: impl FnOnce() -> Record) {
        let Some(durability) = stored::durability(of).filter(|_| self.is_open) else { return };
        self.is_durable |= durability == store::Durability::Fsync;
        self.records.push(record());
    }

    /// Takes what is to be stored, if there is something.
    fn take(&mut self) -> Option<Batch> {
        let records = std::mem::take(&mut self.records);
        let durability = match std::mem::take(&mut self.is_durable) {
            true => store::Durability::Fsync,
            false => store::Durability::Async,
        };
        (!records.is_empty()).then_some(Batch { records, durability })
    }
}

/// A batch that the store has, or is to get.
#[derive(Debug)]
struct Write {
    number: u64,
    batch: Batch,
    then: Vec<Consequence>,
    /// The store has it and has not answered.
    in_flight: bool,
}

/// What became of a batch.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// What follows from it.
    pub(super) then: Vec<Consequence>,
    /// Runs that must not take place, because they have taken place.
    pub(super) duplicates: Vec<RunId>,
    /// Tells if the store can't be used any more, or can again.
    pub(super) held: Option<bool>,
}

/// The batches that are on their way to the store, the oldest first.
///
/// A store that fails loses nothing: what it did not write is given to it again, in the same order,
/// until it does. As nothing new begins meanwhile, that is not more than what the runs under way
/// result in.
#[derive(Debug)]
pub(super) struct Writes {
    store: TaskStore,
    writes: VecDeque<Write>,
    next: u64,
    /// Why the store can't be used now.
    failure: Option<String>,
    retry_at: Option<Instant>,
    events: UnboundedSender<RunnerEvent>,
}

impl Writes {
    pub(super) fn new(store: TaskStore, events: UnboundedSender<RunnerEvent>) -> Self {
        let failure = match &store {
            TaskStore::Unavailable { reason, .. } => Some(reason.clone()),
            TaskStore::None | TaskStore::Open(..) => None,
        };
        Self { store, writes: VecDeque::new(), next: 1, failure, retry_at: None, events }
    }

    pub(super) fn store(&self) -> &TaskStore {
        &self.store
    }

    /// Returns the store and the epoch of this host in it, if there is one that could be opened.
    pub(super) fn opened(&self) -> Option<OpenStore> {
        match &self.store {
            TaskStore::Open(store, epoch) => Some((Arc::clone(store), *epoch)),
            TaskStore::None | TaskStore::Unavailable { .. } => None,
        }
    }

    /// Stores in this store from now on, which could not be opened before.
    pub(super) fn open(&mut self, store: TaskStore) {
        (self.store, self.failure) = (store, None);
    }

    /// Notes why the store still can't be opened.
    pub(super) fn note_unavailable(&mut self, reason: String) {
        if self.failure.as_ref() != Some(&reason) {
            error!("tasks that are to be stored do not run: {reason}");
        }
        self.failure = Some(reason);
    }

    /// Returns why nothing can be stored now.
    pub(super) fn failure(&self) -> Option<&str> {
        self.failure.as_deref()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Returns when the store is to be tried again.
    pub(super) fn retry_at(&self) -> Option<Instant> {
        self.retry_at
    }

    /// Gives a batch to the store. Returns the consequences that need not wait for it.
    pub(super) fn submit(
        &mut self,
        batch: &mut NextBatch,
        consequences: Vec<Consequence>,
    ) -> Vec<Consequence> {
        let Some(batch) = batch.take() else { return consequences };
        let waits = batch.durability == store::Durability::Fsync;
        let (then, now) =
            if waits { (consequences, Vec::new()) } else { (Vec::new(), consequences) };
        let number = self.next;
        self.next += 1;
        self.writes.push_back(Write { number, batch, then, in_flight: false });
        if self.failure.is_none() {
            self.send(self.writes.len() - 1);
        }
        now
    }

    fn send(&mut self, index: usize) {
        let TaskStore::Open(store, epoch) = &self.store else { return };
        let Some(write) = self.writes.get_mut(index) else { return };
        write.in_flight = true;
        let (number, events) = (write.number, self.events.clone());
        let done = move |result| drop(events.send(RunnerEvent::Written(number, result)));
        store.write(*epoch, write.batch.clone(), Box::new(done));
    }

    /// Takes the answer of the store about a batch.
    pub(super) fn written(&mut self, number: u64, result: Result<Written, StoreError>) -> Outcome {
        let at = self.writes.iter().position(|it| it.number == number);
        let Some((at, write)) = at.and_then(|at| Some((at, self.writes.get_mut(at)?))) else {
            return Outcome::default();
        };
        write.in_flight = false;
        let mut held = None;
        match result {
            Ok(Written { duplicates }) => return self.done(at, duplicates),
            // While the store fails, an earlier batch may be missing that this one builds upon. The
            // oldest one builds upon none: it may be stored, although the store reported a failure.
            Err(StoreError::Conflict(conflict)) if self.failure.is_none() || at == 0 => {
                error!(%conflict, "what became of a run is not stored, or was stored already");
                return self.done(at, Vec::new());
            }
            Err(failed) => {
                if self.failure.is_none() {
                    error!("tasks that are to be stored begin nothing new: {failed}");
                    held = Some(true);
                }
                if !matches!(failed, StoreError::Conflict(_)) || self.failure.is_none() {
                    self.failure = Some(failed.to_string());
                }
                // One that was fenced never comes back: another host runs these tasks.
                let is_final = matches!(failed, StoreError::Fenced { .. } | StoreError::Closed);
                if !is_final {
                    self.retry_when_all_are_back();
                }
            }
        }
        Outcome { held, ..Outcome::default() }
    }

    /// Forgets a batch that is stored.
    fn done(&mut self, at: usize, duplicates: Vec<RunId>) -> Outcome {
        let then = self.writes.remove(at).map(|it| it.then).unwrap_or_default();
        let mut held = None;
        if self.failure.is_some() && self.writes.is_empty() {
            warn!("tasks and runs are stored again");
            (self.failure, self.retry_at, held) = (None, None, Some(false));
        } else if self.failure.is_some() {
            self.retry_when_all_are_back();
        }
        Outcome { then, duplicates, held }
    }

    fn retry_when_all_are_back(&mut self) {
        if self.writes.iter().all(|it| !it.in_flight) {
            self.retry_at = Some(Instant::now() + RETRY);
        }
    }

    /// Gives everything that was not written to the store again: the oldest batch first, and the
    /// others when it is written.
    pub(super) fn retry(&mut self) {
        self.retry_at = None;
        for index in 0..self.writes.len() {
            self.send(index);
        }
    }
}
