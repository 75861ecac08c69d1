//! The thread that writes.
//!
//! It takes all batches that are queued and writes them in one transaction. After the commit, it
//! tells those who wait. What it can't write fails, and it goes on with what is next: a disk that has
//! room again, or a lock that is gone, needs no restart.

mod group;

use std::{
    panic::{self, AssertUnwindSafe},
    sync::Arc,
    time::Instant,
};

use rusqlite::{Connection, OptionalExtension};

use super::{
    apply::Memory,
    codes::Number,
    failure::{Fault, failure},
    file::StoreFile,
    queue::{Job, LastGroup, Queue},
    state::HealthState,
    upkeep::Sweep,
};
use crate::store::{Done, Durability, Epoch, Failure, StoreError, Written};

/// The one writer of a file.
pub(super) struct Writer {
    file: Arc<StoreFile>,
    health: Arc<HealthState>,
    /// `None` after a failure that calls for another connection.
    db: Option<Connection>,
    memory: Memory,
    durability: Durability,
    /// Where the removal of old runs has come to.
    pub(super) sweep: Sweep,
}

impl Writer {
    pub(super) fn new(file: Arc<StoreFile>, health: Arc<HealthState>, db: Connection) -> Self {
        let durability = Durability::Fsync;
        Self {
            file,
            health,
            db: Some(db),
            memory: Memory::new(),
            durability,
            sweep: Sweep::default(),
        }
    }

    /// Writes what is queued until the queue is closed and empty.
    pub(super) fn run(mut self, queue: &Queue) {
        let mut last = LastGroup::default();
        loop {
            match queue.next(last) {
                Job::Group(group) => {
                    let (begin, batches) = (Instant::now(), group.len());
                    let results = self.write_group(&group);
                    let taken = begin.elapsed();
                    last = LastGroup { batches: batches + queue.batches(), taken };
                    for (queued, result) in group.into_iter().zip(results) {
                        tell(queued.done, result);
                    }
                }
                Job::Call(call) => call(&mut self),
                Job::End => return,
            }
        }
    }

    /// Does something in a transaction of an epoch.
    pub(super) fn in_epoch<T>(
        &mut self,
        epoch: Epoch,
        durability: Durability,
        write: impl FnOnce(&Connection, &mut Memory) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        self.transaction(durability, |db, memory| {
            check_epoch(newest_epoch(db)?, epoch)?;
            write(db, memory)
        })
    }

    /// Does something in a transaction, which is committed if it is successful.
    pub(super) fn transaction<T>(
        &mut self,
        durability: Durability,
        write: impl FnOnce(&Connection, &mut Memory) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let mark = self.memory.mark();
        let result = self.connect().and_then(|()| self.try_transaction(durability, write));
        match result {
            Ok(value) => {
                self.memory.commit();
                self.health.is_good();
                Ok(value)
            }
            Err(fault) => {
                self.memory.roll_back(mark);
                Err(self.failed(fault))
            }
        }
    }

    fn try_transaction<T>(
        &mut self,
        durability: Durability,
        write: impl FnOnce(&Connection, &mut Memory) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        self.file.check_in_place().map_err(Fault::File)?;
        let Some(db) = &self.db else { return Err(Fault::Own(StoreError::Closed)) };
        if self.durability != durability {
            set_durability(db, durability)?;
            self.durability = durability;
        }
        db.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let written = write(db, &mut self.memory).and_then(|value| {
            self.memory.counts.write(db)?;
            db.prepare_cached("COMMIT")?.execute([])?;
            Ok(value)
        });
        // SQLite ends a transaction by itself after some errors.
        if written.is_err() && !db.is_autocommit() {
            // What matters is the first error.
            drop(db.execute_batch("ROLLBACK"));
        }
        written
    }

    /// Connects to the file, if the connection was given up.
    fn connect(&mut self) -> Result<(), Fault> {
        if self.db.is_none() {
            self.file.check_in_place().map_err(Fault::File)?;
            let db = self.file.connect_to_write()?;
            self.db = Some(db);
            self.durability = Durability::Fsync;
        }
        Ok(())
    }

    fn failed(&mut self, fault: Fault) -> StoreError {
        match fault {
            Fault::Own(error) => error,
            Fault::File(failure) => {
                // A connection may be of no use after such an error, even if the file is again.
                // One to a file without a name stays: its end would remove files by their names.
                if !matches!(failure, Failure::Full | Failure::Locked | Failure::Removed) {
                    self.db = None;
                    self.file.closed();
                }
                self.health.is_failing(&failure);
                self.file.unavailable(failure)
            }
        }
    }

    /// Lends the connection to what needs no transaction.
    pub(super) fn with_connection<T>(
        &mut self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let result = self.connect().and_then(|()| match &self.db {
            Some(db) => Ok(work(db)?),
            None => Err(Fault::Own(StoreError::Closed)),
        });
        result.map_err(|fault| self.failed(fault))
    }
}

/// Tells what became of a batch. A panic of the one who is told does not end the writer.
pub(super) fn tell(done: Done, result: Result<Written, StoreError>) {
    if panic::catch_unwind(AssertUnwindSafe(|| done(result))).is_err() {
        tracing::error!("a function that was told of a batch has panicked");
    }
}

fn set_durability(db: &Connection, durability: Durability) -> rusqlite::Result<()> {
    db.execute_batch(match durability {
        Durability::Async => "PRAGMA synchronous = NORMAL",
        Durability::Fsync => "PRAGMA synchronous = FULL",
    })
}

/// Returns the newest epoch, unless it was closed.
fn newest_epoch(db: &Connection) -> rusqlite::Result<Option<Epoch>> {
    let newest = db
        .prepare_cached("SELECT epoch, closed IS NULL FROM epochs ORDER BY epoch DESC LIMIT 1")?
        .query_row([], |row| Ok((row.get::<_, Number>(0)?.0, row.get(1)?)))
        .optional()?;
    Ok(newest.and_then(|(epoch, is_open)| if is_open { Some(Epoch(epoch)) } else { None }))
}

fn check_epoch(newest: Option<Epoch>, epoch: Epoch) -> Result<(), Fault> {
    if newest == Some(epoch) { Ok(()) } else { Err(Fault::Own(StoreError::Fenced { epoch })) }
}

/// Returns what is wrong with a file that could not be read.
pub(super) fn unreadable(file: &StoreFile, error: &rusqlite::Error) -> StoreError {
    file.unavailable(failure(error))
}
