//! A store in a file of SQLite: `hotbay.db` in the state folder.
//!
//! One thread writes, over one connection (`writer`); a few further connections read. The file is
//! in WAL mode: readers and the writer do not wait for each other. As all hosts that use the file
//! are on one machine, the host in charge holds a lock that the system releases when its process
//! ends, however that happens; so another host need not wait for a lease.

mod apply;
mod codes;
mod counts;
mod error;
mod failure;
mod file;
mod names;
mod queue;
mod read;
mod readers;
mod schema;
mod state;
mod upkeep;
mod writer;

use std::{
    fs::File,
    panic::{self, AssertUnwindSafe},
    path::Path,
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
    time::Duration,
};

pub use error::OpenError;
use hotbay_access::Missing;
use jiff::{SignedDuration, Timestamp};
use parking_lot::Mutex;

use self::{
    codes::{Number, Time},
    file::StoreFile,
    queue::Queue,
    readers::Readers,
    state::HealthState,
    writer::Writer,
};
use crate::clock;
use crate::store::{
    Batch, CheckReport, Done, Durability, Epoch, Failure, Health, HostInfo, LogLine, MissedRecord,
    Page, Pruned, Retention, RunDetail, RunId, RunQuery, RunRecord, Stats, Store, StoreError,
    TaskRecord,
};

/// The oldest version of SQLite that does not damage a file in WAL mode with several connections.
const OLDEST_LIBRARY: i32 = 3_051_003;

/// A store in a file of SQLite.
///
/// Dropping it waits until what is queued is written.
#[derive(Debug)]
pub struct SqliteStore {
    file: Arc<StoreFile>,
    health: Arc<HealthState>,
    queue: Arc<Queue>,
    readers: Readers,
    thread: Option<JoinHandle<()>>,
    /// Held while this process is in charge.
    lock: Mutex<Option<File>>,
}

impl SqliteStore {
    /// Opens the store of a state folder. A missing one is made, and one of an older version is
    /// brought to the present one.
    ///
    /// # Errors
    /// If the folder or the file can't be used, or if the file is of a newer version.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        if rusqlite::version_number() < OLDEST_LIBRARY {
            return Err(OpenError::Library { found: rusqlite::version() });
        }
        let file = Arc::new(StoreFile::in_folder(folder)?);
        migrate(&file)?;
        let db = file.connect_to_write().map_err(|error| file.not_opened(&error))?;
        let health = Arc::new(HealthState::new());
        let queue = Arc::new(Queue::default());
        let writer = Writer::new(Arc::clone(&file), Arc::clone(&health), db);
        let run = {
            let (queue, health) = (Arc::clone(&queue), Arc::clone(&health));
            move || {
                let _end = queue::EndAtDrop(&queue);
                if panic::catch_unwind(AssertUnwindSafe(|| writer.run(&queue))).is_err() {
                    let fault = "its thread ended by a fault of this program; start the host again";
                    health.is_failing(&Failure::Other(fault.to_owned()));
                }
            }
        };
        let thread = thread::Builder::new().name("hotbay-store".to_owned()).spawn(run);
        let thread = thread.map_err(|error| OpenError::Unavailable {
            path: file.path().to_owned(),
            failure: Failure::Other(hotbay_access::named(error).to_string()),
        })?;
        let readers = Readers::new(Arc::clone(&file));
        Ok(Self { file, health, queue, readers, thread: Some(thread), lock: Mutex::new(None) })
    }

    /// Examines the store of a state folder without a change of it. Returns `None` if there is
    /// none. A host may use it meanwhile.
    ///
    /// # Errors
    /// If the folder or the file can't be used, or if the file is of a newer version.
    pub fn examine(folder: &Path) -> Result<Option<CheckReport>, OpenError> {
        let file = StoreFile::find(folder, Missing::IsAnError)?;
        if !file.exists() {
            return Ok(None);
        }
        let not_opened = |error| file.not_opened(&error);
        let db = file.connect_to_read().map_err(not_opened)?;
        schema::find(&db, &file)?;
        upkeep::check(&db, &file).map(Some).map_err(not_opened)
    }

    /// Does something on the thread of the writer, after all that is queued, and waits for it.
    fn call<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (send, result) = mpsc::sync_channel(1);
        // The receiver waits below.
        self.queue.call(move |writer| drop(send.send(work(writer))));
        result.recv().unwrap_or(Err(StoreError::Closed))
    }

    /// Sets a time of an epoch, in that epoch.
    fn set_in_epoch(
        &self,
        epoch: Epoch,
        sql: &'static str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.call(move |writer| {
            writer.in_epoch(epoch, Durability::Fsync, |db, _| {
                db.prepare_cached(sql)?.execute((Number(epoch.0), Time(at)))?;
                Ok(())
            })
        })
    }

    /// Locks the store for this process. Returns `false` if this process has locked it before.
    fn lock(&self) -> Result<bool, StoreError> {
        let mut lock = self.lock.lock();
        if lock.is_some() {
            return Ok(false);
        }
        let locked = self.file.lock().map_err(|failure| self.file.unavailable(failure))?;
        *lock = Some(locked.ok_or_else(|| self.held())?);
        Ok(true)
    }

    /// Says who is in charge.
    fn held(&self) -> StoreError {
        let found = self.readers.read(|db| {
            db.query_row(
                "SELECT machine, process, lease_until FROM epochs ORDER BY epoch DESC LIMIT 1",
                [],
                |row| {
                    let by = HostInfo {
                        machine: row.get(0)?,
                        boot: String::new(),
                        process: row.get(1)?,
                    };
                    Ok((by.to_string(), row.get::<_, Time>(2)?.0))
                },
            )
        });
        let (by, until) = found.unwrap_or_else(|_| ("another process".to_owned(), clock::now()));
        StoreError::Held { by, until }
    }
}

