//! The store of a plan: tasks with their schedules, and runs with their attempts and logs.
//!
//! One host at a time is in charge of the plan that a store holds. It takes over by opening an
//! [`Epoch`], and every write carries that epoch. A newer epoch fences all older ones: what a host
//! writes that was thought dead, or that lost the store for a while, is refused as a whole. A host
//! keeps its epoch by a heartbeat, and another host waits until its lease has run out, unless the
//! store itself can tell that the other process is gone.
//!
//! Runs are claimed by [`Record::Started`]. It is conditional: it applies only to a run that waits,
//! and the epoch with the number of the start is the token by which the end of that very attempt is
//! reported later. As only one epoch can write, no host needs to ask a store for work: the plan of
//! the host in charge decides the order. A claim of an older epoch expires with its epoch; the new
//! host finds it in [`Store::live_runs`] and reports what became of it.
//!
//! For each task and nominal time at most one run is stored, whoever created it. Only a clock that was
//! set back far lets a nominal time come again, by [`TaskChange::Reset`].

mod epoch;
mod error;
mod query;
mod record;
mod run;
mod upkeep;

use std::{fmt, path::Path, sync::mpsc, time::Duration};

pub use epoch::{Epoch, HostInfo};
pub use error::{Conflict, DAMAGE_REMEDY, Failure, StoreError};
pub use query::{MissedRecord, Page, RunQuery, TaskRecord};
pub use record::{Batch, Durability, Edge, LogLevel, NewRun, Record, Skip, TaskChange, Written};
pub use run::{
    Attempt, AttemptEnd, AttemptOutcome, LogLine, Outcome, OutcomeCounts, RunCause, RunCounts,
    RunDetail, RunEnd, RunId, RunRecord, RunState, RunStatus, StopReason,
};
pub use upkeep::{CheckReport, Health, Pruned, Retention, Stats};

/// The function that is told what became of a batch.
pub type Done = Box<dyn FnOnce(Result<Written, StoreError>) + Send>;

/// A store that holds a plan. All methods block, except [`Store::write`].
///
/// Times are kept as nanoseconds since 1970 in 64 bits. A time outside of the years 1678 to 2261
/// becomes the nearest one inside.
pub trait Store: Send + Sync + fmt::Debug {
    /// Puts a host in charge of the plan, and fences every older epoch.
    ///
    /// # Errors
    /// [`StoreError::Held`] if another host is in charge, whose lease has not run out and which the
    /// store does not know to be gone.
    fn open_epoch(&self, host: &HostInfo, lease: Duration) -> Result<Epoch, StoreError>;

    /// Extends the lease of an epoch to this long from now. It is a write, so it also finds out
    /// whether a store that failed works again.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the epoch is not the newest, or was closed.
    fn heartbeat(&self, epoch: Epoch, lease: Duration) -> Result<(), StoreError>;

    /// Ends an epoch in order, after everything that was queued before is written. Another host can
    /// take over at once.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if the epoch is not the newest, or was closed before.
    fn close_epoch(&self, epoch: Epoch) -> Result<(), StoreError>;

    /// Writes a batch, entirely or not at all, and then calls `done`.
    ///
    /// Batches are written in the order in which they were queued, as many as there are in one
    /// transaction. An error of one batch does not affect the others. A batch that failed with
    /// [`StoreError::Unavailable`] may have been written all the same, if the disk failed in the
    /// last moment; [`Store::run`] tells. `done` is called exactly once, on the thread of the store, and must return soon. If the queue is full, it is called
    /// with [`StoreError::Busy`] on the thread of the caller, before this method returns.
    fn write(&self, epoch: Epoch, batch: Batch, done: Done);

    /// Writes a batch and waits until it is written.
    ///
    /// # Errors
    /// As [`Store::write`] reports them.
    fn write_and_wait(&self, epoch: Epoch, batch: Batch) -> Result<Written, StoreError> {
        let (send, written) = mpsc::sync_channel(1);
        // The receiver waits below.
        let done = move |result| drop(send.send(result));
        self.write(epoch, batch, Box::new(done));
        written.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Returns all tasks that are known, in the order of their ids.
    ///
    /// # Errors
    /// If the store can't be read.
    fn tasks(&self) -> Result<Vec<TaskRecord>, StoreError>;

    /// Returns one task, or `None` if nothing is known of it.
    ///
    /// # Errors
    /// If the store can't be read.
    fn task(&self, task: &str) -> Result<Option<TaskRecord>, StoreError>;

    /// Returns the runs that have not ended, oldest first. One that was started has the epoch that
    /// started it in its attempt.
    ///
    /// # Errors
    /// If the store can't be read.
    fn live_runs(&self) -> Result<Vec<RunRecord>, StoreError>;

    /// Returns the number above those of all runs.
    ///
    /// # Errors
    /// If the store can't be read.
    fn next_run_id(&self) -> Result<RunId, StoreError>;

    /// Returns a page of runs, newest first.
    ///
    /// # Errors
    /// If the store can't be read.
    fn runs(&self, query: &RunQuery) -> Result<Page<RunRecord>, StoreError>;

    /// Returns one run with all of its attempts, or `None` if there is none of this number.
    ///
    /// # Errors
    /// If the store can't be read.
    fn run(&self, run: RunId) -> Result<Option<RunDetail>, StoreError>;

    /// Returns lines of the log of a run, oldest first: those with a number above `after`, at most
    /// `limit`. The lines of a run are numbered from 1.
    ///
    /// # Errors
    /// If the store can't be read.
    fn log(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<LogLine>, StoreError>;

    /// Returns the missed runs of a task that were recorded, newest first, at most `limit` records.
    /// The latest hundred of each task are kept.
    ///
    /// # Errors
    /// If the store can't be read.
    fn missed(&self, task: &str, limit: usize) -> Result<Vec<MissedRecord>, StoreError>;

    /// Returns how much the store holds, and how far its writing is behind.
    ///
    /// # Errors
    /// If the store can't be read.
    fn stats(&self) -> Result<Stats, StoreError>;

    /// Removes runs that ended longer ago than is kept, at most `limit` of them, with their
    /// attempts and logs. Call it again while [`Pruned::has_more`] is true; writes of others take
    /// place in between.
    ///
    /// # Errors
    /// If the store can't be written, or the epoch is fenced.
    fn prune(
        &self,
        epoch: Epoch,
        retention: &Retention,
        limit: usize,
    ) -> Result<Pruned, StoreError>;

    /// Copies the store to a new file, as it is at one moment, while it is written.
    ///
    /// # Errors
    /// If the file exists, or can't be written.
    fn backup(&self, to: &Path) -> Result<(), StoreError>;

    /// Examines the store for `hotbay doctor`. This can take seconds.
    ///
    /// # Errors
    /// If the store can't be read.
    fn check(&self) -> Result<CheckReport, StoreError>;

    /// Tells whether the last write was successful. It returns at once.
    fn health(&self) -> Health;
}