/// Brings the file to the present version, while no other host uses it.
fn migrate(file: &StoreFile) -> Result<(), OpenError> {
    let not_opened = |error| file.not_opened(&error);
    let mut db = file.connect().map_err(not_opened)?;
    if schema::find(&db, file)? == schema::Found::Version(schema::newest()) {
        return Ok(());
    }
    let path = || file.path().to_owned();
    let lock = file.lock().map_err(|failure| OpenError::Unavailable { path: path(), failure })?;
    let Some(_lock) = lock else { return Err(OpenError::InUse { path: path() }) };
    // Another process may have done it meanwhile.
    let found = schema::find(&db, file)?;
    schema::migrate(&mut db, found, schema::MIGRATIONS).map_err(not_opened)
}

fn lease_until(lease: Duration) -> Timestamp {
    let lease = SignedDuration::try_from(lease).unwrap_or(SignedDuration::MAX);
    clock::now().saturating_add(lease).unwrap_or(Timestamp::MAX)
}

impl Store for SqliteStore {
    fn open_epoch(&self, host: &HostInfo, lease: Duration) -> Result<Epoch, StoreError> {
        let is_new = self.lock()?;
        let host = host.clone();
        let opened = self.call(move |writer| {
            writer.transaction(Durability::Fsync, |db, _| {
                let sql = "INSERT INTO epochs (machine, boot, process, opened, lease_until)
                     VALUES (?1, ?2, ?3, ?4, ?5) RETURNING epoch";
                let HostInfo { machine, boot, process } = host;
                let (now, until) = (Time(clock::now()), Time(lease_until(lease)));
                let epoch = db
                    .prepare_cached(sql)?
                    .query_row((machine, boot, process, now, until), |row| {
                        row.get::<_, Number>(0)
                    })?;
                Ok(Epoch(epoch.0))
            })
        });
        // An epoch that was opened before stays in charge.
        if opened.is_err() && is_new {
            *self.lock.lock() = None;
        }
        opened
    }

    fn heartbeat(&self, epoch: Epoch, lease: Duration) -> Result<(), StoreError> {
        self.set_in_epoch(
            epoch,
            "UPDATE epochs SET lease_until = ?2 WHERE epoch = ?1",
            lease_until(lease),
        )
    }

    fn close_epoch(&self, epoch: Epoch) -> Result<(), StoreError> {
        self.set_in_epoch(epoch, "UPDATE epochs SET closed = ?2 WHERE epoch = ?1", clock::now())?;
        *self.lock.lock() = None;
        Ok(())
    }

    fn write(&self, epoch: Epoch, batch: Batch, done: Done) {
        if let Err(refused) = self.queue.push(epoch, batch, done) {
            (refused.done)(Err(refused.reason));
        }
    }

    fn tasks(&self) -> Result<Vec<TaskRecord>, StoreError> {
        self.readers.read(read::tasks::all)
    }

    fn task(&self, task: &str) -> Result<Option<TaskRecord>, StoreError> {
        self.readers.read(|db| read::tasks::one(db, task))
    }

    fn live_runs(&self) -> Result<Vec<RunRecord>, StoreError> {
        self.readers.read(read::live)
    }

    fn next_run_id(&self) -> Result<RunId, StoreError> {
        self.readers.read(|db| {
            let next = db.query_row("SELECT next_run FROM totals", [], |row| row.get(0));
            next.map(|Number(next)| RunId(next))
        })
    }

    fn runs(&self, query: &RunQuery) -> Result<Page<RunRecord>, StoreError> {
        self.readers.read(|db| read::page(db, query))
    }

    fn run(&self, run: RunId) -> Result<Option<RunDetail>, StoreError> {
        self.readers.read(|db| read::detail(db, run))
    }

    fn log(&self, run: RunId, after: u64, limit: usize) -> Result<Vec<LogLine>, StoreError> {
        self.readers.read(|db| read::log(db, run, after, limit))
    }

    fn missed(&self, task: &str, limit: usize) -> Result<Vec<MissedRecord>, StoreError> {
        self.readers.read(|db| read::tasks::missed(db, task, limit))
    }

    fn stats(&self) -> Result<Stats, StoreError> {
        let (batches, lag) = self.queue.lag();
        let stats = self.readers.read(read::stats)?;
        let queued_batches = u64::try_from(batches).unwrap_or(u64::MAX);
        Ok(Stats { queued_batches, lag, wal_bytes: self.file.wal_bytes(), ..stats })
    }

    fn prune(
        &self,
        epoch: Epoch,
        retention: &Retention,
        limit: usize,
    ) -> Result<Pruned, StoreError> {
        let retention = *retention;
        self.call(move |writer| upkeep::prune(writer, epoch, retention, limit))
    }

    fn backup(&self, to: &Path) -> Result<(), StoreError> {
        self.readers.read_with(|db| upkeep::backup(db, to))
    }

    fn check(&self) -> Result<CheckReport, StoreError> {
        self.readers.read(|db| upkeep::check(db, &self.file))
    }

    fn health(&self) -> Health {
        self.health.get()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.queue.close();
        let Some(thread) = self.thread.take() else { return };
        // The last handle may be dropped by a function that is told of a batch.
        if thread.thread().id() != thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread of the store has panicked");
        }
    }
}

#[cfg(test)]
mod tests;
